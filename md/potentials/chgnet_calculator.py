"""The CHGNet calculator without its prints and warnings, and with an error where an atom has no neighbour."""

from __future__ import annotations

from typing import Any

from chgnet.model.dynamics import CHGNetCalculator

from md.guards import Divergence
from md.quiet import quiet_evaluation


class QuietChgnet(CHGNetCalculator):  # type: ignore[misc]  # chgnet is untyped
    """CHGNet on the CPU with energy, forces and stress; an isolated atom counts as diverged."""

    def __init__(self, model: Any) -> None:
        super().__init__(model=model, use_device="cpu", on_isolated_atoms="error")

    def calculate(
        self, atoms: Any = None, properties: list[str] | None = None, system_changes: list[str] | None = None
    ) -> None:
        """Evaluate `atoms`.

        Raises:
            Divergence: an atom has no neighbour within the cutoff (6 Å), where the network means nothing.
        """
        try:
            with quiet_evaluation():
                super().calculate(atoms, properties, system_changes, task="efs")
        except ValueError as error:
            if "isolated atom" in str(error):
                raise Divergence("an atom has no neighbour within 6 Å") from error
            raise

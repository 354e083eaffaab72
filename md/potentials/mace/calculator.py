"""The MACE calculator without its warnings."""

from __future__ import annotations

from typing import Any

from mace.calculators import MACECalculator

from md.labels.third_party import silent_evaluation


class SilentMace(MACECalculator):  # type: ignore[misc]  # mace is untyped
    """One MACE model on the CPU in float64 with energy, forces and stress."""

    def __init__(self, module: Any) -> None:
        super().__init__(models=[module], device="cpu", default_dtype="float64")

    def calculate(
        self, atoms: Any = None, properties: list[str] | None = None, system_changes: list[str] | None = None
    ) -> None:
        """Evaluate `atoms`."""
        with silent_evaluation():
            super().calculate(atoms, properties, system_changes)

"""The calculator of symmetrix-xl in float64 on one thread, with the properties that the product uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from symmetrix import Symmetrix

from md.labels.third_party import silent_evaluation


class NativeMace(Symmetrix):  # type: ignore[misc]  # symmetrix is untyped
    """A converted MACE network with energy, forces and stress.

    Neighbours are listed to the cutoff and a skin beyond it, and the list is used again until an atom or the cell has
    moved so far that a pair could have come in; the labels do not depend on it but for rounding.

    Args:
        path: the converted network.
        compiled: use code compiled for this network; it needs a C++ compiler where the cache has none yet.
    """

    def __init__(self, path: Path, *, compiled: bool) -> None:
        mode = "direct" if compiled else "non-compiled"
        super().__init__(path, dtype="float64", streamed_edges=mode, execution_profile="speed")
        self.implemented_properties = ["energy", "free_energy", "forces", "stress"]
        self.compiled = compiled

    def calculate(
        self, atoms: Any = None, properties: list[str] | None = None, system_changes: list[str] | None = None
    ) -> None:
        """Evaluate `atoms`."""
        del properties, system_changes
        wanted = self.implemented_properties if atoms.cell.rank == len(atoms.cell) else ["energy", "forces"]
        with silent_evaluation():
            super().calculate(atoms, wanted)

    def reset(self) -> None:
        """Forget results and neighbours: a list made elsewhere changes the order of sums, and so the last bit."""
        super().reset()
        self._neighbor_cache = None

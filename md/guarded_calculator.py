"""The ASE face of an `Evaluator`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ase.calculators.calculator import Calculator, all_changes

from augment.cell import FloatArray
from md.guards import Evaluation


class GuardedCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """ASE calculator with energy, forces and stress from a guarded evaluation; `last` is the newest one."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, evaluate: Callable[[FloatArray, FloatArray], Evaluation]) -> None:
        super().__init__()
        self._guarded = evaluate
        self.last: Evaluation | None = None

    def check_state(self, atoms: Any, tol: float = 0.0) -> list[str]:
        """What changed since the newest evaluation; numbers do not, and ASE's own check takes longer than EAM."""
        del tol
        last = self.atoms
        same = last is not None and (last.positions == atoms.positions).all() and (last.cell == atoms.cell).all()
        return [] if same else ["positions", "cell"]

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate `atoms`.

        Raises:
            Divergence: a guard fails.
        """
        super().calculate(atoms, properties, system_changes)
        self.last = self._guarded(atoms.get_positions(), atoms.cell.array.copy())
        self.results = {
            "energy": self.last.energy,
            "free_energy": self.last.energy,
            "forces": self.last.forces,
            "stress": self.last.stress,
        }

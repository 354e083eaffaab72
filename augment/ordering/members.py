"""What an equilibrium of a solid solution consists of: configurations as often as they occur, and their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from augment.defect import Defect
from augment.ordering.short_range_order import ShellOrder
from augment.solutions.solution import SolidSolution


@dataclass(frozen=True, eq=False)
class EquilibratedMember:
    """One symmetry-distinct configuration that was drawn.

    Attributes:
        defect: its edits, with their canonical key.
        enthalpy: of the supercell, eV, by the source of the enthalpies.
        drawn: how often.
        probability: of this configuration and its equivalent ones, where all are known; else None.
    """

    defect: Defect
    enthalpy: float
    drawn: int
    probability: float | None = None


@dataclass(frozen=True, eq=False)
class EquilibratedEnsemble:
    """Configurations of a solid solution, drawn as they occur at a temperature.

    Attributes:
        solution: the numbers of edits and the supercell.
        temperature: K.
        seed: of the random generator.
        members: most often drawn first, no two equivalent.
        order: short-range order of the equilibrium.
        evaluations: configurations whose enthalpy was evaluated.
        exact: whether all distinct configurations were, so that the averages are Boltzmann sums.
        expansion_error: root mean square error of the pair expansion for configurations of the equilibrium that it
            had not been fitted to, eV per supercell; None where it is exact.
        acceptance: share of the expansion's draws that the evaluated enthalpies accepted; 1 where it is exact.
        settled: whether the chains of the Monte Carlo agreed.
    """

    solution: SolidSolution
    temperature: float
    seed: int
    members: tuple[EquilibratedMember, ...]
    order: tuple[ShellOrder, ...]
    evaluations: int
    exact: bool
    expansion_error: float | None
    acceptance: float
    settled: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what was asked, how it was sampled, the order, and every configuration."""
        return {
            "temperature": self.temperature,
            "seed": self.seed,
            **self.solution.to_dict(),
            "evaluations": self.evaluations,
            "exact": self.exact,
            "expansion_error": self.expansion_error,
            "acceptance": self.acceptance,
            "settled": self.settled,
            "short_range_order": [each.to_dict() for each in self.order],
            "members": [
                {
                    "key": m.defect.key,
                    "degeneracy": m.defect.degeneracy,
                    "enthalpy": m.enthalpy,
                    "drawn": m.drawn,
                    "probability": m.probability,
                }
                for m in self.members
            ],
        }

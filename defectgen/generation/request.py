"""Requests of geometries from the generative model, within limits."""

from __future__ import annotations

from dataclasses import dataclass

from augment.errors import ConditionError
from defectgen.energy_surface.source import TEACHER
from defectgen.model.bridge import SAMPLER_STEPS
from md.conditions.environment import check_pressure, check_temperature
from md.potentials import Potential

MAX_SPREAD = 10.0
MAX_GUIDANCE = 10.0
MAX_ENERGY = 20.0
MAX_CORRECTIONS = 100

SAMPLED, BEST, FULL, TRIVIAL = "sample", "best", "full", "1"
"""Subgroups by what they are."""


@dataclass(frozen=True)
class GeometryRequest:
    """Which geometries are requested.

    Attributes:
        subgroup: `full` for the whole stabilizer, the Hermann-Mauguin or Schoenflies symbol of one of its subgroups,
            `best` for the subgroup that most probably survives, or `sample` to draw one for each structure. None asks
            for `best`, or `full` of a model that knows no p(H), and for no symmetry in a snapshot: frames without
            one fluctuate about the geometry with the subgroup that most probably survives.
        temperature: K; 0 for relaxed structures.
        pressure: GPa.
        snapshot: instantaneous frames instead of the thermal mean (see `defectgen.energy_surface.harmonic_ensemble`).
        n: structures of each defect.
        seed: of the noise.
        steps: of the sampler.
        eta: share of the noise that is drawn anew at each step; 0 follows the deterministic flow.
        guidance: weight of the conditions; 1 is what was learnt, more exaggerates them, 0 ignores them.
        spread: scale of the noise; 0 gives the best guess, 1 a draw from what was learnt. By default the first relaxed
            structure is the best guess, and all others are draws. Of a lower symmetry without input features the
            first is a draw too: without noise nothing would break the symmetry of the ideal start.
        energy: eV above the lowest geometry of the defect, a condition of the network; None where it is none.
        charge: e, a condition of the network; None where it is none.
        forces: potential whose energy surface gives input features, if the network has learnt from any: `teacher` for
            the one that labelled its corpus, a name, or `none`. Elements that it does not cover have none.
        corrections: steps down that surface from a structure of the network, if it is requested at 0 K; a force
            evaluation each. They keep H and the cell.
        keep_cell: the cell is that of the relaxed host whatever the temperature and the pressure.
    """

    subgroup: str | None = None
    temperature: float = 0.0
    pressure: float = 0.0
    snapshot: bool = False
    n: int = 1
    seed: int = 0
    steps: int = SAMPLER_STEPS
    eta: float = 0.0
    guidance: float = 1.0
    spread: float | None = None
    energy: float | None = 0.0
    charge: int | None = None
    forces: str | Potential = TEACHER
    corrections: int = 1
    keep_cell: bool = False

    def __post_init__(self) -> None:
        check_temperature(self.temperature, at_rest=True)
        check_pressure(self.pressure)
        if self.snapshot and self.temperature == 0.0:
            raise ConditionError("a snapshot needs a temperature above 0 K; leave it out for the relaxed structure")
        if self.n < 1 or self.steps < 1:
            raise ConditionError(f"n = {self.n}, steps = {self.steps}: give at least one structure and one step")
        if not (0.0 <= self.eta <= 1.0 and (self.spread is None or 0.0 <= self.spread <= MAX_SPREAD)):
            raise ConditionError(
                f"eta = {self.eta}, spread = {self.spread}: eta is from 0 to 1, spread from 0 to {MAX_SPREAD:g}"
            )
        if not abs(self.guidance) <= MAX_GUIDANCE:
            raise ConditionError(f"guidance {self.guidance} is not between -{MAX_GUIDANCE:g} and {MAX_GUIDANCE:g}")
        if not 0 <= self.corrections <= MAX_CORRECTIONS:
            raise ConditionError(f"corrections {self.corrections} is not between 0 and {MAX_CORRECTIONS}")
        if self.energy is not None and not 0.0 <= self.energy <= MAX_ENERGY:
            raise ConditionError(f"energy {self.energy} eV above the lowest is not between 0 and {MAX_ENERGY:g} eV")

    def spread_of(self, index: int, *, known: bool) -> float:
        """Scale of the noise of one sample; `known` says whether it has the requested symmetry without any."""
        if self.spread is not None:
            return self.spread
        return 0.0 if index == 0 and known and not self.snapshot else 1.0

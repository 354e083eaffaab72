"""Whether a run has settled: its means are as precise as requested, and its pressure is the one that was held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from md.conditions.environment import IN_PLANE
from md.conditions.point import MdPoint
from md.dynamics.response import Response, Series
from md.estimators.equilibration import MIN_SAMPLES, cautious_mean, equilibration, statistical_inefficiency
from md.estimators.statistics import Mean

EQUILIBRATION = 1 / 3
"""Share of the steps at the start that averages leave out: the cell is still adapting to its environment there."""

MAX_DRIFTING_SHARE = 0.5
"""Of a run that may pass, by Chodera's criterion, before it is in equilibrium."""

MAX_PRESSURE_MISS = 0.2
"""GPa by which the mean pressure may miss the one held: a thousandth of the volume of a stiff solid."""

MAX_ERRORS = 2.0
"""Standard errors by which it may; 19 of 20 right runs stay within."""


@dataclass(frozen=True)
class SettledMeans:
    """Means over the last two thirds of a run, with their standard errors.

    Attributes:
        volume: Å³ per atom.
        energy: potential energy, eV per atom.
        pressure: GPa.
        drifting_share: of the run, before volume and energy are in equilibrium by Chodera's criterion.
        samples: independent ones of the volume under a barostat, and of the energy else.
    """

    volume: Mean
    energy: Mean
    pressure: Mean
    drifting_share: float
    samples: float

    @classmethod
    def of(cls, series: Series, atoms: int, *, breathes: bool) -> SettledMeans:
        """Of a series of so many atoms, whose volume changes or does not."""
        skipped = int(len(series) * EQUILIBRATION)
        volume, energy, pressure = (
            cautious_mean(column[skipped:])
            for column in (series.volumes / atoms, series.energies / atoms, series.pressures)
        )
        slow = series.volumes if breathes else series.energies
        if len(series) - skipped < MIN_SAMPLES:
            return cls(volume, energy, pressure, 1.0, 0.0)
        share = equilibration(slow).start / len(series)
        produced = slow[skipped:]
        return cls(volume, energy, pressure, share, len(produced) / statistical_inefficiency(produced))


def looks_at(point: MdPoint, step: int) -> bool:
    """Whether one looks after a step whether a point is precise enough to end there."""
    return point.precision is not None and step in point.precision.looks(point.steps)


def is_precise(series: Series, point: MdPoint, atoms: int) -> bool:
    """Whether the means of a run so far are as precise as its point asks for; a function of the series alone."""
    return not any(_imprecise(series, point, atoms))


def _imprecise(series: Series, point: MdPoint, atoms: int) -> Iterator[str]:
    """What is not precise enough; nothing where no precision is requested."""
    asked, breathes = point.precision, point.environment.has_barostat
    if asked is None:
        return
    means = SettledMeans.of(series, atoms, breathes=breathes)
    if means.drifting_share > MAX_DRIFTING_SHARE:
        yield _drift(means)
    if means.samples < MIN_SAMPLES:
        yield f"{means.samples:.0f} independent samples are too few for an error (at least {MIN_SAMPLES})"
    relative = means.volume.error / means.volume.value
    if breathes and not relative <= asked.volume:
        yield f"the volume is known to {100 * relative:.2g} %, not to {100 * asked.volume:.2g} %"
    if not means.energy.error <= asked.energy:
        yield f"the energy is known to {means.energy.error:.2g} eV per atom, not to {asked.energy:.2g}"


def _drift(means: SettledMeans) -> str:
    return f"{100 * means.drifting_share:.0f} % of the run passed before it was in equilibrium"


def why_unsettled(response: Response) -> list[str] | None:
    """What keeps a run from having settled, as texts; none where it has, None where its environment changes."""
    point, series, atoms = response.point, response.series, len(response.frames.start)
    if not point.environment.is_constant or point.environment.ensemble == "nve" or response.status != "finished":
        return None
    reasons = list(_imprecise(series, point, atoms))
    means = SettledMeans.of(series, atoms, breathes=point.environment.has_barostat)
    drift = _drift(means)
    if means.drifting_share > MAX_DRIFTING_SHARE and drift not in reasons:
        reasons.append(drift)
    if point.environment.has_barostat and point.environment.ensemble != IN_PLANE:
        reasons += _missed(means.pressure, float(point.environment.pressures.array[0, :3].mean()))
    return reasons


def _missed(pressure: Mean, held: float) -> Iterator[str]:
    miss = pressure.value - held
    if abs(miss) > MAX_PRESSURE_MISS and abs(miss) > MAX_ERRORS * pressure.error:
        yield f"the mean pressure is {pressure.value:.2f} ± {pressure.error:.2f} GPa, not {held:g}"

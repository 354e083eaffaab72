"""A host among the phases that it exchanges atoms with, and the limits of its chemical potentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from augment.errors import ConditionError, DataError, SupercellError
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.thermo.requests import partial_pressures, phase_request
from defectgen.run.progress import progress
from defectgen.thermodynamics.cache import ResultCache
from defectgen.thermodynamics.limits import HostStability, Limit, find_limits, host_stability, with_foreign
from defectgen.thermodynamics.phase_energies import PhaseEnergies, find_phases
from defectgen.thermodynamics.reservoir import Reservoir, formula_composition
from defectgen.thermodynamics.vibrations import Oscillators, crystal_vibrations
from md.relaxation.relaxed_host import RelaxedHost

MAX_METASTABLE = 0.05
"""eV per atom above the hull up to which a host is gone on with: of phases that are made half lie within 0.015 (Sun et
al., Science Advances 2, e1600225 (2016)), and potentials err by as much."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A host among its phases.

    Attributes:
        host: as a reservoir of itself.
        phases: what it can exchange atoms with.
        foreign: elements that only defects have.
        partial: partial pressures of gases, bar, by element.
        stability: where it lies among the phases at 0 K.
    """

    host: Reservoir
    phases: PhaseEnergies
    foreign: tuple[str, ...]
    partial: Mapping[str, float]
    stability: HostStability

    def limits(self, temperature: float, pressure: float) -> tuple[Limit, ...]:
        """The limits at a temperature (K) and a pressure (GPa), foreign elements included."""
        known = self.phases.reservoirs
        gibbs = self.gibbs(temperature, pressure)
        found = find_limits(self.host, known, gibbs)
        given = {p.formula for p in known if p.name == f"{p.formula} given"}
        # What a user gives of a foreign element is what it is, whatever precipitates.
        bounding = [p for p in known if p.formula in given or not given & set(p.composition) & set(self.foreign)]
        return tuple(with_foreign(limit, bounding, gibbs, self.foreign) for limit in found)

    def gibbs(self, temperature: float, pressure: float) -> dict[str, float]:
        """Gibbs energies (eV of a formula unit) of the host and all phases, by name."""
        phases = (self.host, *self.phases.reservoirs)
        return {p.name: p.gibbs(temperature, pressure, self.partial) for p in phases}

    def start(self, temperature: float, pressure: float) -> dict[str, float]:
        """Chemical potentials that leave nothing of the host's energy, eV: those of a limit where there is one."""
        limits = self.limits(temperature, pressure)
        if limits:
            return dict(limits[0].chemical_potentials)
        share = self.host.gibbs(temperature, pressure) / self.host.atoms
        return dict.fromkeys(self.host.composition, share)

    def vibrating(self, bulk: Oscillators, cache: ResultCache, temperatures: Sequence[float]) -> Surroundings:
        """The same with vibrational free energies of the host, of gases, and of all phases at a limit.

        Others are left out, since their energies would be of another kind.

        Raises:
            DataError: a phase at a limit is no minimum.
        """
        needed = {name for t in (0.0, *temperatures) for limit in self.limits(t, 0.0) for name in _names(limit)}
        host = replace(self.host, vibrations=bulk.per(self.host.atoms))
        warm, left_out = [], dict(self.phases.left_out)
        chosen = [p for p in self.phases.reservoirs if p.name in needed]
        with progress("thermo", "phases") as report:
            for done, phase in enumerate(chosen):
                report(done, len(chosen), f"vibrations of {phase.name}")
                try:
                    warm.append(_vibrating(phase, self.phases, cache))
                except (DataError, SupercellError) as error:
                    left_out[phase.name] = str(error)
            report(len(chosen), len(chosen), "done")
        phases = replace(self.phases, reservoirs=tuple(warm), left_out=left_out)
        return replace(self, host=host, phases=phases)


def _names(limit: Limit) -> set[str]:
    return {*limit.phases, *limit.foreign.values()}


def _vibrating(phase: Reservoir, phases: PhaseEnergies, cache: ResultCache) -> Reservoir:
    if phase.gas is not None:
        return replace(phase, vibrations=lambda _: 0.0)  # marks that its zero-point energy counts
    if phase.name not in phases.crystals:
        return phase
    found = crystal_vibrations(phase.name, phases.crystals[phase.name], cache)
    return replace(phase, vibrations=found.per(phase.atoms))


def find_surroundings(
    prepared: PreparedRun, reference: RelaxedHost, elements: Sequence[str], cache: ResultCache
) -> Surroundings:
    """The host among all phases of some elements, its own first.

    Raises:
        ConditionError: what the user gives of phases does not fit, or the host decomposes by more than
            `MAX_METASTABLE` and `thermo.metastable` is not set.
        CifError: a file holds no crystal.
    """
    asked = prepared.settings.thermo
    crystal = reference.crystal
    own = formula_composition(crystal.formula)
    units = crystal.n_lattice / sum(own.values())
    volume = abs(float(_volume(reference))) / units
    host = Reservoir(f"{crystal.formula} (host)", own, reference.energy / units, volume)
    foreign = tuple(sorted(set(elements) - set(own)))
    with progress("thermo", "phases") as report:
        phases = find_phases([*sorted(own), *foreign], cache.potential, cache, phase_request(asked), report)
    zero = {p.name: p.energy for p in (host, *phases.reservoirs)}
    compound = len(own) > 1
    stability = host_stability(host, phases.reservoirs, zero) if compound else _elemental(host, phases.reservoirs, zero)
    # A layer lies above its stacked crystal by what binds layers, and stays one.
    _check_stable(host, stability, metastable=asked.metastable or prepared.host.has_vacuum)
    return Surroundings(host, phases, foreign, partial_pressures(asked), stability)


def _volume(reference: RelaxedHost) -> float:
    import numpy as np

    return float(np.linalg.det(reference.crystal.primitive))


def _elemental(host: Reservoir, others: Sequence[Reservoir], zero: Mapping[str, float]) -> HostStability:
    """An element among its other structures."""
    mine = zero[host.name] / host.atoms
    rivals = [p for p in others if p.formula == host.formula and p.gas is None]
    if not rivals:
        return HostStability(0.0, (), known=False)
    lowest = min(rivals, key=lambda p: zero[p.name] / p.atoms)
    return HostStability(mine - zero[lowest.name] / lowest.atoms, (lowest.name,), known=True)


def _check_stable(host: Reservoir, stability: HostStability, *, metastable: bool) -> None:
    if stability.above_hull > MAX_METASTABLE and not metastable:
        raise ConditionError(
            f"{host.formula} lies {stability.above_hull:.3f} eV an atom above {' + '.join(stability.decomposition)}, "
            "into which it would decompose, so that no chemical potentials keep it; --metastable goes on as if it lay "
            "on the hull, another potential may know it better"
        )


def stability_note(around: Surroundings) -> str:
    """One line on where the host lies."""
    found = around.stability
    if not found.known:
        lost = ", ".join(around.phases.missing) or "its elements"
        return f"{around.host.formula}: no phase of {lost} to compare with, so its stability is not known"
    others = " + ".join(found.decomposition)
    if found.above_hull > SAME_PHASE:
        return (
            f"{around.host.formula} lies {found.above_hull:.3f} eV an atom above {others}: metastable; its limits are "
            "those of a host that lies just on the hull"
        )
    if found.above_hull > -SAME_PHASE:
        return f"{around.host.formula} is {others} of the table, the lowest phase of its composition"
    return (
        f"{around.host.formula} lies {-found.above_hull:.3f} eV an atom below {others}: stable among the known phases"
    )


SAME_PHASE = 1e-3
"""eV per atom; a host this near to a phase of the table is that phase."""

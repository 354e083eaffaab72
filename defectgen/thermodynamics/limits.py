"""Limits of the chemical potentials of a compound: the corners of the region in which nothing else precipitates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from defectgen.thermodynamics.reservoir import Reservoir, formula_composition

__all__ = ["HostStability", "Limit", "find_limits", "host_stability", "with_foreign"]

PLACEHOLDER = 1e3
"""eV per atom of an element that no phase is known of: corners where it would precipitate are none."""

JUST_STABLE = 1e-4
"""eV per atom by which a metastable host is put below the hull, so that it has corners."""

SAME_POTENTIAL = 1e-6
"""eV; chemical potentials that differ by less are one."""


@dataclass(frozen=True)
class Limit:
    """A corner: chemical potentials at which the host is in equilibrium with as many phases as there are elements.

    Attributes:
        name: `O-rich`, `Ti-rich, O-poor`, or the phases.
        chemical_potentials: eV per atom, by element.
        phases: names of the phases in equilibrium with the host.
        volumes: Å³ that an atom takes in its reservoir, by element: the slope of its chemical potential with pressure.
        foreign: for each element that the host does not have, the phase that bounds it.
    """

    name: str
    chemical_potentials: Mapping[str, float]
    phases: tuple[str, ...]
    volumes: Mapping[str, float]
    foreign: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name, "chemical_potentials": dict(self.chemical_potentials), "phases": list(self.phases),
            "volumes": dict(self.volumes), "bounds": dict(self.foreign),
        }  # fmt: skip


@dataclass(frozen=True)
class HostStability:
    """Where a host lies among the known phases.

    Attributes:
        above_hull: eV per atom above the mixture of other phases that is lowest; negative by how far it is below.
        decomposition: names of the phases of that mixture.
        known: whether every element has a phase to compare with.
    """

    above_hull: float
    decomposition: tuple[str, ...]
    known: bool

    @property
    def stable(self) -> bool:
        """On the hull, as far as the phases are known."""
        return self.above_hull <= 0

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"above_hull": self.above_hull if self.known else None, "decomposition": list(self.decomposition)}


def host_stability(host: Reservoir, others: Sequence[Reservoir], gibbs: Mapping[str, float]) -> HostStability:
    """How far a host is above or below the other phases; gibbs (eV of a formula unit) by name."""
    from pymatgen.analysis.phase_diagram import PhaseDiagram

    missing = _missing(host, others)
    diagram = PhaseDiagram([_entry(phase, gibbs) for phase in others if _within(phase, host)] + _placeholders(missing))
    mixture: tuple[Any, float] = diagram.get_decomp_and_hull_energy_per_atom(_entry(host, gibbs).composition)
    names = tuple(sorted(entry.name for entry in mixture[0]))
    return HostStability(gibbs[host.name] / host.atoms - float(mixture[1]), names, not missing)


def find_limits(host: Reservoir, others: Sequence[Reservoir], gibbs: Mapping[str, float]) -> tuple[Limit, ...]:
    """The corners of a host among other phases, each with its name; none where too little is known.

    A host above the hull is treated as if it lay just on it: its corners are then those where the phases that it
    would decompose into are next, and the energies of the corner are the host's own.

    Args:
        host: the crystal.
        others: phases of its elements; those with other elements do not count, nor do those of its composition.
        gibbs: Gibbs energy of each, eV of a formula unit, by name.
    """
    from pymatgen.analysis.phase_diagram import PhaseDiagram

    elements = sorted(host.composition)
    if len(elements) == 1:
        (symbol,) = elements
        own = {symbol: gibbs[host.name] / host.atoms}
        return (Limit(f"{symbol}-rich", own, (), {symbol: host.volume / host.atoms}, {}),)
    rivals = [p for p in others if _within(p, host) and p.formula != host.formula]
    missing = _missing(host, rivals)
    entries = [_entry(p, gibbs) for p in rivals] + _placeholders(missing)
    own = _entry(host, gibbs)
    above = own.energy_per_atom - PhaseDiagram(entries).get_hull_energy_per_atom(own.composition)
    own = _entry(host, gibbs, -max(above + JUST_STABLE, 0.0) * host.atoms)
    diagram = PhaseDiagram([*entries, own])
    corners = []
    for facet in diagram.facets:
        every: list[Any] = [diagram.qhull_entries[i] for i in facet]
        names = {entry.name for entry in every}
        if host.name in names and not names & {f"{symbol} unknown" for symbol in missing}:
            corner = [p for p in (host, *rivals) if p.name in names]
            volumes = {p.name: p.volume for p in corner}
            potentials, sizes = (_solved(corner, elements, values) for values in (gibbs, volumes))
            corners.append((potentials, sizes, tuple(sorted(names - {host.name}))))
    return _named(_distinct(corners), elements)


def with_foreign(
    limit: Limit, phases: Sequence[Reservoir], gibbs: Mapping[str, float], foreign: Sequence[str]
) -> Limit:
    """A limit with the highest chemical potential of other elements at which no phase of theirs precipitates.

    An element that no phase bounds is left out.
    """
    known = dict(limit.chemical_potentials)
    bounds: dict[str, str] = {}
    for symbol in foreign:
        holding = [p for p in phases if symbol in p.composition and set(p.composition) <= {symbol, *known}]
        values = {p.name: _bound(p, symbol, known, gibbs[p.name]) for p in holding if symbol not in known}
        if values:
            bounds[symbol] = min(values, key=lambda name: values[name])
    bounding = {symbol: next(p for p in phases if p.name == name) for symbol, name in bounds.items()}
    mu = {symbol: _bound(p, symbol, known, gibbs[p.name]) for symbol, p in bounding.items()}
    sizes = {symbol: _bound(p, symbol, limit.volumes, p.volume) for symbol, p in bounding.items()}
    return Limit(limit.name, {**known, **mu}, limit.phases, {**limit.volumes, **sizes}, bounds)


def _bound(phase: Reservoir, symbol: str, known: Mapping[str, float], whole: float) -> float:
    """What is left of a whole formula unit for an atom of one element, when the others have what they have."""
    rest = sum(n * known[element] for element, n in phase.composition.items() if element != symbol)
    return (whole - rest) / phase.composition[symbol]


def _within(phase: Reservoir, host: Reservoir) -> bool:
    return set(phase.composition) <= set(host.composition)


def _missing(host: Reservoir, others: Sequence[Reservoir]) -> list[str]:
    """Elements of a host that no elemental phase is known of."""
    return sorted(s for s in host.composition if not any(set(p.composition) == {s} for p in others))


def _entry(phase: Reservoir, gibbs: Mapping[str, float], shift: float = 0.0) -> Any:
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.core import Composition

    return PDEntry(Composition(dict(phase.composition)), gibbs[phase.name] + shift, name=phase.name)


def _placeholders(elements: Sequence[str]) -> list[Any]:
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.core import Composition

    return [PDEntry(Composition(symbol), PLACEHOLDER, name=f"{symbol} unknown") for symbol in elements]


def _solved(corner: Sequence[Reservoir], elements: Sequence[str], whole: Mapping[str, float]) -> dict[str, float]:
    """Shares of atoms (energies, volumes) that add up to the whole formula unit of every phase of a corner."""
    matrix = np.array([[phase.composition.get(symbol, 0) for symbol in elements] for phase in corner], dtype=float)
    values = np.linalg.solve(matrix, [whole[phase.name] for phase in corner])
    return dict(zip(elements, map(float, values), strict=True))


_Corner = tuple[dict[str, float], dict[str, float], tuple[str, ...]]
"""Chemical potentials, volumes, and names of the phases."""


def _distinct(corners: Sequence[_Corner]) -> list[_Corner]:
    found: list[_Corner] = []
    for corner in corners:
        mu = corner[0]
        if not any(max(abs(mu[s] - other[0][s]) for s in mu) < SAME_POTENTIAL for other in found):
            found.append(corner)
    return found


def _named(corners: Sequence[_Corner], elements: Sequence[str]) -> tuple[Limit, ...]:
    """Limits named by the elements that they are richest in, then poorest; by their phases where these say nothing."""
    every = [mu for mu, _, _ in corners]
    names = [_name(mu, every, elements, phases) for mu, _, phases in corners]
    made = []
    for name, (mu, volumes, phases) in zip(names, corners, strict=True):
        unique = name if name and names.count(name) == 1 else f"{name or 'with'} ({' + '.join(phases)})"
        made.append(Limit(unique, mu, phases, volumes, {}))
    return tuple(sorted(made, key=lambda limit: limit.name))


def _name(
    mu: Mapping[str, float], every: Sequence[Mapping[str, float]], elements: Sequence[str], phases: Sequence[str]
) -> str:
    pure = [s for s in elements if any(formula_composition(name.split()[0]).keys() == {s} for name in phases)]
    if len(every) == 1:
        return ", ".join(f"{s}-rich" for s in pure)
    rich = [s for s in elements if mu[s] > max(other[s] for other in every) - SAME_POTENTIAL]
    poor = [s for s in elements if mu[s] < min(other[s] for other in every) + SAME_POTENTIAL]
    binary = len(elements) == 2  # noqa: PLR2004  rich in one is poor in the other
    return ", ".join([f"{s}-rich" for s in rich] + ([] if binary else [f"{s}-poor" for s in poor]))

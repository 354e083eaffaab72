"""Named sets of defects: Frenkel and Schottky sets, dopant-vacancy pairs, split vacancies."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from augment.charges import formal_charges
from augment.defect import Defect
from augment.defects.editspace import EditSpace
from augment.defects.kinds import kinds
from augment.defects.orderly import complexes
from augment.defects.recipe import Recipe
from augment.errors import DefectError
from augment.naming import INTERSTITIAL, VACANCY
from augment.supercell import Supercell

SPLIT_REACH = 1.3
"""Both vacancies of a split vacancy lie within so many times the distance from the void to its nearest such site."""


def frenkel_pairs(supercell: Supercell, element: str, *, cutoff: float | None = None) -> Iterator[Defect]:
    """One defect for each distinct pair of a vacancy and an interstitial of an element, at most `cutoff` Å apart."""
    pairs = _mixed(supercell, {f"{VACANCY}_{element}": 1, f"{element}_{INTERSTITIAL}": 1}, cutoff)
    return _some(pairs, f"Frenkel pair of {element}", cutoff)


def schottky_sets(supercell: Supercell, formula: str | None = None, *, cutoff: float | None = None) -> Iterator[Defect]:
    """One defect for each distinct set of vacancies that removes one formula unit, any two at most `cutoff` Å apart.

    Args:
        supercell: where the defects are put.
        formula: what is removed; the reduced formula of the host by default. `SrO` is the partial set of SrTiO3.
        cutoff: Å; none by default.

    Raises:
        DefectError: the formula is none, names an element that the host lacks, or is not neutral.
    """
    from pymatgen.core import Composition

    try:
        amounts = Composition(formula or supercell.host.formula).get_el_amt_dict()
    except Exception:  # noqa: BLE001  the parser raises whatever its input provokes
        amounts = {}
    if not amounts or any(n != round(n) for n in amounts.values()):
        raise DefectError(f"{formula!r} is no chemical formula; give one such as SrO")
    charge = 0
    for element, count in amounts.items():
        orbit = kinds(supercell.host, f"{VACANCY}_{element}")[0].orbit
        charge += round(count) * formal_charges(supercell.host, orbit, 0)[0]
    if charge:
        raise DefectError(f"removing {formula} leaves a charge of {charge:+d}; give a neutral formula unit")
    schottky = _mixed(supercell, {f"{VACANCY}_{e}": round(n) for e, n in amounts.items()}, cutoff)
    return _some(schottky, "Schottky set", cutoff)


def dopant_vacancy_pairs(supercell: Supercell, dopant: str, *, cutoff: float | None = None) -> Iterator[Defect]:
    """One defect for each distinct pair of a dopant (element symbol) on a lattice site and a vacancy."""
    elements = supercell.host.elements
    pairs = (
        _mixed(supercell, {f"{dopant}_{site}": 1, f"{VACANCY}_{removed}": 1}, cutoff)
        for site in elements
        for removed in elements
    )
    return _some(chain.from_iterable(pairs), f"pair of {dopant} and a vacancy", cutoff)


def split_vacancies(supercell: Supercell, element: str, *, reach: float | None = None) -> Iterator[Defect]:
    """One defect for each distinct void that takes the atom between two vacancies of its element.

    Args:
        supercell: where the defects are put.
        element: of the vacancies and the interstitial.
        reach: largest distance from the void to either vacancy, Å; 1.3 times that to its nearest such site by default.
    """
    names = {f"{VACANCY}_{element}": 2, f"{element}_{INTERSTITIAL}": 1}
    table, limits = supercell.sites, _reaches(supercell, element, reach)
    for defect in _mixed(supercell, names, 2 * max(limits.values(), default=1.0)):
        sites = np.array([e.site for e in defect.edits])
        void = int(sites[table.numbers[sites] == 0][0])
        distance = supercell.distances(sites)[sites == void][0]
        if distance.max() <= limits[int(table.orbit[void])]:
            yield defect


def _reaches(supercell: Supercell, element: str, reach: float | None) -> dict[int, float]:
    """Largest distance of a vacancy from the voids of each orbit, Å."""
    reaches: dict[int, float] = {}
    removed = [k.orbit for k in kinds(supercell.host, f"{VACANCY}_{element}")]
    lattice = np.flatnonzero(np.isin(supercell.sites.orbit, removed))
    for orbit, what in enumerate(supercell.host.orbits):
        if what.void and not what.axis:
            sites = np.concatenate([[what.members[0] * supercell.index], lattice])
            nearest = float(supercell.distances(sites)[0, 1:].min())
            reaches[orbit] = SPLIT_REACH * nearest if reach is None else reach
    return reaches


def _mixed(supercell: Supercell, counts: dict[str, int], cutoff: float | None) -> Iterator[Defect]:
    """Complexes of so many edits of each kind."""
    return complexes(EditSpace.of(supercell, tuple(counts), cutoff), Recipe.exactly(counts))


def _some(defects: Iterator[Defect], what: str, cutoff: float | None) -> Iterator[Defect]:
    """The defects found, of which there must be one."""
    first = next(defects, None)
    if first is None:
        within = "" if cutoff is None else f" within {cutoff:g} Å"
        raise DefectError(f"no {what}{within}; widen the cutoff or take a larger supercell")
    yield first
    yield from defects

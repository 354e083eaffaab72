"""Which of several settings a file means: the one whose crystal agrees with its cell, formula, Z and multiplicities."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.contacts import MIN_CONTACT_RATIO, UNUSUAL_CONTACT_RATIO, overlap_of, tightest_contact
from augment.crystal.operations import SPECIAL_DISTANCE, check_metric, differ_in_origin_only, expand, strain_of
from augment.crystal.reading.blocks import ABSENT, CifBlock
from augment.crystal.reading.sites import ListedSite, points_of
from augment.crystal.reading.statements import SettingCandidate, SymmetryStatements
from augment.elements import element_symbol, full_formula, reduced_formula
from augment.errors import CifError

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_ATOMS = 1_000
MAX_SITE_OPERATIONS = 20_000
"""Asymmetric sites x symmetry operations; far above any crystal of `MAX_ATOMS` atoms."""

EXACT_STRAIN = 1e-4
"""Of a cell by an operation that it was written with; where settings have this, others do not fit the cell."""

MAX_FORMULA_ERROR = 0.03
"""Of the share of an element in a disordered crystal: occupancies and formulas are rounded differently."""

_SAME_POSITION = 0.05
_MAX_ALIGNMENTS = 48
_COUNT_ERROR = 0.01
_FORMULA_ROUNDING = 5e-4
"""Of the atoms: formulas such as `Li0.333 Co0.333 O0.667`. Less than one atom in the largest cell."""

_LISTED_REFUSALS = 3


@dataclass(frozen=True, eq=False)
class CellContents:
    """Atoms that a setting makes of the listed sites.

    Attributes:
        setting: that is tried.
        lattice: (3, 3) rows, Å.
        points: (m, 3) fractional coordinates.
        owner: (m,) index of the listed site of each.
        orbits: (n,) atoms that each listed site makes, before atoms listed twice are counted once.
        repeated: labels of sites whose atoms are those of another site.
    """

    setting: SettingCandidate
    lattice: FloatArray
    points: FloatArray
    owner: IntArray
    orbits: IntArray
    repeated: tuple[str, ...]


@dataclass(frozen=True)
class CompositionStatement:
    """Formula and number of formula units that a block states.

    Attributes:
        amounts: by element, deuterium counted as hydrogen; empty where no formula is stated.
        units: Z, formula units a cell; None where it is not stated.
    """

    amounts: Mapping[str, float]
    units: float | None


def composition_of(block: CifBlock) -> CompositionStatement:
    """What a block says of its composition; a formula in words says nothing."""
    amounts = _amounts(block.value("_chemical_formula_sum"))
    if not amounts and not any(mark in (moiety := block.value("_chemical_formula_moiety")) for mark in ",(+-"):
        amounts = _amounts(moiety)
    units = block.value("_cell_formula_units_z")
    return CompositionStatement(amounts, float(units) if units.isdigit() and int(units) else None)


def _amounts(text: str) -> dict[str, float]:
    from pymatgen.core import Composition

    if text in ABSENT:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            amounts = Composition(text.strip("'\" ")).get_el_amt_dict()
    except Exception:  # noqa: BLE001  a formula in words is no formula to compare with
        return {}
    amounts["H"] = sum(amounts.pop(isotope, 0) for isotope in ("H", "D", "T"))
    return {symbol: float(amount) for symbol, amount in amounts.items() if amount > 0}


def decide(
    statements: SymmetryStatements,
    sites: Sequence[ListedSite],
    lattice: FloatArray,
    composition: CompositionStatement,
) -> tuple[CellContents, list[str]]:
    """The one crystal that agrees with everything that the file says, and how it was chosen.

    Raises:
        CifError: no setting agrees, or several do and give different crystals.
    """
    candidates = _of_least_strain(statements.candidates, lattice)
    kept: list[CellContents] = []
    refusals: list[tuple[str, str]] = []
    for candidate in candidates:
        try:
            contents = contents_of(candidate, sites, lattice)
            _check(contents, sites, composition)
            kept.append(contents)
        except _NotThisSettingError as error:
            refusals.append((candidate.name, str(error)))
    if not kept:
        raise _no_setting(statements, refusals)
    chosen = [kept[0], *(other for other in kept[1:] if not same_crystal(kept[0], other, sites))]
    if len(chosen) > 1 and not statements.disagreement:
        chosen = _of_usual_distances(chosen, sites)
    if len(chosen) > 1:
        raise _several(statements, chosen, sites)
    return chosen[0], _choice_notes(statements, chosen[0])


class _NotThisSettingError(CifError):
    """A setting that does not agree with the file."""


def _of_least_strain(candidates: Sequence[SettingCandidate], lattice: FloatArray) -> Sequence[SettingCandidate]:
    """Those that keep the cell exactly as written, where there are any: `P 21/n` is about the axis of the odd angle."""
    exact = [c for c in candidates if strain_of(c.operations, lattice) <= EXACT_STRAIN]
    return exact or candidates


def contents_of(setting: SettingCandidate, sites: Sequence[ListedSite], lattice: FloatArray) -> CellContents:
    """Atoms of the cell in a setting; an atom that two sites of one species list in full is counted once.

    Raises:
        CifError: they are too many.
    """
    count = len(setting.operations.rotations)
    if len(sites) > MAX_ATOMS:
        raise CifError(f"{len(sites)} atoms in the cell, more than {MAX_ATOMS}; give a smaller cell")
    if len(sites) * count > MAX_SITE_OPERATIONS:
        raise CifError(
            f"{len(sites)} sites x {count} operations exceed {MAX_SITE_OPERATIONS}; "
            "give only the asymmetric unit, or a smaller or primitive cell"
        )
    try:
        check_metric(setting.operations, lattice)
    except CifError as error:
        raise _NotThisSettingError(str(error)) from None
    points, owner = expand(points_of(sites), setting.operations, lattice)
    orbits = np.bincount(owner, minlength=len(sites))
    kept = _first_of_each(points, owner, sites, lattice)
    repeated = tuple(site.label for k, site in enumerate(sites) if not (owner[kept] == k).any())
    if len(kept) > MAX_ATOMS:
        raise CifError(f"{len(kept)} atoms in the cell, more than {MAX_ATOMS}; give a smaller cell")
    return CellContents(setting, lattice, points[kept], owner[kept], orbits, repeated)


def _first_of_each(points: FloatArray, owner: IntArray, sites: Sequence[ListedSite], lattice: FloatArray) -> IntArray:
    """Indices of the atoms, without those that an earlier full site of the same species has at the same place."""
    full = np.array([site.is_full and len(site.occupants) == 1 for site in sites])
    number = np.array([site.occupants[0].number for site in sites])
    kept = np.ones(len(points), dtype=bool)
    for k in range(1, len(sites)):
        mine = np.flatnonzero(owner == k)
        others = np.flatnonzero((owner < k) & kept & full[owner] & (number[owner] == number[k]))
        if full[k] and len(others):
            kept[mine] = ~_coincide(points[mine], points[others], lattice)
    return np.flatnonzero(kept)


def _coincide(
    points: FloatArray, others: FloatArray, lattice: FloatArray
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each point is at the place of one of the others."""
    difference = points[:, None] - others
    difference -= np.rint(difference)
    near: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        np.linalg.norm(difference @ lattice, axis=-1).min(axis=1) < SPECIAL_DISTANCE
    )
    return near


def amounts_of(contents: CellContents, sites: Sequence[ListedSite]) -> dict[str, float]:
    """Atoms of each element in the cell."""
    amounts: dict[str, float] = {}
    for k, count in enumerate(np.bincount(contents.owner, minlength=len(sites))):
        occupancy = 1.0 if sites[k].is_full else sites[k].occupancy
        for occupant in sites[k].occupants:
            symbol = element_symbol(occupant.number)
            amounts[symbol] = amounts.get(symbol, 0.0) + float(count) * occupancy * occupant.share
    return amounts


def structure_of(contents: CellContents, sites: Sequence[ListedSite], *, only_full: bool = False) -> Structure:
    """The atoms of full sites, or of all sites by their first species."""
    from pymatgen.core import Element, Lattice, Structure

    chosen = [k for k in range(len(contents.owner)) if not only_full or sites[contents.owner[k]].is_full]
    species = [Element.from_Z(sites[contents.owner[k]].occupants[0].number) for k in chosen]
    return Structure(Lattice(contents.lattice), species, contents.points[chosen])


def _check(contents: CellContents, sites: Sequence[ListedSite], composition: CompositionStatement) -> None:
    fault = (
        _formula_fault(contents, sites, composition)
        or _multiplicity_fault(contents, sites)
        or overlap_of(structure_of(contents, sites, only_full=True))
    )
    if fault:
        raise _NotThisSettingError(fault)


def _formula_fault(contents: CellContents, sites: Sequence[ListedSite], composition: CompositionStatement) -> str:
    """How the atoms contradict formula and Z; hydrogens that the sites lack are passed over."""
    said = dict(composition.amounts)
    if not said:
        return ""
    listed = amounts_of(contents, sites)
    units = _formula_units(said, listed)
    ordered = all(site.is_full for site in sites) and all(len(site.occupants) == 1 for site in sites)
    error = max(abs(listed.get(e, 0) - units * said.get(e, 0)) for e in {*said, *listed} - {"H"} or {"H"})
    excess = listed.get("H", 0) - units * said.get("H", 0)
    total = sum(listed.values())
    if max(error, excess) > (_COUNT_ERROR + _FORMULA_ROUNDING * total if ordered else MAX_FORMULA_ERROR * total):
        return (
            f"its formula says {reduced_formula(said)}, its sites give {reduced_formula(_rounded(listed))}; "
            "atoms are missing or doubled: complete the atom list or correct _chemical_formula_sum"
        )
    return _units_fault(composition, units, listed)


def _formula_units(said: Mapping[str, float], listed: Mapping[str, float]) -> float:
    """Formula units in the cell by the atoms that are no hydrogen, or by these where there are no others."""
    heavy = [e for e in said if e != "H"] or ["H"]
    return sum(listed.get(e, 0) for e in heavy) / sum(said[e] for e in heavy)


def _units_fault(composition: CompositionStatement, units: float, listed: Mapping[str, float]) -> str:
    """How Z contradicts the atoms; it may count units of the formula as written, or of the reduced one."""
    if composition.units is None:
        return ""
    from pymatgen.core import Composition

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        factor = Composition(dict(composition.amounts)).get_reduced_composition_and_factor()[1]
    wanted = composition.units
    if any(abs(count - wanted) <= 0.05 * wanted for count in (units, units * factor)):
        return ""
    return (
        f"its formula and Z = {wanted:g} say {full_formula({e: a * wanted for e, a in composition.amounts.items()})} "
        f"a cell, its sites and symmetry give {full_formula(_rounded(listed))}; correct one of them"
    )


def _rounded(amounts: Mapping[str, float]) -> dict[str, float]:
    return {symbol: round(amount, 3) for symbol, amount in amounts.items()}


def hydrogens_lacking(contents: CellContents, sites: Sequence[ListedSite], composition: CompositionStatement) -> bool:
    """Whether the formula has more hydrogen than the sites."""
    listed = amounts_of(contents, sites)
    if not composition.amounts.get("H") or not listed:
        return False
    said = _formula_units(composition.amounts, listed) * composition.amounts["H"]
    return said > listed.get("H", 0) + max(_COUNT_ERROR, MAX_FORMULA_ERROR * said)


def _multiplicity_fault(contents: CellContents, sites: Sequence[ListedSite]) -> str:
    """How the atoms contradict the listed multiplicities, which some programs write as orders of the site symmetry."""
    stated = [(k, site.multiplicity) for k, site in enumerate(sites) if site.multiplicity]
    order = len(contents.setting.operations.rotations)
    if all(contents.orbits[k] * count == order for k, count in stated):
        return ""
    for k, count in stated:
        if contents.orbits[k] != count:
            return (
                f"site {sites[k].label} has multiplicity {count} by its list and {contents.orbits[k]} by its symmetry "
                f"and coordinates; correct one"
            )
    return ""


def same_crystal(first: CellContents, second: CellContents, sites: Sequence[ListedSite]) -> bool:
    """Whether two settings give the same atoms in the cell, or atoms that a shift or an inversion brings to them."""
    if len(first.points) != len(second.points):
        return False
    rows = [(site.occupants, round(site.occupancy, 3)) for site in sites]
    kinds = np.array([rows.index(row) for row in rows])
    a, b = kinds[first.owner], kinds[second.owner]
    if not np.array_equal(np.sort(a), np.sort(b)):
        return False
    values, counts = np.unique(a, return_counts=True)
    rare = values[np.argmin(counts)]
    anchor = first.points[a == rare][0]
    for sign in (1, -1):
        for target in second.points[b == rare][:_MAX_ALIGNMENTS]:
            if _match(sign * (first.points - anchor) + target, a, second.points, b, first.lattice):
                return True
    return False


def _match(points: FloatArray, kinds: IntArray, others: FloatArray, other_kinds: IntArray, lattice: FloatArray) -> bool:
    for kind in np.unique(kinds):
        difference = points[kinds == kind][:, None] - others[other_kinds == kind]
        difference -= np.rint(difference)
        if np.linalg.norm(difference @ lattice, axis=-1).min(axis=1).max() > _SAME_POSITION:
            return False
    return True


def _of_usual_distances(contents: Sequence[CellContents], sites: Sequence[ListedSite]) -> list[CellContents]:
    """The only crystal whose distances all are those of known crystals, where in all others some are far from it.

    This decides between origins for atoms on special positions only: there another origin moves atoms by eighths of the
    cell. Of atoms on general positions, unusual distances prove nothing.
    """
    special = all((each.orbits < len(each.setting.operations.rotations)).all() for each in contents)
    if not special or not all(_differ_in_origin(contents[0], other) for other in contents[1:]):
        return list(contents)
    ratios = []
    for each in contents:
        pair = tightest_contact(structure_of(each, sites, only_full=True)) if any(s.is_full for s in sites) else None
        ratios.append(pair.ratio if pair else np.inf)
    usual = [each for each, ratio in zip(contents, ratios, strict=True) if ratio >= 1]
    unusual = [ratio for ratio in ratios if MIN_CONTACT_RATIO <= ratio < UNUSUAL_CONTACT_RATIO]
    return usual if len(usual) == 1 and len(unusual) == len(contents) - 1 else list(contents)


def _differ_in_origin(first: CellContents, second: CellContents) -> bool:
    return differ_in_origin_only(first.setting.operations, second.setting.operations)


def _choice_notes(statements: SymmetryStatements, chosen: CellContents) -> list[str]:
    notes = []
    if len(statements.candidates) > 1:
        why = statements.disagreement or "the setting of its space group is not stated"
        notes.append(f"{why}: read in {chosen.setting.name}, which alone fits its cell, formula and distances")
    if chosen.repeated:
        notes.append(f"sites {', '.join(chosen.repeated)} repeat atoms of others: counted once")
    return notes


def _no_setting(statements: SymmetryStatements, refusals: Sequence[tuple[str, str]]) -> CifError:
    if len(refusals) == 1:
        return CifError(f"{statements.disagreement}; {refusals[0][1]}" if statements.disagreement else refusals[0][1])
    reasons = "; ".join(f"{name}: {reason}" for name, reason in refusals[:_LISTED_REFUSALS])
    more = f"; and {len(refusals) - _LISTED_REFUSALS} more" if len(refusals) > _LISTED_REFUSALS else ""
    return CifError(f"{statements.disagreement or 'no setting of its space group fits'} ({reasons}{more})")


def _several(statements: SymmetryStatements, kept: Sequence[CellContents], sites: Sequence[ListedSite]) -> CifError:
    crystals = ", ".join(
        f"{each.setting.name} gives {full_formula(_rounded(amounts_of(each, sites)))}"
        for each in kept[:_LISTED_REFUSALS]
    )
    why = statements.disagreement or "the setting of its space group is not stated, and several fit"
    return CifError(
        f"{why}: {crystals}, which are different crystals; list the operations, or name the setting "
        f"(such as {kept[-1].setting.name!r})"
    )

"""Disordered crystals: CIFs with shared or partly filled sites, as an ordered parent and what is put at its sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.charges import imbalance, nearest_states
from augment.crystal.cif import OVERLAP_FRACTION, CifAtoms, read_atoms
from augment.crystal.reading.disorder import NO_GROUP
from augment.crystal.standard import StandardCrystal, standardise
from augment.crystal.vacuum import Vacuum, upright
from augment.crystal.voids import find_voids
from augment.elements import element_symbol, full_formula
from augment.errors import CifError
from augment.groups.symmetry import BoolArray
from augment.host import Host, assemble_host
from augment.naming import VACANCY, orbit_suffix
from augment.planar.layered import planar_parts
from augment.planar.recognition import LayerChoice, vacuum_of
from augment.solutions.concentration import Concentration, realise
from augment.solutions.fragments import DisorderRules, disorder_rules, split_limits
from augment.solutions.solution import SolidSolution
from augment.supercell import Supercell
from augment.supercells.search import DEFAULT_IMAGE_DISTANCE, DEFAULT_MAX_ATOMS

if TYPE_CHECKING:
    from pymatgen.core import Structure

SAME_SITE = 0.1
"""Å; species this close share one site."""

OCCUPANCY_ROUNDING = 5e-3
"""Occupancies of a site whose sum departs from 1 by no more than this fill it."""

MAX_IMBALANCE = 0.05
"""e in a formula unit; refined occupancies leave crystals off neutrality by this much."""

_MARGIN = 0.01
"""Å; the rounding of coordinates in a CIF."""

_DIGITS = 4
"""Decimals of an occupancy that count."""

Alternatives = frozenset[tuple[str, str]]
"""Disorder assemblies and groups of the occupants of a site; atoms of one assembly and different groups exclude each
other."""

Mixture = tuple[tuple[int, float], ...]
"""Atomic numbers on one site and their occupancies, the majority species first; 0 for a vacancy, always last."""


@dataclass(frozen=True, eq=False)
class Disordered:
    """A disordered crystal.

    Attributes:
        host: its ordered parent: every site holds the species that is most often there, of equals that listed first,
            however often it is empty. Its symmetry is that of the disordered crystal.
        fractions: of the sites of each kind of edit (`Co_Ni`, `v_O`), by its name.
        states: oxidation states by element, as `nearest_states` has them: those of the file, where it states any.
        min_separation: Å; of two partly filled sites closer than this, at most one holds an atom. 0 where there are no
            such sites.
        formula: of the disordered crystal.
        disorder: which atoms are there together, by the disorder groups of the file.
        vacuum: of a layer, whose supercells repeat it in its plane; None of a bulk crystal.
    """

    host: Host
    fractions: Mapping[str, float]
    states: Mapping[str, int]
    min_separation: float
    formula: str
    disorder: DisorderRules | None = None
    vacuum: Vacuum | None = None

    def solution(
        self,
        *,
        supercell: Supercell | None = None,
        tolerance: float | None = None,
        neutral: bool = False,
        states: Mapping[str, int] | None = None,
        min_image_distance: float = DEFAULT_IMAGE_DISTANCE,
        max_atoms: int = DEFAULT_MAX_ATOMS,
        keep_point_group: bool = True,
    ) -> SolidSolution:
        """Numbers of edits in the supercell that comes nearest to the composition; arguments as for `realise`.

        Raises:
            SupercellError: no supercell fits.
            DefectError: no numbers make it neutral, where that is asked.
        """
        return realise(
            self.host,
            Concentration(
                self.fractions, neutral=neutral, states={**self.states, **(states or {})}, tolerance=tolerance
            ),
            supercell=supercell,
            min_image_distance=min_image_distance,
            max_atoms=max_atoms,
            keep_point_group=keep_point_group,
            min_separation=self.min_separation,
            disorder=self.disorder,
        )


def read_disordered(
    path: str | Path,
    *,
    min_separation: float | None = None,
    block: str | None = None,
    layer: LayerChoice = "auto",
) -> Disordered:
    """Disordered crystal of a CIF with partial occupancies.

    Args:
        path: of the CIF.
        min_separation: Å between two partly filled sites, below which at most one holds an atom; by default it covers
            the pairs that are closer than three quarters of the sum of their covalent radii, hydrogen atoms closer
            than 1.2 Å, and the nearest alternatives of the disorder assemblies of the file.
        block: name of the data block, for a file with several crystals.
        layer: whether it is a layer with vacuum, as for `read_host`; sites that are empty most of the time count as
            atoms there.

    Raises:
        CifError: the file is no usable CIF, every site is fully occupied by one species, a site or two that overlap are
            occupied more than once, no space group is found, or there is vacuum in two directions or three.
        SupercellError: there is no layer with the normal given.
    """
    from pymatgen.core import Element, Lattice, Structure

    where = str(path)
    atoms = read_atoms(path, block)
    points, mixtures, alternatives = _mixed_sites(atoms, where)
    if all(len(mixture) == 1 for mixture in mixtures):
        element = element_symbol(mixtures[0][0][0])
        raise CifError(
            f"{where}: every site holds one species in full, so there is no disorder to resolve; "
            f"for impurities in it name them: defectgen impurities {where} --concentration v_{element}=0.05; "
            f"for its point defects: defectgen defects {where}"
        )
    separation, note = _separation(atoms.lattice, points, mixtures, alternatives, min_separation, where)
    labels = [(m, tuple(sorted(each)) if len(m) > 1 else ()) for m, each in zip(mixtures, alternatives, strict=True)]
    kinds = sorted(set(labels))
    kind = np.array([kinds.index(label) for label in labels])
    majority = np.array([mixture[0][0] for mixture, _ in kinds])
    vacuum = vacuum_of(atoms.lattice, points, where, layer)
    lattice, points = (atoms.lattice, points) if vacuum is None else upright(atoms.lattice, points, vacuum.normal)
    parent = Structure(Lattice(lattice), [Element.from_Z(int(z)) for z in majority[kind]], points)
    host, crystal, kind_of_orbit = _parent(parent, kind, majority, where, in_layer=vacuum is not None)
    mixture_of_orbit = [kinds[k][0] for k in kind_of_orbit]
    disorder = disorder_rules(atoms.fragments, crystal, [mixture_of_orbit[k] for k in host.atoms.orbit])
    amounts = _amounts(mixtures, int(np.gcd.reduce([mixtures.count(mixture) for mixture in set(mixtures)])))
    host = replace(host, notes=atoms.notes)
    fractions = _fractions(host, mixture_of_orbit)
    stated = _stated_states(atoms)
    notes = tuple(filter(None, [note, imbalance(amounts, stated, MAX_IMBALANCE)]))
    host = replace(host, oxidation=stated, notes=(*host.notes, *notes))
    states, formula = nearest_states(amounts, stated), full_formula(amounts)
    return Disordered(host, fractions, states, separation, formula, disorder, vacuum)


def _amounts(mixtures: list[Mixture], units: int) -> dict[str, float]:
    """Atoms of each element in one of so many formula units."""
    amounts: dict[str, float] = {}
    for mixture in mixtures:
        for number, share in mixture:
            if number:
                symbol = element_symbol(number)
                amounts[symbol] = amounts.get(symbol, 0.0) + share / units
    return {symbol: round(amount, _DIGITS) for symbol, amount in amounts.items()}


def _stated_states(atoms: CifAtoms) -> dict[str, float]:
    """Mean oxidation state of each element for which the file states one at every site."""
    states: dict[str, list[tuple[float, float]]] = {}
    unstated = set()
    for number, share, state in zip(atoms.numbers, atoms.occupancies, atoms.oxidation, strict=False):
        symbol = element_symbol(int(number))
        if state is None:
            unstated.add(symbol)
        elif share > 0:
            states.setdefault(symbol, []).append((float(share), state))
    means = {e: sum(w * q for w, q in rows) / sum(w for w, _ in rows) for e, rows in states.items()}
    return {e: round(mean, _DIGITS) for e, mean in means.items() if e not in unstated}


def _mixed_sites(atoms: CifAtoms, where: str) -> tuple[FloatArray, list[Mixture], list[Alternatives]]:
    """Fractional coordinates (n, 3), occupants, and disorder assemblies and groups of the sites of the cell."""
    difference = atoms.points[None] - atoms.points[:, None]
    difference -= np.rint(difference)
    same = np.linalg.norm(difference @ atoms.lattice, axis=-1) < SAME_SITE
    points, mixtures, alternatives = [], [], []
    groups = [
        (assembly, group) if group not in NO_GROUP else None
        for assembly, group in zip(atoms.assemblies, atoms.groups, strict=True)
    ] or [None] * len(atoms.points)
    for first in np.flatnonzero(same.argmax(axis=1) == np.arange(len(same))):
        members = np.flatnonzero(same[first])
        shares: dict[int, float] = {}
        for k in members:
            shares[int(atoms.numbers[k])] = shares.get(int(atoms.numbers[k]), 0.0) + float(atoms.occupancies[k])
        labels = list(dict.fromkeys(atoms.labels[k] for k in members))
        mixture = _mixture(shares, labels, where)
        if mixture:
            points.append(atoms.points[first] + difference[first, members].mean(axis=0))
            mixtures.append(mixture)
            alternatives.append(frozenset(each for k in members if (each := groups[k]) is not None))
    return np.array(points), mixtures, alternatives


def _mixture(shares: Mapping[int, float], labels: list[str], where: str) -> Mixture:
    """Occupants of a site by falling occupancy; empty where nothing is there."""
    total = sum(shares.values())
    if total > 1 + OCCUPANCY_ROUNDING:
        raise CifError(
            f"{where}: the site of {', '.join(labels)} is occupied {total:.4g} times; correct the occupancies"
        )
    scale = 1 / total if abs(total - 1) <= OCCUPANCY_ROUNDING else 1.0
    occupants = [(z, round(share * scale, _DIGITS)) for z, share in shares.items() if share > 0]
    occupants.sort(key=lambda item: -item[1])
    if not occupants:
        return ()
    return tuple(occupants) if scale != 1 or total == 1 else (*occupants, (0, round(1 - total, _DIGITS)))


def _separation(
    lattice: FloatArray,
    points: FloatArray,
    mixtures: list[Mixture],
    alternatives: list[Alternatives],
    least: float | None,
    where: str,
) -> tuple[float, str]:
    """Distance below which partly filled sites exclude each other, Å, and what it cannot do.

    Raises:
        CifError: two sites that are too close for two atoms are together filled more than once.
    """
    from ase.data import covalent_radii
    from pymatgen.core import Lattice

    distance = Lattice(lattice).get_all_distances(points, points)
    np.fill_diagonal(distance, np.inf)
    number = np.array([mixture[0][0] for mixture in mixtures])
    radius = covalent_radii[number]
    filled = np.array([sum(share for z, share in mixture if z) for mixture in mixtures])
    twice = filled[:, None] + filled > 1 + OCCUPANCY_ROUNDING
    bond = radius[:, None] + radius
    partial = filled < 1 - OCCUPANCY_ROUNDING
    clash = distance < OVERLAP_FRACTION * bond
    if least is not None:
        clash |= (distance < least) & partial[:, None] & partial
    if (clash & twice).any():
        a, b = np.argwhere(clash & twice)[0]
        raise CifError(
            f"{where}: sites of {element_symbol(number[a])} and {element_symbol(number[b])} "
            f"overlap ({distance[a, b]:.2f} Å apart), but are filled to {filled[a]:g} and {filled[b]:g}; "
            "correct the occupancies or coordinates"
        )
    if least is not None:
        return least, ""
    split = distance[(distance < split_limits(number)) & ~twice]
    reach, left_out = _alternative_distance(distance, alternatives, ~twice)
    note = (
        f"{left_out} atoms of disorder groups are as far from their alternatives as from atoms that they go with; "
        "nothing keeps both from being filled, unless a larger --min-separation is given"
    )
    return max(float(split.max()) + _MARGIN if len(split) else 0.0, reach), note if left_out else ""


def _alternative_distance(
    distance: FloatArray, alternatives: list[Alternatives], possible: BoolArray
) -> tuple[float, int]:
    """Distance (Å) from sites of a disorder group that reaches the nearest of another, and how many it cannot reach.

    It stays below the distance of atoms that go together, which it would exclude as well. Of atoms that it cannot reach
    those about special positions count, whose alternatives no group names.
    """
    sites = np.array([len(each) > 0 for each in alternatives], dtype=bool)
    assembly = [{a for a, _ in each} for each in alternatives]
    # A negative group is disordered about a special position: the images of its atoms are its alternatives.
    together = [{(a, g) for a, g in each if not g.startswith("-")} for each in alternatives]
    related = np.array([[bool(one & other) for other in assembly] for one in assembly], dtype=bool)
    partners = np.array([[bool(one & other) for other in together] for one in together], dtype=bool)
    limit = distance[partners].min(initial=np.inf) - 2 * _MARGIN
    other = np.where(related & ~partners & possible, distance, np.inf).min(axis=1, initial=np.inf)
    special = np.array([any(g.startswith("-") for _, g in each) for each in alternatives], dtype=bool)
    reached = other[sites & (other < limit)]
    missed = special & np.isfinite(other) & (other >= limit)
    return float(reached.max()) + _MARGIN if len(reached) else 0.0, int(missed.sum())


def _parent(
    parent: Structure, kind: IntArray, majority: IntArray, where: str, *, in_layer: bool
) -> tuple[Host, StandardCrystal, list[int]]:
    """The host of the majority species, the crystal that it is made of, and the kind of each of its lattice orbits.

    Where the majority species are more symmetric than the kinds of sites, the symmetry is that of the kinds.
    """
    crystal = standardise(parent, where)
    carried = _carried(crystal, parent.frac_coords, kind)
    if carried is not None:
        host = _assembled(crystal, where, in_layer=in_layer)
        mixtures = [{int(carried[m]) for m in orbit.members} for orbit in host.atoms.orbits]
        if all(len(each) == 1 for each in mixtures):
            return host, crystal, [each.pop() for each in mixtures]
    labelled = type(parent)(parent.lattice, (kind + 1).tolist(), parent.frac_coords)
    crystal = standardise(labelled, where)
    host = _assembled(replace(crystal, numbers=majority[crystal.numbers - 1]), where, in_layer=in_layer)
    return host, crystal, [int(crystal.numbers[orbit.members[0]]) - 1 for orbit in host.atoms.orbits]


def _assembled(crystal: StandardCrystal, where: str, *, in_layer: bool) -> Host:
    if in_layer:
        return planar_parts(crystal, kind="layer", label=where)[0]
    return assemble_host(crystal, partial(find_voids, crystal.standard.group, crystal.points, crystal.primitive))


def _carried(crystal: StandardCrystal, points: FloatArray, kind: IntArray) -> IntArray | None:
    """Mixture (m,) of each site of the primitive cell; none where sites with different ones fall together."""
    difference = (points @ crystal.linear.T + crystal.shift)[:, None] - crystal.points
    difference -= np.rint(difference)
    nearest = np.linalg.norm(difference @ crystal.primitive, axis=-1).argmin(axis=1)
    mixture = np.full(len(crystal.points), -1, dtype=np.int64)
    mixture[nearest] = kind
    return mixture if (mixture[nearest] == kind).all() else None


def _fractions(host: Host, mixtures: list[Mixture]) -> dict[str, float]:
    """Fraction of the sites of each kind of edit, by the name of its orbit."""
    return {
        f"{element_symbol(z) if z else VACANCY}_{orbit.element}{orbit_suffix(host, k)}": share
        for k, (orbit, mixture) in enumerate(zip(host.atoms.orbits, mixtures, strict=True))
        for z, share in mixture[1:]
    }

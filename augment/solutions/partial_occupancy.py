"""Disordered crystals: CIFs with shared or partly filled sites, as an ordered parent and what is put at its sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.cif import OVERLAP_FRACTION, CifAtoms, read_atoms
from augment.crystal.standard import StandardCrystal, standardise
from augment.crystal.voids import find_voids
from augment.elements import element_symbol, full_formula
from augment.errors import CifError
from augment.host import Host, assemble_host
from augment.naming import VACANCY, orbit_suffixes
from augment.solutions.concentration import Concentration, realise
from augment.solutions.solution import SolidSolution
from augment.supercell import Supercell
from augment.supercells.search import DEFAULT_IMAGE_DISTANCE, DEFAULT_MAX_ATOMS

if TYPE_CHECKING:
    from pymatgen.core import Structure

SAME_SITE = 0.1
"""Å; species this close share one site."""

SPLIT_FRACTION = 0.75
"""No bond is shorter than this fraction of the sum of covalent radii: partly filled sites closer than that, which
together are filled once at most, are one atom in two places."""

OCCUPANCY_ROUNDING = 5e-3
"""Occupancies of a site whose sum departs from 1 by no more than this fill it."""

_MARGIN = 0.01
"""Å; the rounding of coordinates in a CIF."""

_DIGITS = 4
"""Decimals of an occupancy that count."""

Mixture = tuple[tuple[int, float], ...]
"""Atomic numbers on one site and their occupancies, the majority species first; 0 for a vacancy, always last."""


@dataclass(frozen=True, eq=False)
class Disordered:
    """A disordered crystal.

    Attributes:
        host: its ordered parent: every site holds the species that is most often there, of equals that listed first,
            however often it is empty. Its symmetry is that of the disordered crystal.
        fractions: of the sites of each kind of edit (`Co_Ni`, `v_O`), by its name.
        states: oxidation states by element: of the common ones, those that come nearest to a neutral crystal; of equal
            ones, those that are lower on more electronegative elements. Zero in a crystal of metals.
        min_separation: Å; of two partly filled sites closer than this, at most one holds an atom. 0 where there are no
            such sites.
        formula: of the disordered crystal.
    """

    host: Host
    fractions: Mapping[str, float]
    states: Mapping[str, int]
    min_separation: float
    formula: str

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
        )


def read_disordered(path: str | Path, *, min_separation: float | None = None, block: str | None = None) -> Disordered:
    """Disordered crystal of a CIF with partial occupancies.

    Args:
        path: of the CIF.
        min_separation: Å between two partly filled sites, below which at most one holds an atom; by default it covers
            the pairs that are closer than three quarters of the sum of their covalent radii.
        block: name of the data block, for a file with several crystals.

    Raises:
        CifError: the file is no usable CIF, every site is fully occupied by one species, a site or two that overlap are
            occupied more than once, or no space group is found.
    """
    from pymatgen.core import Element, Lattice, Structure

    where = str(path)
    atoms = read_atoms(path, block)
    points, mixtures = _mixed_sites(atoms, where)
    if all(len(mixture) == 1 for mixture in mixtures):
        raise CifError(f"{where}: every site holds one species in full; read the ordered crystal as a host")
    separation = _separation(atoms.lattice, points, mixtures, min_separation, where)
    kinds = sorted(set(mixtures))
    kind = np.array([kinds.index(mixture) for mixture in mixtures])
    majority = np.array([mixture[0][0] for mixture in kinds])
    parent = Structure(Lattice(atoms.lattice), [Element.from_Z(int(z)) for z in majority[kind]], points)
    host, kind_of_orbit = _parent(parent, kind, majority, where)
    amounts = _amounts(mixtures, int(np.gcd.reduce(np.bincount(kind))))
    host = replace(host, notes=atoms.notes)
    fractions = _fractions(host, [kinds[k] for k in kind_of_orbit])
    return Disordered(host, fractions, _nearest_states(amounts), separation, full_formula(amounts))


def _amounts(mixtures: list[Mixture], units: int) -> dict[str, float]:
    """Atoms of each element in one of so many formula units."""
    amounts: dict[str, float] = {}
    for mixture in mixtures:
        for number, share in mixture:
            if number:
                symbol = element_symbol(number)
                amounts[symbol] = amounts.get(symbol, 0.0) + share / units
    return {symbol: round(amount, _DIGITS) for symbol, amount in amounts.items()}


def _nearest_states(amounts: Mapping[str, float]) -> dict[str, int]:
    """Oxidation states of the elements as `Disordered.states` has them."""
    from pymatgen.core import Element

    choices = [Element(symbol).common_oxidation_states or (0,) for symbol in amounts]
    mixed = [each for each in product(*choices) if min(each) < 0 < max(each)]
    if not mixed:
        return dict.fromkeys(amounts, 0)
    amount = np.array(list(amounts.values()))
    weighted = np.array(mixed) * amount
    total = np.abs(weighted.sum(axis=1)).round(_DIGITS)
    polar = (weighted * [Element(symbol).X for symbol in amounts]).sum(axis=1)
    return dict(zip(amounts, mixed[int(np.lexsort((polar, total))[0])], strict=True))


def _mixed_sites(atoms: CifAtoms, where: str) -> tuple[FloatArray, list[Mixture]]:
    """Fractional coordinates (n, 3) and occupants of the sites of the cell."""
    difference = atoms.points[None] - atoms.points[:, None]
    difference -= np.rint(difference)
    same = np.linalg.norm(difference @ atoms.lattice, axis=-1) < SAME_SITE
    points, mixtures = [], []
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
    return np.array(points), mixtures


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
    lattice: FloatArray, points: FloatArray, mixtures: list[Mixture], least: float | None, where: str
) -> float:
    """Distance below which partly filled sites exclude each other, Å.

    Raises:
        CifError: two sites that are too close for two atoms are together filled more than once.
    """
    from ase.data import covalent_radii
    from pymatgen.core import Lattice

    distance = Lattice(lattice).get_all_distances(points, points)
    np.fill_diagonal(distance, np.inf)
    radius = np.array([covalent_radii[mixture[0][0]] for mixture in mixtures])
    filled = np.array([sum(share for z, share in mixture if z) for mixture in mixtures])
    twice = filled[:, None] + filled > 1 + OCCUPANCY_ROUNDING
    bond = radius[:, None] + radius
    clash = distance < (OVERLAP_FRACTION * bond if least is None else least)
    if (clash & twice).any():
        a, b = np.argwhere(clash & twice)[0]
        raise CifError(
            f"{where}: sites of {element_symbol(mixtures[a][0][0])} and {element_symbol(mixtures[b][0][0])} "
            f"overlap ({distance[a, b]:.2f} Å apart), but are filled to {filled[a]:g} and {filled[b]:g}; "
            "correct the occupancies or coordinates"
        )
    if least is not None:
        return least
    split = distance[(distance < SPLIT_FRACTION * bond) & ~twice]
    return float(split.max()) + _MARGIN if len(split) else 0.0


def _parent(parent: Structure, kind: IntArray, majority: IntArray, where: str) -> tuple[Host, list[int]]:
    """The host of the majority species and the mixture of each of its lattice orbits.

    Where the majority species are more symmetric than the mixtures, the symmetry is that of the mixtures.
    """
    crystal = standardise(parent, where)
    carried = _carried(crystal, parent.frac_coords, kind)
    if carried is not None:
        host = _assembled(crystal)
        mixtures = [{int(carried[m]) for m in orbit.members} for orbit in host.orbits if not orbit.void]
        if all(len(each) == 1 for each in mixtures):
            return host, [each.pop() for each in mixtures]
    labelled = type(parent)(parent.lattice, (kind + 1).tolist(), parent.frac_coords)
    crystal = standardise(labelled, where)
    host = _assembled(replace(crystal, numbers=majority[crystal.numbers - 1]))
    return host, [int(crystal.numbers[orbit.members[0]]) - 1 for orbit in host.orbits if not orbit.void]


def _assembled(crystal: StandardCrystal) -> Host:
    return assemble_host(crystal, find_voids(crystal.standard.group, crystal.points, crystal.primitive))


def _carried(crystal: StandardCrystal, points: FloatArray, kind: IntArray) -> IntArray | None:
    """Mixture (m,) of each site of the primitive cell; none where sites with different ones fall together."""
    difference = (points @ crystal.linear.T + crystal.shift)[:, None] - crystal.points
    difference -= np.rint(difference)
    nearest = np.linalg.norm(difference @ crystal.primitive, axis=-1).argmin(axis=1)
    mixture = np.full(len(crystal.points), -1, dtype=np.int64)
    mixture[nearest] = kind
    return mixture if (mixture[nearest] == kind).all() else None


def _fractions(host: Host, mixtures: list[Mixture]) -> dict[str, float]:
    """Fraction of the sites of each kind of edit, by the name that tells its orbit."""
    suffixes = orbit_suffixes(host)
    lattice = [k for k, orbit in enumerate(host.orbits) if not orbit.void]
    return {
        f"{element_symbol(z) if z else VACANCY}_{host.orbits[k].element}{suffixes[k]}": share
        for k, mixture in zip(lattice, mixtures, strict=True)
        for z, share in mixture[1:]
    }

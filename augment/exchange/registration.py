"""A structure of anybody's, put into the canonical cell of its defect: order, origin, axes and basis undone.

A calculation gives its atoms back in another order, wrapped, with another origin, in other axes or in another basis of
the same superlattice, relaxed or hot. Here the lattice says which superlattice it is, the atoms say where the origin
is, and one assignment of all atoms to all sites says what is changed; the rest is exact algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.dumbbell import with_dumbbells
from augment.errors import DefectError
from augment.exchange.superlattices import FittedLattice, fitted_lattices
from augment.host import Host
from augment.supercell import Edit, Supercell

EDIT_COST = 1.2
"""Å²; a void that is filled, or an atom on a site of another element, stands for displacements of this square."""

MAX_FROM_SITE = 1.6
"""Å; an atom farther from its site than this is on none."""

CERTAIN_COST = 0.1
"""Å² an atom; a superlattice that is wrong by a rotation of the lattice costs more than a hot crystal."""

_REACH = 1.0
"""Å; an atom farther than this from every site of its element says nothing of the origin."""

_PROBES = 10
"""Atoms that are tried as the origin; most of them are near their sites."""

_MAX_IMAGES = 3000
"""Copies of an expected defect that are compared."""


@dataclass(frozen=True, eq=False)
class Registration:
    """A structure in the canonical cell of its defect.

    Attributes:
        defect: what it is.
        cell: the structure in the axes, origin and atom order of `defect.cell()`.
        order: (n,) atom of the structure at each atom of the cell.
        turn: (3, 3) orthogonal; a row vector v in the structure's axes is v @ turn in those of the cell.
        distance: (n,) of each atom from its site, Å.
    """

    defect: Defect
    cell: DefectCell
    order: IntArray
    turn: FloatArray
    distance: FloatArray

    def vectors(self, given: FloatArray) -> FloatArray:
        """Vectors (n, 3) of the structure's atoms, such as forces, in the order and axes of the cell."""
        return np.asarray(given[self.order] @ self.turn)

    def tensor(self, given: FloatArray) -> FloatArray:
        """A tensor (3, 3) of the structure, such as the stress, in the axes of the cell."""
        return np.asarray(self.turn.T @ given @ self.turn)


@dataclass(frozen=True, eq=False)
class _Placement:
    """Where the atoms of a structure are on the sites of a superlattice."""

    supercell: Supercell
    fitted: FittedLattice
    site: IntArray
    vectors: FloatArray
    cost: float


def register(
    lattice: FloatArray,
    numbers: IntArray,
    positions: FloatArray,
    host: Host,
    *,
    charge: int = 0,
    expected: Defect | None = None,
    supercells: Sequence[Supercell] = (),
) -> Registration:
    """Put a structure into the canonical cell of its defect.

    Args:
        lattice: (3, 3) vectors as rows, Å.
        numbers: (n,) atomic numbers.
        positions: (n, 3) Cartesian, Å.
        host: the pristine crystal.
        charge: e.
        expected: what it should be; taken where the atoms are as well described by it.
        supercells: whose basis and axes the cell takes where the superlattice is theirs.

    Raises:
        DefectError: the lattice is no supercell of the host, or an atom is far from every free site.
    """
    axes = [0, 1, 2] if np.linalg.det(lattice) > 0 else [1, 0, 2]
    fractional = (positions @ np.linalg.inv(lattice))[:, axes]
    known = [*supercells, *([expected.supercell] if expected is not None else [])]
    forms = [supercell.hermite_normal_form for supercell in known]
    if expected is not None and any(o.axis for o in expected.orbits):
        host = with_dumbbells(host)
    best = _best_placement(host, fitted_lattices(host, lattice[axes], forms), fractional, numbers)
    wanted = _as_expected(best, expected, numbers) if expected is not None else None
    best = best if wanted is None else wanted
    worst = int(np.linalg.norm(best.vectors, axis=1).argmax())
    if (far := float(np.linalg.norm(best.vectors[worst]))) > MAX_FROM_SITE:
        raise DefectError(
            f"atom {worst + 1} (atomic number {numbers[worst]}) is {far:.2f} Å from the nearest free site of "
            f"{host.formula}; this is no defect of it that can be named"
        )
    return _registered(best, numbers, charge, known)


def _best_placement(
    host: Host, lattices: Sequence[FittedLattice], fractional: FloatArray, numbers: IntArray
) -> _Placement:
    """The placement of least cost; the first that leaves no doubt ends the search."""
    best: _Placement | None = None
    for fitted in lattices:
        placement = _placed(Supercell(host, fitted.matrix), fitted, fractional, numbers)
        if best is None or placement.cost < best.cost:
            best = placement
        if best.cost < CERTAIN_COST * len(numbers):
            break
    assert best is not None  # noqa: S101  there is at least one lattice
    return best


def _placed(supercell: Supercell, fitted: FittedLattice, fractional: FloatArray, numbers: IntArray) -> _Placement:
    """The atoms on the sites of one superlattice, with the origin at which most are nearest."""
    fractional = fitted.sign * fractional
    origin = _origin(supercell, fractional @ fitted.matrix, numbers) @ np.linalg.inv(fitted.matrix)
    for _ in range(2):
        placement = _assigned(supercell, fitted, fractional - origin, numbers)
        origin = origin + _drift(placement)
    return placement


def _drift(placement: _Placement) -> FloatArray:
    """Mean displacement (3,) of the atoms that are near their sites, in fractions of the cell."""
    near = np.linalg.norm(placement.vectors, axis=1) < _REACH
    mean = placement.vectors[near if near.any() else slice(None)].mean(axis=0)
    return np.asarray(mean @ np.linalg.inv(_strained(placement)))


def _strained(placement: _Placement) -> FloatArray:
    return np.asarray(placement.supercell.cell @ (np.eye(3) + placement.fitted.strain))


def _origin(supercell: Supercell, points: FloatArray, numbers: IntArray) -> FloatArray:
    """Shift (3,) in primitive fractions after which the atoms are on the host's sites of their elements."""
    host = supercell.host
    sites, kinds = host.atoms.points, host.atoms.numbers
    counts = {int(z): int((numbers == z).sum()) for z in np.unique(kinds)}
    # Few sites of the element make few candidates, and many atoms make them safe.
    rarest = min((z for z in counts if counts[z]), key=lambda z: (int((kinds == z).sum()), -counts[z]), default=None)
    if rarest is None:
        raise DefectError(f"no atom of the structure is of an element of {host.formula}")
    atoms = np.flatnonzero(numbers == rarest)
    probes = points[atoms[np.unique(np.linspace(0, len(atoms) - 1, _PROBES).astype(int))]]
    candidates = (probes[:, None] - sites[kinds == rarest][None]).reshape(-1, 3)
    scored = [_settled_origin(origin, points, numbers, host) for origin in candidates]
    return min(scored, key=lambda pair: pair[1])[0]


def _settled_origin(origin: FloatArray, points: FloatArray, numbers: IntArray, host: Host) -> tuple[FloatArray, float]:
    """An origin moved to the mean of the atoms that are near their sites, and the sum of their truncated squares."""
    inverse = np.linalg.inv(host.primitive)
    score = np.inf
    for _ in range(3):
        vectors, squares = _nearest(points - origin, numbers, host)
        near = squares < _REACH**2
        score = float(np.minimum(squares, _REACH**2).sum())
        if not near.any():
            break
        origin = origin + vectors[near].mean(axis=0) @ inverse
    return origin, score


def _nearest(points: FloatArray, numbers: IntArray, host: Host) -> tuple[FloatArray, FloatArray]:
    """Vector (n, 3), Å, from the nearest site of its element to each atom, and its square (n,)."""
    vectors, squares = np.zeros_like(points), np.full(len(points), _REACH**2)
    for kind in np.unique(host.atoms.numbers):
        atoms = np.flatnonzero(numbers == kind)
        if not len(atoms):
            continue
        between = points[atoms][:, None] - host.atoms.points[host.atoms.numbers == kind][None]
        between = (between - np.rint(between)) @ host.primitive
        length = (between**2).sum(axis=-1)
        site = length.argmin(axis=1)
        vectors[atoms] = between[np.arange(len(atoms)), site]
        squares[atoms] = length[np.arange(len(atoms)), site]
    return vectors, squares


def _assigned(supercell: Supercell, fitted: FittedLattice, fractional: FloatArray, numbers: IntArray) -> _Placement:
    """Each atom on a site of its own, so that displacements and changes cost least.

    A lattice site that holds its element costs the square of the distance, any other site `EDIT_COST` more.
    """
    from scipy.optimize import linear_sum_assignment

    table = supercell.sites
    vectors = _vectors(supercell, fitted, fractional, np.arange(len(table.numbers)))
    cost = (vectors**2).sum(axis=-1) + EDIT_COST * (numbers[:, None] != table.numbers)
    if len(numbers) > cost.shape[1]:
        raise DefectError(f"{len(numbers)} atoms do not fit on {cost.shape[1]} sites of {supercell.host.formula}")
    atoms, site = linear_sum_assignment(cost)
    return _Placement(supercell, fitted, site.astype(np.int64), vectors[atoms, site], float(cost[atoms, site].sum()))


def _vectors(supercell: Supercell, fitted: FittedLattice, fractional: FloatArray, sites: IntArray) -> FloatArray:
    """Vectors (atoms, sites, 3), Å, from sites to atoms in the strained host's axes, of the nearest images."""
    cell = supercell.cell @ (np.eye(3) + fitted.strain)
    between = fractional[:, None] - supercell.sites.positions[sites] @ np.linalg.inv(supercell.cell)
    return np.asarray((between - np.rint(between)) @ cell)


def _edited(placement: _Placement, numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Sites that are changed, and the occupation of all."""
    table = placement.supercell.sites
    occupation = np.where(table.numbers > 0, 0, table.numbers)
    occupation[placement.site] = numbers
    return np.flatnonzero(occupation != table.numbers), occupation


def _as_expected(best: _Placement, expected: Defect, numbers: IntArray) -> _Placement | None:
    """The atoms on the sites of the copy of an expected defect that they are nearest to; None where none is near.

    Raises:
        DefectError: the structure has another composition.
    """
    supercell = best.supercell
    wanted = expected.cell().numbers
    if not np.array_equal(np.sort(wanted), np.sort(numbers)):
        raise DefectError(f"its atoms are not those of {expected.name}")
    edited, occupation = _edited(best, numbers)
    if not np.array_equal(supercell.hermite_normal_form, expected.supercell.hermite_normal_form):
        return None
    if Defect(supercell, tuple(Edit(int(s), int(occupation[s])) for s in edited)).edits == expected.edits:
        return best
    aligned = _aligned(best)
    found = [_on_copy(best, aligned, numbers, copy) for copy in _copies(supercell, expected)]
    near = [p for p in found if p is not None and np.linalg.norm(p.vectors, axis=1).max() < MAX_FROM_SITE]
    return min(near, key=lambda placement: placement.cost) if near else None


def _aligned(placement: _Placement) -> FloatArray:
    """Fractions of the atoms with the origin that a placement found."""
    supercell = placement.supercell
    at = supercell.sites.positions[placement.site] @ np.linalg.inv(supercell.cell)
    offset = placement.vectors @ np.linalg.inv(_strained(placement))
    return np.asarray(at + offset)


def _copies(supercell: Supercell, expected: Defect) -> list[IntArray]:
    """Occupation of all sites in each copy of a defect; none where there are too many."""
    sites = np.array([edit.site for edit in expected.edits], dtype=np.int64)
    images = np.unique(supercell.images(sites), axis=0)
    if len(images) > _MAX_IMAGES:
        return []
    copies = []
    for image in images:
        occupation = supercell.sites.numbers.copy()
        occupation[image] = [edit.number for edit in expected.edits]
        copies.append(occupation)
    return list({copy.tobytes(): copy for copy in copies}.values())


def _on_copy(best: _Placement, fractional: FloatArray, numbers: IntArray, occupation: IntArray) -> _Placement | None:
    """The atoms on the sites of one copy of a defect, each on one of its element; None where one is far from all."""
    from scipy.optimize import linear_sum_assignment

    sites = np.flatnonzero(occupation)
    vectors = _vectors(best.supercell, best.fitted, fractional, sites)
    cost = (vectors**2).sum(axis=-1)
    cost[numbers[:, None] != occupation[sites]] = 1e4
    if cost.min(axis=0).max() > MAX_FROM_SITE**2:
        return None
    atoms, column = linear_sum_assignment(cost)
    return _Placement(
        best.supercell, best.fitted, sites[column], vectors[atoms, column], float(cost[atoms, column].sum())
    )


def _registered(placement: _Placement, numbers: IntArray, charge: int, known: Sequence[Supercell]) -> Registration:
    """The structure in the canonical cell: the operation that takes the edits to the canonical ones acts on all."""
    supercell = placement.supercell
    edited, occupation = _edited(placement, numbers)
    target = next(
        (s for s in known if np.array_equal(s.hermite_normal_form, supercell.hermite_normal_form)),
        Supercell.from_normal_form(supercell.host, supercell.hermite_normal_form),
    )
    target = Supercell(supercell.host, target.matrix)
    defect = Defect(target, tuple(Edit(int(k), int(occupation[k])) for k in edited), charge)
    operation = supercell.operations(_canonical_operation(supercell, defect, edited, occupation))
    left, right = supercell.cartesian_of
    turn = (left @ operation.rotations[0] @ right).T
    there = operation.permutations[0][placement.site]
    at = np.full(len(occupation), -1, dtype=np.int64)
    at[there] = np.arange(len(there))
    ideal = defect.cell()
    order = at[ideal.sites]
    strain = np.eye(3) + turn.T @ placement.fitted.strain @ turn
    positions = ideal.positions @ strain + placement.vectors[order] @ turn
    return Registration(
        defect,
        ideal.with_geometry(positions, ideal.cell @ strain),
        order,
        placement.fitted.rotation.T @ turn * placement.fitted.sign,
        np.linalg.norm(placement.vectors, axis=1)[order],
    )


def _canonical_operation(supercell: Supercell, defect: Defect, edited: IntArray, occupation: IntArray) -> IntArray:
    """Index (1,) of an operation that takes the edited sites to those of the canonical defect."""
    if not len(edited):
        return np.array([0], dtype=np.int64)
    wanted = np.array([[e.site, e.number] for e in defect.edits])
    images = supercell.images(edited)
    ranks = np.argsort(images, axis=1)
    fits = (np.take_along_axis(images, ranks, axis=1) == wanted[:, 0]).all(axis=1)
    fits &= (occupation[edited][ranks] == wanted[:, 1]).all(axis=1)
    return np.flatnonzero(fits)[:1]

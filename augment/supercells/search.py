"""The search for supercells: smallest that is wide enough, widest that is small enough, and the trade-off between."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import hermite_normal_form, shortest_vectors, successive_minima
from augment.crystal.standard import primitive_atoms
from augment.elements import reduced_formula
from augment.errors import SupercellError
from augment.host import Host
from augment.supercell import Supercell
from augment.supercells.in_plane import find_layer_supercell, widest_in_plane
from augment.supercells.sublattices import CompactLattices, InvariantForms, longest_possible

if TYPE_CHECKING:
    from pymatgen.core import Structure

DEFAULT_IMAGE_DISTANCE = 8.0
"""Å between a defect and its nearest image: enough for a first look with a machine-learned potential."""

DEFAULT_MAX_ATOMS = 400

_SAME = 1e-6
"""Å, or a ratio of lengths; distances this close are equal."""

_FLOORS = (0.96, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2, 0.1, 0.03, 0.0)
"""Least distances tried, in units of the longest possible: the better the cell, the fewer vectors can make it."""


def find_supercell(
    host: Host,
    *,
    min_image_distance: float = DEFAULT_IMAGE_DISTANCE,
    min_atoms: int = 1,
    max_atoms: int = DEFAULT_MAX_ATOMS,
    keep_point_group: bool = True,
    max_aspect: float = math.inf,
) -> Supercell:
    """Smallest supercell whose periodic images are far enough apart, by exhaustive search.

    Of the smallest number of atoms that reaches the distance, the widest is taken; of several such, the one that keeps
    most of the point group, then the one with the least aspect. A host with a plane, such as a layer with vacuum, is
    repeated in its plane only; see `find_layer_supercell`.

    Args:
        host: the pristine crystal.
        min_image_distance: between a site and its nearest image, Å.
        min_atoms: fewest atoms.
        max_atoms: most atoms.
        keep_point_group: only superlattices invariant under the host's point group.
        max_aspect: largest ratio of the longest to the shortest vector of the reduced basis; 1 requires equal lengths.

    Raises:
        SupercellError: none fits.
    """
    if not (min_image_distance > 0 and math.isfinite(min_image_distance)):
        raise SupercellError(f"image distance {min_image_distance} Å; give a positive number")
    if host.normal is not None:
        _refuse_aspect(host, max_aspect)
        size = {"min_atoms": min_atoms, "max_atoms": max_atoms}
        return find_layer_supercell(
            host, min_image_distance=min_image_distance, **size, keep_layer_group=keep_point_group
        )
    search = _Search(host, keep_point_group, max_aspect)
    for index in _indices(host, min_atoms, max_atoms):
        if longest_possible(search.volume * index) >= min_image_distance - _SAME:
            supercell = search.widest(index, min_image_distance)
            if supercell is not None:
                return supercell
    raise SupercellError(
        f"{host.formula}: no supercell of {min_atoms} to {max_atoms} atoms has images {min_image_distance:g} Å apart"
        f"{search.limits} ({_best_reached(search, min_atoms, max_atoms)}); allow more atoms or a smaller distance"
    )


def refuse_large(structure: Structure, max_atoms: int, where: str = "structure") -> None:
    """Refuse a structure of which not even the primitive cell fits, before a host is made of it.

    Args:
        structure: ordered, in any cell.
        max_atoms: most atoms.
        where: what to call the source in errors.

    Raises:
        CifError: no space group can be found.
        SupercellError: its primitive cell has more atoms.
    """
    if len(structure) > max_atoms and (atoms := primitive_atoms(structure, where)) > max_atoms:
        formula = reduced_formula(structure.composition.get_el_amt_dict())
        raise _between_multiples(formula, atoms, 1, max_atoms)


def widest_supercell(
    host: Host, *, min_atoms: int = 1, max_atoms: int, keep_point_group: bool = True, max_aspect: float = math.inf
) -> Supercell:
    """Supercell in a range of sizes with the largest image distance, by exhaustive search; of several, the smallest.

    Args:
        host: the pristine crystal.
        min_atoms: fewest atoms.
        max_atoms: most atoms.
        keep_point_group: only superlattices invariant under the host's point group.
        max_aspect: largest ratio of the longest to the shortest vector of the reduced basis.

    Raises:
        SupercellError: none fits.
    """
    if host.normal is not None:
        _refuse_aspect(host, max_aspect)
        return _widest_layer(host, _indices(host, min_atoms, max_atoms), keep_point_group=keep_point_group)
    search = _Search(host, keep_point_group, max_aspect)
    best = search.widest_in(_indices(host, min_atoms, max_atoms))
    if best is None:
        raise SupercellError(
            f"{host.formula}: no supercell of {min_atoms} to {max_atoms} atoms{search.limits}; "
            f"its primitive cell has {host.n_lattice} atoms: widen the range"
        )
    return best


def supercell_table(
    host: Host, max_atoms: int, *, keep_point_group: bool = True, max_aspect: float = math.inf
) -> list[Supercell]:
    """The widest supercell of each size up to a number of atoms; sizes without one are left out.

    Raises:
        SupercellError: not even the primitive cell has so few atoms.
    """
    indices = _indices(host, 1, max_atoms)
    if host.normal is not None:
        _refuse_aspect(host, max_aspect)
        every = (widest_in_plane(host, index, keep_layer_group=keep_point_group)[1] for index in indices)
    else:
        search = _Search(host, keep_point_group, max_aspect)
        every = (search.widest(index, 0.0) for index in indices)
    return [supercell for supercell in every if supercell is not None]


def _refuse_aspect(host: Host, max_aspect: float) -> None:
    """One period across a plane is no matter of choice."""
    if max_aspect != math.inf:
        raise SupercellError(f"{host.formula}: the aspect of a layer's supercell is that of its vacuum; leave it out")


def _widest_layer(host: Host, indices: range, *, keep_point_group: bool) -> Supercell:
    """The supercell of some indices that is widest in the plane; of several such, the smallest."""
    every = [widest_in_plane(host, index, keep_layer_group=keep_point_group) for index in indices]
    _, widest = max(every, key=lambda each: round(each[0], 6))
    if widest is None:
        raise SupercellError(f"{host.formula}: no supercell of this size keeps the layer group; widen the range")
    return widest


def _indices(host: Host, min_atoms: int, max_atoms: int) -> range:
    """Numbers of primitive cells with a number of atoms in the range."""
    if not 1 <= min_atoms <= max_atoms:
        raise SupercellError(
            f"{min_atoms} to {max_atoms} atoms: both must be positive and the most no fewer than the least"
        )
    indices = range(-(-min_atoms // host.n_lattice), max_atoms // host.n_lattice + 1)
    if not indices:
        raise _between_multiples(host.formula, host.n_lattice, min_atoms, max_atoms)
    return indices


def _between_multiples(formula: str, atoms: int, min_atoms: int, max_atoms: int) -> SupercellError:
    return SupercellError(
        f"{formula}: no supercell has {min_atoms} to {max_atoms} atoms; "
        f"its primitive cell has {atoms}: ask for a multiple"
    )


def _best_reached(search: _Search, min_atoms: int, max_atoms: int) -> str:
    best = search.widest_in(_indices(search.host, min_atoms, max_atoms))
    return "there is none" if best is None else f"the best reaches {best.image_distance:.2f} Å"


@dataclass(frozen=True, eq=False)
class _Search:
    """What is searched: all superlattices of each index, or those that keep the point group."""

    host: Host
    keep_point_group: bool
    max_aspect: float

    def __post_init__(self) -> None:
        if not self.max_aspect >= 1:
            raise SupercellError(f"aspect {self.max_aspect}: a ratio of longest to shortest is 1 or more")

    @cached_property
    def volume(self) -> float:
        """Volume of the primitive cell, Å³."""
        return abs(float(np.linalg.det(self.host.primitive)))

    @property
    def limits(self) -> str:
        """What else is asked, in words for an error."""
        condition = " and keeps the point group" if self.keep_point_group else ""
        return condition + (f" and an aspect of at most {self.max_aspect:g}" if math.isfinite(self.max_aspect) else "")

    @cached_property
    def invariant(self) -> InvariantForms:
        return InvariantForms(self.host.group.rotations)

    @cached_property
    def compact(self) -> CompactLattices:
        return CompactLattices(self.host.primitive, self.host.group.rotations)

    def widest_in(self, indices: range) -> Supercell | None:
        """The widest of all indices, of several the smallest; none where there is none."""
        best, distance = None, 0.0
        for index in reversed(indices):
            if longest_possible(self.volume * index) < distance - _SAME:
                break
            supercell = self.widest(index, distance)
            if supercell is not None:
                best, distance = supercell, supercell.image_distance
        return best

    def widest(self, index: int, least: float) -> Supercell | None:
        """The widest supercell of an index, if it is at least so wide (Å)."""
        for forms in self._batches(index, least):
            if len(forms):
                minima = successive_minima(forms @ self.host.primitive)
                fits = (minima[:, 0] >= least - _SAME) & (minima[:, 2] <= self.max_aspect * minima[:, 0] + _SAME)
                if fits.any():
                    return self._chosen(forms[fits], minima[fits])
        return None

    def _batches(self, index: int, least: float) -> Iterator[IntArray]:
        """Superlattices of an index; all that are wider come in the same batch or before."""
        if self.keep_point_group and not self.invariant.everything:
            yield self.invariant.of_index(index)
            return
        bound = longest_possible(self.volume * index)
        least = max(least, float(shortest_vectors(self.host.primitive[None])[0]))
        for floor in _FLOORS:
            yield self.compact.of_index(index, max(floor * bound, least), self.max_aspect)
            if floor * bound <= least:
                return

    def _chosen(self, forms: IntArray, minima: FloatArray) -> Supercell:
        """The widest, then the most symmetric, then the one of least aspect, then of the first normal form."""
        wide = minima[:, 0] >= minima[:, 0].max() - _SAME
        forms, minima = forms[wide], minima[wide]
        turned = forms[:, None] @ self.host.group.rotations.transpose(0, 2, 1) @ np.linalg.inv(forms)[:, None]
        order = (np.abs(turned - np.rint(turned)).max(axis=(2, 3)) < _SAME).sum(axis=1)
        forms, minima = forms[order == order.max()], minima[order == order.max()]
        even = forms[minima[:, 2] <= minima[:, 2].min() + _SAME]
        normal = min(hermite_normal_form(form).tolist() for form in even)
        return Supercell.from_normal_form(self.host, np.array(normal, dtype=np.int64))

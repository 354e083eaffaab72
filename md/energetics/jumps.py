"""The symmetry-distinct jumps of a vacancy or an interstitial, and the symmetry of each path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.errors import ConditionError, SupercellError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.symmetry import FiniteGroup, point_group_symbol
from augment.supercell import Edit

JUMP_CUTOFF_RATIO = 1.1
"""Cutoff of the jumps in the shortest one, where none is given: nearest neighbours, split by a distortion or not."""

TIE = 0.1
"""Å; if a second periodic image of the goal is not farther by more, the supercell does not say which way to jump."""

_IMAGES = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Jump:
    """One atom of a defect cell moving from its site to an empty one.

    Attributes:
        defect: before the jump; its edits are where the jump starts.
        origin: site that the atom leaves.
        goal: site that it comes to: the vacancy, or another void.
        multiplicity: number of equivalent jumps out of the defect, forwards or backwards along equivalent paths.
        distance: between the two sites, Å.
        vector: (3,) from the one to the other, Å.
    """

    defect: Defect
    origin: int
    goal: int
    multiplicity: int
    distance: float
    vector: FloatArray

    @cached_property
    def final(self) -> Defect:
        """The defect after the jump, in canonical form."""
        after = _labels(self.defect)
        after[self.goal], after[self.origin] = after[self.origin], 0
        ideal = self.defect.supercell.sites.numbers
        edits = tuple(Edit(int(s), int(after[s])) for s in np.flatnonzero(after != ideal))
        return Defect(self.defect.supercell, edits, self.defect.charge)

    @property
    def mover(self) -> int:
        """Index in the defect cell of the atom that jumps."""
        return int(np.flatnonzero(self.defect.cell().sites == self.origin)[0])

    @cached_property
    def _operations(self) -> tuple[IntArray, IntArray]:
        """Indices of the space group's operations that keep both ends of the path, and that exchange them."""
        before = _labels(self.defect)
        after = before.copy()
        after[self.goal], after[self.origin] = before[self.origin], 0
        ideal = self.defect.supercell.sites.numbers
        sites = np.flatnonzero((before != ideal) | (after != ideal))
        images = self.defect.supercell.images(sites)
        # Sites that keep their edit are part of both patterns; all others are the host's in both.
        keeps = (before[images] == before[sites]).all(axis=1) & (after[images] == after[sites]).all(axis=1)
        swaps = (before[images] == after[sites]).all(axis=1) & (after[images] == before[sites]).all(axis=1)
        return np.flatnonzero(keeps), np.flatnonzero(swaps)

    @property
    def reversible(self) -> bool:
        """Whether a symmetry operation exchanges the two ends, so that the path is symmetric about its middle."""
        return len(self._operations[1]) > 0

    @property
    def symmetry(self) -> CellSymmetry:
        """The operations that keep both ends, acting on the atoms of the defect cell: the symmetry of the path."""
        return self._acting(self._operations[0])

    @property
    def middle_symmetry(self) -> CellSymmetry:
        """The symmetry of the configuration halfway: that of the path, and the operations that exchange its ends."""
        return self._acting(np.sort(np.concatenate(self._operations)))

    def reversal(self) -> tuple[FloatArray, IntArray]:
        """A Cartesian rotation (3, 3) and a permutation of the atoms (n,) that take the start to the end of the path.

        Raises:
            ConditionError: no operation does.
        """
        if not self.reversible:
            raise ConditionError(f"no operation exchanges the ends of the jump of {self.defect.name}")
        group = self._acting(self._operations[1][:1])
        return group.rotations[0], group.permutations[0]

    def _acting(self, elements: IntArray) -> CellSymmetry:
        """Operations on the atoms of the defect cell; the mover stays the mover, whichever way it goes."""
        supercell = self.defect.supercell
        group = supercell.operations(elements)
        sites = self.defect.cell().sites
        atom = np.full(len(supercell.sites.numbers), -1, dtype=np.int64)
        atom[sites] = np.arange(len(sites))
        atom[self.goal] = self.mover
        symbol = point_group_symbol(np.unique(group.rotations, axis=0)) if len(elements) > 1 else "1"
        acting = FiniteGroup(group.rotations, atom[group.permutations[:, sites]])
        return CellSymmetry(symbol, acting, supercell.host.primitive)

    def ideal_ends(self, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Ideal positions (n, 3) before and after the jump in a cell (3, 3) that may be strained, Å."""
        deformation = np.linalg.inv(self.defect.supercell.cell) @ cell
        start = self.defect.cell().positions @ deformation
        end = start.copy()
        end[self.mover] += self.vector @ deformation
        return start, end

    def end_cell(self, start: DefectCell) -> DefectCell:
        """The ideal geometry after the jump in the cell of `start`, its atoms in the same order."""
        return start.with_geometry(self.ideal_ends(start.cell)[1], jump=[self.origin, self.goal])


def jumps(defect: Defect, cutoff: float | None = None) -> tuple[Jump, ...]:
    """The jumps of one atom out of a defect, one of each kind under the symmetry of the crystal, shortest first.

    A neighbour of the same sublattice goes into a vacancy; an interstitial goes to an empty void. Two jumps are of one
    kind if an operation of the space group takes one path to the other, in the same direction or reversed.

    Args:
        defect: what jumps; the parts of a complex jump one at a time.
        cutoff: longest jump, Å; 1.1 times the shortest without it.

    Raises:
        ConditionError: nothing can jump, or not so far.
        SupercellError: a goal and its periodic image are equally near; the supercell is too small.
    """
    by_kind: dict[tuple[int, ...], list[tuple[int, int, float]]] = {}
    candidates = [pair for edit in defect.edits for pair in _candidates(defect, edit)]
    if not candidates:
        raise ConditionError(f"{defect.name} has no vacancy and no interstitial with an empty site to jump to")
    supercell = defect.supercell
    sites = np.unique([site for pair in candidates for site in pair])
    place = {int(site): k for k, site in enumerate(sites)}
    distances = supercell.distances(sites)
    lengths = [float(distances[place[a], place[b]]) for a, b in candidates]
    reach = min(lengths) * JUMP_CUTOFF_RATIO if cutoff is None else cutoff
    for (origin, goal), length in zip(candidates, lengths, strict=True):
        if length <= reach:
            by_kind.setdefault(_kind(defect, origin, goal), []).append((origin, goal, length))
    if not by_kind:
        raise ConditionError(
            f"no jump of {defect.name} is as short as {reach:.2f} Å; the shortest has {min(lengths):.2f}"
        )
    kinds = [_jump(defect, members) for members in by_kind.values()]
    return tuple(sorted(kinds, key=lambda jump: (jump.distance, jump.origin, jump.goal)))


def _jump(defect: Defect, members: list[tuple[int, int, float]]) -> Jump:
    origin, goal, _ = members[0]
    supercell = defect.supercell
    places = supercell.sites.positions
    fractional = (places[goal] - places[origin]) @ np.linalg.inv(supercell.cell)
    vectors = (fractional - np.rint(fractional) + _IMAGES) @ supercell.cell
    lengths = np.linalg.norm(vectors, axis=1)
    order = np.argsort(lengths)
    if lengths[order[1]] - lengths[order[0]] < TIE:
        raise SupercellError(
            f"a jump of {lengths[order[0]]:.2f} Å in {defect.name} is as short across the supercell; use a larger one"
        )
    return Jump(defect, origin, goal, len(members), float(lengths[order[0]]), vectors[order[0]])


def _labels(defect: Defect) -> IntArray:
    """Atomic number at every site of the defective supercell, 0 where it is empty."""
    labels = defect.supercell.sites.numbers.copy()
    for edit in defect.edits:
        labels[edit.site] = edit.number
    return labels


def _candidates(defect: Defect, edit: Edit) -> list[tuple[int, int]]:
    """Origin and goal of the jumps that an edit allows."""
    table, labels = defect.supercell.sites, _labels(defect)
    if edit.number == 0:
        element = table.numbers[edit.site]
        return [(int(s), edit.site) for s in np.flatnonzero((table.numbers == element) & (labels > 0))]
    if table.numbers[edit.site] == 0:
        return [(edit.site, int(s)) for s in np.flatnonzero((table.numbers == 0) & (labels == 0))]
    return []


def _kind(defect: Defect, origin: int, goal: int) -> tuple[int, ...]:
    """The least of all images of a path, forwards or backwards: equal exactly for equivalent paths."""
    before = _labels(defect)
    after = before.copy()
    after[goal], after[origin] = before[origin], 0
    ideal = defect.supercell.sites.numbers
    sites = np.flatnonzero((before != ideal) | (after != ideal))
    base = int(max(before.max(), after.max())) + 1
    images = defect.supercell.images(sites)
    paths = []
    for one, other in ((before, after), (after, before)):
        codes = (images * base + one[sites]) * base + other[sites]
        codes.sort(axis=1)
        paths.append(codes[np.lexsort(codes.T[::-1])[0]].tolist())
    return tuple(min(paths))

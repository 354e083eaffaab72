"""The edits that a complex may be made of: all sites of some kinds, how the symmetry moves them, which go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from augment.cell import IntArray
from augment.defects.kinds import EditKind, kinds
from augment.errors import DefectError
from augment.groups.symmetry import GRID_SPACING, BoolArray
from augment.supercell import Edit, Supercell


@dataclass(frozen=True, eq=False)
class EditSpace:
    """Every edit of the named kinds in a supercell, numbered by site and then species.

    Attributes:
        supercell: where the edits are.
        names: the kinds as the user wrote them (`v_O`, `Fe_Ti`).
        site: (m,) site of each edit.
        number: (m,) atomic number that each puts there, 0 for none.
        label: (m,) index into `names`.
        cutoff: largest distance between two edits of one complex, Å; None for any.
    """

    supercell: Supercell
    names: tuple[str, ...]
    site: IntArray
    number: IntArray
    label: IntArray
    cutoff: float | None = None

    @classmethod
    def of(cls, supercell: Supercell, names: Sequence[str], cutoff: float | None = None) -> EditSpace:
        """The space of the kinds with these names.

        Raises:
            DefectError: no name, a name that fits no site, two names that mean the same edit, or a cutoff that is not
                positive.
        """
        if not names:
            raise DefectError("no kind of defect given; name some, such as v_O,Al_Mg")
        if cutoff is not None and not cutoff > 0:
            raise DefectError(f"cutoff {cutoff} Å must be positive")
        owner: dict[EditKind, int] = {}
        for label, name in enumerate(names):
            for kind in kinds(supercell.host, name):
                if kind in owner:
                    raise DefectError(f"{names[owner[kind]]} and {name} mean the same edit; name it once")
                owner[kind] = label
        lattice = all(kind.orbit < len(supercell.host.atoms.orbits) for kind in owner)
        orbit = (supercell.lattice_sites if lattice else supercell.sites).orbit
        rows = [
            (int(site), kind.number, label)
            for kind, label in owner.items()
            for site in np.flatnonzero(orbit == kind.orbit)
        ]
        site, number, label_of = np.array(sorted(rows), dtype=np.int64).T
        return cls(supercell, tuple(names), site, number, label_of, cutoff)

    def __len__(self) -> int:
        return len(self.site)

    @cached_property
    def permutations(self) -> NDArray[np.int32]:
        """(|G|, m) image of each edit under every operation of the supercell."""
        images = np.empty((self.supercell.group_order, len(self)), dtype=np.int32)
        place = np.full(len(self.supercell.table_with(self.site).numbers), -1, dtype=np.int32)
        for number in np.unique(self.number):
            chosen = np.flatnonzero(self.number == number)
            place[self.site[chosen]] = chosen
            images[:, chosen] = place[self.supercell.images(self.site[chosen])]
        return images

    @cached_property
    def representative(self) -> IntArray:
        """(m,) smallest edit of each edit's orbit."""
        return np.asarray(self.permutations.min(axis=0))

    @cached_property
    def compatible(self) -> BoolArray:
        """(m, m) whether two edits are at different sites and within the cutoff of each other."""
        apart = self.site[:, None] != self.site
        if self.cutoff is None:
            return np.asarray(apart)
        sites, index = np.unique(self.site, return_inverse=True)
        near = self.supercell.distances(sites) <= self.cutoff + GRID_SPACING
        return np.asarray(apart & near[index[:, None], index])

    def check_cutoff(self) -> None:
        """Refuse a cutoff within which no two edits lie.

        Raises:
            DefectError: says how far the nearest two are.
        """
        if self.cutoff is not None and not self.compatible.any():
            sites = np.unique(self.site)
            distance = self.supercell.distances(sites)
            nearest = distance[~np.eye(len(sites), dtype=bool)].min(initial=np.inf)
            raise DefectError(
                f"no two of {', '.join(self.names)} are within {self.cutoff:g} Å of each other; "
                f"the nearest are {nearest:.3f} Å apart"
            )

    def edits(self, members: IntArray) -> tuple[Edit, ...]:
        """The edits of a complex, given by their places in the space."""
        return tuple(Edit(int(self.site[k]), int(self.number[k])) for k in members)

"""Split interstitials: two atoms share one lattice site as a dumbbell, in every symmetry-distinct orientation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from augment.cell import IntArray
from augment.defect import Defect
from augment.dumbbell import distinct_axes, dumbbell_ends, dumbbell_gaps, with_dumbbells
from augment.host_sites import SiteOrbit
from augment.supercell import Edit, Supercell


def split_interstitials(supercell: Supercell, elements: Sequence[int]) -> Iterator[Defect]:
    """One defect for each lattice orbit, orientation and inserted element (atomic number): a site shared by two atoms.

    The inserted atom sits at one end of the dumbbell and the atom of the site at the other. Dumbbells lie along the
    directions of the conventional cell up to [111]; one that comes closer than 1 Å to another atom is left out.
    """
    extended = Supercell(with_dumbbells(supercell.host), supercell.matrix)
    table, seen = extended.sites, set()
    for orbit in extended.host.orbits:
        centre = orbit.members[0] * extended.index
        for ends in _dumbbells(extended, orbit) if orbit.element else ():
            for element, (first, second) in itertools.product(elements, itertools.permutations(ends.tolist())):
                edits = (Edit(centre, 0), Edit(first, int(table.numbers[centre])), Edit(second, element))
                defect = Defect(extended, edits)
                if defect.key not in seen:
                    seen.add(defect.key)
                    yield defect


def _dumbbells(supercell: Supercell, orbit: SiteOrbit) -> Iterator[IntArray]:
    """Pairs of sites that are the ends of a dumbbell at the first site of a lattice orbit."""
    host = supercell.host
    for axis in distinct_axes(host, orbit):
        ends = dumbbell_ends(host, orbit, axis)
        site = np.array(
            [host.n_lattice + int(dumbbell_gaps(host, host.points[host.n_lattice :], e).argmin()) for e in ends]
        )
        offset = np.rint(ends - host.points[site]).astype(np.int64)
        yield site * supercell.index + supercell.cell_index(offset)

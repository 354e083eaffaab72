"""Names of point defects in doped's convention (`v_O`, `Al_Mg`, `O_i_Td`), distinguished where a host needs it.

Four point groups have Schoenflies symbols that are chemical symbols as well: Cs, O, T and Th. doped's `v_I_Cs` looks as
if it held caesium, so that these groups, and no others, are marked: `v_I_pgCs`, pg for point group. No chemical symbol
begins with a small letter; the mark needs no quoting in a shell and is good in names of files, and is no sign that
joins complexes (+), lists (,) or Kröger-Vink symbols (-). Names without the mark are read as well.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from augment.host import Host
from augment.neighbours import images_around

VACANCY = "v"
INTERSTITIAL = "i"

_ALSO_ELEMENTS = ("Cs", "O", "T", "Th")
"""Schoenflies symbols that are symbols of caesium, oxygen, tritium and thorium as well."""

_MARK = "pg"
_MARKED = re.compile(rf"(?<=[_(]){_MARK}(?=(?:{'|'.join(_ALSO_ELEMENTS)})(?![A-Za-z0-9]))")

_FIRST_NEIGHBOURS = 32
"""Atoms that hold the nearest shells of most sites; more are looked at where they do not."""

_SAME_SHELL = 0.002
"""Å; neighbours nearer to each other in distance than this are ordered by element."""

_SITE_ITSELF = 0.1
"""Å; no neighbour is nearer."""

_MAX_SHELLS = 2
"""Neighbour shells in a name; sites that these do not distinguish are numbered."""


def marked_group(point_group: str) -> str:
    """A Schoenflies symbol, set apart from the chemical symbols (`pgCs`) where it is one."""
    return f"{_MARK}{point_group}" if point_group in _ALSO_ELEMENTS else point_group


def unmarked(name: str) -> str:
    """A name as doped writes it, without the mark of `marked_group`: equal names then mean the same."""
    return _MARKED.sub("", name)


def orbit_suffixes(host: Host) -> tuple[str, ...]:
    """What to add to a defect's name for each orbit, as `orbit_suffix`."""
    return tuple(orbit_suffix(host, orbit) for orbit in range(len(host.orbits)))


def orbit_suffix(host: Host, orbit: int) -> str:
    """What to add to a defect's name for an orbit: nothing where its element has one orbit, else what distinguishes it.

    Voids always carry their point group; where that does not distinguish them, the nearest element and its
    distance in Å follow, then further neighbour shells, and a number as the last resort.
    """
    pristine = host.unrelaxed or host
    return _suffixes_of(pristine, pristine.orbit(orbit).element)[orbit]


@lru_cache(maxsize=256)
def _suffixes_of(host: Host, element: str) -> dict[int, str]:
    """Suffixes of the orbits of an element, or of the voids, by orbit."""
    orbits = host.atoms.orbits if element else host.orbits
    members = [k for k, orbit in enumerate(orbits) if orbit.element == element]
    suffixes: dict[int, str] = {}
    waiting = members
    for depth in range(0 if element else 1, _MAX_SHELLS + 2):
        names = {k: _suffix(host, k, depth) for k in waiting}
        counts = Counter(names.values())
        suffixes.update(names)
        waiting = [k for k in waiting if counts[names[k]] > 1]
        if not waiting:
            break
    for number, k in enumerate(waiting, start=1):
        suffixes[k] += f"_{number}"
    return suffixes


def _suffix(host: Host, orbit: int, depth: int) -> str:
    """Point group (depth 1) and neighbour shells (depth 2 and more)."""
    if depth == 0:
        return ""
    shells = neighbour_shells(host, orbit, depth - 1)
    return "_".join([f"_{marked_group(host.orbit(orbit).point_group)}", *shells])


def neighbour_shells(host: Host, orbit: int, count: int) -> list[str]:
    """Element and distance (`O1.80`) of the nearest `count` shells around an orbit's first site."""
    if count == 0:
        return []
    around, numbers, tree = _surroundings(host)
    sites = host.atoms if orbit < len(host.atoms.orbits) else host.sites
    centre = sites.points[host.orbit(orbit).members[0]] @ host.primitive
    nearest = min(_FIRST_NEIGHBOURS, len(around))
    while True:
        near = np.sort(tree.query(centre, k=nearest)[1])
        distance = np.linalg.norm(around[near] - centre, axis=1)
        complete = np.inf if nearest == len(around) else distance.max() - _SAME_SHELL
        shells = _shells(distance, numbers[near], complete, count)
        if len(shells) == count or nearest == len(around):
            return shells
        nearest = min(4 * nearest, len(around))


def _shells(distance: FloatArray, numbers: IntArray, complete: float, count: int) -> list[str]:
    """The nearest `count` shells of some neighbours, of which all nearer than a distance (Å) are given."""
    shells: list[str] = []
    for k in np.lexsort((numbers, np.round(distance, 3))):
        if _SITE_ITSELF < distance[k] < complete:
            shell = f"{element_symbol(int(numbers[k]))}{distance[k]:.2f}"
            if shell not in shells:
                shells.append(shell)
            if len(shells) == count:
                break
    return shells


@lru_cache(maxsize=8)
def _surroundings(host: Host) -> tuple[FloatArray, IntArray, Any]:
    """Positions (m, 3), Å, and atomic numbers (m,) of the atoms in and around the primitive cell, and their tree."""
    from scipy.spatial import KDTree

    around = images_around(host.atoms.points, host.primitive)
    return around, np.tile(host.atoms.numbers, len(around) // host.n_lattice), KDTree(around)

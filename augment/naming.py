"""Names of point defects in doped's convention (`v_O`, `Al_Mg`, `O_i_Td`), told apart where a host needs it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from augment.elements import element_symbol
from augment.host import Host
from augment.neighbours import images_around

VACANCY = "v"
INTERSTITIAL = "i"


@lru_cache(maxsize=32)
def orbit_suffixes(host: Host) -> tuple[str, ...]:
    """What to add to a defect's name for each orbit: nothing where its element has one orbit, else what tells it.

    Voids always carry their point group; where that does not tell them apart, the nearest element and its
    distance in Å follow, then further neighbour shells, and a number as the last resort.
    """
    if host.unrelaxed is not None:
        return orbit_suffixes(host.unrelaxed)
    suffixes = [""] * len(host.orbits)
    for element in {o.element for o in host.orbits}:
        members = [k for k, o in enumerate(host.orbits) if o.element == element]
        depth_from = 1 if element == "" else 0
        waiting = members
        for depth in range(depth_from, 4):
            names = {k: _suffix(host, k, depth) for k in waiting}
            counts = [list(names.values()).count(names[k]) for k in waiting]
            for k, count in zip(waiting, counts, strict=True):
                suffixes[k] = names[k]
                if count == 1 and depth > 0 and len(members) == 1:
                    break
            waiting = [k for k, count in zip(waiting, counts, strict=True) if count > 1]
            if not waiting:
                break
        for number, k in enumerate(waiting, start=1):
            suffixes[k] += f"_{number}"
    return tuple(suffixes)


def _suffix(host: Host, orbit: int, depth: int) -> str:
    """Point group (depth 1) and neighbour shells (depth 2 and more)."""
    if depth == 0:
        return ""
    shells = neighbour_shells(host, orbit, depth - 1)
    return "_".join([f"_{host.orbits[orbit].point_group}", *shells])


def neighbour_shells(host: Host, orbit: int, count: int) -> list[str]:
    """Element and distance (`O1.80`) of the nearest `count` shells around an orbit's first site."""
    if count == 0:
        return []
    atoms = host.points[host.numbers > 0]
    kinds = host.numbers[host.numbers > 0]
    around = images_around(atoms, host.primitive)
    numbers = np.tile(kinds, len(around) // len(kinds))
    centre = host.points[host.orbits[orbit].members[0]] @ host.primitive
    distance = np.linalg.norm(around - centre, axis=1)
    order = np.lexsort((numbers, np.round(distance, 3)))
    shells: list[str] = []
    for k in order[distance[order] > 0.1]:  # noqa: PLR2004  Å; not the site itself
        shell = f"{element_symbol(numbers[k])}{distance[k]:.2f}"
        if shell not in shells:
            shells.append(shell)
        if len(shells) == count:
            break
    return shells

"""The prototype of a host: what crystals of one structure type share, whatever their elements and lattice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import reduce
from math import gcd

from augment.host_sites import SiteOrbit


def prototype_label(space_group: int, orbits: Iterable[SiteOrbit]) -> str:
    """Anonymised formula, space group, and the Wyckoff positions that each element occupies: `AB3C 221 a,b,c`.

    Elements are ordered by their share and then by their positions, so that their names do not matter; letters are
    those of the standardised host, in which equivalent descriptions agree.

    Args:
        space_group: its number.
        orbits: of the atoms.
    """
    counts: Counter[str] = Counter()
    positions: dict[str, list[str]] = {}
    for orbit in orbits:
        counts[orbit.element] += orbit.multiplicity
        positions.setdefault(orbit.element, []).append(orbit.wyckoff[-1])
    unit = reduce(gcd, counts.values())
    shares = sorted((counts[element] // unit, "".join(sorted(letters))) for element, letters in positions.items())
    formula = "".join(f"{chr(65 + k)}{count if count > 1 else ''}" for k, (count, _) in enumerate(shares))
    return f"{formula} {space_group} {','.join(letters for _, letters in shares)}"

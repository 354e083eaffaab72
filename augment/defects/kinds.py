"""Kinds of edit: what may be done at which orbit of a host, read from names such as `v_O`, `Fe_Ti` and `O_i_Td`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from augment.elements import element_number
from augment.errors import DefectError
from augment.host import Host
from augment.host_sites import SiteOrbit
from augment.naming import INTERSTITIAL, VACANCY, orbit_suffix, unmarked

_NAME = re.compile(r"(?P<put>[A-Za-z]{1,2})_(?P<site>[A-Za-z]{1,2})(?P<suffix>_.+)?")
_VACANCIES = {VACANCY, "Va"}
"""How vacancies are written; a bare `V` is vanadium."""


@dataclass(frozen=True, order=True)
class EditKind:
    """One edit allowed at every site of one orbit.

    Attributes:
        orbit: index into the host's orbits.
        number: atomic number put there; 0 removes the atom.
    """

    orbit: int
    number: int


def kinds(host: Host, name: str) -> tuple[EditKind, ...]:
    """The edits that a name in doped's convention means, one for each orbit that it fits.

    `v_O` is a vacancy on any oxygen orbit; `v_O_C2v` (the name that a defect prints) and `v_O_4c` (by Wyckoff position)
    choose among several orbits. Interstitials are `O_i`, `O_i_Td`, `O_i_8c`.

    Raises:
        DefectError: the name has another form, an element is unknown or not in the host, no orbit fits, or nothing
            would change.
    """
    match = _NAME.fullmatch(name.strip())
    if match is None:
        raise DefectError(f"{name!r} names no point defect; write v_O, Al_Mg, O_i or, for one site of several, v_O_C2v")
    put, site = match["put"], match["site"]
    number = 0 if put in _VACANCIES else element_number(put)
    if number is None:
        raise DefectError(f"{name}: {put!r} is no element; give a symbol such as Al, or v for a vacancy")
    element = "" if site == INTERSTITIAL else site
    if number == 0 and not element:
        raise DefectError(f"{name}: a void holds no atom to remove; name the element of a lattice site, such as v_O")
    if put == element:
        raise DefectError(f"{name}: {put} on a site of {put} changes nothing; name another element")
    return tuple(EditKind(k, number) for k in _fitting(host, name, element, match["suffix"] or ""))


def _fitting(host: Host, name: str, element: str, suffix: str) -> list[int]:
    """Indices of the orbits of an element, or of the voids, that a suffix of a name fits."""
    every = host.atoms.orbits if element else host.orbits
    orbits = [k for k, orbit in enumerate(every) if orbit.element == element and not orbit.axis]
    if not orbits:
        there = "no interstitial site" if not element else f"no {element} (it is of {', '.join(host.elements)})"
        raise DefectError(f"{name}: {host.formula} has {there}")
    suffixes = {k: orbit_suffix(host, k) for k in orbits}
    suffix = unmarked(suffix)
    chosen = [k for k in orbits if unmarked(suffixes[k]) == suffix] if suffix else orbits
    chosen = chosen or [k for k in orbits if suffix[1:] in _descriptions(every[k])]
    if not chosen:
        choices = [f"{suffixes[k].removeprefix('_') or 'no suffix'} ({every[k].wyckoff})" for k in orbits]
        raise DefectError(f"{name}: no site {suffix[1:]!r}; {host.formula} offers {', '.join(choices)}")
    return chosen


def _descriptions(orbit: SiteOrbit) -> Sequence[str]:
    """What identifies an orbit besides its full suffix: point group, Wyckoff position, Wyckoff letter."""
    return (orbit.point_group, orbit.wyckoff, orbit.wyckoff[-1])


def put_element(name: str) -> str:
    """Symbol of the element that an edit of this name puts in; empty for a vacancy or where the name is none."""
    match = _NAME.fullmatch(name.strip())
    return match["put"] if match and match["put"] not in _VACANCIES else ""

"""All symmetry-distinct point defects of a host in a supercell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from augment.defect import Defect
from augment.elements import element_number
from augment.errors import DefectError
from augment.storage.missing import did_you_mean
from augment.supercell import Edit, Supercell

POINT_DEFECT_KINDS = ("vacancy", "antisite", "substitution", "interstitial")


def point_defects(
    supercell: Supercell,
    *,
    dopants: Sequence[str] = (),
    kinds: Sequence[str] = POINT_DEFECT_KINDS,
    max_voids: int | None = None,
) -> list[Defect]:
    """One defect per orbit: vacancies, antisites, dopant substitutions, then native and dopant interstitials.

    Args:
        supercell: where the defects are put.
        dopants: element symbols to substitute on every lattice site and to insert.
        kinds: which of `POINT_DEFECT_KINDS` to make.
        max_voids: how many void orbits to fill, widest first; all by default.

    Raises:
        DefectError: a dopant is no element or belongs to the host, or a kind is unknown.
    """
    unknown = [k for k in kinds if k not in POINT_DEFECT_KINDS]
    if unknown:
        hint = did_you_mean(unknown[0], POINT_DEFECT_KINDS)
        raise DefectError(f"unknown kind of defect {unknown[0]!r}; {hint}the kinds are {', '.join(POINT_DEFECT_KINDS)}")
    numbers = [_foreign(supercell, symbol) for symbol in dopants]
    return list(_each(supercell, numbers, kinds, max_voids))


def dopant_number(symbol: str) -> int:
    """Atomic number of an element to put in.

    Raises:
        DefectError: the symbol is no element.
    """
    number = element_number(symbol)
    if number is None:
        raise DefectError(f"dopant {symbol!r} is not an element up to fermium; give a symbol such as Al")
    return number


def _foreign(supercell: Supercell, symbol: str) -> int:
    """Atomic number of a dopant that is not of the host."""
    number = dopant_number(symbol)
    if symbol in supercell.host.elements:
        raise DefectError(
            f"dopant {symbol} is an element of the host {supercell.host.formula}; its antisites are made without it"
        )
    return number


def _each(
    supercell: Supercell, dopants: Sequence[int], kinds: Sequence[str], max_voids: int | None
) -> Iterator[Defect]:
    from ase.data import atomic_numbers

    host_elements = [int(atomic_numbers[e]) for e in supercell.host.elements]
    host = supercell.host
    lattice = [o.members[0] * supercell.index for o in host.atoms.orbits]
    held = supercell.lattice_sites.numbers
    if "vacancy" in kinds:
        yield from (Defect(supercell, (Edit(s, 0),)) for s in lattice)
    if "antisite" in kinds:
        yield from (Defect(supercell, (Edit(s, z),)) for s in lattice for z in host_elements if z != held[s])
    if "substitution" in kinds:
        yield from (Defect(supercell, (Edit(s, z),)) for z in dopants for s in lattice)
    if "interstitial" in kinds:
        voids = [o.members[0] * supercell.index for o in host.empty.orbits if not o.axis][:max_voids]
        yield from (Defect(supercell, (Edit(s, z),)) for z in [*host_elements, *dopants] for s in voids)

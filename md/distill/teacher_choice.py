"""Which teacher for which crystals: the best of those installed, by errors measured on crystals of the same family."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from augment.errors import PotentialError
from md.potentials.external.registry import added_names

__all__ = ["AUTO_TEACHER", "CRYSTAL_FAMILIES", "RankedTeacher", "crystal_family", "ranked_teachers"]

AUTO_TEACHER = "auto"

CRYSTAL_FAMILIES = ("oxide", "halide", "metal", "semiconductor")
"""Of crystals, by what holds them together."""

_HALOGENS = frozenset({"F", "Cl", "Br", "I"})
_EMBEDDED = ("chgnet-r2scan", "chgnet", "chgnet-0.2.0")
_MEASURED = Path(__file__).with_name("teachers.json")


@dataclass(frozen=True)
class RankedTeacher:
    """A potential that could teach.

    Attributes:
        name: for `resolve_potential`.
        family: of the crystals.
        error: mean relative error there of thermal expansion, bulk modulus, elastic constants and zone-centre modes.
    """

    name: str
    family: str
    error: float


def crystal_family(symbols: Iterable[str]) -> str:
    """The family of a crystal of these elements: one of `CRYSTAL_FAMILIES`."""
    from pymatgen.core import Element

    held = set(symbols)
    if "O" in held:
        return "oxide"
    if held & _HALOGENS:
        return "halide"
    return "metal" if all(Element(symbol).is_metal for symbol in held) else "semiconductor"


def ranked_teachers(symbols: Iterable[str]) -> list[RankedTeacher]:
    """The embedded and added potentials whose errors are known for crystals of these elements, best first.

    Whether one covers the elements is not looked at.

    Raises:
        PotentialError: there is none, which a damaged installation alone has.
    """
    family = crystal_family(symbols)
    found = [RankedTeacher(name, family, error) for name, error in _errors(family)]
    if not found:
        raise PotentialError(f"no potential here has measured errors for a {family}; name one with --teacher")
    return sorted(found, key=lambda teacher: teacher.error)


def _errors(family: str) -> Iterator[tuple[str, float]]:
    for name in (*_EMBEDDED, *added_names()):
        for pattern, errors in _measured().items():
            if re.fullmatch(pattern, name, re.IGNORECASE) and family in errors:
                yield name, errors[family]


@lru_cache(maxsize=1)
def _measured() -> dict[str, dict[str, float]]:
    """Errors by family for each pattern of names; `benchmarks/solids.py --ranking` prints them."""
    content: dict[str, dict[str, float]] = json.loads(_MEASURED.read_text())
    return content

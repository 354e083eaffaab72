"""Which density functional a potential imitates, as far as its name says so."""

from __future__ import annotations

import re

__all__ = ["functional_in", "names_dispersion"]

_FUNCTIONALS = (
    (r"omol|spice|qcml|\bomc|odac|\boc2|mace.?off|wb97", None),
    ("r2scan|7net-mf( |$)", "r2scan"),
    ("pbesol", "pbesol"),
    ("revpbe", "revpbe"),
    ("rpbe", "rpbe"),
    (r"pbe|mptrj|omat|matpes|mace.?mp|mpa|\boam|-mp-|chgnet|m3gnet|7net|mattersim|orb-|grace|nequix|uma-|esen", "pbe"),
)
"""The first that is found counts; None for what is none of the others. Data of the Materials Project and its kin are
PBE where nothing else is said."""

_DISPERSION = r"\+d3|\+d4|-d3|d4rev|\bomol|spice|\bomc|odac|mace.?off|wb97|vdw|optb|beef|rev-?vv10|\"dispersion\": true"


def functional_in(text: str) -> str | None:
    """The functional (`pbe`, `r2scan`, ...) of what names, sources and settings say; None where they say none."""
    found = (name for pattern, name in _FUNCTIONALS if re.search(pattern, text, re.IGNORECASE))
    return next(found, None)


def names_dispersion(text: str) -> bool:
    """Whether names, sources or settings say that the labels learnt from hold dispersion."""
    return re.search(_DISPERSION, text, re.IGNORECASE) is not None

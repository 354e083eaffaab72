"""Elements, oxidation states and shares of the names that CIFs give their atoms: `Mg`, `Fe3+`, `OH2`, `0.8Nb + 0.2Zr`.

A type symbol is an element with a charge, or a mixture. A label is an element followed by what distinguishes sites; one
that could be a word (`Wat1`, `Vac1`, `Cation`) names no element.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from augment.elements import element_number
from augment.errors import CifError

DUMMY_TYPES = frozenset({".", "X", "XX", "DU", "DUM"})
"""Type symbols of points that are no atoms."""

MAX_SHARE_ERROR = 0.02
"""Of the shares of a mixture from 1."""

_SYMBOL = r"([A-Za-z][a-z]?|[A-Z]{2})"
_CHARGE = r"(?:\(?(?:(\d+\.?\d*|\.\d+)?([+-])|([+-])(\d+\.?\d*|\.\d+))\)?)"
_TYPE = re.compile(rf"{_SYMBOL}(?:{_CHARGE}|0|\d{{0,3}})")
_ISOTOPE = re.compile(r"\(?(\d{1,3})\)?([A-Z][a-z]?)")
_BOUND_HYDROGEN = re.compile(r"([ONC])[HD]\d?|[HD][23](O)|(O)H1?-")
"""Groups of which the heavy atom is listed and the hydrogens are not."""

_TERM = rf"(?:(\d*\.\d+|\d+)\s*\*?\s*{_SYMBOL}{_CHARGE}?)"
_SHARES_FIRST = re.compile(rf"\s*{_TERM}(?:\s*[+,&/;]\s*{_TERM})+\s*")
_ONE_SHARE = re.compile(_TERM)
_SHARES_LAST = re.compile(r"\(?(?:[A-Z][a-z]?\d*\.\d+)(?:[A-Z][a-z]?\d*\.\d+)+\)?")
_SHARE_LAST = re.compile(r"([A-Z][a-z]?)(\d*\.\d+)")

_SUFFIX = r"(?:[\d('\"*_+#@-].*)?"
"""What follows the element of a label: digits, charges, parentheses, primes, and whatever stands behind these."""

_CASED = re.compile(rf"([A-Z][a-z])([A-Z]{{0,2}}){_SUFFIX}")
_CAPITALS = re.compile(rf"([A-Z]{{2}}){_SUFFIX}")
_SINGLE = re.compile(rf"([A-Za-z]){_SUFFIX}")
_LOWER = re.compile(rf"([a-z]{{2}}){_SUFFIX}")
_LETTERED = "OHNCFS"
"""Light elements that a second capital may follow."""

_SITE_LETTER = re.compile(rf"([OH])[A-Za-ehmtw]{_SUFFIX}")
"""Oxygen and hydrogen alone are commonly labelled `OW1`, `Ow`, `HA`, `OA2`."""

_VACANCY = re.compile(r"[Vv]_?[A-Z].*|[Vv]_.*")


@dataclass(frozen=True)
class Occupant:
    """A species on a site.

    Attributes:
        number: atomic number.
        share: of the occupancy of the site, 1 unless the site is mixed.
        oxidation: charge in e, None where it is not said.
    """

    number: int
    share: float = 1.0
    oxidation: float | None = None


@dataclass(frozen=True)
class SpeciesReading:
    """What a name stands for.

    Attributes:
        occupants: at least one.
        notes: what was assumed or left out.
    """

    occupants: tuple[Occupant, ...]
    notes: tuple[str, ...] = ()


def species_of_type(symbol: str, label: str) -> SpeciesReading:
    """Species of an `_atom_site_type_symbol`.

    Raises:
        CifError: it is no element, charged element or mixture; `label` says of which site.
    """
    text = symbol.strip()
    if _SHARES_FIRST.fullmatch(text):
        return SpeciesReading(_mixture([m.groups() for m in _ONE_SHARE.finditer(text)], text, label))
    if _SHARES_LAST.fullmatch(text):
        shares = [(m[2], m[1], None, None, None, None) for m in _SHARE_LAST.finditer(text)]
        return SpeciesReading(_mixture(shares, text, label))
    if match := _BOUND_HYDROGEN.fullmatch(text):
        heavy = next(group for group in match.groups() if group)[0]
        return SpeciesReading((_occupant(heavy),), (f"the hydrogens of {text} are not among the sites: left out",))
    if (match := _ISOTOPE.fullmatch(text)) and match[2] != "H":
        text = match[2]
    text = "D" if text == "2H" else text
    match = _TYPE.fullmatch(text)
    if match and (occupant := _charged(match.groups())) is not None:
        return SpeciesReading((occupant,), _hydrogen_note(match[1]))
    raise _no_element(symbol, label)


def species_of_label(label: str, formula: Collection[str] = ()) -> SpeciesReading:
    """Species of an `_atom_site_label`, where there is no type symbol.

    Args:
        label: of the site.
        formula: symbols of the elements of the chemical formula, which decide what `CO1` is; may be empty.

    Raises:
        CifError: it is not surely the label of an element.
    """
    notes: tuple[str, ...] = ()
    if _VACANCY.fullmatch(label):
        raise _no_element(label, label)
    if match := _BOUND_HYDROGEN.fullmatch(re.sub(r"(?<=[A-Z])\d+$", "", label)):
        symbol = next(group for group in match.groups() if group)[0]
        return SpeciesReading((_occupant(symbol),))
    if (match := _CASED.fullmatch(label)) and _number(match[1]):
        symbol = match[1]
    elif (match := _CAPITALS.fullmatch(label)) and _number(match[1].capitalize()):
        symbols = _readings(match[1], formula)
        symbol = symbols[0] if symbols else ""
        if len(symbols) > 1:
            notes = (f"label {label} is read as {symbol}; an _atom_site_type_symbol would say it",)
    elif (match := _LOWER.fullmatch(label)) and _number(match[1].capitalize()):
        symbol = match[1].capitalize()
    elif match := _SINGLE.fullmatch(label) or _SITE_LETTER.fullmatch(label):
        symbol = match[1].upper()
    else:
        raise _no_element(label, label)
    if _number(symbol) is None:
        raise _no_element(label, label)
    charge = re.fullmatch(rf"{symbol}{_CHARGE}", label)
    occupant = replace(_occupant(symbol), oxidation=_oxidation(*charge.groups()) if charge else None)
    return SpeciesReading((occupant,), notes + _hydrogen_note(symbol))


def _readings(capitals: str, formula: Collection[str]) -> list[str]:
    """Elements that two capitals can mean, only that of the formula where there is one: CO is cobalt, or carbon.

    Hydrogens are labelled by what they are bound to (HO, HF): without a formula these mean nothing.
    """
    symbols = [capitals.capitalize(), *(capitals[0] if capitals[0] in _LETTERED else "")]
    named = [symbol for symbol in symbols if symbol in formula]
    if len(named) == 1:
        return named
    return [] if capitals[0] == "H" else symbols


def _hydrogen_note(symbol: str) -> tuple[str, ...]:
    return ("deuterium is read as hydrogen",) if symbol.upper() == "D" else ()


def _number(symbol: str) -> int | None:
    return element_number("H" if symbol == "D" else symbol)


def _occupant(symbol: str) -> Occupant:
    number = _number(symbol)
    if number is None:
        raise CifError(f"{symbol!r} is not an element up to fermium")
    return Occupant(number)


def _charged(groups: tuple[str | None, ...]) -> Occupant | None:
    symbol, *charge = groups
    number = _number((symbol or "").capitalize())
    return None if number is None else Occupant(number, oxidation=_oxidation(*charge))


def _oxidation(size: str | None, sign: str | None, sign_first: str | None, size_last: str | None) -> float | None:
    """The charge of `3.5+`, `+3.5` or `+`; none where there is no sign."""
    sign = sign or sign_first
    if not sign:
        return None
    return float(sign + (size or size_last or "1"))


def _mixture(terms: Sequence[tuple[str | None, ...]], text: str, label: str) -> tuple[Occupant, ...]:
    occupants = []
    for share, *species in terms:
        occupant = _charged(tuple(species))
        if occupant is None:
            raise _no_element(text, label)
        occupants.append(replace(occupant, share=float(share or 0)))
    total = sum(occupant.share for occupant in occupants)
    if not 0 < total <= 1 + MAX_SHARE_ERROR:
        raise CifError(f"site {label}: the shares of {text!r} add to {total:g}, not to 1; correct them")
    scale = total if abs(total - 1) <= MAX_SHARE_ERROR else 1.0
    return tuple(replace(occupant, share=occupant.share / scale) for occupant in occupants)


def _no_element(text: str, label: str) -> CifError:
    return CifError(
        f"site {label}: {text!r} is not an element up to fermium; give an element symbol such as Mg "
        "in _atom_site_type_symbol"
    )

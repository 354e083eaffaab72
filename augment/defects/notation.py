"""Names of charged defects: Kröger-Vink notation and the names that doped and pymatgen use, written and read.

The charge of a Kröger-Vink symbol is relative to the host's site, which is what a defect's charge is. Dots are
positive, primes negative, a cross is neutral; a complex carries its total charge. Where an element or the voids have
several orbits, the site follows in parentheses: `V_O(pgCs_Ga1.80)^••`. In a host with vanadium a vacancy is `Va`;
elsewhere it is `V`, and vanadium that is put in shows its atomic number, `₂₃V_Mg^•`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from augment.defect import Defect
from augment.defects.kinds import EditKind, kinds
from augment.elements import element_symbol
from augment.errors import DefectError
from augment.host import Host
from augment.naming import INTERSTITIAL, VACANCY, neighbour_shells, orbit_suffix, orbit_suffixes, unmarked

Style = Literal["unicode", "ascii", "html", "latex"]

_VANADIUM = 23
_SIGNS = {  # positive, negative, neutral, between the parts of a complex
    "unicode": ("•", "'", "×", "–"),
    "ascii": (".", "'", "x", "-"),
    "html": ("•", "′", "×", "–"),
    "latex": (r"\bullet", r"\prime", r"\times", "-"),
}
_CHARGED = re.compile(r"(?P<name>.+)_(?P<charge>[+-]?\d+)")
_KROGER_VINK = re.compile(r"(?P<body>.+?)(?:\^?\{?(?P<sign>[•·]+|['′]+|×)\}?|\^\{?(?P<ascii>\.+|\*+|'+|x)\}?)")
_SYMBOL = re.compile(r"(?P<number>₂₃|23)?(?P<put>[A-Za-z]{1,2})_(?P<site>[A-Za-z]{1,2})(?:\((?P<suffix>[^()]+)\))?")

_SURROUNDINGS = re.compile(
    r"(?P<stem>[A-Za-z]{1,2}_[A-Za-z]{1,2})_(?P<group>\w+?)(?P<shells>(?:_?[A-Z][a-z]?\d+\.\d+)+)"
)
_SHELL = re.compile(r"([A-Z][a-z]?)(\d+\.\d+)")
_SHELLS = 6
"""Neighbour shells by which a name may distinguish a site; names use the first one to three."""

_ROUNDINGS = (0.001, 0.011)
"""Å; distances in names have two decimals: the same ones first, then those that another host cell rounds to."""


@dataclass(frozen=True)
class DefectName:
    """What a name says of a defect.

    Attributes:
        kinds: the edit of each part, on which orbit of the host and what it puts there.
        charge: total charge, e; None where the name has none.
    """

    kinds: tuple[EditKind, ...]
    charge: int | None


def charged_name(name: str, charge: int) -> str:
    """Name with its charge as doped writes it and names folders: `v_O_+2`, `v_O_0`, `Al_Mg_-1`."""
    return f"{name}_{charge:+d}" if charge else f"{name}_0"


def kroger_vink(defect: Defect, style: Style = "unicode") -> str:
    """Kröger-Vink symbol: `V_O^••`, `Al_Mg^•`, `V_Mg''`, `O_i''`, neutral `V_O^×`, a complex `(V_O–Al_Mg)^•••`.

    Args:
        defect: with its total charge; without edits there is no symbol, only the host's formula.
        style: `unicode` and `ascii` are read back by `parse_name`; `html` and `latex` are for display.
    """
    orbit = defect.supercell.table_with([edit.site for edit in defect.edits]).orbit
    parts = [_symbol(defect.host, EditKind(int(orbit[edit.site]), edit.number), style) for edit in defect.edits]
    body = _SIGNS[style][3].join(parts) or defect.host.formula
    body = f"({body})" if len(parts) > 1 else body
    charge = _charge(defect.charge, style)
    return f"${body}{charge}$" if style == "latex" else body + charge


def _charge(charge: int, style: Style) -> str:
    positive, negative, neutral, _ = _SIGNS[style]
    sign = abs(charge) * (positive if charge > 0 else negative) or neutral
    if style == "html":
        return f"<sup>{sign}</sup>"
    if style == "latex":
        return f"^{{{sign}}}"
    return sign if charge < 0 else f"^{sign}"


def _symbol(host: Host, kind: EditKind, style: Style) -> str:
    """What is put and where, with the site in parentheses where its element does not determine it."""
    element = host.orbit(kind.orbit).element
    alone = sum(o.element == element for o in (host.atoms.orbits if element else host.orbits)) == 1
    site = (element or INTERSTITIAL) + ("" if alone else f"({orbit_suffix(host, kind.orbit).removeprefix('_')})")
    put = element_symbol(kind.number) if kind.number else "Va" if "V" in host.elements else "V"
    marked = kind.number == _VANADIUM and "V" not in host.elements
    if style == "html":
        return f"{'<sub>23</sub>' * marked}{put}<sub>{site}</sub>"
    if style == "latex":
        upright = put if kind.number == 0 else rf"\mathrm{{{put}}}"
        site = site.replace("_", r"\_")
        return rf"{'{}_{23}' * marked}{upright}_{{\mathrm{{{site}}}}}"
    return f"{('₂₃' if style == 'unicode' else '23') * marked}{put}_{site}"


def parse_name(text: str, host: Host) -> DefectName:
    """Edits and charge of a name: `v_O_+2`, `Al_Mg_-1`, `O_i_Td_0`, `v_O+Al_Mg_+1`, `V_O^••`, `(V_O–Al_Mg)^•••`.

    The names are those of doped (with or without charge), of pymatgen-analysis-defects, and Kröger-Vink symbols.

    Raises:
        DefectError: the text has another form, names an element that is none, or fits several sites of the host.
    """
    name = text.strip()
    match = _KROGER_VINK.fullmatch(name)
    if match is not None:
        return DefectName(*_from_symbol(match, host, name))
    if _exact(name, host):
        return DefectName(tuple(_one(part, host, name) for part in name.split("+")), None)
    charged = _CHARGED.fullmatch(name)
    body, charge = (charged["name"], int(charged["charge"])) if charged else (name, None)
    return DefectName(tuple(_one(part, host, name) for part in body.split("+")), charge)


def _exact(name: str, host: Host) -> bool:
    """Whether a name ends with the whole suffix of an orbit, which may look like a charge."""
    return any(suffix and unmarked(name).endswith(unmarked(suffix)) for suffix in orbit_suffixes(host))


def _one(part: str, host: Host, name: str) -> EditKind:
    """The one edit that a part of a name means."""
    fitting = _by_surroundings(part, host) or kinds(host, part)
    if len(fitting) > 1:
        stem = "_".join(part.split("_")[:2])
        choices = ", ".join(stem + orbit_suffix(host, kind.orbit) for kind in fitting)
        raise DefectError(f"{name}: {part} fits {len(fitting)} sites of {host.formula}; name one: {choices}")
    return fitting[0]


def _by_surroundings(part: str, host: Host) -> tuple[EditKind, ...]:
    """Edits at the sites that a name describes by point group and neighbours, where it is not this package's own name.

    Several elements may be equally near, and which of them a name mentions is then a matter of its program.
    """
    match = _SURROUNDINGS.fullmatch(unmarked(part))
    if match is None or _exact(part, host):
        return ()
    shells = [(element, float(distance)) for element, distance in _SHELL.findall(match["shells"])]
    same = [k for k in kinds(host, match["stem"]) if host.orbit(k.orbit).point_group == match["group"]]
    for rounding in _ROUNDINGS:
        fitting = tuple(k for k in same if _has_shells(host, k.orbit, shells, rounding))
        if fitting:
            return fitting
    return ()


def _has_shells(host: Host, orbit: int, shells: list[tuple[str, float]], rounding: float) -> bool:
    """Whether each element has a shell of neighbours at the distance, Å."""
    texts = [_SHELL.fullmatch(shell) for shell in neighbour_shells(host, orbit, _SHELLS)]
    near = [(text[1], float(text[2])) for text in texts if text]
    return all(any(e == other and abs(d - x) < rounding for other, x in near) for e, d in shells)


def _from_symbol(match: re.Match[str], host: Host, name: str) -> tuple[tuple[EditKind, ...], int]:
    """Edits and charge of a Kröger-Vink symbol."""
    body, sign = match["body"], match["sign"] or match["ascii"]
    size = 0 if sign in ("×", "x") else len(sign)
    if body.startswith("(") and body.endswith(")"):
        body = body[1:-1]
    parts = [_SYMBOL.fullmatch(part) for part in re.split(r"[–-]", body)]
    return tuple(_one(_plain(part, host, name), host, name) for part in parts), -size if sign[0] in "'′" else size


def _plain(part: re.Match[str] | None, host: Host, name: str) -> str:
    """A part of a Kröger-Vink symbol as doped writes it."""
    if part is None:
        raise DefectError(f"{name!r} is no Kröger-Vink symbol; write V_O^••, Al_Mg^•, V_Mg'' or (V_O–Al_Mg)^•••")
    vacancy = part["put"] == "V" and not part["number"] and "V" not in host.elements
    put = VACANCY if vacancy else part["put"]
    return f"{put}_{part['site']}" + (f"_{part['suffix']}" if part["suffix"] else "")

"""Settings of space groups by the ways in which files name them; the table and the Hall notation are gemmi's.

A name without the choice that it needs (`F d -3 m`, `R -3 c`, `P 21/n`, a number) stands for several settings: all are
given, for the evidence of the file to decide between.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import gemmi
import numpy as np

from augment.crystal.operations import MAX_OPERATIONS, Operations
from augment.errors import CifError

_DOUBLE_GLIDE = frozenset({39, 41, 64, 67, 68})
"""Groups whose symbols have an `e`, for two glides of one plane, since 1992: `C m c a` is now `C m c e`."""

_MONOCLINIC = range(3, 16)
_CENTROSYMMETRIC_CUBIC = (*range(200, 207), *range(221, 231))
_LETTER_CHOICES = {"s": "1", "z": "2", "h": "h", "r": "r", "hr": "r", "o1": "1", "o2": "2"}
"""What ICSD and older programs append for origin choice 1 and 2, and for hexagonal and rhombohedral axes."""

_CHOICE = re.compile(r":\s*([-\w]+)$|\(?origin\s*(?:choice)?\s*([12])\)?$|(?<=[\dabcdemn])\s*(s|z|hr|h|r|o1|o2)$")


@dataclass(frozen=True)
class Setting:
    """One of gemmi's 564 settings.

    Attributes:
        number: of the space-group type, 1 to 230.
        symbol: Hermann-Mauguin symbol (`P 1 21/n 1`).
        choice: of origin or axes as ITA and spglib write it (`2`, `h`, `b2`, `2cab`), in lower case; may be empty.
        hall: Hall symbol.
        tabulated: whether it is one of the 530 of International Tables, which a number alone can stand for.
    """

    number: int
    symbol: str
    choice: str
    hall: str
    tabulated: bool = True

    @property
    def name(self) -> str:
        """Symbol and, where there are several origins or axes, the choice: `F d -3 m :2`."""
        return f"{self.symbol} :{self.choice[0].upper()}" if self.choice[:1] in {"1", "2", "h", "r"} else self.symbol

    @property
    def operations(self) -> Operations:
        """All its operations, centring ones included."""
        return operations_of_hall(self.hall)


def settings_of_number(number: int) -> tuple[Setting, ...]:
    """The tabulated settings of a space-group type."""
    return tuple(setting for setting in _settings() if setting.number == number and setting.tabulated)


def settings_of_name(name: str) -> tuple[Setting, ...]:
    """The settings that a Hermann-Mauguin symbol can mean, in any spelling; none where it is not known."""
    symbol, choice = _split_choice(name)
    by_name = _index().get(_reduced(symbol), ())
    if not choice:
        return by_name
    chosen = with_choice(by_name, choice)
    if chosen or not by_name:
        return chosen
    return with_choice(settings_of_number(by_name[0].number), choice)


def with_choice(settings: Iterable[Setting], choice: str) -> tuple[Setting, ...]:
    """Those with a choice of origin, axes or cell (`2`, `R`, `b2`, `2cab`)."""
    wanted = choice.lower().strip().removeprefix(":")
    settings = tuple(settings)
    exact = tuple(setting for setting in settings if setting.choice == wanted)
    return exact or tuple(s for s in settings if s.choice[:1] == wanted and wanted in {"1", "2"})


def operations_of_hall(symbol: str) -> Operations:
    """Operations of a Hall symbol, which says the setting in full.

    Raises:
        CifError: it is none.
    """
    try:
        operations = list(gemmi.symops_from_hall(symbol.replace("_", " ").strip()))
    except Exception as error:  # noqa: BLE001  whatever the parser raises of its input
        raise CifError(f"{symbol!r} is no Hall symbol ({error}); correct it or list the operations") from None
    if len(operations) > MAX_OPERATIONS:
        raise CifError(f"Hall symbol {symbol!r} has {len(operations)} operations; give a smaller cell")
    rotations = np.array([operation.rot for operation in operations]) // gemmi.Op.DEN
    translations = np.array([operation.tran for operation in operations]) / gemmi.Op.DEN
    return Operations(rotations.astype(np.int64), translations % 1.0)


@cache
def _settings() -> tuple[Setting, ...]:
    tabled = {group.xhm() for group in gemmi.spacegroup_table_itb()}
    settings = []
    for group in gemmi.spacegroup_table():
        known = group.xhm() in tabled
        axes = group.qualifier.lower() if known else ""  # gemmi repeats those of ITA for its own
        settings.append(Setting(group.number, group.hm, group.ext.strip("\0 ").lower() + axes, group.hall, known))
    return tuple(settings)


@cache
def _index() -> dict[str, tuple[Setting, ...]]:
    """Settings by compact symbol."""
    index: dict[str, list[Setting]] = defaultdict(list)
    for setting in _settings():
        for spelling in _spellings(setting):
            index[spelling].append(setting)
    return {spelling: tuple(settings) for spelling, settings in index.items()}


def _spellings(setting: Setting) -> set[str]:
    """Compact symbols of a setting: in full, short, with the double glide `e`, and `m3` for `m-3`."""
    centring, *axes = setting.symbol.split()
    spellings = {centring + "".join(axes)}
    if setting.number in _MONOCLINIC:
        spellings.add(centring + "".join(axis for axis in axes if axis != "1"))
    if setting.number in _DOUBLE_GLIDE:
        double = "ABC".index(centring)
        spellings.add(centring + "".join("e" if k == double else axis for k, axis in enumerate(axes)))
    if setting.number in _CENTROSYMMETRIC_CUBIC:
        spellings.add(centring + "".join(axes).replace("-3", "3"))
    return {spelling.lower() for spelling in spellings}


def _split_choice(name: str) -> tuple[str, str]:
    """Symbol and choice of a name such as `F d -3 m :2`, `F d -3 m Z`, `R-3c (origin 1)`."""
    text = re.sub(r"\(\d{2,3}\)", "", name).strip().strip("'\"").lower()
    match = _CHOICE.search(text.replace("_", "") if ":" not in text else text)
    if match is None:
        return text, ""
    symbol = (text if ":" in text else text.replace("_", ""))[: match.start()]
    choice = next(group for group in match.groups() if group)
    return symbol, _LETTER_CHOICES.get(choice, choice)


def _reduced(symbol: str) -> str:
    """Compact short symbol: `P 21/n 21/m 21/a` becomes `pnma`, `F 4/m -3 2/m` becomes `fm-3m`."""
    compact = re.sub(r"[\s_~()]", "", symbol.lower())
    if compact.count("/") < 2 and "-3" not in compact:  # noqa: PLR2004  one slash stands in short symbols too
        return compact
    lattice, rest = compact[:1], compact[1:]
    main = re.match(r"[46][1-5]?/[a-emn]", rest) if "-3" not in rest else None
    start = main.end() if main else 0
    return lattice + rest[:start] + re.sub(r"[246][1-5]?/([a-emn])", r"\1", rest[start:])

"""The parts that a report page is made of, as values; the template turns each kind into HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal


@dataclass(frozen=True)
class Column:
    """A table column: title, unit in the head, how its cells are set, and the section that its head leads to."""

    title: str
    unit: str = ""
    numeric: bool = False
    code: bool = False
    levels: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under columns, with a caption, an optional note below, and the section that each row leads to."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    note: str = ""
    evidence: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """A chart: Plotly traces and layout as JSON values, with the caption that says what it shows."""

    kind: ClassVar[str] = "figure"
    id: str
    caption: str
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    height: int = 380


@dataclass(frozen=True)
class Text:
    """A paragraph, a heading, or the sentence of a section that has nothing to show."""

    text: str
    kind: Literal["text", "heading", "empty"] = "text"


@dataclass(frozen=True)
class Code:
    """Preformatted text that can be folded away."""

    kind: ClassVar[str] = "code"
    title: str
    text: str
    opened: bool = False


@dataclass(frozen=True)
class Viewer:
    """The place of the structure viewer."""

    kind: ClassVar[str] = "viewer"


Level = Literal["info", "warning", "bad"]


@dataclass(frozen=True)
class Statement:
    """A sentence and the section that holds its evidence; `bad` for what went wrong."""

    text: str
    evidence: str
    level: Level = "info"


@dataclass(frozen=True)
class Statements:
    """Sentences under each other, each a link to its evidence."""

    kind: ClassVar[str] = "statements"
    entries: Sequence[Statement]


@dataclass(frozen=True)
class Picture:
    """One geometry of a scene, by its number there, with what it is called and what distinguishes it."""

    geometry: int
    title: str
    words: str


@dataclass(frozen=True)
class Pictures:
    """Geometries of one defect beside each other: the atoms up to `reach` Å from it, of a scene by its number."""

    kind: ClassVar[str] = "pictures"
    name: str
    scene: int
    reach: float
    entries: Sequence[Picture]


Block = Table | Figure | Text | Code | Viewer | Statements | Pictures


@dataclass(frozen=True)
class Section:
    """A titled part of the page with an anchor."""

    id: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Fact:
    """One entry of the summary."""

    name: str
    value: str
    detail: str = ""


def not_run(stage: str, run: object) -> Text:
    """What a section says whose stage has not run."""
    return Text(f"The {stage} stage has not run in this folder: defectgen {stage} {run}", "empty")


def number(value: float | None, digits: int = 3) -> str:
    """A number with a true minus sign, which zero has not; a dash where there is none."""
    if value is None or value != value:  # noqa: PLR0124  the test for not-a-number
        return "–"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def with_error(value: float | None, error: float | None, digits: int = 3) -> str:
    """A number with its standard error where it has one."""
    return number(value, digits) if error is None else f"{number(value, digits)} ± {number(error, digits)}"


def pair_text(pair: Sequence[float] | None, digits: int = 3) -> str:
    """A value and its standard error; a dash where there are none."""
    return number(None) if pair is None else with_error(pair[0], pair[1], digits)


_SUBSCRIPTS = str.maketrans("0123456789.", "₀₁₂₃₄₅₆₇₈₉.")


def formula_text(formula: str) -> str:
    """A formula with subscript digits: SrTiO₃."""
    return formula.translate(_SUBSCRIPTS)


def symbol_text(symbol: str) -> str:
    """A Hermann-Mauguin symbol as printed: bars over digits, screw axes as subscripts (`Fm-3m`, `P6_3mc`)."""
    out, characters = "", iter(symbol)
    for character in characters:
        following = ""
        if character in "-_":
            following = next(characters, "")
        if character == "-" and following.isdigit():
            out += following + "\u0305"
        elif character == "_" and following.isdigit():
            out += following.translate(_SUBSCRIPTS)
        else:
            out += character + following
    return out

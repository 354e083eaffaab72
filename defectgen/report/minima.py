"""The section on searches: the low-lying minima of each defect, and which kinds of start led to them."""

from __future__ import annotations

from collections.abc import Sequence

from defectgen.report.answers.phrases import listed
from defectgen.report.blocks import Block, Column, Picture, Pictures, Section, Table, Text, symbol_text
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.scenes import MINIMUM, SceneJson

MAX_MINIMA = 8
"""Of a defect that the page shows; all are in search/summary.jsonl."""


REACH = 4.0
"""Å from the defect to which its pictures go."""


def minima_sections(data: RunData, shown: Sequence[SceneJson] = ()) -> list[Section]:
    """The section, where a search has run; with pictures of the defects that have a scene.

    Args:
        data: of the run.
        shown: scenes of the page.
    """
    if not data.searches:
        return []
    lowered = [row for row in data.searches if "ideal" not in row["minima"][0]["found_by"]]
    names = listed([row["name"] for row in lowered]) if lowered else ""
    said = (
        f"The ideal sites do not lead to the lowest of {names}."
        if lowered
        else "Starts from the ideal sites lead to it."
    )
    text = f"Minima of {len(data.searches)} defects, the lowest first. {said}"
    blocks: list[Block] = [Text(text)]
    numbers = {scene["key"]: number for number, scene in enumerate(shown)}
    for row in data.searches:
        if row["key"] in numbers:
            blocks.append(Text(row["name"], "heading"))
            blocks.append(_pictures(row, numbers[row["key"]], shown[numbers[row["key"]]]))
        blocks.append(_table(row))
    return [Section("minima", "Minima", blocks)]


def _pictures(row: JsonRow, number: int, scene: SceneJson) -> Pictures:
    """The ideal sites and the lowest minima beside each other."""
    minima = [k for k, geometry in enumerate(scene["geometries"]) if geometry["kind"] == MINIMUM]
    entries = [Picture(0, "Ideal", "sites of the host")]
    for geometry, minimum in zip(minima, row["minima"], strict=False):
        title = "Lowest" if not entries[1:] else f"{minimum['above']:.3f} eV above"
        entries.append(Picture(geometry, title, minimum["words"]))
    return Pictures(row["name"], number, REACH, entries)


def _table(row: JsonRow) -> Table:
    others = list(row["minima"][0].get("others", {}))
    columns = [
        Column("E", "eV above", numeric=True),
        *(Column(name, "eV above", numeric=True) for name in others),
        Column("keeps"),
        Column("copies", numeric=True),
        Column("what it is"),
        Column("found by"),
    ]
    rows = [
        [
            f"{minimum['above']:.3f}",
            *(f"{minimum['others'][name]:.3f}" for name in others),
            symbol_text(minimum["subgroup"]),
            str(minimum["degeneracy"]),
            minimum["words"],
            ", ".join(minimum["found_by"]),
        ]
        for minimum in row["minima"][:MAX_MINIMA]
    ]
    starts = ", ".join(f"{count['starts']} {count['source']}" for count in row["sources"])
    hidden = len(row["minima"]) - len(rows)
    more = f" {hidden} higher ones are in search/summary.jsonl." if hidden else ""
    return Table(
        f"{row['name']} with {row['potential']}: {row['evaluations']} evaluations",
        columns,
        rows,
        f"Starts: {starts}.{more}",
    )

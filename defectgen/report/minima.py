"""The section on searches: the low-lying minima of each defect, and which kinds of start led to them."""

from __future__ import annotations

from defectgen.report.blocks import Block, Column, Section, Table, Text, symbol_text
from defectgen.report.gather import JsonRow, RunData

MAX_MINIMA = 8
"""Of a defect that the page shows; all are in search/summary.jsonl."""


def minima_sections(data: RunData) -> list[Section]:
    """The section, where a search has run."""
    if not data.searches:
        return []
    lowered = [row for row in data.searches if "ideal" not in row["minima"][0]["found_by"]]
    names = ", ".join(row["name"] for row in lowered)
    said = f"The ideal sites do not lead to the lowest of {names}." if lowered else "The ideal sites lead to it."
    text = f"Minima of {len(data.searches)} defects, the lowest first. {said}"
    blocks: list[Block] = [Text(text), *(_table(row) for row in data.searches)]
    return [Section("minima", "Minima", blocks)]


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

"""The section that a report opens with: lowest structures, what they cost, what heat and pressure do, what to doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from defectgen.report.answers.costs import cost_statements
from defectgen.report.answers.doubts import doubts
from defectgen.report.answers.lowest import MAX_SAME, LowestStructure, lowest_structures
from defectgen.report.answers.phrases import count_text
from defectgen.report.answers.warm import warm_statements
from defectgen.report.blocks import Block, Column, Section, Statement, Statements, Table, Text, number
from defectgen.report.gather import JsonRow, RunData

MAX_DEFECTS = 12
"""Rows of the table; of more defects those that changed most, then those that cost least, are shown."""

MAX_LIMITS = 4
"""Columns of formation energies; the others are in the section on thermodynamics."""


def answers_section(data: RunData) -> Section:
    """What the run found; of stages that have not run nothing is said."""
    lowest = lowest_structures(data)
    parts: tuple[tuple[str, Sequence[Block]], ...] = (
        ("Lowest structures", _structures(data, lowest)),
        ("What defects cost", _statements(cost_statements(data))),
        ("With heat and pressure", _statements(warm_statements(data))),
        ("What not to trust", _statements(doubts(data, lowest))),
    )
    blocks = [block for title, part in parts if part for block in (Text(title, "heading"), *part)]
    if not lowest and not data.points:
        tried = bool(data.relaxations or data.searches)
        said = "no structure of a defect came to rest" if tried else "nothing has been relaxed, searched or probed yet"
        blocks.insert(0, Text(f"{count_text(len(data.defects), 'symmetry-distinct defect')}; {said}."))
    return Section("answers", "Answers", blocks)


def _statements(entries: Sequence[Statement]) -> list[Block]:
    return [Statements(entries)] if entries else []


def _structures(data: RunData, lowest: Mapping[str, LowestStructure]) -> list[Block]:
    """The sentence on ideal sites, and a row a defect."""
    if not lowest:
        return []
    changed = [each.name for each in lowest.values() if each.gain is not None and each.gain > MAX_SAME]
    known = [each for each in lowest.values() if each.gain is not None]
    blocks: list[Block] = []
    if known:
        which = f": {', '.join(changed)}" if 0 < len(changed) <= MAX_DEFECTS else ""
        count = f"{len(changed)} of {count_text(len(known), 'defect')}"
        blocks.append(Text(f"Below where the ideal sites lead: {count}{which}."))
    return [*blocks, _table(data, lowest)]


def _table(data: RunData, lowest: Mapping[str, LowestStructure]) -> Table:
    costs = {row["key"]: row["formation_energy"] for row in data.thermo.get("defects", ())}
    limits = [limit["name"] for limit in data.thermo.get("limits", ())][:MAX_LIMITS]
    rows = _most_telling(list(lowest.values()), costs)
    columns = [
        Column("Defect"),
        Column("Structure"),
        Column("Gained", "eV", numeric=True),
        *(Column(f"E, {name}", "eV", numeric=True, evidence="thermodynamics") for name in limits),
    ]
    if not limits and data.bulk is not None:
        columns.append(Column("E − E(pristine)", "eV", numeric=True, evidence="energies" if data.relaxed else "minima"))
    columns.append(Column("Found from"))
    body = [[*_texts(row), *_energies(data, row, costs.get(row.key, {}), limits), row.start] for row in rows]
    hidden = len(lowest) - len(rows)
    more = f" {hidden} more are in the sections below." if hidden else ""
    note = (
        "Gained: against where the ideal sites lead, in a relaxation or, without one, in the search; a dash where that "
        f"is not known.{_meaning(columns)}{more}"
    )
    return Table("The lowest structure found of each defect.", columns, body, note, [row.evidence for row in rows])


def _meaning(columns: Sequence[Column]) -> str:
    """What the energies of the table are."""
    evidence = next((column.evidence for column in columns if column.evidence), None)
    if evidence is None:
        return ""
    if evidence == "thermodynamics":
        return " E is the formation energy at each limit, neutral and at 0 K."
    return " E − E(pristine) holds the energy of the atoms that were added or taken: it is no formation energy."


def _texts(row: LowestStructure) -> list[str]:
    gain = number(None) if row.gain is None else number(row.gain if row.gain > MAX_SAME else 0.0, 2)
    return [row.name, row.words, gain]


def _energies(data: RunData, row: LowestStructure, costs: JsonRow, limits: Sequence[str]) -> list[str]:
    if limits:
        return [number(costs.get(name), 2) for name in limits]
    if data.bulk is None:
        return []
    same = data.bulk.cell.provenance.get("potential") == row.potential
    return [number(row.energy - data.bulk.energy if same else None, 2)]


def _most_telling(found: list[LowestStructure], costs: Mapping[str, JsonRow]) -> list[LowestStructure]:
    """All where they are few; else those that gained most, then those that cost least, in the order of the run."""
    if len(found) <= MAX_DEFECTS:
        return found

    def rank(row: LowestStructure) -> tuple[float, float]:
        gain = row.gain if row.gain is not None and row.gain > MAX_SAME else 0.0
        return -gain, min(costs.get(row.key, {}).values(), default=0.0)

    chosen = sorted(found, key=rank)[:MAX_DEFECTS]
    return [row for row in found if row in chosen]

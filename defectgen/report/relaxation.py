"""Sections on relaxations: how each start went, and the energies that came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from augment.cell import BULK
from augment.elements import element_symbol
from defectgen.report.blocks import Block, Column, Figure, Section, Table, Text, not_run, number, symbol_text
from defectgen.report.energetics.energies import composition_change, lowest_records, reactions
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.plots import PALETTE, axis, layout, line, once, panel_grid

MAX_ENERGY_PANELS = 24
STATUS_LEVELS = {"converged": "ok", "not converged": "warning", "diverged": "bad", "finished": "ok"}
IDEAL, GENERATED = "ideal", "generated"


def start_of(row: Mapping[str, Any]) -> str:
    """What a relaxation started from, as a person reads it: `ideal`, `generated 4mm #0`."""
    return symbol_text(str(row.get("start") or "unknown"))


def family_of(row: Mapping[str, Any]) -> str:
    """The kind of start: `ideal`, `generated, symmetric`, or `generated, no symmetry` where only identity was kept."""
    start = str(row.get("start") or "unknown")
    if start.startswith(GENERATED):
        return f"{GENERATED}, no symmetry" if start.split()[1:2] == ["1"] else f"{GENERATED}, symmetric"
    return start


def status_of(row: Mapping[str, Any]) -> str:
    """The status of a relaxation or an MD point in words."""
    return str(row.get("status", "")).replace("_", " ")


def family_colours(rows: Sequence[JsonRow]) -> dict[str, str]:
    """One colour for each kind of start, the ideal one first."""
    families = sorted({family_of(r) for r in rows}, key=lambda f: (f != IDEAL, f != f"{GENERATED}, symmetric", f))
    return {family: PALETTE[k % len(PALETTE)] for k, family in enumerate(families)}


def relaxation_section(data: RunData) -> Section:
    """Every relaxation: where it started, how many steps it took, and its energy on the way."""
    if not data.relaxations:
        return Section("relaxations", "Relaxations", [not_run("relax", data.folder.path)])
    rows = [r for r in data.relaxations if r.get("energies")]
    lost = len(data.relaxations) - len(rows)
    blocks: list[Block] = [Text(_comparison(rows)), _table(data.relaxations)]
    if len({family_of(r) for r in rows if r["name"] != BULK}) > 1:
        blocks += _start_figures(rows)
    if rows:
        blocks.append(_energy_panels(rows))
    blocks += _failures(data.relaxations)
    if lost:
        blocks.append(Text(f"{lost} relaxations failed before their first step and have no curve."))
    return Section("relaxations", "Relaxations", blocks)


def _comparison(rows: Sequence[JsonRow]) -> str:
    """Mean steps and starting energy of generated and ideal starts, over the defects that have both."""
    by_defect: dict[str, dict[bool, list[JsonRow]]] = {}
    for row in rows:
        if row["name"] != BULK and status_of(row) == "converged":
            by_defect.setdefault(row["key"], {}).setdefault(family_of(row) == IDEAL, []).append(row)
    both = [pair for pair in by_defect.values() if len(pair) == 2]  # noqa: PLR2004  both kinds of start
    if not both:
        return "Each start was relaxed at the lattice of the relaxed host."
    parts = []
    for ideal, words in ((False, "generated"), (True, "ideal")):
        chosen = [row for pair in both for row in pair[ideal]]
        steps = sum(r["steps"] for r in chosen) / len(chosen)
        above = sum(r["energies"][0] - r["energies"][-1] for r in chosen) / len(chosen)
        parts.append(f"{words} starts lay {number(above, 3)} eV above their end and took {number(steps, 1)} steps")
    return (
        f"On average over the {len(both)} defects that converged from both, {'; '.join(parts)}. "
        "All at the lattice of the relaxed host."
    )


def _table(rows: Sequence[JsonRow]) -> Table:
    columns = (
        Column("defect"),
        Column("start"),
        Column("status", levels=STATUS_LEVELS),
        Column("steps", numeric=True),
        Column("energy at the start", "eV", numeric=True),
        Column("energy at the end", "eV", numeric=True),
        Column("gained", "eV", numeric=True),
        Column("largest force", "eV/Å", numeric=True),
    )
    return Table("One row per relaxation.", columns, [_table_row(r) for r in rows])


def _table_row(row: JsonRow) -> Sequence[str]:
    energies = row.get("energies") or [None, None]
    first, last = energies[0], energies[-1]
    gained = None if first is None or last is None else first - last
    shown = (number(first, 4), number(last, 4), number(gained, 4), number(row.get("fmax"), 4))
    return (row["name"], start_of(row), status_of(row), str(row["steps"]), *shown)


def _failures(rows: Sequence[JsonRow]) -> list[Table]:
    failed = [r for r in rows if status_of(r) != "converged"]
    if not failed:
        return []
    columns = (Column("defect"), Column("start"), Column("status", levels=STATUS_LEVELS), Column("why"))
    body = [(r["name"], start_of(r), status_of(r), str(r.get("reason", ""))) for r in failed]
    return [Table("Relaxations that did not converge.", columns, body)]


def _start_figures(rows: Sequence[JsonRow]) -> list[Figure]:
    """Steps and starting energy by defect, one marker a start."""
    colours = family_colours([r for r in rows if r["name"] != BULK])
    names = list(dict.fromkeys(r["name"] for r in rows if r["name"] != BULK))
    lowest = {n: min(r["energies"][-1] for r in rows if r["name"] == n) for n in names}
    panels = (
        ("starts-steps", "steps to relax", lambda r: r["steps"], "Steps each start took to relax."),
        (
            "starts-energy",
            "E(start) − lowest E (eV)",
            lambda r: r["energies"][0] - lowest[r["name"]],
            "How far above the lowest relaxed energy of its defect each start lay.",
        ),
    )
    figures = []
    for name, title, value, caption in panels:
        chosen = {s: [r for r in rows if family_of(r) == s and r["name"] in lowest] for s in colours}
        traces = [_markers(chosen[s], s, colour, value) for s, colour in colours.items()]
        shape = layout("", title, yaxis=axis(title, rangemode="tozero"))
        shape["xaxis"] = {"type": "category", "categoryarray": names, "categoryorder": "array"}
        shape |= {"margin": {**shape["margin"], "b": 36}, "scattermode": "group", "scattergap": 0.7}
        figures.append(Figure(name, caption, traces, shape, 330))
    return figures


def _markers(rows: Sequence[JsonRow], name: str, colour: str, value: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [r["name"] for r in rows],
        "y": [value(r) for r in rows],
        "hovertext": [start_of(r) for r in rows],
        "marker": {"size": 10, "color": colour, "symbol": "circle" if name == IDEAL else "diamond"},
    }


def _energy_panels(rows: Sequence[JsonRow]) -> Figure:
    """Energy above the lowest relaxed energy against step, one panel a defect."""
    colours = family_colours(rows)
    names = list(dict.fromkeys(r["name"] for r in rows))
    panels = []
    for name in names[:MAX_ENERGY_PANELS]:
        here = [r for r in rows if r["name"] == name]
        lowest = min(min(r["energies"]) for r in here)
        panels.append((name, [_curve(r, lowest, colours[family_of(r)]) for r in here]))
    traces, shape, height = panel_grid(panels, min(3, len(panels)), "step", "E − lowest E (eV)")
    more = f" The first {MAX_ENERGY_PANELS} of {len(names)} defects." if len(names) > MAX_ENERGY_PANELS else ""
    caption = f"Energy against relaxation step, above the lowest energy found of the same defect.{more}"
    return Figure("energy-steps", caption, once(traces), shape, height)


def _curve(row: JsonRow, lowest: float, colour: str) -> dict[str, Any]:
    above = [round(e - lowest, 6) for e in row["energies"]]
    trace = line(range(len(above)), above, family_of(row), colour, mode="lines+markers", marker={"size": 4})
    return {**trace, "hovertext": start_of(row)}


def energies_section(data: RunData) -> Section:
    """Raw energy differences, and the combinations of defects that need no chemical potential."""
    if not data.relaxed or data.bulk is None:
        return Section("energies", "Energies", [not_run("relax", data.folder.path)])
    intro = (
        "Energies of the interatomic potential, neutral cells, fixed lattice of the relaxed host, no correction for "
        "the finite cell. A formation energy of a single defect needs the chemical potentials of the atoms it takes "
        "or gives, which depend on the surroundings; this page does not assume any."
    )
    blocks: list[Block] = [Text(intro), _raw_table(data)]
    combined = reactions(data.bulk, data.relaxed, str(data.host.get("formula", "")))
    if combined:
        columns = (
            Column("reaction"),
            Column("what forms"),
            Column("energy", "eV", numeric=True),
            Column("per defect", "eV", numeric=True),
        )
        rows = [(r.name, r.equation, number(r.energy), number(r.energy / r.defects)) for r in combined]
        caption = (
            "Isolated defects taken together so that no atom is added or removed: these are true formation energies "
            "of the set, each defect in its most stable relaxed form."
        )
        blocks.append(Table(caption, columns, rows))
    return Section("energies", "Energies", blocks)


def _raw_table(data: RunData) -> Table:
    assert data.bulk is not None  # noqa: S101  the caller has checked it
    from collections import Counter

    host = Counter(data.bulk.cell.numbers.tolist())
    rows = []
    for record in lowest_records(data.relaxed).values():
        if record.cell.name == BULK:
            continue
        change = composition_change(record, host)
        text = ", ".join(f"{n:+d} {element_symbol(z)}".replace("-", "−") for z, n in sorted(change.items()))
        difference = number(record.energy - data.bulk.energy, 4)
        rows.append((record.cell.name, text or "none", number(record.energy, 4), difference))
    columns = (
        Column("defect"),
        Column("atoms against the pristine cell"),
        Column("E(defect)", "eV", numeric=True),
        Column("E(defect) − E(pristine)", "eV", numeric=True),
    )
    note = (
        f"E(pristine) = {number(data.bulk.energy, 4)} eV. Where atoms are added or removed the difference holds their "
        "energy too and is not a formation energy; between rows with the same atoms it is a relative energy."
    )
    return Table("Lowest relaxed energy of each defect.", columns, rows, note)

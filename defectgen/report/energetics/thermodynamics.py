"""The section on thermodynamics: limits, formation energies, and how many defects there are against temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence

from defectgen.report.blocks import Block, Column, Figure, Section, Table, Text, number
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.plots import PALETTE, Trace, line, once, panel_grid, short

MIN_SHOWN = 1e-20
"""Share of places below which a defect is none: less than one in a crystal of a cubic millimetre."""

MAX_SHOWN = 8
"""Defects in a panel, most frequent first; all are in thermo/thermo.json."""


def thermo_sections(data: RunData) -> list[Section]:
    """The section, where the stage has run."""
    result = data.thermo
    if not result:
        return []
    with_phonons = "with" if result["vibrations"] else "without"
    text = (
        f"Neutral defects in equilibrium, {with_phonons} the free energy of vibrations, all energies by "
        f"{result['potential']['name']}. {' '.join(f'{note}.' for note in result['notes'])}"
    )
    blocks: list[Block] = [Text(text)]
    if result["limits"]:
        blocks.append(_limits(result["limits"]))
    blocks += [_defects(result), *_barriers(result)]
    figure = _figure(result)
    if figure is not None:
        blocks.append(figure)
    return [Section("thermodynamics", "Thermodynamics", blocks)]


def _limits(limits: Sequence[JsonRow]) -> Table:
    elements = sorted({symbol for limit in limits for symbol in limit["chemical_potentials"]})
    columns = [
        Column("Limit"),
        *(Column(f"μ {s}", "eV", numeric=True) for s in elements),
        Column("In equilibrium with"),
    ]
    rows = []
    for limit in limits:
        bounds = [f"{symbol} bounded by {phase}" for symbol, phase in limit["bounds"].items()]
        values = [number(limit["chemical_potentials"].get(s)) for s in elements]
        rows.append([limit["name"], *values, "; ".join([*filter(None, [" + ".join(limit["phases"])]), *bounds])])
    return Table("Limits of the chemical potentials at 0 K", columns, rows)


def _defects(result: JsonRow) -> Table:
    names = [limit["name"] for limit in result["limits"]]
    columns = [
        Column("Defect"), *(Column(f"E, {name}", "eV", numeric=True) for name in names),
        Column("Binding", "eV", numeric=True), Column("Relaxation volume", "Å³", numeric=True),
        Column("Of the cell's size", "eV", numeric=True), Column("Places", "per primitive cell", numeric=True),
    ]  # fmt: skip
    rows = [
        [
            row["name"],
            *(number(row["formation_energy"].get(name)) for name in names),
            *(number(row[name]) for name in ("binding_energy", "relaxation_volume", "error")),
            f"{row['places_per_cell']:g}",
        ]
        for row in result["defects"]
    ]
    note = (
        "Binding energies are positive where a complex is bound. The energy of the cell's size falls with its volume."
    )
    return Table("Formation energies at 0 K", columns, rows, note)


def _barriers(result: JsonRow) -> list[Table]:
    """Migration barriers of the jumps of each defect, where they were asked for."""
    columns = (
        Column("Defect"), Column("Distance", "Å", numeric=True), Column("Jumps", "to like sites", numeric=True),
        Column("Barrier", "eV", numeric=True), Column("Barrier back", "eV", numeric=True),
    )  # fmt: skip
    rows = [
        [
            row["name"], number(jump["distance"], 2), str(jump["multiplicity"]),
            number(jump["forward"]), number(jump["reverse"]),
        ]
        for row in result["defects"]
        for jump in row["barriers"]
    ]  # fmt: skip
    return [Table("Barriers of migration along the paths of least energy", columns, rows)] if rows else []


def _figure(result: JsonRow) -> Figure | None:
    """Share of places against temperature, a panel a condition, at the first pressure; None of one temperature."""
    rows = [row for row in result["equilibria"] if row["pressure"] == result["equilibria"][0]["pressure"]]
    if len({row["temperature"] for row in rows}) < 2:  # noqa: PLR2004  a line
        return None
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    panels = [(name, _traces([r for r in rows if r["condition"] == name], result)) for name in conditions]
    traces, layout, height = panel_grid(panels, min(2, len(panels)), "T (K)", "log₁₀ of the share of places")
    caption = f"Share of its places that a defect takes, at {rows[0]['pressure']:g} GPa"
    return Figure("thermo-shares", caption, once(traces), layout, height)


def _traces(rows: Sequence[JsonRow], result: JsonRow) -> list[Trace]:
    ordered = sorted(rows, key=lambda row: row["temperature"])
    colours = {row["key"]: PALETTE[i % len(PALETTE)] for i, row in enumerate(result["defects"])}
    names = {row["key"]: row["name"] for row in result["defects"]}
    last = ordered[-1]["site_fraction"]
    keys = [key for key in sorted(last, key=lambda key: -last[key]) if last[key] > MIN_SHOWN][:MAX_SHOWN]
    traces = []
    for key in keys:
        shown = [
            (r["temperature"], r["site_fraction"][key]) for r in ordered if r["site_fraction"].get(key, 0) > MIN_SHOWN
        ]
        logs = [short(math.log10(share)) for _, share in shown]
        traces.append(line([t for t, _ in shown], logs, names[key], colours[key]))
    return traces

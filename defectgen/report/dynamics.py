"""Sections on molecular dynamics: volume and strain against T and P, structure, displacement, divergences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defectgen.report.blocks import Block, Column, Figure, Section, Table, Text, not_run, number, with_error
from defectgen.report.gather import Row, RunData
from defectgen.report.plots import DASHES, PALETTE, grid, line, once, points
from defectgen.report.relaxation import STATUS_LEVELS, status_of
from defectgen.report.response import bulk_moduli, thermal_expansions

MOST_CELLS = 12

SETTLED = 0.1
"""Share by which a mean temperature may miss the one asked for; over 1 ps that of 54 atoms wanders by a few %."""


def dynamics_sections(data: RunData) -> list[Section]:
    """Volume and strain, pair distributions, displacements, and what diverged."""
    if not data.points and "md" in data.times:
        return [
            Section("dynamics", "Response to T and P", [Text("The settings asked for no cell to be probed.", "empty")])
        ]
    if not data.points:
        return [Section("dynamics", "Response to T and P", [not_run("md", data.folder.path)])]
    return [response_section(data), structure_section(data), diffusion_section(data), divergence_section(data)]


def response_section(data: RunData) -> Section:
    """Volume and strain of every point, with error bars."""
    rows = data.points
    intro = (
        f"{len(rows)} points of molecular dynamics; every cell is run at each temperature and pressure by each engine, "
        "with the same potential. Averages leave out the first third of a run. Bars are standard errors of the mean "
        "from block averaging (Flyvbjerg and Petersen 1989), which are too small where a run is short."
    )
    blocks: list[Block] = [Text(intro)]
    good = [r for r in rows if r.get("volume") is not None and r["status"] != "diverged"]
    if good:
        blocks.append(_volume_figure(good, "temperature", "T (K)", "pressure"))
        blocks.append(_volume_figure(good, "pressure", "P (GPa)", "temperature"))
    blocks += [*_constants(rows), _volume_table(rows), *_course_figures(data)]
    return Section("response", "Response to T and P", blocks)


def _cells(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(r["cell"]) for r in rows))


_UNITS = {"temperature": "K", "pressure": "GPa"}


def _volume_figure(rows: Sequence[Row], x: str, x_title: str, fixed: str) -> Figure:
    """Volume per atom against one condition, a panel a cell, a colour a value of the other condition."""
    values = sorted({float(r[fixed]) for r in rows})
    colours = {v: PALETTE[k % len(PALETTE)] for k, v in enumerate(values)}
    panels = []
    for cell in _cells(rows)[:MOST_CELLS]:
        traces = []
        for engine in sorted({r["engine"] for r in rows}):
            for value in values:
                here = [r for r in rows if (r["cell"], r["engine"], float(r[fixed])) == (cell, engine, value)]
                here.sort(key=lambda r: float(r[x]))
                name = f"{value:g} {_UNITS[fixed]}, {engine}"
                y, error = [r["volume"] for r in here], [r.get("volume_error") for r in here]
                traces.append(points([float(r[x]) for r in here], y, error, name, engine, colours[value]))
        panels.append((cell, traces))
    traces, shape, height = grid(panels, min(3, len(panels)), x_title, "V (Å³/atom)", 260)
    caption = f"Mean volume per atom against {x}; one colour a {fixed}, one marker an engine."
    return Figure(f"volume-{x}", caption, once(traces), shape, height)


def _course_figures(data: RunData) -> list[Figure]:
    """Volume and temperature over time, a panel a cell: whether the runs have settled."""
    conditions = sorted({(float(r["temperature"]), float(r["pressure"])) for r in data.points})
    colours = {c: PALETTE[k % len(PALETTE)] for k, c in enumerate(conditions)}
    kinds = (("volume", "V (Å³/atom)", "volumes"), ("temperature", "T (K)", "temperatures"))
    figures = []
    for name, title, attribute in kinds:
        panels = []
        for cell in _cells(data.points)[:MOST_CELLS]:
            here = [(r, c) for r, c in zip(data.points, data.courses, strict=True) if r["cell"] == cell]
            panels.append((cell, [_course_trace(r, c.times, getattr(c, attribute), colours) for r, c in here]))
        traces, shape, height = grid(panels, min(3, len(panels)), "t (ps)", title, 240)
        caption = f"Instantaneous {name} over time; averages leave out the first third."
        figures.append(Figure(f"course-{name}", caption, once(traces), shape, height))
    return figures


def _course_trace(row: Row, times: list[float], values: list[float], colours: Mapping[Any, str]) -> dict[str, Any]:
    condition = (float(row["temperature"]), float(row["pressure"]))
    name = f"{condition[0]:g} K, {condition[1]:g} GPa, {row['engine']}"
    return line(times, values, name, colours[condition], dash=DASHES.get(row["engine"], "solid"))


def unsettled(points: Sequence[Row]) -> list[Row]:
    """Points at a fixed temperature whose mean temperature is far from it: too short to have equilibrated."""
    held = [p for p in points if p.get("ensemble") != "nve" and p.get("temperature_mean") is not None]
    return [p for p in held if abs(p["temperature_mean"] / p["temperature"] - 1) > SETTLED]


def _condition_columns() -> tuple[Column, ...]:
    return (
        Column("cell"),
        Column("engine"),
        Column("T", "K", numeric=True),
        Column("P", "GPa", numeric=True),
    )


def _conditions(row: Row) -> tuple[str, ...]:
    return (str(row["cell"]), str(row["engine"]), f"{row['temperature']:g}", f"{row['pressure']:g}")


def _volume_table(rows: Sequence[Row]) -> Table:
    columns = (
        *_condition_columns(),
        Column("ensemble"),
        Column("status", levels=STATUS_LEVELS),
        Column("steps", numeric=True),
        Column("mean T", "K", numeric=True),
        Column("mean P", "GPa", numeric=True),
        Column("volume", "Å³/atom", numeric=True),
        *(Column(f"ε{name}", "%", numeric=True) for name in ("xx", "yy", "zz")),
    )
    body = [
        (
            *_conditions(r),
            str(r.get("ensemble", "")).upper(),
            status_of(r),
            str(r.get("completed_steps", "–")),
            number(r.get("temperature_mean"), 0),
            number(r.get("pressure_mean"), 2),
            with_error(r.get("volume"), r.get("volume_error")),
            *(number(None if s is None else 100 * s, 3) for s in _strain(r)[:3]),
        )
        for r in rows
    ]
    return Table("Mean volume and strain of the cell against its start, one row per point.", columns, body)


def _constants(rows: Sequence[Row]) -> list[Table]:
    """Thermal expansion and bulk modulus where the grid has two temperatures or two pressures."""
    tables = []
    early = unsettled(rows)
    settled = [r for r in rows if r not in early]
    kinds = (
        ("expansion", thermal_expansions(settled), "P", "GPa", "T", "K", "10⁻⁶/K", 1),
        ("bulk modulus", bulk_moduli(settled), "T", "K", "P", "GPa", "GPa", 1),
    )
    for name, secants, held, held_unit, varied, varied_unit, unit, digits in kinds:
        columns = (
            Column("cell"),
            Column("engine"),
            Column(held, held_unit, numeric=True),
            Column(f"{varied} from, to", varied_unit, numeric=True),
            Column(name, unit, numeric=True),
        )
        body = [
            (
                s.cell,
                s.engine,
                f"{s.held:g}",
                f"{s.between[0]:g}, {s.between[1]:g}",
                with_error(s.value, s.error, digits),
            )
            for s in secants
        ]
        if body:
            what = "Volumetric expansion" if name == "expansion" else "Bulk modulus"
            caption = f"{what}: the secant between the ends of the grid, from points that have equilibrated."
            tables.append(Table(caption, columns, body))
    return tables


def _strain(row: Row) -> list[float | None]:
    """Voigt strain xx, yy, zz, yz, xz, xy; unknown components are None."""
    strain = row.get("strain")
    if strain is None:
        return [None] * 6
    if isinstance(strain[0], list):
        return [strain[0][0], strain[1][1], strain[2][2], strain[1][2], strain[0][2], strain[0][1]]
    return list(strain)


def structure_section(data: RunData) -> Section:
    """Radial distribution functions."""
    rows = [r for r in data.points if r.get("rdf") and r["rdf"]["r"] and r["status"] != "diverged"]
    if not rows:
        return Section("rdf", "Pair distribution", [Text("No point kept enough frames for one.", "empty")])
    conditions = sorted({(float(r["temperature"]), float(r["pressure"])) for r in rows})
    colours = {c: PALETTE[k % len(PALETTE)] for k, c in enumerate(conditions)}
    panels = []
    for cell in _cells(rows)[:MOST_CELLS]:
        here = [r for r in rows if r["cell"] == cell]
        panels.append((cell, [_rdf_trace(r, colours) for r in here]))
    traces, shape, height = grid(panels, min(2, len(panels)), "r (Å)", "g(r)", 270)
    caption = "Radial distribution function of all pairs, averaged over the frames after equilibration."
    return Section("rdf", "Pair distribution", [Figure("rdf-all", caption, once(traces), shape, height)])


def _rdf_trace(row: Row, colours: Mapping[tuple[float, float], str]) -> dict[str, Any]:
    condition = (float(row["temperature"]), float(row["pressure"]))
    name = f"{condition[0]:g} K, {condition[1]:g} GPa, {row['engine']}"
    rdf = row["rdf"]
    return line(rdf["r"], rdf["g"], name, colours[condition], dash=DASHES.get(row["engine"], "solid"))


def diffusion_section(data: RunData) -> Section:
    """Mean-square displacements."""
    rows = [r for r in data.points if r.get("msd") is not None]
    if not rows:
        return Section("msd", "Displacements", [Text("No point kept enough frames for one.", "empty")])
    columns = (
        *_condition_columns(),
        Column("mean-square displacement", "Å²", numeric=True),
        Column("frames", numeric=True),
    )
    body = [(*_conditions(r), number(r["msd"], 4), str(r.get("n_frames", "–"))) for r in rows]
    caption = (
        "Mean-square displacement of all atoms from the first frame after equilibration, averaged over time. "
        "In a crystal without diffusion it is twice the mean-square vibration."
    )
    return Section("msd", "Displacements", [Table(caption, columns, body)])


def divergence_section(data: RunData) -> Section:
    """Points that a guard stopped, and why."""
    rows = [r for r in data.points if r["status"] == "diverged"]
    if not rows:
        text = f"None: all {len(data.points)} points ran to their end."
        return Section("divergences", "Divergences", [Text(text)])
    columns = (*_condition_columns(), Column("why it was stopped"))
    body = [(*_conditions(r), str(r.get("reason", ""))) for r in rows]
    note = "Frames from the divergence on are neither in the averages nor in the exported dataset."
    return Section("divergences", "Divergences", [Table("Points stopped by a guard.", columns, body, note)])

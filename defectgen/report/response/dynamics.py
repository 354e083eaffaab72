"""Sections on molecular dynamics: volume, strain and response functions against T and P, and what diverged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from defectgen.report.blocks import Block, Column, Figure, Section, Table, Text, not_run, number, pair_text, with_error
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.panels import MAX_CURVE_PANELS, Measured, condition_figure
from defectgen.report.plots import DASHES, Trace, line, once, panel_grid
from defectgen.report.relaxation import STATUS_LEVELS, status_of
from defectgen.report.response.conditions import (
    Legend,
    cells,
    condition_columns,
    condition_texts,
    equilibrated_at,
    not_settled,
    point_name,
)
from defectgen.report.response.engine_checks import engine_check_section
from defectgen.report.response.motion import motion_section
from defectgen.report.response.volumes import Constant, bulk_moduli, thermal_expansions
from defectgen.report.surroundings import fate_section, surroundings_section
from md.lammps.commands import FS_PER_PS

PER_MILLION = 1e6

SETTLED_LEVELS = {"yes": "ok", "no": "warning"}


def dynamics_sections(data: RunData) -> list[Section]:
    """Response functions, the course of the runs, neighbours, motion, the fate of defects, and what diverged."""
    if not data.points and "md" in data.times:
        return [
            Section("response", "Response to T and P", [Text("The settings asked for no cell to be probed.", "empty")])
        ]
    if not data.points:
        return [Section("response", "Response to T and P", [not_run("md", data.folder.path)])]
    return [
        response_section(data),
        course_section(data),
        surroundings_section(data),
        motion_section(data),
        fate_section(data),
        engine_check_section(data.checks, data.points),
        trust_section(data),
    ]


def value_of(name: str, error: str = "") -> Callable[[JsonRow], Measured | None]:
    """The quantity of a row under a name: a number with its error under another, or a pair of both."""

    def quantity(row: JsonRow) -> Measured | None:
        value = row.get(name)
        if value is None:
            return None
        return (value[0], value[1]) if isinstance(value, list) else (value, row.get(error))

    return quantity


def response_section(data: RunData) -> Section:
    """Volume, lattice, strain, compressibility and heat capacity of every point, with error bars."""
    rows = data.points
    intro = (
        f"{len(rows)} points of molecular dynamics; every cell is run under each condition, with the same potential. "
        "Averages leave out the first third of a run. Bars are standard errors of the mean from block "
        "averaging (Flyvbjerg and Petersen 1989), which are too small where a run is short."
    )
    volume = {"": value_of("volume", "volume_error")}
    blocks: list[Block] = [Text(intro)]
    for varied in ("temperature", "pressure"):
        caption = f"Mean volume per atom against {varied}, of the points at fixed conditions."
        blocks += condition_figure(rows, volume, varied, "V (Å³/atom)", f"volume-{varied}", caption)
    caption = "Mean lattice parameters of the host's conventional cell; those equal by symmetry are shown once."
    blocks += condition_figure(rows, _lengths(data), "temperature", "length (Å)", "lattice-temperature", caption)
    blocks += [*_below_debye(rows), *_fluctuations(rows), *_constants(rows), _volume_table(rows), _response_table(rows)]
    return Section("response", "Response to T and P", blocks)


def _lengths(data: RunData) -> dict[str, Callable[[JsonRow], Measured | None]]:
    """The lengths of the conventional cell that differ in the host."""
    import numpy as np

    host = np.linalg.norm(np.array(data.host.get("lattice") or np.eye(3), dtype=float), axis=1).round(4).tolist()
    return {name: _length(name) for k, name in enumerate("abc") if host[k] not in host[:k]}


def _length(name: str) -> Callable[[JsonRow], Measured | None]:
    def quantity(row: JsonRow) -> Measured | None:
        lattice = row.get("conventional_lattice")
        return None if lattice is None else (lattice[name][0], lattice[name][1])

    return quantity


def _below_debye(rows: Sequence[JsonRow]) -> list[Text]:
    """What classical atoms lack, of the coldest point below its Debye temperature."""
    corrected = [(r, r["quantum"]) for r in rows if r.get("quantum")]
    known = [(r, quantum) for r, quantum in corrected if r["temperature"] < quantum["debye_temperature"]]
    if not known:
        return []
    row, quantum = min(known, key=lambda pair: pair[0]["temperature"] / pair[1]["debye_temperature"])
    return [
        Text(
            f"{len(known)} of {len(rows)} points are below the Debye temperature of their cell, which follows from the "
            "mean square of the forces. Classical atoms have no zero-point motion, so that volumes lack the expansion "
            f"by it. In Debye's harmonic model {point_name(row)}, with {quantum['debye_temperature']:.0f} K, would "
            f"have {1000 * quantum['energy']:.0f} meV per atom more, and its heat capacity and thermal expansion "
            f"{100 * quantum['heat_capacity']:.0f} % of the classical ones."
        )
    ]


def _fluctuations(rows: Sequence[JsonRow]) -> list[Figure]:
    kinds = (
        ("bulk_modulus", "B (GPa)", "Isothermal bulk modulus from the fluctuations of the volume, k T V / var(V)."),
        (
            "heat_capacity",
            "C (k_B/atom)",
            "Classical heat capacity from the fluctuations of the enthalpy (NVT: energy); a harmonic crystal has 3.",
        ),
    )
    figures = []
    for name, title, caption in kinds:
        shown = f"{name.replace('_', '-')}-temperature"
        figures += condition_figure(rows, {"": value_of(name)}, "temperature", title, shown, caption)
    return figures


def _constants(rows: Sequence[JsonRow]) -> list[Table]:
    """Thermal expansion and bulk modulus where the grid has two temperatures or two pressures."""
    left_out = not_settled(rows)
    settled = [r for r in rows if r not in left_out]
    kinds: tuple[tuple[str, list[Constant], str, str, str, str, str, float], ...] = (
        (
            "expansion",
            thermal_expansions(settled),
            "P",
            "GPa",
            "T",
            "K",
            "10⁻⁶/K",
            PER_MILLION,
        ),
        ("bulk modulus", bulk_moduli(settled), "T", "K", "P", "GPa", "GPa", 1.0),
    )
    tables = []
    for name, constants, held, held_unit, varied, varied_unit, unit, scale in kinds:
        columns = (
            Column("cell"),
            Column("engine"),
            Column(held, held_unit, numeric=True),
            Column(f"{varied} from, to", varied_unit, numeric=True),
            Column(name, unit, numeric=True),
        )
        body = [
            (
                c.cell,
                c.engine,
                f"{c.held:g}",
                f"{c.between[0]:.4g}, {c.between[1]:.4g}".replace("-", "−"),
                with_error(scale * c.value.value, scale * c.value.error, 1),
            )
            for c in constants
        ]
        if body:
            what = "Volumetric thermal expansion" if name == "expansion" else "Isothermal bulk modulus"
            along = "T" if name == "expansion" else "the mean P that the runs had"
            caption = f"{what}: a weighted fit of ln V against {along}, over the points that have settled"
            caption += f"; {len(left_out)} that have not are left out." if left_out else "."
            tables.append(Table(caption, columns, body))
    return tables


def _settled_text(row: JsonRow) -> str:
    own = row.get("settled")
    return ("yes" if own else "no") if isinstance(own, bool) else "–"


def _equilibrium_text(row: JsonRow) -> str:
    step = equilibrated_at(row)
    return "–" if step is None else number(step * row["timestep"] / FS_PER_PS, 1)


def _volume_table(rows: Sequence[JsonRow]) -> Table:
    columns = (
        *condition_columns(),
        Column("ensemble"),
        Column("status", levels=STATUS_LEVELS),
        Column("steps", numeric=True),
        Column("settled", levels=SETTLED_LEVELS),
        Column("equilibrium from", "ps", numeric=True),
        Column("τ", "fs", numeric=True),
        Column("frame every", "fs", numeric=True),
        Column("mean T", "K", numeric=True),
        Column("mean P", "GPa", numeric=True),
        Column("volume", "Å³/atom", numeric=True),
    )
    body = [
        (
            *condition_texts(r),
            str(r.get("ensemble", "")).upper(),
            status_of(r),
            str(r.get("completed_steps", "–")),
            _settled_text(r),
            _equilibrium_text(r),
            number(r.get("correlation_time"), 0),
            number(r.get("frame_interval"), 0),
            number(r.get("temperature_mean"), 0),
            with_error(r.get("pressure_mean"), r.get("pressure_error"), 2),
            with_error(r.get("volume"), r.get("volume_error")),
        )
        for r in rows
    ]
    caption = (
        "Means of every point, whether it has settled (its means are as precise as asked for, and its pressure is the "
        "one that was held), from when on it was in equilibrium by Chodera's criterion, the correlation time τ of its "
        "potential energy, and how far apart its frames are; frames closer than 2 τ repeat one another, and a dash "
        "means that the run is too short to decide."
    )
    return Table(caption, columns, body)


def _response_table(rows: Sequence[JsonRow]) -> Table:
    columns = (
        *condition_columns(),
        *(Column(f"ε{name}", "%", numeric=True) for name in ("xx", "yy", "zz")),
        Column("B", "GPa", numeric=True),
        Column("C", "k_B/atom", numeric=True),
    )
    body = [
        (
            *condition_texts(r),
            *_strain_texts(r),
            pair_text(r.get("bulk_modulus"), 0),
            pair_text(r.get("heat_capacity"), 1),
        )
        for r in rows
    ]
    caption = (
        "Strain of the mean cell against the start of the run; bulk modulus and heat capacity from fluctuations. "
        "A dash means that the run is too short to decide."
    )
    return Table(caption, columns, body)


def _strain_texts(row: JsonRow) -> list[str]:
    """The normal strains in %, with their errors where these are known."""
    strain, error = row.get("strain"), row.get("strain_error")
    if strain is None:
        return ["–"] * 3
    values = [strain[k][k] if isinstance(strain[0], list) else strain[k] for k in range(3)]
    errors = [None if error is None else 100 * error[k][k] for k in range(3)]
    return [with_error(100 * v, e, 3) for v, e in zip(values, errors, strict=True)]


def course_section(data: RunData) -> Section:
    """Volume and temperature over time with the end of equilibration: whether the runs have settled."""
    drawn = [(r, c["course"]) for r, c in zip(data.points, data.curves, strict=True) if c.get("course")]
    if not drawn:
        return Section("course", "Course of the runs", [Text("No point kept its course.", "empty")])
    legend = Legend.of([r for r, _ in drawn])
    figures: list[Block] = []
    for name, title in (("volume", "V (Å³/atom)"), ("temperature", "T (K)")):
        panels = []
        for cell in cells(data.points)[:MAX_CURVE_PANELS]:
            here = [(r, course) for r, course in drawn if r["cell"] == cell]
            panels.append((cell, [t for r, c in here for t in _course(r, c, c[name], legend)]))
        traces, shape, height = panel_grid(panels, min(3, len(panels)), "t (ps)", title, 240)
        caption = (
            f"Instantaneous {name} over time, averaged in blocks. A dot marks where equilibration ends by Chodera's "
            "criterion (2016), which leaves the most independent samples; tables leave out the first third."
        )
        figures.append(Figure(f"course-{name}", caption, once(traces), shape, height))
    return Section("course", "Course of the runs", figures)


def _course(row: JsonRow, course: JsonRow, values: Sequence[float], legend: Legend) -> list[Trace]:
    """The curve, and the dot where equilibration ends."""
    name, colour = legend.name(row), legend.colour(row)
    curve = line(course["t"], values, name, colour, dash=DASHES[legend.number(row)])
    step = equilibrated_at(row)
    if step is None or not course["t"] or "schedule" in row:
        return [curve]
    time = step * row["timestep"] / FS_PER_PS
    nearest = min(range(len(course["t"])), key=lambda k: abs(course["t"][k] - time))
    dot: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": [course["t"][nearest]],
        "y": [values[nearest]],
        "name": name,
        "marker": {"color": colour, "size": 8, "line": {"width": 1.5, "color": "#ffffff"}},
        "hoverinfo": "skip",
    }
    return [curve, dot]


def trust_section(data: RunData) -> Section:
    """Points that a guard stopped, frames outside of what the potential learnt, and what no run could measure."""
    stopped = [r for r in (*data.points, *data.checks) if r["status"] == "diverged"]
    blocks: list[Block] = []
    if stopped:
        columns = (*condition_columns(), Column("why it was stopped"))
        body = [(*condition_texts(r), str(r.get("reason", ""))) for r in stopped]
        note = "Frames from the divergence on are neither in the averages nor in the exported dataset."
        blocks.append(Table("Points stopped by a guard.", columns, body, note))
    else:
        blocks.append(Text(f"All {len(data.points) + len(data.checks)} points ran to their end; no guard stopped one."))
    outside = [r for r in data.points if r.get("frames_outside_domain")]
    if outside:
        columns = (
            *condition_columns(),
            Column("frames outside", numeric=True),
            Column("of", numeric=True),
            Column("why"),
        )
        body = [
            (
                *condition_texts(r),
                str(r["frames_outside_domain"]),
                str(r.get("n_frames", "–")),
                "; ".join((r.get("outside_domain") or [])[:2]),
            )
            for r in outside
        ]
        blocks.append(Table("Points with frames outside of what the potential learnt.", columns, body))
    return Section("divergences", "Divergences and limits", [*blocks, *_untold(data)])


def _untold(data: RunData) -> list[Table]:
    """What the runs could not measure, and why."""
    reasons: dict[str, list[str]] = {}
    for source in (*data.points, *data.curves):
        for name, reason in (source.get("not_measurable") or {}).items():
            reasons.setdefault(name, []).append(str(reason))
    if not reasons:
        return []
    body = [(name.replace("_", " "), str(len(causes)), causes[0]) for name, causes in sorted(reasons.items())]
    columns = (Column("quantity"), Column("points", numeric=True), Column("the first reason"))
    return [Table("What some runs could not measure.", columns, body)]

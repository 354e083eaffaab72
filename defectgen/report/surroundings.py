"""Sections on the atoms around a defect: pair distributions, displacements by distance, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from defectgen.report.blocks import Block, Column, Figure, Section, Table, Text, number, pair_text
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.panels import MAX_CURVE_PANELS, Measured, curve_figure
from defectgen.report.plots import Trace, once, panel_grid, points
from defectgen.report.response.conditions import Legend, condition_columns, condition_texts

MIN_RDF_RADIUS = 0.8
"""Å; nearer to the place of a defect is only an atom in it."""

FATES = {"stays": "ok", "hops": "", "recombines": "warning", "changes": "warning"}


def surroundings_section(data: RunData) -> Section:
    """Radial distributions, of all pairs and around the defect, and displacements by distance from it."""
    good = [(r, c) for r, c in zip(data.points, data.curves, strict=True) if r["status"] != "diverged"]
    pairs = [(str(r["cell"]), r, r["rdf"]["r"], r["rdf"]["g"]) for r, _ in good if r.get("rdf") and r["rdf"]["r"]]
    caption = "Radial distribution function of all pairs, averaged over the frames after equilibration."
    blocks: list[Block] = [*curve_figure(pairs, "r (Å)", "g(r)", "rdf-all", caption)]
    around = [(str(r["cell"]), r, *_beyond(c["defect_rdf"])) for r, c in good if c.get("defect_rdf")]
    caption = (
        f"Distribution of atoms around the place of the defect, beyond {MIN_RDF_RADIUS:g} Å; an ideal gas has 1. "
        "The place moves with the cell."
    )
    blocks += curve_figure(around, "r (Å)", "g(r)", "rdf-defect", caption)
    rows = [r for r, _ in good if r.get("shells")]
    for name, title, caption, quantity in _SHELL_FIGURES:
        blocks += _shell_figure(rows, name, title, caption, quantity)
    if not blocks:
        blocks = [Text("No point kept enough frames for one.", "empty")]
    return Section("rdf", "Neighbours and surroundings", blocks)


def _beyond(rdf: JsonRow) -> tuple[list[float], list[float]]:
    """A distribution without the atom that sits in the place itself, whose peak would dwarf the rest."""
    neighbours = [(r, g) for r, g in zip(rdf["r"], rdf["g"], strict=True) if r > MIN_RDF_RADIUS]
    return [r for r, _ in neighbours], [g for _, g in neighbours]


def _pair(name: str) -> Callable[[JsonRow], Measured | None]:
    return lambda shell: (shell[name][0], shell[name][1])


def _counted(shell: JsonRow) -> Measured | None:
    return None if shell.get("coordination") is None else (shell["coordination"], None)


_SHELL_FIGURES: tuple[tuple[str, str, str, Callable[[JsonRow], Measured | None]], ...] = (
    (
        "shells-outward",
        "outward (Å)",
        "Mean displacement away from the defect against distance from it; a point is an orbit of equivalent atoms.",
        _pair("outward"),
    ),
    (
        "shells-b",
        "B (Å²)",
        "Isotropic Debye-Waller factor B = 8π²⟨u²⟩/3 against distance from the defect.",
        _pair("b_factor"),
    ),
    ("shells-coordination", "neighbours", "Mean coordination number against distance from the defect.", _counted),
)


def _shell_figure(
    rows: Sequence[JsonRow], name: str, title: str, caption: str, quantity: Callable[[JsonRow], Measured | None]
) -> list[Figure]:
    """A quantity of the shells against their distance, one panel a cell and element."""
    legend = Legend.of(rows)
    panels: dict[str, list[Trace]] = {}
    for row in rows:
        for element in dict.fromkeys(s["element"] for s in row["shells"]):
            shells = [s for s in row["shells"] if s["element"] == element]
            values = [(s["distance"], m) for s in shells if (m := quantity(s)) is not None]
            if values:
                x, y, error = [d for d, _ in values], [m[0] for _, m in values], [m[1] for _, m in values]
                trace = points(x, y, error, legend.name(row), legend.number(row), legend.colour(row))
                panels.setdefault(f"{row['cell']}: {element}", []).append(trace)
    if not panels:
        return []
    shown = list(panels.items())[:MAX_CURVE_PANELS]
    traces, shape, height = panel_grid(shown, min(3, len(shown)), "distance (Å)", title, 240)
    return [Figure(name, caption, once(traces), shape, height)]


def fate_section(data: RunData) -> Section:
    """Whether each defect stayed, hopped, recombined or became another, how often, and its mean symmetry."""
    rows = [r for r in data.points if r.get("fate")]
    if not rows:
        return Section("fate", "Fate of the defects", [Text("No point kept enough frames to follow one.", "empty")])
    ideal = {str(d["name"]): str(d["point_group"]) for d in data.defects}
    columns = (
        *condition_columns(),
        Column("fate", levels=FATES),
        Column("as it began", "% of the frames", numeric=True),
        Column("hops", numeric=True),
        Column("hop rate", "1/ps", numeric=True),
        Column("at most", "1/ps, 95 %", numeric=True),
        Column("symmetry", "ideal, mean"),
    )
    body = [
        (
            *condition_texts(r),
            str(r["fate"]),
            number(100 * r["survived"], 0),
            str(r["hops"]),
            pair_text(r.get("rate"), 2),
            number(r["rate_bound"], 2),
            f"{ideal[r['cell']]}, {r.get('mean_point_group') or '–'}" if r["cell"] in ideal else "–",
        )
        for r in rows
    ]
    caption = (
        "What became of each defect by the last frame, followed by which sites of the host the atoms occupy: it stays, "
        "hops to an equivalent site, recombines to the perfect crystal, or changes into another defect."
    )
    note = (
        "A hop is one atom that goes to another site; where none is seen, the bound is all one knows. The mean "
        "symmetry is that of the time-averaged structure within its errors; hopping between distortions raises it."
    )
    return Section("fate", "Fate of the defects", [Table(caption, columns, body, note)])

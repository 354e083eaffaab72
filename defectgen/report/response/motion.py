"""Section on the motion of atoms: displacements in time, diffusion and hops with Arrhenius' law, and vibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from augment.errors import DataError
from defectgen.report.blocks import Block, Column, Figure, Section, Table, Text, number, pair_text, with_error
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.panels import MAX_CURVE_PANELS, curve_figure
from defectgen.report.plots import MARKERS, PALETTE, Trace, once, panel_grid, short
from defectgen.report.response.conditions import Legend, condition_columns, condition_texts, is_steady, load, load_unit
from md.estimators.statistics import Mean
from md.observables.transport import DETECTED, Arrhenius, arrhenius

_LAG = "lag"
PER_THOUSAND = 1000.0
"""Abscissa of an Arrhenius plot, 1000 / T."""


def motion_section(data: RunData) -> Section:
    """Displacements in time, diffusion coefficients and hop rates, velocity autocorrelation and phonons."""
    good = [(r, c) for r, c in zip(data.points, data.curves, strict=True) if r["status"] != "diverged"]
    drawn = [
        (f"{r['cell']}: {element}", r, c["msd"][_LAG], values)
        for r, c in good
        if c.get("msd")
        for element, values in c["msd"].items()
        if element != _LAG
    ]
    caption = (
        "Mean square displacement against time, averaged over atoms and origins. It levels off at twice the mean "
        "square vibration in a crystal without diffusion, and grows by 6 D t with it."
    )
    blocks: list[Block] = [*curve_figure(drawn, "t (ps)", "⟨Δx²⟩ (Å²)", "msd-time", caption)]
    blocks += _displacement_table(data.points)
    for kind in (_diffusions([r for r, _ in good]), _rates([r for r, _ in good])):
        blocks += _arrhenius_figure(kind)
    blocks += _arrhenius_table([*_diffusions([r for r, _ in good]), *_rates([r for r, _ in good])])
    memory = [(str(r["cell"]), r, c["vacf"]["t"], c["vacf"]["c"]) for r, c in good if c.get("vacf")]
    caption = "Mass-weighted velocity autocorrelation; velocities are differences of positions between kept frames."
    blocks += curve_figure(memory, "t (ps)", "C(t)", "vacf", caption)
    phonons = [(str(r["cell"]), r, c["phonons"]["f"], c["phonons"]["g"]) for r, c in good if c.get("phonons")]
    caption = (
        "Phonon density of states: the transform of the velocity autocorrelation under a Hann window (Dickey and "
        "Paskin 1969), normalised to one."
    )
    blocks += curve_figure(phonons, "f (THz)", "g (1/THz)", "phonons", caption)
    if not blocks:
        blocks = [Text("No point kept enough frames for one.", "empty")]
    return Section("msd", "Displacement, diffusion, vibration", blocks)


def _displacement_table(points: Sequence[JsonRow]) -> list[Table]:
    rows = [r for r in points if r.get("msd") is not None]
    if not rows:
        return []
    columns = (
        *condition_columns(),
        Column("mean-square displacement", "Å²", numeric=True),
        Column("D", "Å²/ps", numeric=True),
        Column("frames", numeric=True),
    )
    body = [
        (
            *condition_texts(r),
            with_error(r["msd"], r.get("msd_error"), 4),
            _diffusion_text(r.get("diffusion")),
            str(r.get("n_frames", "–")),
        )
        for r in rows
    ]
    caption = (
        "Mean-square displacement of all atoms from the first frame after equilibration, averaged over time, and their "
        "self-diffusion coefficient (1 Å²/ps = 10⁻⁴ cm²/s): half the spectral density of velocities at frequency zero "
        "(Vestergaard et al. 2014), an upper bound where it is not three errors above zero."
    )
    return [Table(caption, columns, body)]


def _diffusion_text(diffusion: JsonRow | None) -> str:
    if diffusion is None:
        return "–"
    if not diffusion["detected"]:
        return f"< {number(diffusion['upper_bound'], 5)}"
    return pair_text(diffusion["coefficient"], 5)


class Rate(NamedTuple):
    """A diffusion coefficient or a hop rate of a point; `seen` is False where `mean` is an upper bound alone."""

    title: str
    row: JsonRow
    mean: Mean
    seen: bool


def _diffusions(rows: Sequence[JsonRow]) -> list[Rate]:
    rates = []
    for row in rows:
        for element, d in (row.get("diffusion_of") or {}).items():
            mean = Mean(*d["coefficient"]) if d["detected"] else Mean(d["upper_bound"], 0.0)
            rates.append(Rate(f"{row['cell']}: D of {element}", row, mean, bool(d["detected"])))
    return [rate for rate in rates if is_steady(rate.row) and rate.mean.value > 0]


def _rates(rows: Sequence[JsonRow]) -> list[Rate]:
    rates = []
    for row in rows:
        if row.get("fate"):
            seen = row.get("rate")
            mean = Mean(*seen) if seen else Mean(row["rate_bound"], 0.0)
            rates.append(Rate(f"{row['cell']}: hops", row, mean, bool(seen)))
    return [rate for rate in rates if is_steady(rate.row)]


def _arrhenius_figure(rates: Sequence[Rate]) -> list[Figure]:
    """Rates on a logarithmic axis against 1000 / T; a triangle is an upper bound. Nothing if none was seen."""
    titles = [t for t in dict.fromkeys(r.title for r in rates) if any(r.seen for r in rates if r.title == t)]
    if not titles:
        return []
    legend = Legend.of([r.row for r in rates])
    panels = []
    for title in titles[:MAX_CURVE_PANELS]:
        groups: dict[tuple[str, float], list[Rate]] = {}
        for rate in (r for r in rates if r.title == title):
            groups.setdefault((str(rate.row["engine"]), load(rate.row)), []).append(rate)
        panels.append((title, [_rate_trace(groups[key], legend, _shades(rates)) for key in sorted(groups)]))
    hops = titles[0].endswith("hops")
    traces, shape, height = panel_grid(panels, min(3, len(panels)), "1000 K / T", "1/ps" if hops else "D (Å²/ps)", 250)
    for key in [k for k in shape if k.startswith("yaxis")]:
        shape[key] |= {"type": "log", "exponentformat": "power", "nticks": 5}
    what = "Hops of atoms between sites, per ps" if hops else "Self-diffusion coefficient of each element"
    caption = f"{what}, against inverse temperature. Triangles are upper bounds where none was seen."
    return [Figure("arrhenius-hops" if hops else "arrhenius", caption, once(traces), shape, height)]


def _shades(rates: Sequence[Rate]) -> dict[float, str]:
    """A colour for each pressure or tension."""
    return {p: PALETTE[k % len(PALETTE)] for k, p in enumerate(sorted({load(r.row) for r in rates}))}


def _rate_trace(rates: Sequence[Rate], legend: Legend, shades: Mapping[float, str]) -> Trace:
    ordered = sorted(rates, key=lambda r: float(r.row["temperature"]))
    first = ordered[0].row
    colour = shades[load(first)]
    symbols = [MARKERS[legend.number(first)] if r.seen else "triangle-down-open" for r in ordered]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [short(PER_THOUSAND / float(r.row["temperature"])) for r in ordered],
        "y": [short(r.mean.value) for r in ordered],
        "error_y": {"type": "data", "array": [short(r.mean.error) for r in ordered], "thickness": 1.3, "width": 4},
        "name": legend.named(f"{load(first):g} {load_unit(first)}", first),
        "marker": {"size": 9, "color": colour, "symbol": symbols, "line": {"width": 1.6, "color": colour}},
    }


def _arrhenius_table(rates: Sequence[Rate]) -> list[Table]:
    """Activation energies where two temperatures or more show motion."""
    groups: dict[tuple[str, str, float], list[Rate]] = {}
    for rate in rates:
        if rate.seen:
            key = (rate.title, str(rate.row["engine"]), load(rate.row))
            groups.setdefault(key, []).append(rate)
    body = []
    for (title, engine, pressure), members in groups.items():
        law = _law(members)
        if law is not None:
            kelvin = [float(r.row["temperature"]) for r in members]
            spread = f"{min(kelvin):g}, {max(kelvin):g}"
            energy, factor = with_error(*law.energy, 2), with_error(*law.prefactor, 2)
            held = f"{pressure:g}{' N/m' * ('tension' in members[0].row)}"
            body.append((title, engine, held, spread, energy, factor))
    if not body:
        return []
    columns = (
        Column("quantity"),
        Column("engine"),
        Column("P", "GPa", numeric=True),
        Column("T from, to", "K", numeric=True),
        Column("activation energy", "eV", numeric=True),
        Column("prefactor", "Å²/ps or 1/ps", numeric=True),
    )
    note = "From the motion seen in these runs; a few hops give a wide error, and the barrier itself none."
    return [Table("Arrhenius' law through diffusion coefficients and hop rates.", columns, body, note)]


def _law(members: Sequence[Rate]) -> Arrhenius | None:
    """Arrhenius' law through what is two standard errors above zero."""
    sure = [r for r in members if r.mean.value > DETECTED * r.mean.error]
    try:
        return arrhenius([float(r.row["temperature"]) for r in sure], [r.mean for r in sure])
    except DataError:
        return None

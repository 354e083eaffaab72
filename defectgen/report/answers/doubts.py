"""What not to trust of a run: what failed, what is too short, what was assumed, and the errors of its potential."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from defectgen.report.answers.lowest import LowestStructure, without_structure
from defectgen.report.answers.phrases import count_text, listed, sentence
from defectgen.report.blocks import Level, Statement
from defectgen.report.gather import RunData
from defectgen.report.provenance import labellers
from defectgen.report.relaxation import start_of, status_of
from defectgen.report.response.conditions import condition, load_unit, point_name, unbalanced, unsettled
from defectgen.report.response.engine_checks import agree, engine_checks, verdict
from defectgen.report.structure import supercell_text
from md.dynamics.settling import MAX_PRESSURE_MISS

_FIRST: tuple[Level, ...] = ("bad", "warning", "info")

MAX_REASONS = 3
"""Reasons why defects are left out that a sentence gives."""

JUMPS_OF = "jumps of "
"""How the stage on thermodynamics names the jumps of a defect that it leaves out."""

_SHOWN_ERRORS = ("energies of relaxed defects", "forces", "lattice constants", "bulk moduli")
"""Of the measured errors of a potential, those that what a run finds depends on most."""


def doubts(data: RunData, lowest: Mapping[str, LowestStructure]) -> list[Statement]:
    """What not to trust, the worst first.

    Args:
        data: of the run.
        lowest: structures of its defects.
    """
    found = [
        *_failed(data, lowest), *_dynamics(data), *_engines(data), *_searches(data), *_potentials(data),
        *_thermodynamics(data), *_assumed(data), *_charges(data),
    ]  # fmt: skip
    return sorted(found, key=lambda statement: _FIRST.index(statement.level))


def _failed(data: RunData, lowest: Mapping[str, LowestStructure]) -> Iterator[Statement]:
    """Relaxations that failed, and defects that have no structure at all."""
    names = without_structure(data, lowest)
    tried = {row["name"] for row in (*data.relaxations, *data.searches)}
    lost = [name for name in names if name in tried]
    if lost:
        yield Statement(f"Nothing came to rest of {listed(lost)}.", "relaxations", "bad")
    untried = [name for name in names if name not in tried]
    if untried:
        text = f"Neither relaxed nor searched: {listed(untried)}."
        yield Statement(text, "relaxations" if data.relaxations else "defects", "warning")
    words: tuple[tuple[str, str, Level], ...] = (
        ("not converged", "ran out of steps", "warning"),
        ("diverged", "diverged", "bad"),
    )
    for status, what, level in words:
        names = [f"{r['name']} ({start_of(r)})" for r in data.relaxations if status_of(r) == status]
        if names:
            yield Statement(f"Relaxations that {what}: {listed(names)}.", "relaxations", level)


def _dynamics(data: RunData) -> Iterator[Statement]:
    """Points that are too short, off their conditions, outside of the potential's domain, or that flew apart."""
    count = len(data.points)
    early = unsettled(data.points)
    if early:
        yield Statement(
            f"{len(early)} of {count} MD points have a mean temperature more than 10 % from the one asked for: they "
            "are too short to have equilibrated, and their averages are not those of that temperature.",
            "course", "warning",
        )  # fmt: skip
    said = [p for p in data.points if p.get("settled") is False]
    if said:
        yield Statement(
            f"{len(said)} of {count} MD points have not settled and are left out of fits; the first, "
            f"{point_name(said[0])}: {'; '.join(said[0]['unsettled'])}.",
            "response", "warning",
        )  # fmt: skip
    far = unbalanced([p for p in data.points if not isinstance(p.get("settled"), bool)])
    if far:
        yield Statement(
            f"{len(far)} of {count} MD points have a mean pressure more than {MAX_PRESSURE_MISS:g} GPa from the one "
            "asked for: their mean volumes are not those of that pressure. Run longer.",
            "response", "warning",
        )  # fmt: skip
    outside = [p for p in data.points if p.get("frames_outside_domain")]
    if outside:
        yield Statement(
            f"{len(outside)} of {count} MD points have frames outside of what the potential learnt; their numbers are "
            "extrapolations.",
            "divergences", "warning",
        )  # fmt: skip
    points = [p for p in (*data.points, *data.checks) if p["status"] == "diverged"]
    if points:
        names = [
            f"{p['cell']} ({p['engine']}, {' K, '.join(condition(p)).removesuffix(' N/m')} {load_unit(p)})"
            for p in points
        ]
        yield Statement(f"MD points that diverged: {listed(names)}.", "divergences", "bad")


def _engines(data: RunData) -> Iterator[Statement]:
    """Checks by a second engine that disagree with the first."""
    checks = [list(rows) for _, rows in groupby(engine_checks(data.checks, data.points), lambda row: id(row.check))]
    apart = [rows for rows in checks if agree(rows) is False]
    if apart:
        first = apart[0]
        where = f"{first[0].check['engine']}, {point_name(first[0].check)}"
        text = f"Two engines disagree at {len(apart)} of {count_text(len(checks), 'point')}. {where}: {verdict(first)}."
        yield Statement(text, "engines", "bad")
    if data.points and not data.checks:
        yield Statement("No second engine repeated a point of the dynamics.", "engines")


def _searches(data: RunData) -> Iterator[Statement]:
    """Second potentials that put another minimum lowest, and starts that never came to rest."""
    for row in data.searches:
        for name in row["minima"][0].get("others", {}):
            best = min(row["minima"], key=lambda minimum: minimum["others"][name])
            gap = row["minima"][0]["others"][name] - best["others"][name]
            if gap > 0:
                text = f"{name} puts another minimum of {row['name']} lowest, by {gap:.3f} eV: {best['words']}."
                yield Statement(text, "minima", "warning")
    lost = [f"{row['unfinished']} of {row['name']}" for row in data.searches if row["unfinished"]]
    if lost:
        yield Statement(f"Starts of searches that did not come to rest: {listed(lost)}.", "minima")


def _potentials(data: RunData) -> Iterator[Statement]:
    """The measured errors of each potential, from its own card."""
    for labeller in labellers(data):
        errors = [f"{what}: {error} ({on})" for what, error, on in labeller.errors if what.startswith(_SHOWN_ERRORS)]
        if errors:
            yield Statement(f"Known errors of {labeller.name}: {'; '.join(errors)}.", "provenance")
        else:
            text = f"No error of {labeller.name} is known here: compare some energies with calculations."
            yield Statement(text, "provenance", "warning")


def _thermodynamics(data: RunData) -> Iterator[Statement]:
    """What formation energies and levels rest on, and which defects they lack."""
    result = data.thermo
    if result:
        for what, left_out in (("formation energies", "left_out"), ("phases compared with", "phases_left_out")):
            if result[left_out]:
                text = _reasons(result[left_out])
                yield Statement(f"Not among the {what}: {text}.", "thermodynamics", "warning")
        if result["notes"]:
            yield Statement(f"Formation energies: {' '.join(map(sentence, result['notes']))}", "thermodynamics")
    if data.levels and data.levels["notes"]:
        yield Statement(f"Charge: {' '.join(map(sentence, data.levels['notes']))}", "levels")


def _reasons(left_out: Mapping[str, str]) -> str:
    """Names by the reason why they are left out; jumps of what is itself left out are not named again."""
    names: dict[str, list[str]] = {}
    for name, why in left_out.items():
        if name.removeprefix(JUMPS_OF) == name or name.removeprefix(JUMPS_OF) not in left_out:
            names.setdefault(why.removeprefix(f"{name}: "), []).append(name)
    return listed([f"{listed(names[why])} ({why})" for why in names], MAX_REASONS)


def _assumed(data: RunData) -> Iterator[Statement]:
    """What the host's file left open, what the supercell breaks, and what a budget cut."""
    if data.host.get("notes"):
        yield Statement(f"Assumed of the host: {' '.join(map(sentence, data.host['notes']))}", "host", "warning")
    if data.defects:
        supercell = data.defects[0]["supercell"]
        if supercell["point_group_order"] < supercell["host_point_group_order"]:
            yield Statement(f"The supercell {supercell_text(supercell)}.", "defects", "warning")
    if data.cuts:
        yield Statement(f"Left out to fit the budget: {'; '.join(data.cuts)}.", "provenance", "warning")


def _charges(data: RunData) -> Iterator[Statement]:
    """Defects that are likely charged while every cell of the potential is neutral."""
    charged = [str(row["name"]) for row in data.defects if any(row["charges"])]
    if charged and data.potentials and not data.levels:
        count = f"{len(charged)} of {count_text(len(data.defects), 'defect')}"
        text = (
            f"Every cell is neutral, but {count} can be charged ({listed(charged)}): holes and electrons are not here."
        )
        yield Statement(text, "defects")

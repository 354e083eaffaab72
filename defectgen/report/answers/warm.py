"""What heat and pressure do to the crystal and its defects, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from augment.cell import BULK
from defectgen.report.answers.phrases import listed, span
from defectgen.report.blocks import Statement, number, with_error
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.response.conditions import cells, not_settled, point_name
from defectgen.report.response.dynamics import PER_MILLION
from defectgen.report.response.engine_checks import EXPECTED
from defectgen.report.response.volumes import Constant, bulk_moduli, thermal_expansions

_Unit = Callable[[Constant], str]


def warm_statements(data: RunData) -> list[Statement]:
    """Expansion, stiffness, and what became of the defects, as far as dynamics measured them."""
    if not data.points:
        return []
    left_out = not_settled(data.points)
    settled = [row for row in data.points if row not in left_out]
    expansions, moduli = thermal_expansions(settled), bulk_moduli(settled)
    found = [
        *_constant_lines(expansions, "volumetric thermal expansion", _expansion),
        *_constant_lines(moduli, "bulk modulus", _modulus),
    ]
    if not found:
        text = (
            "Expansion and bulk modulus are not known: no two settled points differ in temperature or pressure alone."
        )
        found = [Statement(text, "response")]
    return [*found, *_fates(data.points)]


def _expansion(constant: Constant) -> str:
    value = with_error(PER_MILLION * constant.value.value, PER_MILLION * constant.value.error, 1)
    return f"{value} · 10⁻⁶/K ({constant.held:g} GPa, {span(constant.between, 'K')})"


def _modulus(constant: Constant) -> str:
    return f"{with_error(*constant.value, 1)} GPa ({constant.held:g} K, {span(constant.between, 'GPa')})"


def _constant_lines(constants: Sequence[Constant], what: str, shown: _Unit) -> list[Statement]:
    """The constant of the pristine crystal at its extremes, and what each defect changes at the first of these."""
    pristine = [each for each in constants if each.cell == BULK]
    if not pristine:
        texts = [f"{each.cell} {shown(each)}" for each in _first_of_each(constants)]
        return [Statement(f"{what.capitalize()}: {listed(texts)}.", "response")] if texts else []
    engine = pristine[0].engine
    mine = [each for each in pristine if each.engine == engine]
    ends = [mine[0], *mine[1:][-1:]]
    text = f"{what.capitalize()} of the pristine crystal: {', '.join(shown(each) for each in ends)}."
    others = [e for e in constants if e.cell != BULK and e.engine == engine and e.held == mine[0].held]
    return [Statement(f"{text}{_changes(mine[0], others)}", "response")]


def _first_of_each(constants: Sequence[Constant]) -> list[Constant]:
    first: dict[str, Constant] = {}
    for each in constants:
        first.setdefault(each.cell, each)
    return list(first.values())


def _changes(pristine: Constant, others: Sequence[Constant]) -> str:
    """Which cells with a defect differ from the pristine one by more than the errors."""
    apart, alike = [], []
    for each in others:
        error = (each.value.error**2 + pristine.value.error**2) ** 0.5
        ratio = each.value.value / pristine.value.value - 1
        if abs(each.value.value - pristine.value.value) > EXPECTED * error:
            apart.append(f"{number(100 * abs(ratio), 0)} % {'more' if ratio > 0 else 'less'} with {each.cell}")
        else:
            alike.append(each.cell)
    said = f" {listed(apart)}." if apart else ""
    return said + (f" With {listed(alike)} the same within the errors." if alike else "")


def _fates(points: Sequence[JsonRow]) -> list[Statement]:
    """Whether the defects stayed where they were, and what the others did."""
    followed = [row for row in points if row.get("fate") and row["cell"] != BULK and row["status"] != "diverged"]
    still, found = [], []
    for cell in cells(followed):
        rows = [row for row in followed if row["cell"] == cell]
        if all(row["fate"] == "stays" for row in rows):
            still.append(cell)
        else:
            found.append(Statement(_moving(cell, rows), "fate"))
    if still:
        rows = [row for row in followed if row["cell"] in still]
        hottest = max(rows, key=lambda row: (row["temperature"], -row["rate_bound"]))
        text = (
            f"No hop of {listed(still)} was seen in {len(rows)} points: at {hottest['temperature']:g} K at most "
            f"{number(hottest['rate_bound'], 2)} per ps with 95 % confidence."
        )
        found.insert(0, Statement(text, "fate"))
    return found


def _moving(cell: str, rows: Sequence[JsonRow]) -> str:
    counts = [(fate, sum(row["fate"] == fate for row in rows)) for fate in dict.fromkeys(r["fate"] for r in rows)]
    fates = listed([f"{fate} at {count}" for fate, count in sorted(counts, key=lambda pair: pair[0] == "stays")])
    text = f"{cell} {fates} of {len(rows)} points"
    hopping = [row for row in rows if row.get("rate")]
    if not hopping:
        return f"{text}."
    fastest = max(hopping, key=lambda row: float(row["rate"][0]))
    value, error = fastest["rate"]
    where = point_name(fastest).removeprefix(f"{cell} ")
    return f"{text}, fastest {where}: {with_error(value, error, 2)} hops per ps."

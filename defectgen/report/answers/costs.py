"""What defects cost and how many there are, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from defectgen.charge.levels import TransitionLevel
from defectgen.report.answers.phrases import listed
from defectgen.report.blocks import Statement, number
from defectgen.report.energetics.energies import reactions
from defectgen.report.energetics.thermodynamics import MIN_SHOWN
from defectgen.report.gather import JsonRow, RunData

MAX_LEVELS = 5
"""Levels in the gap that the page opens with."""


def cost_statements(data: RunData) -> list[Statement]:
    """Cheapest defects at each limit, numbers of defects, cheapest reaction, barriers and levels, where known."""
    return [*_cheapest(data.thermo), *_numbers(data.thermo), *_reaction(data), *_barriers(data.thermo), *_levels(data)]


def _cheapest(result: JsonRow) -> Iterator[Statement]:
    """The defect that costs least at each limit."""
    texts = []
    for limit in result.get("limits", ()):
        name = limit["name"]
        known = [row for row in result["defects"] if row["formation_energy"].get(name) is not None]
        if known:
            row = min(known, key=lambda row: float(row["formation_energy"][name]))
            texts.append(f"{row['name']} with {number(row['formation_energy'][name], 2)} eV ({name})")
    if texts:
        yield Statement(f"The defect that costs least, at 0 K: {listed(texts)}.", "thermodynamics")


def _numbers(result: JsonRow) -> Iterator[Statement]:
    """The most frequent defect of each condition, at the highest temperature and the lowest and highest pressure."""
    rows = result.get("equilibria") or []
    if not rows:
        return
    hottest = max(row["temperature"] for row in rows)
    names = {row["key"]: row["name"] for row in result["defects"]}
    for pressure in dict.fromkeys((min(r["pressure"] for r in rows), max(r["pressure"] for r in rows))):
        here = [row for row in rows if row["temperature"] == hottest and row["pressure"] == pressure]
        texts = [f"{_frequent(row['site_fraction'], names)} ({row['condition']})" for row in here]
        if texts:
            text = f"Most frequent at {hottest:g} K and {pressure:g} GPa: {listed(texts)}."
            yield Statement(text, "thermodynamics")


def _frequent(shares: Mapping[str, float], names: Mapping[str, str]) -> str:
    if not shares or max(shares.values()) < MIN_SHOWN:
        return "no defect"
    key = max(shares, key=lambda key: shares[key])
    return f"{names[key]} on {_power(shares[key])} of its places"


def _power(value: float) -> str:
    """A small number as a person writes it: `3.0 · 10⁻⁸`."""
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return mantissa if int(exponent) == 0 else f"{mantissa} · 10{raised}"


def _reaction(data: RunData) -> Iterator[Statement]:
    """The set of defects that costs least with no atom added or removed."""
    if data.bulk is None:
        return
    found = reactions(data.bulk, data.relaxed, str(data.host.get("formula", "")))
    if found:
        least = min(found, key=lambda reaction: reaction.energy / reaction.defects)
        text = (
            f"Of the sets that need no chemical potential {least.name} costs least: {least.equation} for "
            f"{number(least.energy, 2)} eV, {number(least.energy / least.defects, 2)} eV a defect."
        )
        yield Statement(text, "energies")


def _barriers(result: JsonRow) -> Iterator[Statement]:
    """The lowest barrier of each defect, lowest first."""
    lowest = {
        row["name"]: min(b["forward"] for b in row["barriers"]) for row in result.get("defects", ()) if row["barriers"]
    }
    if lowest:
        texts = [f"{name} {number(lowest[name], 2)} eV" for name in sorted(lowest, key=lambda name: lowest[name])]
        yield Statement(f"Lowest barriers of migration: {listed(texts)}.", "thermodynamics")


def _levels(data: RunData) -> Iterator[Statement]:
    """Levels in the gap above the valence band."""
    rows = data.levels.get("levels", ())
    if rows:
        labels = [TransitionLevel(row["name"], tuple(row["charges"]), 0.0).label for row in rows]
        texts = [f"{r['name']} {label} at {r['level_eV']:.2f} eV" for r, label in zip(rows, labels, strict=True)]
        gap = data.levels["gap_eV"]
        text = f"Levels above the valence band, in a gap of {gap:.2f} eV: {listed(texts, MAX_LEVELS)}."
        yield Statement(text, "levels")

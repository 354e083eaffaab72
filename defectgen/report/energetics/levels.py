"""The section on charge: formation energies against the Fermi level, and the levels in the gap."""

from __future__ import annotations

from typing import Any

from defectgen.charge.levels import ChargeState, TransitionLevel, transition_levels
from defectgen.report.blocks import Block, Column, Figure, Section, Table, Text
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.plots import PALETTE, layout, line, short

_STEPS = 60
"""Of the Fermi level; a corner falls between two."""


def level_sections(data: RunData) -> list[Section]:
    """The section, where `defectgen levels` has run; else none."""
    if not data.levels:
        return []
    found = data.levels
    blocks: list[Block] = [
        Text(f"Level of theory: {found['level_of_theory']}. " + " ".join(map(_sentence, found["notes"])))
    ]
    blocks += [_figure(found, limit, k) for k, limit in enumerate(found["limits"])]
    rows = [
        [row["name"], TransitionLevel(row["name"], tuple(row["charges"]), 0.0).label, f"{row['level_eV']:.3f}"]
        for row in found["levels"]
    ]
    columns = (Column("Defect"), Column("Level"), Column("Above the valence band", "eV", numeric=True))
    blocks.append(Table("Levels in the gap", columns, rows, f"The gap is {found['gap_eV']:.2f} eV."))
    return [Section("levels", "Charge", blocks)]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _figure(found: JsonRow, limit: str, number: int) -> Figure:
    """The lowest formation energy of each defect across the gap."""
    gap = float(found["gap_eV"])
    axis = [gap * k / _STEPS for k in range(_STEPS + 1)]
    by_name: dict[str, list[ChargeState]] = {}
    for row in found["defects"]:
        energy = float(row["formation_energy_at_vbm_eV"][limit])
        by_name.setdefault(row["name"], []).append(ChargeState(row["name"], int(row["charge"]), energy))
    traces: list[Any] = []
    for k, (name, states) in enumerate(by_name.items()):
        corners = sorted({*axis, *(level.level for level in transition_levels(states, gap))})
        lowest = [short(min(state.at(x) for state in states)) for x in corners]
        traces.append(line([short(x) for x in corners], lowest, name, PALETTE[k % len(PALETTE)]))
    where = f", {limit}" if limit else "; without chemical potentials each defect has a zero of its own"
    return Figure(
        f"levels-{number}",
        f"Formation energy against the Fermi level{where}",
        traces,
        layout("Fermi level above the valence band (eV)", "formation energy (eV)"),
    )

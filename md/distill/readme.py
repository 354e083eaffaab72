"""The card of a distilled student as a page to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["readme"]


def readme(card: Mapping[str, Any]) -> str:
    """Markdown of a student's card."""
    parts = [_head(card), _errors(card)]
    for formula, checks in card["hosts"].items():
        parts += [_energies(formula, checks), _volumes(formula, checks)]
    parts.append(_limits(card))
    return "\n".join(parts)


def _head(card: Mapping[str, Any]) -> str:
    domain, teacher, config, data = card["domain"], card["teacher"], card["config"], card["data"]
    cost = card["milliseconds"]
    return f"""# {card["name"]}

A small MACE potential for {domain["host"]} and neutral point defects, distilled from {teacher["source"]}.

| | |
|---|---|
| elements | {", ".join(card["elements"])} |
| temperature | up to {domain["temperature_K"][1]:g} K |
| pressure | up to {domain["pressure_GPa"][1]:g} GPa |
| network | {config["hidden_irreps"]}, l to {config["max_ell"]}, cutoff {config["r_max"]:g} Å, two layers |
| learnt from | {data["train"]["cells"]} cells, {data["train"]["atoms"]} atoms |
| made in | {card["minutes"]:g} minutes of wall time, {card["training"]["steps"]} steps of training |
| one evaluation | {cost["per_evaluation"]:.0f} ms for {cost["atoms"]} atoms on one core |
"""


def _errors(card: Mapping[str, Any]) -> str:
    rows = [
        f"| {kind} | {e['cells']} | {1000 * e['energy']:.2f} | {1000 * e['forces']:.0f} | {e['stress']:.2f} |"
        for kind, e in card["errors"]["test"].items()
    ]
    return "\n".join(
        [
            "## Errors against the teacher on cells that no training saw",
            "",
            "Mean absolute errors. The cells are relaxed and hot ones of every defect, and the teacher's own dynamics.",
            "",
            "| kind | cells | energy, meV/atom | forces, meV/Å | stress, GPa |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _energies(formula: str, checks: Mapping[str, Any]) -> str:
    rows = [
        f"| {name} | {e['student']:.3f} | {e['teacher']:.3f} | {e['error']:+.3f} |{'' if e['converged'] else ' (1)'}"
        for name, e in checks["defect_energies"].items()
    ]
    return "\n".join(
        [
            f"## {formula}: energies of relaxed defects",
            "",
            "Energy of the cell with the defect less that of the pristine one, eV: a formation energy up to chemical",
            "potentials, in cells of the sizes of the training. (1): the teacher's relaxation did not end.",
            "",
            "| defect | student | teacher | error |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _volumes(formula: str, checks: Mapping[str, Any]) -> str:
    rows = [
        f"| {p['temperature']:g} | {p['pressure']:g} | {p['volume']:.3f} | {100 * p['shift']:+.2f} ± "
        f"{100 * p['uncertainty']:.2f} | {'yes' if p['survived'] else 'no'} |"
        for p in checks["volumes"]
    ]
    return "\n".join(
        [
            f"## {formula}: volume under heat and pressure",
            "",
            "How much larger the teacher's volume is follows from the mean difference of the pressures on the",
            "student's trajectory, to first order in the difference of the potentials.",
            "",
            "| K | GPa | student, Å³ per atom | teacher, % | survived |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _limits(card: Mapping[str, Any]) -> str:
    reach, teacher = 2 * card["config"]["r_max"], card["teacher"]["name"]
    return f"""## Limits

Neutral cells only: neither the teacher nor the student knows charges. Labels are the teacher's, not DFT's; where
{teacher} is wrong, so is the student. The student sees {reach:g} Å far. Teachers that see further give energies of
defects that depend on the size of the cell: those of the table hold for cells of that size. Outside of the domain
(other crystals, melts, surfaces, pairs of defects that are rare in training) it was not tested.
"""

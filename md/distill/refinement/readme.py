"""The card of a refined student as a page to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["refinement_readme"]


def refinement_readme(card: Mapping[str, Any]) -> str:
    """Markdown of a refined student's card."""
    parts = [_head(card), _errors(card), _curves(card), *(_energies(*host) for host in card["hosts"].items())]
    return "\n".join([*parts, _limits(card)])


def _head(card: Mapping[str, Any]) -> str:
    domain, data, old = card["domain"], card["data"], card["refined_from"]
    replay = f", and {data['replay']['cells']} cells with its own labels" if data["replay"]["cells"] else ""
    taught = old["teacher"].get("source", "another potential")
    return f"""# {card["name"]}

A small MACE potential for {domain["host"]}: {old["name"]} (taught by {taught}),
refined on {card["teacher"]["source"]}.

| | |
|---|---|
| elements | {", ".join(card["elements"])} |
| temperature | up to {domain["temperature_K"][1]:g} K |
| pressure | up to {domain["pressure_GPa"][1]:g} GPa |
| refined on | {data["train"]["cells"]} labelled cells of up to {card["training"]["max_atoms"]} atoms{replay} |
| made in | {card["minutes"]:g} minutes of wall time, {card["training"]["steps"]} steps of training |
"""


def _errors(card: Mapping[str, Any]) -> str:
    rows = [
        f"| {kind} | {new['cells']} | "
        + " | ".join(
            f"{scale * old[name]:.{digits}f} → {scale * new[name]:.{digits}f}"
            for name, scale, digits in (("energy", 1000, 1), ("forces", 1000, 0), ("stress", 1, 2))
        )
        + " |"
        for kind, new, old in ((k, e, card["errors"]["before"][k]) for k, e in card["errors"]["test"].items())
    ]
    return "\n".join(
        [
            "## Errors against the new teacher on cells that were held out",
            "",
            "Mean absolute errors, before (atomic energies fitted anew) and after.",
            "",
            "| kind | cells | energy, meV/atom | forces, meV/Å | stress, GPa |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _curves(card: Mapping[str, Any]) -> str:
    rows = [
        f"| {formula} | "
        + " | ".join(f"{entry['curves'][who]['volume']:.3f}" for who in ("teacher", "before", "after"))
        + " | "
        + " | ".join(f"{entry['curves'][who]['modulus']:.0f}" for who in ("teacher", "before", "after"))
        + " |"
        for formula, entry in card["hosts"].items()
    ]
    return "\n".join(
        [
            "## Volume and bulk modulus without vibrations",
            "",
            "From energies at seven volumes; Å³ per atom, and GPa.",
            "",
            "| host | volume, teacher | before | after | modulus, teacher | before | after |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _energies(formula: str, checks: Mapping[str, Any]) -> str:
    rows = [
        f"| {name} | {e['before']:.3f} | {e['after']:.3f} | {e['after'] - e['before']:+.3f} |"
        for name, e in checks["defect_energies"].items()
    ]
    return "\n".join(
        [
            f"## {formula}: what changed for defects",
            "",
            f"Energy of a cell of {checks['defect_atoms']} atoms with the relaxed defect, less that of the pristine",
            "one, eV: a formation energy up to chemical potentials.",
            "",
            "| defect | before | after | change |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _limits(card: Mapping[str, Any]) -> str:
    moved, teacher = card["change"]["forces_rmse"], card["teacher"]["name"]
    moved_text = (
        f"On large cells with defects its forces moved by {1000 * moved:.0f} meV/Å (root mean square).\n"
        if moved
        else ""
    )
    return f"""## Limits

{moved_text}Labels are of small cells: energies of defects in them hold interactions with images, and count little.
Neutral cells only, without spin unless the teacher's settings say so. Where {teacher} is wrong, so is the student.
"""

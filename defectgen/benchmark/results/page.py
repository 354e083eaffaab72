"""The results as one self-contained page and its plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from augment.storage.archive import write_atomically
from defectgen.benchmark.metrics.catalogue import DFT, ENERGY, METRICS, POOLED
from defectgen.benchmark.results.plots import plot_all
from defectgen.benchmark.results.table import (
    COMPLEX_HEAD,
    ResultRow,
    complex_rows,
    failure_lines,
    summary_line,
    table_rows,
)

PAGE = "benchmark.html"

CAPTIONS = {
    "errors": "Mean displacement error within 5 Å of the defect by kind of task, with 95 % intervals over hosts.",
    "tasks": "Each point is a task: error of the generator's first structure against that of the ideal cell.",
}


def write_page(folder: Path, results: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write `benchmark.html` and `plots/*.svg` in a folder; the path of the page, which loads nothing from anywhere."""
    plots = plot_all(results, rows)
    for name, text in plots.items():
        write_atomically(folder / "plots" / f"{name}.svg", text.encode())
    path = folder / PAGE
    write_atomically(path, render_results(results, plots).encode())
    return path


def render_results(results: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("defectgen.benchmark", "assets"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    metrics = {**METRICS, **POOLED, **ENERGY, **DFT}
    return environment.get_template("benchmark.html.j2").render(
        names=[g["name"] for g in results["generators"]],
        summary=summary_line(results),
        notices=[*failure_lines(results), *(f"{name} left out: {why}" for name, why in results["skipped"].items())],
        rows=[_marked(row) for row in table_rows(results, every=True)],
        figures=[{"svg": Markup(svg), "caption": CAPTIONS[name]} for name, svg in plots.items()],  # noqa: S704  made here
        duels=_duels(results),
        n=results["settings"]["n"],
        complexes=complex_rows(results),
        complex_head=COMPLEX_HEAD,
        metrics=[vars(metric) for metric in metrics.values()],
        provenance=json.dumps(_provenance(results), indent=1),
    )


def _marked(row: ResultRow) -> dict[str, Any]:
    """A row with the places of its best cells."""
    values = [float(cell.split()[0]) if cell else None for cell in row.cells]
    known = [v for v in values if v is not None]
    best = (min if row.better == "lower" else max)(known)
    shown = [k for k, v in enumerate(values) if v == best] if len(set(known)) > 1 else []
    return {**vars(row), "best": shown}


def _duels(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [g["name"] for g in results["generators"]]
    if results["energy"] is None:
        return []
    return [
        {"name": g["name"], "cells": [_share(g["energy"]["lower_than"].get(other)) for other in names]}
        for g in results["generators"]
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _provenance(results: Mapping[str, Any]) -> dict[str, Any]:
    entries = {name: results[name] for name in ("tasks", "settings", "versions", "energy", "dft", "timings")}
    generators = [{k: g[k] for k in ("name", "identity", "provenance")} for g in results["generators"]]
    return {**entries, "generators": generators}

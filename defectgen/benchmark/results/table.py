"""The results as rows of text: one line a metric, one column a generator, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectgen.benchmark.metrics.catalogue import DFT, ENERGY, METRICS, POOLED, Metric
from defectgen.benchmark.tasks.task import TASK_KINDS

HEADLINES = {
    "symmetric": ("mae_5", "mae_5_best", "cosine", "metre", "h_spglib", "h_moyopy"),
    "broken": ("mae_5", "mae_5_best", "cosine"),
    "free": ("mae_3", "mae_5", "mae_5_best", "cosine", "metre", "crmse", "breaking_recall", "breaking_false",
             "site_symmetry", "diversity", "valid", "key_kept"),
    "pressed": ("mae_5", "volume_error"),
    "mean": ("mae_5", "volume_error"),
    "snapshot": ("msd_error", "displacement_w1", "rdf_distance", "volume_error"),
}  # fmt: skip
"""Metrics of the terminal's table; the page and the JSON have all."""

GAINS = ("mae_5", "dft_neutral", "dft_charged")
"""Errors that get a second line with the gain over the unrelaxed baseline."""

BELOW = Metric("below unrelaxed", "", "higher", "1 - error / error of not moving", share=True)


@dataclass(frozen=True)
class ResultRow:
    """One line: section, what is measured, which way is better, and a cell a generator (empty where it has none)."""

    section: str
    title: str
    better: str
    cells: tuple[str, ...]


def table_rows(results: Mapping[str, Any], *, every: bool = False) -> list[ResultRow]:
    """Lines of the table, sections in the order of the tasks; `every` for all metrics, not the headlines."""
    generators = results["generators"]
    known = {**METRICS, **POOLED}
    rows: list[ResultRow] = []
    for kind, chosen in HEADLINES.items():
        columns = [g["metrics"].get(kind, {}) for g in generators]
        for name in _names(generators, kind) if every else chosen:
            rows += _rows(TASK_KINDS[kind], name, known[name], columns)  # type: ignore[index]
    for name, metric in ENERGY.items():
        rows += _rows("after relaxation", name, metric, [g["energy"] for g in generators])
    for name, metric in DFT.items():
        rows += _rows("against DFT", name, metric, [g["dft"] for g in generators])
    rows += list(_cost_rows(results))
    return [row for row in rows if any(row.cells)]


def complex_rows(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Sampler, task, enrichment with interval, best-of-32 against best-of-256, coverage; empty where not run."""
    part = results["complexes"]
    if not part:
        return []
    return [
        (
            sampler,
            task,
            f"{row['enrichment']:.2f} [{row['low']:.2f}, {row['high']:.2f}]",
            f"{1000 * row['best_margin']:+.0f} meV",
            f"{row['coverage']:.2%}",
            f"{row['uniqueness']:.0%}",
        )
        for sampler, tasks in part["samplers"].items()
        for task, row in tasks.items()
    ]


COMPLEX_HEAD = ("sampler", "complex", "enrichment", "best of 32 - best of 256", "coverage", "unique")


def estimate_text(estimate: Mapping[str, Any] | None, metric: Metric) -> str:
    """`0.070 [0.051, 0.092]` in the metric's unit, or per cent of a share; empty where there is nothing."""
    if not estimate or estimate["value"] is None:
        return ""
    text = number_text(estimate["value"], metric)
    if estimate["low"] is None or estimate["low"] == estimate["high"]:
        return text
    return f"{text} [{number_text(estimate['low'], metric)}, {number_text(estimate['high'], metric)}]"


def number_text(value: float, metric: Metric) -> str:
    """A number as the metric shows it."""
    if metric.share:
        return f"{100 * value:.0f} %"
    if metric.unit == "meV":
        return f"{value:.0f}"
    if metric.title == "off H":
        return f"{value:.0e}"
    return f"{value:.4f}" if metric.unit == "Å" else f"{value:.3f}"


def summary_line(results: Mapping[str, Any]) -> str:
    """What was run, in one line."""
    tasks, settings = results["tasks"], results["settings"]
    partial = f", at most {settings['limit']} tasks" if settings["limit"] else ""
    return (
        f"{tasks['count']} tasks on {len(tasks['hosts'])} held-out hosts ({tasks['split']}{partial}); "
        f"n = {settings['n']}, seed {settings['seed']}; references by {tasks['teacher']['potential']}; "
        f"tasks {tasks['version']}, sha256 {tasks['sha256'][:12]}"
    )


def failure_lines(results: Mapping[str, Any]) -> list[str]:
    """One line for each generator that failed somewhere."""
    return [
        f"{g['name']} failed on {len(g['failures'])} tasks; the first: {next(iter(g['failures'].items()))}"
        for g in results["generators"]
        if g["failures"]
    ]


def _names(generators: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    known = [*METRICS, *POOLED]
    return [name for name in known if any(name in g["metrics"].get(kind, {}) for g in generators)]


def _rows(section: str, name: str, metric: Metric, columns: Sequence[Mapping[str, Any]]) -> Iterator[ResultRow]:
    """The line of a metric, and for errors within 5 Å one that says by how much they are below those of not moving."""
    title = f"{metric.title}, {metric.unit}" if metric.unit else metric.title
    yield ResultRow(section, title, metric.better, tuple(estimate_text(c.get(name), metric) for c in columns))
    if name in GAINS:
        gains = [(c.get(name) or {}).get("below_unrelaxed") for c in columns]
        yield ResultRow(section, "  below unrelaxed", "higher", tuple(estimate_text(gain, BELOW) for gain in gains))


def _cost_rows(results: Mapping[str, Any]) -> Iterator[ResultRow]:
    costs = list(results["timings"]["generators"].values())
    for title, key in (
        ("CPU seconds per valid structure", "cpu_per_valid"),
        ("largest memory of a task, MB", "largest_task_peak_MB"),
    ):
        cells = tuple("" if cost[key] is None else f"{cost[key]:.3g}" for cost in costs)
        yield ResultRow("cost", title, "lower", cells)

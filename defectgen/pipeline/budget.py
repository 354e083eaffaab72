"""A run within a time: what fits of it is chosen before it starts, and what is left out is said.

Cuts are made in one order, each as far as it goes in steps, until the estimate fits. They make smaller what was asked
for, and never larger. What was chosen are settings like others, which the folder keeps: a run that goes on does the
same, however fast the machine is then.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from augment.errors import SettingsError, SupercellError
from defectgen.pipeline.estimate import Costs, RunEstimate, estimate, measured_costs, nominal_costs
from defectgen.pipeline.prepared import PreparedRun
from defectgen.run.folder import IDENTITY, RunFolder
from defectgen.run.settings import AUTO_BUDGET, NO_BUDGET, Settings

AUTO_SECONDS = 600.0
"""s that a run may take where no budget is given, on two cores."""

AUTO_WORKERS = 2
"""Cores of the budget that nobody gave: the same everywhere, so that results do not depend on the machine."""

PROPOSED = "generate.only"

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}

RunCut = Callable[[PreparedRun], dict[str, Any] | None]
"""Settings that a cut changes, by dotted names; None where it has nothing to take."""


@dataclass(frozen=True, eq=False)
class RunPlan:
    """What a run will do.

    Attributes:
        prepared: the run, with the settings that fit.
        asked: settings that were requested.
        estimate: what it takes; None where nothing says what an evaluation costs.
        allowed: seconds that it may take; None for any.
    """

    prepared: PreparedRun
    asked: Settings
    estimate: RunEstimate | None
    allowed: float | None

    @property
    def cuts(self) -> list[dict[str, Any]]:
        """What of the settings requested is left out: the setting, the value that is kept, and a line."""
        before, after = _flat(self.asked), _flat(self.prepared.settings)
        kept = self.prepared.settings.model_dump(mode="json")
        before[PROPOSED] = len(before[PROPOSED]) or len(self.prepared.defects)
        after[PROPOSED] = len(after[PROPOSED]) or len(self.prepared.defects)
        return [
            {
                "setting": name,
                "kept": kept[name.partition(".")[0]][name.partition(".")[2]],
                "line": f"{what}: {_shown(after[name], 'none')} instead of {_shown(before[name], 'all')}",
            }
            for name, what in _WHAT.items()
            if before[name] != after[name]
        ]

    @property
    def left_out(self) -> list[str]:
        """What of the settings requested is left out, a line each."""
        return [str(cut["line"]) for cut in self.cuts]

    @property
    def lines(self) -> list[str]:
        """What is said before a run starts."""
        shown = self.estimate is not None and self.asked.budget != AUTO_BUDGET
        return [*(self.estimate.lines if shown and self.estimate else []), *self.cut_lines]

    @property
    def cut_lines(self) -> list[str]:
        """What is left out, and whether that is enough."""
        lines = []
        if self.left_out:
            lines.append(f"left out to fit {_time(self.allowed or 0)}: {'; '.join(self.left_out)}")
        if self.estimate is not None and self.allowed is not None and self.estimate.seconds > self.allowed:
            lines.append(f"the least possible takes longer than {_time(self.allowed)}; a faster potential would help")
        return lines


def parse_budget(text: str) -> float | None:
    """Seconds of a budget such as `10min`, `90s` or `2h`; None for `none`, any time.

    Raises:
        SettingsError: the text is no time.
    """
    if text == NO_BUDGET:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text.strip())
    if found is None or not float(found[1]) > 0:
        raise SettingsError(f"budget {text!r}; give a time with its unit, such as 10min, 90s or 2h, or {NO_BUDGET}")
    return float(found[1]) * _SECONDS[found[2]]


def begun_settings(settings: Settings) -> Settings:
    """The settings, with what the run in their folder had chosen of them to fit its budget, if there is one."""
    if not (settings.output / IDENTITY).is_file():
        return settings
    before = RunFolder.open(settings.output).settings
    if before.budget != settings.budget:
        return settings
    asked, kept = _flat(settings), _flat(before)
    chosen = {name: kept[name] for name in _WHAT if _is_less(name, asked[name], kept[name])}
    return settings.replaced({name: "none" if value is None else value for name, value in chosen.items()})


def plan_run(prepared: PreparedRun, asked: Settings) -> RunPlan:
    """What a run does within its budget; one that has begun does what it began with.

    A budget that is given is measured against one evaluation of each potential on this machine; the one that nobody
    gave against nominal costs, where there are some.

    Args:
        prepared: the run, with the settings of its folder if it has one.
        asked: the settings that were requested.

    Raises:
        PotentialError: a potential fails.
        SettingsError: the budget is no time.
    """
    text = asked.budget
    allowed = AUTO_SECONDS if text == AUTO_BUDGET else parse_budget(text)
    if not prepared.defects:
        return RunPlan(prepared, asked, None, allowed)
    costs = nominal_costs(prepared) if text == AUTO_BUDGET else measured_costs(prepared)
    if costs is None:
        return RunPlan(prepared, asked, None, allowed)
    if allowed is not None and not (asked.output / IDENTITY).is_file():
        prepared = _fitted(prepared, costs, allowed)
    return RunPlan(prepared, asked, _estimate(prepared, costs), allowed)


def _fitted(prepared: PreparedRun, costs: Costs, allowed: float) -> PreparedRun:
    """The run cut until it fits, or as far as it goes; cuts that turn out not to be needed are taken back."""
    made: list[dict[str, Any]] = []
    now, seconds = prepared, _estimate(prepared, costs).seconds
    for cut in _CUTS:
        if seconds <= allowed:
            break
        changes = cut(now)
        found = None if changes is None else _after([*made, changes], prepared, costs)
        if changes is not None and found is not None and found[1] < seconds:
            made.append(changes)
            now, seconds = found
    for changes in reversed(made):
        others = [each for each in made if each is not changes]
        found = _after(others, prepared, costs)
        if found is not None and found[1] <= allowed:
            made, now = others, found[0]
    return now


def _after(cuts: list[dict[str, Any]], prepared: PreparedRun, costs: Costs) -> tuple[PreparedRun, float] | None:
    """The run after some cuts and its seconds; None where no supercell is left."""
    smaller = prepared.with_settings(prepared.settings.replaced({k: v for cut in cuts for k, v in cut.items()}))
    try:
        return smaller, _estimate(smaller, costs).seconds
    except SupercellError:
        return None


def _estimate(prepared: PreparedRun, costs: Costs) -> RunEstimate:
    found = estimate(prepared, costs)
    automatic = prepared.settings.budget == AUTO_BUDGET
    return RunEstimate(found.parts, AUTO_WORKERS) if automatic else found


def _at_most(name: str, number: float) -> RunCut:
    """Cut a number to another; one that is not given is without bounds."""

    def cut(prepared: PreparedRun) -> dict[str, Any] | None:
        now = _flat(prepared.settings)[name]
        return {name: number} if now is None or now > number else None

    return cut


def _fixed_steps(number: int) -> RunCut:
    """Cut the steps of points for which a number was given."""

    def cut(prepared: PreparedRun) -> dict[str, Any] | None:
        steps = prepared.settings.md.steps
        return {"md.steps": number} if steps is not None and steps > number else None

    return cut


def _first(name: str) -> RunCut:
    """Cut a list to its first value."""

    def cut(prepared: PreparedRun) -> dict[str, Any] | None:
        now = _flat(prepared.settings)[name]
        return {name: [now[0]]} if now is not None and len(now) > 1 else None

    return cut


def _one_pressure(prepared: PreparedRun) -> dict[str, Any] | None:
    """Cut the pressures to the first, of those that are the default too."""
    from defectgen.pipeline.md_grid import PRESSURES

    asked = prepared.settings.md
    pressures = asked.pressures if asked.pressures is not None else PRESSURES
    held = (asked.ensemble or "npt").startswith("npt") and not prepared.host.has_vacuum
    return {"md.pressures": [pressures[0]]} if held and len(pressures) > 1 else None


def _no_check(prepared: PreparedRun) -> dict[str, Any] | None:
    """Have no second engine repeat a point."""
    return {"md.check": "none"} if prepared.settings.md.check is not None else None


def _smaller_cell(distance: float) -> RunCut:
    """Cut the distance of a defect to its images, where a supercell is searched by it."""

    def cut(prepared: PreparedRun) -> dict[str, Any] | None:
        asked, complexes = prepared.settings.defects, prepared.settings.complexes
        by_energies = bool(complexes.names) and complexes.weight == "pairs"  # all would be evaluated again
        searched = asked.supercell is None and asked.min_image_distance > distance and not by_energies
        return {"defects.min_image_distance": distance} if searched else None

    return cut


def _only_relaxed(prepared: PreparedRun) -> dict[str, Any] | None:
    """Propose nothing for defects that are not relaxed."""
    most = prepared.settings.relax.max_defects
    if not most or most >= len(prepared.chosen):
        return None
    return {"generate.only": [defect.name for defect in prepared.chosen[:most]]}


def _defects(count: int) -> RunCut:
    """Cut the defects that are relaxed, and have proposals for these alone."""

    def cut(prepared: PreparedRun) -> dict[str, Any] | None:
        most = prepared.settings.relax.max_defects
        if count >= len(prepared.chosen) or (most is not None and count >= most):
            return None
        return {"relax.max_defects": count, "generate.only": [defect.name for defect in prepared.chosen[:count]]}

    return cut


_CUTS: tuple[RunCut, ...] = (
    _only_relaxed,
    _first("md.engines"),
    _at_most("md.max_steps", 2000),
    _fixed_steps(2000),
    _at_most("md.max_cells", 2),
    _no_check,
    _defects(8),
    _smaller_cell(7.0),
    _at_most("md.max_steps", 1000),
    _fixed_steps(1000),
    _at_most("generate.samples", 1),
    _defects(6),
    _at_most("md.max_cells", 1),
    _one_pressure,
    _smaller_cell(6.0),
    _defects(4),
    _at_most("md.max_steps", 500),
    _fixed_steps(500),
    _first("md.temperatures"),
    _defects(3),
    _defects(2),
    _at_most("md.max_cells", 0),
    _defects(1),
)
"""In the order in which they are made: what costs much and yields little first."""

_WHAT = {
    "defects.min_image_distance": "least distance between images (Å)",
    "generate.samples": "proposals for a defect and symmetry",
    "md.engines": "engines",
    "md.steps": "steps of a point",
    PROPOSED: "defects with proposals",
    "relax.max_defects": "defects relaxed, at most",
    "md.max_cells": "cells in dynamics",
    "md.check": "check by a second engine",
    "md.temperatures": "temperatures (K)",
    "md.pressures": "pressures (GPa)",
    "md.max_steps": "steps of a point, at most",
}
"""Settings that a cut may change, as a person calls them."""


def _flat(settings: Settings) -> dict[str, Any]:
    values = settings.model_dump()
    return {name: values[name.partition(".")[0]][name.partition(".")[2]] for name in _WHAT}


def _is_less(name: str, asked: Any, kept: Any) -> bool:
    """Whether a value that a folder keeps can be a cut of the one requested."""
    if isinstance(asked, str):
        return kept is None
    if name == "md.steps" and asked is None:  # it means a precision, and not any number
        return False
    if isinstance(kept, tuple):
        return kept != asked and (not asked or set(kept) < set(asked))
    return kept is not None and (asked is None or kept < asked)


def _shown(value: Any, nothing: str) -> str:
    values = value if isinstance(value, tuple) else (value,)
    texts = (f"{each:g}" if isinstance(each, float) else str(each) for each in values)
    return nothing if value is None or value == () else ", ".join(texts)


def _time(seconds: float) -> str:
    return f"{seconds / 60:g} min"

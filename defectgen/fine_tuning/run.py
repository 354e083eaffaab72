"""A model trained on run folders: defects held out first, the best weights kept, and resumed after any kill.

The folder is a model once its card is there: `model.safetensors` with `model.json`, the other parts beside them, and
the curve. Until then `training/` keeps what a stopped one goes on from.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from augment.errors import DataError
from augment.storage.archive import read_arrays, write_arrays, write_atomically
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from augment.versions import versions
from defectgen.corpus.cases import Case, cases_from_arrays, cases_to_arrays
from defectgen.fine_tuning.card import model_card
from defectgen.fine_tuning.curve import write_curve
from defectgen.fine_tuning.geometries import RunGeometries, geometries_hash, geometries_of
from defectgen.fine_tuning.labelled import labelled_cases, with_splits
from defectgen.fine_tuning.objectives import (
    cases_hash,
    displacements_from,
    error_of_displacements,
    resting_pairs,
    subgroups_from,
    weights_hash,
)
from defectgen.fine_tuning.scores import held_out_errors, subgroup_change
from defectgen.fine_tuning.settings import FRESH, FineTuneSettings
from defectgen.fine_tuning.split import KeyedDefect, assigned_splits
from defectgen.model.network import NetworkConfig
from defectgen.model.weights import MODEL_FILE, PARTS, Model, load_model, part_path, save_model
from defectgen.training.description import training_summary
from defectgen.training.loop import Training
from md.jobs.sweep import OpenStage, no_stage
from md.labels.third_party import one_torch_thread
from md.training.processes import Processes

__all__ = ["TrainedModel", "train_on_runs"]

MARKER = "train.json"
"""Whose training a folder is."""

WORK = "training"
"""In the folder: what a stopped training goes on from."""

NEW_NETWORK = NetworkConfig(width=96, layers=4, cutoff=5.0, forces=True)
"""Sizes of a network that starts from nothing."""

_WAIT = 2.0
"""s between two looks of a second process at whether the first has prepared the data."""


@dataclass(frozen=True)
class TrainedModel:
    """A trained model in its folder.

    Attributes:
        folder: of the model, which `generate`, `search` and settings take as its name.
        card: JSON values of `model.json`.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def errors(self) -> dict[str, dict[str, Any]]:
        """Errors on the held-out defects; see `held_out_errors`."""
        found: dict[str, dict[str, Any]] = self.card["errors"]
        return found

    @cached_property
    def model(self) -> Model:
        """The model, loaded."""
        return load_model(str(self.folder))


def train_on_runs(
    runs: Sequence[str | Path],
    folder: str | Path,
    settings: FineTuneSettings | None = None,
    *,
    device: str | None = "cpu",
    workers: int = 1,
    stage: OpenStage | None = None,
) -> TrainedModel:
    """Train the diffusion model on the relaxed defects, minima, thermal means and calculations of run folders.

    Args:
        runs: run folders; each host is measured at rest under the potential of its own run.
        folder: of the model; the same call goes on there from where it was stopped, to the same bits.
        settings: how; the defaults without it.
        device: of the training, `cpu` or `cuda`; None for a GPU where there is one.
        workers: processes that evaluate the potentials around the defects, before the training.
        stage: opens the progress of a stage.

    Raises:
        DataError: a run has nothing to learn from, there are too few defects, or there is no model to start from.
        ResumeError: the folder holds another training, or something else.
        PotentialError: the potential of a run is not there.
    """
    asked = settings or FineTuneSettings()
    start = None if asked.start == FRESH else load_model(asked.start)
    found = [geometries_of(Path(run)) for run in runs]
    training = _Run(found, start, Path(folder), asked, device, workers, stage or no_stage)
    split_of = training.split_of
    marked = {"settings": asked.identity(), "start": "" if start is None else start.hashes, "data": training.data_hash}
    claim(
        training.folder / MARKER, marked, "a model of a training",
        notes={"runs": [str(run) for run in runs], "split": split_of, "versions": versions("defectgen", "torch")},
        words={"settings": "choice of settings", "start": "model to start from", "data": "set of runs"},
    )  # fmt: skip
    card = training.folder / f"{MODEL_FILE}.json"
    if not card.is_file():
        with ExitStack() as stack:
            if training.rank == 0:
                stack.enter_context(folder_lock(training.folder))
            training.whole()
    return TrainedModel(training.folder, json.loads(card.read_text()) if card.is_file() else {})


@dataclass(frozen=True, eq=False)
class _Run:
    runs: Sequence[RunGeometries]
    start: Model | None
    folder: Path
    settings: FineTuneSettings
    device: str | None
    workers: int
    stage: OpenStage

    @property
    def rank(self) -> int:
        """Of this process among those of torchrun."""
        return int(os.environ.get("RANK", "0"))

    @cached_property
    def split_of(self) -> dict[str, str]:
        """The split of each defect by its key, decided before anything of its geometries is looked at."""
        defects = [
            KeyedDefect(f"{run.host.formula} {run.host.prototype}", one.defect.name, one.defect.key)
            for run in self.runs
            for one in run.defects
        ]
        s = self.settings
        return dict(assigned_splits(defects, s.held_out, s.chosen_on, s.seed))

    @cached_property
    def data_hash(self) -> str:
        """Hash of the geometries of the runs and of whose forces are around them."""
        return geometries_hash(self.runs)

    def whole(self) -> None:
        """Prepare, train, measure, write."""
        with one_torch_thread(wanted=True):
            cases = self._cases()
            processes = Processes.of_environment(self.device)
            began = time.monotonic()
            training, first = self._displacements(cases, processes)
            subgroups = self._subgroups(cases, processes)
            if processes.rank == 0:
                self._finish(cases, training, first, subgroups, time.monotonic() - began)

    def _cases(self) -> list[Case]:
        """The cases of all runs in their splits: made by the first process, read by all."""
        path = self.folder / WORK / "cases.npz"
        if self.rank == 0 and not path.is_file():
            labelled = [one for run in self.runs for one in run.defects]
            with self.stage("forces around defects", "defects") as report:
                made = labelled_cases(labelled, self.folder / WORK / "items", workers=self.workers, progress=report)
            write_arrays(path, cases_to_arrays(with_splits(made, self.split_of)))
        while not path.is_file():
            time.sleep(_WAIT)
        cases = cases_from_arrays(read_arrays(path), str(path))
        for split, what in (("train", "learn from"), ("valid", "choose the weights on"), ("test", "hold out")):
            if not resting_pairs(cases, split):
                raise DataError(f"no usable geometry at rest to {what}; relax more defects, or give another --seed")
        return cases

    def _displacements(self, cases: Sequence[Case], processes: Processes) -> tuple[Training[Any, Any], float | None]:
        """The finished training of displacements, and the error of the start on the defects that choose."""
        task: Any = displacements_from(cases, self.start, NEW_NETWORK)
        judge = error_of_displacements(resting_pairs(cases, "valid"), task.objective.bridge)
        first = None if self.start is None else judge(self.start.network)
        course = self.settings.course(self.settings.steps)
        training: Training[Any, Any] = Training(task, course, self.folder / WORK / PARTS[0], processes, judge=judge)
        self._train(training, "training")
        return training, first

    def _subgroups(self, cases: Sequence[Case], processes: Processes) -> Training[Any, Any] | None:
        """The finished training of which symmetry survives, where the data can say it."""
        before = self.start.subgroups if self.start is not None and self.start.has("subgroups") else None
        task: Any = subgroups_from(cases, before)
        if task is None:
            return None
        course = self.settings.course(self.settings.subgroup_steps)
        training: Training[Any, Any] = Training(task, course, self.folder / WORK / PARTS[1], processes)
        self._train(training, "training p(H)")
        return training

    def _train(self, training: Training[Any, Any], title: str) -> None:
        steps = training.settings.steps
        with self.stage(title, "steps") as report:
            training.run(progress=lambda step, loss: report(step, steps, f"loss {loss:.3f}"))

    def _finish(
        self, cases: list[Case], training: Training[Any, Any], first: float | None,
        subgroups: Training[Any, Any] | None, seconds: float,
    ) -> None:  # fmt: skip
        """Keep the better of start and end, measure both on what was held out, and write the model, its card last."""
        task: Any = training.task
        helped = first is None or min(error for _, error in training.held_out) < first
        network = training.averaged() if helped or self.start is None else self.start.network
        kept = min(training.held_out, key=lambda pair: pair[1])[0] if helped else 0
        after = Model("after", network, task.objective.bridge, {"elements": []}, weights_hash(network))
        with self.stage("held-out defects", "methods"):
            errors = held_out_errors(cases, self.start, after)
        parts = self._parts(cases, subgroups)
        about = model_card(self.runs, cases, self.start, self.settings)
        about |= {"data_sha256": cases_hash(cases), **training_summary(training, seconds), **parts}
        about |= {"kept_step": kept, "errors": errors}
        chosen_by = [] if first is None else [[0, round(first, 5)]]
        write_curve(self.folder, about["curve"], [*chosen_by, *about["held_out"]], errors["all"])
        save_model(self.folder / f"{MODEL_FILE}.safetensors", network, task.objective.bridge, about)
        shutil.rmtree(self.folder / WORK, ignore_errors=True)

    def _parts(self, cases: Sequence[Case], subgroups: Training[Any, Any] | None) -> dict[str, Any]:
        """Write the other parts: which symmetry survives, learnt or as it was, and occupation as it was."""
        target, start = self.folder / f"{MODEL_FILE}.safetensors", self.start
        taken = [part for part in PARTS[1:] if start is not None and start.has(part)]
        said: dict[str, Any] = dict.fromkeys(taken, "as in the model that training started from")
        for part in taken:
            assert start is not None and start.path is not None  # noqa: S101, PT018  a model with parts has a file
            for suffix in (".safetensors", ".json"):
                content = part_path(start.path, part).with_suffix(suffix).read_bytes()
                write_atomically(part_path(target, part).with_suffix(suffix), content)
        if subgroups is not None:
            before = start.subgroups if start is not None and start.has("subgroups") else None
            network = subgroups.averaged()
            said["subgroups"] = subgroup_change(cases, before, network)
            about = {**model_card(self.runs, cases, start, self.settings), **training_summary(subgroups, 0.0)}
            save_model(part_path(target, "subgroups"), network, None, {**about, "scores": said["subgroups"]})
        return {"parts": said}

"""The loop: cells that students disagree on are labelled and learnt, cycle after cycle, until that stops helping.

A cycle proposes geometries with the diffusion model, relaxes and heats them with the student, has half of its labels
made on the cells that are most unlike what is labelled, lets two students learn those, has the other half made on what
these two disagree on most, and trains the student on all labels so far. Errors of forces are measured on cells of
defects that are held out, the same in every cycle. The last cycle is the one in which the error on the defects that
choose falls by less than `min_gain`; the student that is kept is the best on them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from augment.cell import DefectCell
from augment.defect import Defect
from augment.errors import PotentialError
from augment.storage.archive import read_cells, write_atomically, write_cells
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from defectgen.fine_tuning.split import KeyedDefect, assigned_splits
from defectgen.improvement.candidates import NetworkPotential, candidate_cells, frozen_cells
from defectgen.improvement.labelling import LabelSource
from defectgen.improvement.settings import ImproveSettings
from defectgen.model.weights import load_model
from defectgen.pipeline.prepared import PreparedRun
from md.distill.network.student import refit_atomic_energies, shape_of
from md.distill.refinement.choose import farthest, most_disputed
from md.distill.refinement.run import REFINE_RATE
from md.distill.run import COMMITTEE, calculator_of
from md.distill.trainer import StudentTrainSettings, train_student
from md.distill.validate import errors
from md.jobs.sweep import OpenStage, no_stage
from md.labels.evaluator import Evaluator
from md.labels.record import Record
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost
from md.students import load_student, save_student, student_card

__all__ = ["Improved", "improve"]

IMPROVEMENT_RESULT = "improve.json"


@dataclass(frozen=True)
class Improved:
    """What an improvement gave.

    Attributes:
        folder: of the improvement; the student is in `student` where one is better than it was.
        cycles: a row a cycle: `cycle`, `labels` (spent in all, held-out ones apart), `before` and `after` (mean
            absolute force errors, eV/Å, on the defects that `choose` and those `held_out`), `seconds`.
        kept: the cycle whose student is kept; 0 for the student as it was.
        stopped: why.
        held_out_labels: labels spent on what errors are measured on.
    """

    folder: Path
    cycles: tuple[dict[str, Any], ...]
    kept: int
    stopped: str
    held_out_labels: int

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "folder": str(self.folder), "cycles": list(self.cycles)}


def improve(
    prepared: PreparedRun,
    student: Potential,
    labels: LabelSource,
    teacher: str,
    folder: Path,
    settings: ImproveSettings | None = None,
    *,
    stage: OpenStage = no_stage,
) -> Improved:
    """Improve a student on the defects of a run; the same call goes on from where it was stopped.

    Args:
        prepared: the run, with its defects.
        student: a registered or shipped student that covers its elements.
        labels: who labels, in `folder`.
        teacher: what decides the labels, for the identity of the folder.
        folder: of the improvement.
        settings: how; the defaults without it.
        stage: opens the progress of a stage.

    Raises:
        PotentialError: the student is none, or does not cover the defects.
        DataError: there are too few defects to hold one out, or labels are still to be made.
        ResumeError: the folder belongs to another improvement, or another process works in it.
    """
    asked = settings or ImproveSettings()
    if student.kind != "student":
        raise PotentialError(
            f"{student.name} is no student; name one with --student, or distil one with `defectgen distill`"
        )
    student.require({e for d in prepared.defects for e in d.cell().to_ase().symbols})
    loop = _Loop(prepared, student, labels, folder, asked, stage)
    loop.split_of  # noqa: B018  too few defects leave no folder
    text = json.dumps(
        [asdict(asked), prepared.host.hash, sorted(loop.split_of), student.sha256, teacher], sort_keys=True
    )
    identity = hashlib.sha256(text.encode()).hexdigest()[:32]
    claim(
        folder / "improvement.json", {"identity": identity}, "an improvement",
        notes={"student": student.name, "teacher": teacher, "split": loop.split_of},
        words={"identity": "run, student, teacher or settings"},
    )  # fmt: skip
    with folder_lock(folder):
        return loop.whole()


@dataclass(frozen=True, eq=False)
class _Loop:
    prepared: PreparedRun
    student: Potential
    labels: LabelSource
    folder: Path
    settings: ImproveSettings
    stage: OpenStage

    @cached_property
    def split_of(self) -> dict[str, str]:
        """The split of each defect by its key."""
        host, s = self.prepared.host, self.settings
        keyed = [KeyedDefect(f"{host.formula} {host.prototype}", d.name, d.key) for d in self.prepared.defects]
        return dict(assigned_splits(keyed, s.held_out, s.chosen_on, s.seed))

    @cached_property
    def reference(self) -> RelaxedHost:
        """The host at rest under the student as it was, in all cycles."""
        return RelaxedHost.of(self.prepared.host, self.student)

    def whole(self) -> Improved:
        """Cycle until it stops helping, and write what came of it."""
        network: Any = load_student(self.student.name)[0]
        frozen = {what: self._frozen(split) for what, split in (("choose", "valid"), ("held_out", "test"))}
        known: list[Record] = []
        best, kept, rows, stopped = network, 0, [], f"{self.settings.cycles} cycles are done"
        error = self._errors(network, frozen)
        for cycle in range(1, self.settings.cycles + 1):
            began = time.monotonic()
            known += self._new_labels(cycle, network, known)
            network = self._trained(f"cycle {cycle}", f"cycle_{cycle}", network, known, self.settings.steps, cycle)
            before, error = error, self._errors(network, frozen)
            seconds = round(time.monotonic() - began)
            rows.append({"cycle": cycle, "labels": len(known), "before": before, "after": error, "seconds": seconds})
            gain = 1.0 - error["choose"] / before["choose"]
            if gain > 0:
                best, kept = network, cycle
            if gain < self.settings.min_gain:
                stopped = (
                    f"cycle {cycle} changed the force error on the defects that choose by {-gain:+.0%}; less than "
                    f"{-self.settings.min_gain:.0%} is asked of a cycle"
                )
                break
        made = Improved(self.folder, tuple(rows), kept, stopped, sum(map(len, frozen.values())))
        if kept:
            save_student(best, self.folder / "student", self._card(made))
        write_atomically(self.folder / IMPROVEMENT_RESULT, (json.dumps(made.to_dict(), indent=1) + "\n").encode())
        return made

    def _defects(self, split: str) -> list[Defect]:
        return [defect for defect in self.prepared.defects if self.split_of[defect.key] == split]

    def _frozen(self, split: str) -> list[Record]:
        def make() -> list[DefectCell]:
            seed = [self.settings.seed, len(split)]
            return frozen_cells(self._defects(split), self.student, self.reference, self.settings.temperature, seed)

        return self.labels.labelled(f"frozen_{split}", make)

    def _new_labels(self, cycle: int, network: Any, known: Sequence[Record]) -> list[Record]:
        """Labels of a cycle: half on what is most unlike the known, half on what a committee disputes."""
        half = self.settings.labels // 2

        def unlike() -> list[DefectCell]:
            pool = self._pool(cycle, network)
            return [pool[i] for i in farthest(pool, [r.cell for r in known], half)]

        first = self.labels.labelled(f"cycle_{cycle}_unlike", unlike)
        seen = [*known, *first]

        def disputed() -> list[DefectCell]:
            steps = max(1, self.settings.steps // 6)
            members = [
                self._trained(f"student {i + 1} of {COMMITTEE}", f"cycle_{cycle}_member_{i}", network, seen, steps, i)
                for i in range(COMMITTEE)
            ]
            pool, judges = self._pool(cycle, network), [calculator_of(member) for member in members]
            chosen = most_disputed(pool, judges, [r.cell for r in seen], self.settings.labels - half)
            return [pool[i] for i in chosen]

        return [*first, *self.labels.labelled(f"cycle_{cycle}_disputed", disputed)]

    def _pool(self, cycle: int, network: Any) -> list[DefectCell]:
        """Cells of a cycle to choose from, made once; each cycle looks at other defects where there are many."""
        path, s = self.folder / f"cycle_{cycle}_pool.npz", self.settings
        if not path.exists():
            defects = self._defects("train")
            shift = (cycle - 1) * s.max_defects
            chosen = [defects[(shift + k) % len(defects)] for k in range(min(s.max_defects, len(defects)))]
            potential = _in_memory(self.student, network)
            with self.stage(f"cycle {cycle}: cells", "defects"):
                cells = candidate_cells(
                    chosen, potential, self.reference, load_model(self.prepared.settings.generate.model),
                    s.temperature, s.evaluations, [s.seed, cycle],
                )  # fmt: skip
            write_cells(path, cells)
        return read_cells(path)

    def _trained(self, title: str, name: str, start: Any, records: Sequence[Record], steps: int, seed: int) -> Any:
        """A student trained further, its atomic energies fitted to the labels before and after."""
        how = StudentTrainSettings(steps, COMMITTEE * self.settings.seed + seed, rate=REFINE_RATE)
        levelled = _levelled(start, records)
        with self.stage(title, "steps") as report:
            state = self.folder / f"train_{name}.pt"
            return _levelled(
                train_student(records, shape_of(levelled), how, state, start=levelled, progress=report), records
            )

    def _errors(self, network: Any, frozen: dict[str, list[Record]]) -> dict[str, float]:
        calculator = calculator_of(network)
        return {what: round(errors(calculator, records).forces, 5) for what, records in frozen.items()}

    def _card(self, made: Improved) -> dict[str, Any]:
        """The card of the student that is kept."""
        before = student_card(self.student.name)
        return {
            **{key: before[key] for key in ("elements", "domain", "data") if key in before},
            "name": f"{self.student.name}-improved",
            "teacher": {"name": self._labellers(), "source": "labels of defectgen improve"},
            "refined_from": {"name": self.student.name, "sha256": self.student.sha256},
            "training": asdict(self.settings),
            "errors": {"forces_by_cycle": list(made.cycles), "kept_cycle": made.kept},
        }

    def _labellers(self) -> str:
        records = self._frozen("test")
        return ", ".join(sorted({str(r.cell.provenance.get("potential")) for r in records}))


def _in_memory(student: Potential, network: Any) -> NetworkPotential:
    digest = hashlib.sha256(b"".join(v.detach().numpy().tobytes() for v in network.state_dict().values())).hexdigest()
    return NetworkPotential(
        f"{student.name}*", "student", student.elements, "float64", digest, "in memory", student.evaluator, network
    )


def _levelled(network: Any, records: Sequence[Record]) -> Any:
    """The network with atomic energies fitted to the labels: another teacher has other zeros of energy."""
    calculator = calculator_of(network)
    cells = [r.cell for r in records]
    found = [Evaluator(c.numbers, calculator, c.volume)(c.positions, c.cell).energy for c in cells]
    return refit_atomic_energies(network, records, found)

"""A student from nothing but hosts and a teacher, in a folder that may be left and taken up at any moment."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.errors import SettingsError
from augment.host import Host
from augment.storage.archive import write_atomically
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from md.distill.crystal import Crystal, relax_crystal, supercells
from md.distill.curriculum import CellCounts, first_cells, ideal_defects
from md.distill.explore import explored_cells
from md.distill.labelled import CellLabeller
from md.distill.network.graphs import energy_weight
from md.distill.network.student import StudentShape, refit_atomic_energies, shape_of
from md.distill.settings import MIN_TRAINING_STEPS, ROUNDS, DistilSettings, Plan
from md.distill.trainer import MAX_TRAINING_FORCE, StudentTrainSettings, step_seconds, train_student
from md.jobs.sweep import OpenStage, no_stage
from md.labels.evaluator import Evaluator
from md.labels.record import Record
from md.potentials import Potential
from md.students.network import silent_mace

__all__ = ["Distillation", "calculator_of", "distil", "refined"]


_ENOUGH = 12_000
"""Atoms of first cells; what is explored makes it four times as many, enough for a student of this size."""

REFINING_RATE = 0.015
"""Half of the rate of a first training."""

TRAINING_SHARE, LABEL_SHARE = 0.6, 0.15
"""Of the minutes; the rest goes to exploration and validation."""

COMMITTEE = 2


@dataclass(frozen=True, eq=False)
class Distillation:
    """What a finished run has; `distil` makes one.

    Attributes:
        student: the trained network, float64.
        records: the labelled cells it learnt from.
        crystals: the relaxed hosts.
        dopants: of each host, the elements that are put into it.
        plan: how much was done.
    """

    student: Any
    records: list[Record]
    crystals: tuple[Crystal, ...]
    dopants: tuple[tuple[str, ...], ...]
    plan: Plan

    def large_cells(self) -> Iterator[tuple[Crystal, DefectCell, list[DefectCell]]]:
        """Of each host: the large pristine cell and those of all its defects."""
        for crystal, dopants in zip(self.crystals, self.dopants, strict=True):
            large = crystal.cells["large"]
            yield crystal, large.bulk_cell(), [d.cell() for d in ideal_defects(large, dopants)]


def distil(
    hosts: Sequence[Host],
    teacher: Potential,
    folder: Path,
    settings: DistilSettings | None = None,
    *,
    workers: int = 2,
    stage: OpenStage = no_stage,
) -> Distillation:
    """Make cells, label them, train two students, let them ask for more cells, and train one to the end.

    Args:
        hosts: the crystals; each also gets the elements of the others as dopants.
        teacher: who labels.
        folder: where labels and states are kept; the same call goes on from what is there.
        settings: what the student must be good at; the defaults without it.
        workers: processes that label.
        stage: opens the progress of each stage.

    Raises:
        PotentialError: the teacher does not cover the elements, or fails.
        SettingsError: a host is too large, or the minutes are too few to learn anything.
        ResumeError: the folder belongs to another distillation, or another process works in it.
    """
    asked = settings or DistilSettings()
    teacher.require({*(e for host in hosts for e in host.elements), *asked.dopants})
    for host in hosts:
        supercells(host, asked.max_atoms)  # fails at once where the host is too large
    identity = asked.identity([host.hash for host in hosts], teacher.provenance)
    claim(
        folder / "distillation.json",
        {"identity": identity},
        "a distillation",
        notes={"host": ", ".join(host.formula for host in hosts)},
        words={"identity": "host, teacher or settings"},
    )
    with folder_lock(folder):
        return _Run(tuple(hosts), teacher, folder, asked, workers, stage).whole()


def refined(
    made: Distillation,
    checkpoint: Path,
    steps: int,
    *,
    shape: StudentShape | None = None,
    seed: int = 0,
    stage: OpenStage = no_stage,
) -> Distillation:
    """A finished distillation trained further on the same cells, at a rate that moves its weights little at first.

    Args:
        made: what to go on from; without a student (None) one of `shape` is trained from the start.
        checkpoint: file that keeps the state; the same call goes on from it.
        steps: of training.
        shape: of the student where there is none yet.
        seed: of the order of the cells.
        stage: opens the progress.

    Raises:
        ResumeError: the checkpoint belongs to another training.
    """
    how = (
        StudentTrainSettings(steps, seed)
        if made.student is None
        else StudentTrainSettings(steps, seed, rate=REFINING_RATE)
    )
    with stage("refining", "steps") as report:
        last = train_student(
            made.records, shape or shape_of(made.student), how, checkpoint, start=made.student, progress=report
        )
    plan = replace(made.plan, steps=made.plan.steps + steps)
    return replace(made, student=_levelled(last, made.records), plan=plan)


def _levelled(network: Any, records: Sequence[Record]) -> Any:
    """Atomic energies fitted to pristine cells and to defects where their images are far."""
    far = [r for r in records if energy_weight(r) == 1.0 and np.abs(r.forces).max() < MAX_TRAINING_FORCE]
    calculator = calculator_of(network)
    found = [Evaluator(r.cell.numbers, calculator, r.cell.volume, np.inf)(r.cell.positions, r.cell.cell) for r in far]
    return refit_atomic_energies(network, far, [evaluation.energy for evaluation in found])


@dataclass(frozen=True, eq=False)
class _Run:
    hosts: tuple[Host, ...]
    teacher: Potential
    folder: Path
    settings: DistilSettings
    workers: int
    stage: OpenStage
    began: float = field(default_factory=time.monotonic)

    def whole(self) -> Distillation:
        records = self._labelled("cells_0", self._first_cells)
        plan = self._plan(records)
        members: list[Any] = [None] * COMMITTEE
        for turn in range(ROUNDS):
            title = f"round {turn + 1} of {ROUNDS}"
            for member in range(COMMITTEE):
                how = StudentTrainSettings(plan.round_steps, seed=COMMITTEE * self.settings.seed + member)
                state = self.folder / f"train_{turn}_{member}.pt"
                members[member] = self._train(f"{title}: student {member + 1}", records, how, state, members[member])
            records += self._labelled(f"cells_{turn + 1}", partial(self._explored, list(members), turn))
        how = StudentTrainSettings(plan.last_steps, seed=self.settings.seed)
        last = self._train("training", records, how, self.folder / "train_last.pt", members[0])
        return Distillation(_levelled(last, records), records, self.crystals, self.dopants, plan)

    @cached_property
    def crystals(self) -> tuple[Crystal, ...]:
        """The hosts relaxed by the teacher."""
        s = self.settings
        return tuple(
            relax_crystal(host, self.teacher, s.max_temperature, s.max_pressure, s.max_atoms) for host in self.hosts
        )

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Of all hosts and dopants, sorted."""
        return tuple(sorted({*(e for host in self.hosts for e in host.elements), *self.settings.dopants}))

    @cached_property
    def dopants(self) -> tuple[tuple[str, ...], ...]:
        """Elements that are foreign to each host."""
        return tuple(tuple(e for e in self.elements if e not in host.elements) for host in self.hosts)

    @property
    def shape(self) -> StudentShape:
        """Of the students."""
        from ase.data import atomic_numbers

        numbers = sorted(int(atomic_numbers[e]) for e in self.elements)
        return StudentShape(tuple(numbers), self.settings.channels, self.settings.cutoff)

    def _plan(self, records: Sequence[Record]) -> Plan:
        """Steps of training from the minutes and the speed of a step here, decided once."""
        path = self.folder / "plan.json"
        if path.exists():
            return Plan(**json.loads(path.read_bytes()))
        steps = self.settings.steps
        if steps is None:
            steps = int(60 * self.settings.minutes * TRAINING_SHARE / step_seconds(records, self.shape))
        if steps < MIN_TRAINING_STEPS:
            raise SettingsError(
                f"{self.settings.minutes:g} minutes are for {steps} steps of training; give more minutes"
            )
        plan = Plan(self._effort, steps)
        write_atomically(path, json.dumps(plan.to_dict()).encode())
        return plan

    @cached_property
    def _effort(self) -> float:
        """Share of the full set of cells, from the teacher's speed; decided once."""
        path = self.folder / "effort.json"
        if path.exists():
            return float(json.loads(path.read_bytes()))
        effort = self.settings.effort
        if effort is None:
            seconds = self._teacher_seconds() / self.workers
            full = sum(map(len, self._cells_of(CellCounts())))
            effort = min(_ENOUGH / full, 60 * self.settings.minutes * LABEL_SHARE / (4 * full * seconds))
        write_atomically(path, json.dumps(effort).encode())
        return effort

    def _teacher_seconds(self) -> float:
        """Time of the teacher for one atom, s."""
        cell = self.crystals[0].cells["medium"].bulk_cell()
        evaluate = Evaluator(cell.numbers, self.teacher.calculator(), cell.volume, np.inf)
        evaluate(cell.positions, cell.cell)
        began = time.perf_counter()
        evaluate(cell.positions + 1e-3 * np.sin(np.arange(3 * len(cell))).reshape(-1, 3), cell.cell)
        return (time.perf_counter() - began) / len(cell)

    def _cells_of(self, amounts: CellCounts) -> list[DefectCell]:
        s, found = self.settings, []
        for index, (crystal, dopants) in enumerate(zip(self.crystals, self.dopants, strict=True)):
            found += first_cells(crystal, dopants, s.max_temperature, amounts, [s.seed, index])
        return found

    def _first_cells(self) -> list[DefectCell]:
        return self._cells_of(CellCounts().scaled(self._effort))

    def _explored(self, members: Sequence[Any], turn: int) -> list[DefectCell]:
        """Relaxations of every defect, and moments of hot runs on which the students disagree."""
        committee = [calculator_of(network) for network in members]
        found: list[DefectCell] = []
        with self.stage(f"round {turn + 1}: asking", "hosts") as report:
            for index, (crystal, dopants) in enumerate(zip(self.crystals, self.dopants, strict=True)):
                report(index, len(self.crystals), crystal.host.formula)
                rng = np.random.default_rng([self.settings.seed, 2, turn, index])
                heat, effort = self.settings.max_temperature, self._effort
                found += explored_cells(crystal, dopants, committee, heat, effort, turn, rng)
        return found

    def _labelled(self, name: str, make: Callable[[], list[DefectCell]]) -> list[Record]:
        return CellLabeller(self.teacher, self.folder, self.workers, self.stage).labelled(name, make)

    def _train(self, title: str, records: Sequence[Record], how: StudentTrainSettings, state: Path, start: Any) -> Any:
        with self.stage(title, "steps") as report:
            return train_student(records, self.shape, how, state, start=start, progress=report)


def calculator_of(network: Any) -> Any:
    """ASE calculator of a network in memory: native code where that is right here, else mace-torch."""
    from md.potentials.mace.native import NotNativeError, native_calculator

    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.detach().numpy().tobytes())
    try:
        return native_calculator(digest.hexdigest(), lambda: network)
    except NotNativeError:
        with silent_mace():
            from md.potentials.mace.calculator import SilentMace

            return SilentMace(network)

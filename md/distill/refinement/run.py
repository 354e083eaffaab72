"""A student refined on few labels of a better teacher, in a folder that may be left and taken up at any moment.

The labels are chosen in two halves: first the cells whose atoms are furthest from what is labelled, then, by two
students that learnt those, the cells on which they disagree. The student is trained further on all of them and on its
own labels of large cells with defects, at a small weight: so what few small cells say nothing of is not forgotten
(rehearsal; Robins, Connection Science 7, 123, 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError
from augment.host import Host
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from augment.supercell import Supercell
from md.distill.crystal import Crystal, relax_crystal, supercells
from md.distill.curriculum import CellCounts, first_cells
from md.distill.labelled import CellLabeller
from md.distill.network.graphs import LABEL_WEIGHTS
from md.distill.network.student import refit_atomic_energies, shape_of
from md.distill.refinement.candidates import SHARES, candidates, volume_curve
from md.distill.refinement.choose import farthest, most_disputed
from md.distill.refinement.curve import CurveFit, fit_curve
from md.distill.refinement.settings import RefineSettings
from md.distill.run import COMMITTEE, calculator_of
from md.distill.settings import DISTIL_ATOMS
from md.distill.trainer import MAX_TRAINING_FORCE, StudentTrainSettings, train_student
from md.jobs.sweep import OpenStage, no_stage
from md.labels.evaluator import Evaluator
from md.labels.record import Record
from md.potentials import Potential

__all__ = ["Refinement", "refine"]

REFINE_RATE = 0.005
"""Of learning at the start; a first training has six times as much."""

_REPLAY_SHARE = 0.25
"""Of a distillation's first cells, that the student labels itself."""

_TEST_SHARE = 8
"""Of the chosen cells one in so many is held out."""

_LABEL_BATCH = 32
"""Atoms of the cells of a batch: what a kill can cost is a minute or two of a slow teacher."""


@dataclass(frozen=True, eq=False)
class Refinement:
    """What a finished refinement has.

    Attributes:
        before: the student as it was, its atomic energies fitted to the new labels (`ScaleShiftMACE`, float64).
        after: the refined student.
        train: the labelled cells that it learnt from, the curves of energy over volume among them.
        test: labelled cells held out.
        replay: large cells with the labels of the student before.
        crystals: the hosts, at the new teacher's volume.
        curves: of each host, the new teacher's labels of the curve.
        dopants: of each host, the elements that are put into it.
    """

    before: Any
    after: Any
    train: list[Record]
    test: list[Record]
    replay: list[Record]
    crystals: tuple[Crystal, ...]
    curves: tuple[list[Record], ...]
    dopants: tuple[tuple[str, ...], ...]

    def fits(self) -> list[CurveFit]:
        """Volume and bulk modulus of each host by the new teacher."""
        return [fit_curve([r.cell for r in curve], [r.energy for r in curve]) for curve in self.curves]


def refine(
    hosts: Sequence[Host],
    student: Potential,
    teacher: Potential,
    folder: Path,
    settings: RefineSettings | None = None,
    *,
    workers: int = 2,
    stage: OpenStage = no_stage,
) -> Refinement:
    """Choose cells, have them labelled, and train a student further on them.

    Args:
        hosts: the crystals; each also gets the other elements of the student as dopants.
        student: a registered or shipped student.
        teacher: who labels.
        folder: where labels and states are kept; the same call goes on from what is there.
        settings: how many labels of which cells; the defaults without it.
        workers: processes that label.
        stage: opens the progress of each stage.

    Raises:
        PotentialError: the student or the teacher does not cover the hosts, is none, or fails.
        SettingsError: a host is too large for the labels, or has no minimum within the curve.
        ResumeError: the folder belongs to another refinement, or another process works in it.
    """
    from md.students import load_student

    asked = settings or RefineSettings()
    symbols = {e for host in hosts for e in host.elements}
    student.require(symbols)
    teacher.require(symbols)
    network, _ = load_student(student.name)
    for host in hosts:
        supercells(host, asked.max_atoms)  # fails at once where the host is too large
    identity = asked.identity([host.hash for host in hosts], student.sha256, teacher.provenance)
    claim(
        folder / "refinement.json",
        {"identity": identity},
        "a refinement",
        notes={"host": ", ".join(host.formula for host in hosts), "student": student.name},
        words={"identity": "host, student, teacher or settings"},
    )
    with folder_lock(folder):
        return _Run(tuple(hosts), student, network, teacher, folder, asked, workers, stage).whole()


@dataclass(frozen=True, eq=False)
class _Run:
    hosts: tuple[Host, ...]
    student: Potential
    network: Any
    teacher: Potential
    folder: Path
    settings: RefineSettings
    workers: int
    stage: OpenStage

    def whole(self) -> Refinement:
        curves = self._curves
        known = [record for curve in curves for record in curve]
        half = self.settings.labels // 2
        first = self._labelled("cells_0", lambda: self._chosen(half, [r.cell for r in known], None))
        learnt, test = _split(first, self.settings.seed)
        train = [*known, *learnt]
        before = self._levelled(self.network, train)
        replay = self._replay(before)
        committee = [self._member(before, [*train, *replay], i) for i in range(COMMITTEE)]
        seen = [r.cell for r in (*known, *first)]
        rest = self.settings.labels - half
        second = self._labelled("cells_1", lambda: self._chosen(rest, seen, committee))
        learnt, more = _split(second, self.settings.seed)
        train, test = [*train, *learnt], [*test, *more]
        before = self._levelled(self.network, train)
        replay = self._replay(before)
        after = self._train("training", [*train, *replay], self.settings.steps, self.settings.seed, "last", before)
        after = self._levelled(after, train)
        return Refinement(before, after, train, test, replay, self.crystals, curves, self.dopants)

    @cached_property
    def _by_student(self) -> tuple[Crystal, ...]:
        """The hosts relaxed by the student."""
        s = self.settings
        return tuple(relax_crystal(h, self.student, s.max_temperature, s.max_pressure, s.max_atoms) for h in self.hosts)

    @cached_property
    def _curves(self) -> tuple[list[Record], ...]:
        """Labels of each host at several volumes."""
        each = [volume_curve(crystal) for crystal in self._by_student]
        found = self._labelled("curves", lambda: [cell for curve in each for cell in curve])
        if len(found) < sum(map(len, each)):
            raise DataError(f"{self.teacher.name} has no label for some of the crystals at seven volumes: no curve")
        records = iter(found)
        return tuple([next(records) for _ in curve] for curve in each)

    @cached_property
    def crystals(self) -> tuple[Crystal, ...]:
        """The hosts at the teacher's volume, which is where the cells that it labels are strained and heated from."""
        found = []
        for crystal, curve in zip(self._by_student, self._curves, strict=True):
            fit = fit_curve([r.cell for r in curve], [r.energy for r in curve])
            per_atom = Supercell.primitive(crystal.host).bulk_cell()
            found.append(_scaled(crystal, fit.volume / (per_atom.volume / len(per_atom)), self.settings.max_atoms))
        return tuple(found)

    @cached_property
    def dopants(self) -> tuple[tuple[str, ...], ...]:
        """Elements of the other hosts."""
        elements = sorted({e for host in self.hosts for e in host.elements})
        return tuple(tuple(e for e in elements if e not in host.elements) for host in self.hosts)

    def _chosen(self, count: int, known: Sequence[DefectCell], committee: Sequence[Any] | None) -> list[DefectCell]:
        """Cells to label next: shares by kind, the same for every host."""
        chosen: list[DefectCell] = []
        calculator, judges = calculator_of(self.network), [calculator_of(network) for network in committee or ()]
        with self.stage("choosing cells", "hosts") as report:
            for index, (crystal, dopants) in enumerate(zip(self.crystals, self.dopants, strict=True)):
                report(index, len(self.crystals), crystal.host.formula)
                heat, seed = self.settings.max_temperature, [self.settings.seed, index, int(committee is not None)]
                pool = candidates(crystal, dopants, calculator, heat, seed)
                for kind, number in self._numbers(pool, count / len(self.crystals)).items():
                    cells, seen = pool[kind], [*known, *chosen]
                    picked = most_disputed(cells, judges, seen, number) if judges else farthest(cells, seen, number)
                    chosen += [cells[i] for i in picked]
        return chosen

    def _numbers(self, pool: dict[str, list[DefectCell]], count: float) -> dict[str, int]:
        """How many cells of each kind; kinds without cells, or that are not wanted, leave theirs to the others."""
        there = [kind for kind, cells in pool.items() if cells and (self.settings.with_defects or "defect" not in kind)]
        whole = sum(SHARES[kind] for kind in there)
        return {kind: max(1, round(count * SHARES[kind] / whole)) for kind in there}

    def _replay(self, network: Any) -> list[Record]:
        """Large cells with the labels of a student itself; their stress, that of another lattice, does not count."""
        if not self.settings.replay:
            return []
        calculator, made = calculator_of(network), []
        for index, (crystal, dopants) in enumerate(zip(self.crystals, self.dopants, strict=True)):
            large = replace(crystal, cells=supercells(crystal.host, DISTIL_ATOMS))
            amounts, seed = CellCounts().scaled(_REPLAY_SHARE), [self.settings.seed, index, 3]
            for cell in first_cells(large, dopants, self.settings.max_temperature, amounts, seed):
                found = Evaluator(cell.numbers, calculator, cell.volume, np.inf)(cell.positions, cell.cell)
                weights = dict(zip(LABEL_WEIGHTS, (self.settings.replay, self.settings.replay, 0.0), strict=True))
                weighted = replace(cell, provenance={**cell.provenance, **weights})
                made.append(Record(weighted, found.energy, found.forces, found.stress, "replay"))
        return [record for record in made if np.abs(record.forces).max() < MAX_TRAINING_FORCE]

    def _member(self, start: Any, records: Sequence[Record], index: int) -> Any:
        seed = COMMITTEE * self.settings.seed + index + 1
        steps = max(1, self.settings.steps // 6)
        return self._train(f"student {index + 1} of {COMMITTEE}", records, steps, seed, f"member_{index}", start)

    def _train(self, title: str, records: Sequence[Record], steps: int, seed: int, name: str, start: Any) -> Any:
        how = StudentTrainSettings(steps, seed, rate=REFINE_RATE)
        with self.stage(title, "steps") as report:
            state = self.folder / f"train_{name}.pt"
            return train_student(records, shape_of(start), how, state, start=start, progress=report)

    def _labelled(self, name: str, make: Callable[[], list[DefectCell]]) -> list[Record]:
        labeller = CellLabeller(self.teacher, self.folder, self.workers, self.stage, _LABEL_BATCH)
        return labeller.labelled(name, make)

    def _levelled(self, network: Any, records: Sequence[Record]) -> Any:
        """The network with atomic energies fitted to the labels: another code has other zeros of energy."""
        calculator = calculator_of(network)
        cells = [r.cell for r in records]
        found = [Evaluator(c.numbers, calculator, c.volume, np.inf)(c.positions, c.cell).energy for c in cells]
        return refit_atomic_energies(network, records, found)


def _scaled(crystal: Crystal, ratio: float, max_atoms: int) -> Crystal:
    """The crystal at a volume `ratio` times as large."""
    bulk, length = Supercell.primitive(crystal.host).bulk_cell(), ratio ** (1 / 3)
    host = crystal.host.relaxed(crystal.host.primitive * length, bulk.positions @ np.linalg.inv(bulk.cell))
    return Crystal(host, crystal.volumes, crystal.nearest * length, supercells(host, max_atoms))


def _split(records: Sequence[Record], seed: int) -> tuple[list[Record], list[Record]]:
    """Those to learn from, and those held out: one in `_TEST_SHARE`, drawn at random over all kinds."""
    count = max(1, len(records) // _TEST_SHARE)
    held = set(np.random.default_rng([seed, 11, len(records)]).permutation(len(records))[:count].tolist())
    return [r for i, r in enumerate(records) if i not in held], [r for i, r in enumerate(records) if i in held]

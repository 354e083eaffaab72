"""Molecular dynamics of many points in one forward pass: what fills a GPU, and runs on a CPU just as well.

Each point has its own cell, temperature, pressure, ensemble, schedule and random numbers, and does what it would do
alone, up to rounding. One that trips a guard is stopped and the others go on. As with the other engines a run is made
of legs, each a function of the state at its beginning, so that the same batch goes on from a checkpoint to the same
bits on a CPU (a GPU adds up in no fixed order).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import torch
from ase import units

from augment.cell import DefectCell, IntArray
from augment.elements import elements_of
from augment.errors import ConditionError
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import COMPRESSION, Stiffness, may_jump, ramped
from md.conditions.targets import Targets
from md.dynamics.engines.batched.forces import BatchForces, BatchLabels, Flat
from md.dynamics.engines.batched.guards import (
    GuardFailures,
    tripped_courses,
    tripped_geometries,
    tripped_labels,
    tripped_temperatures,
)
from md.dynamics.engines.batched.recorder import BatchRecorder
from md.dynamics.engines.batched.steps import Motion, baths, first_half, kicked, noise
from md.dynamics.engines.protocol import start_velocities
from md.dynamics.followed import Beginning, FindCrystal, beginning
from md.dynamics.response import Response
from md.dynamics.settling import is_precise, looks_at
from md.dynamics.start_volume import warm_crystal
from md.jobs.checkpoint import Arrays, Checkpoints, RunState
from md.labels.evaluator import max_strain
from md.labels.third_party import one_torch_thread
from md.potentials import Potential
from md.potentials.device import Device, resolve_device
from md.potentials.mace.models import through_torch

Finders = Sequence[FindCrystal | None] | None


def run_batch(
    points: Sequence[tuple[MdPoint, DefectCell]],
    potential: Potential,
    *,
    device: Device = "auto",
    checkpoints: Checkpoints | None = None,
    finders: Finders = None,
) -> list[Response]:
    """Run molecular dynamics of many points at once, each in its cell; the responses come in their order.

    Args:
        points: of engine `batched`, alike in steps, time step, interval, checkpoint and precision.
        potential: a student or a MACE model; evaluated by mace-torch, in float64.
        device: `auto` (CUDA where there is one), `cpu` or `cuda`.
        checkpoints: the batch goes on from the newest of them and adds its own.
        finders: what finds the warm crystal of each point that starts so; without it each cell is a crystal of its own.

    Raises:
        ConditionError: a point is not possible, or not with the others.
        PotentialError: the potential is no MACE network, does not cover an element, or fails.
        ResumeError: a checkpoint cannot be trusted.
        SettingsError: there is no such device.
    """
    began = time.perf_counter()
    _check(points, potential)
    on = resolve_device(device)
    with one_torch_thread(wanted=on == "cpu"):
        forces = BatchForces(potential, on)
        begun = _beginnings(points, forces, potential, finders)
        run = _Run(begun, [cell for _, cell in points], forces)
        run.through(checkpoints)
    share = (time.perf_counter() - began) / len(points)
    found = run.responses(through_torch(potential), share)
    return [
        replace(response, point=point, notes=(begin.note,) if begin.note else ())
        for response, (point, _), begin in zip(found, points, begun, strict=True)
    ]


def _beginnings(
    points: Sequence[tuple[MdPoint, DefectCell]], forces: BatchForces, potential: Potential, finders: Finders
) -> list[Beginning]:
    """What is run of each point: the warm ones one by one, the others with their pressures from one pass."""
    warm = [point.start == "warm" for point, _ in points]
    cold = iter(_followed([pair for pair, is_warm in zip(points, warm, strict=True) if not is_warm], forces))
    begun = []
    for (point, cell), is_warm, find in zip(points, warm, finders or [None] * len(points), strict=True):
        if is_warm:
            own = partial(warm_crystal, point, cell, potential, partial(_run_alone, device=forces.device))
            begun.append(beginning(point, cell, through_torch(potential), find or own))
        else:
            followed, note = next(cold)
            begun.append(Beginning(followed, cell, note))
    return begun


def _run_alone(point: MdPoint, cell: DefectCell, potential: Potential, *, device: Device) -> Response:
    return run_batch([(point, cell)], potential, device=device)[0]


def _followed(points: Sequence[tuple[MdPoint, DefectCell]], forces: BatchForces) -> list[tuple[MdPoint, str]]:
    """The points with those jumps of pressure ramped that their cells could not follow, and what was changed."""
    if not any(point.environment.has_barostat for point, _ in points):
        return [(point, "") for point, _ in points]
    whole = Flat.of([cell for _, cell in points], forces.device)
    pressures = _pressures(whole, forces)
    jump = [may_jump(point, pressure) for (point, _), pressure in zip(points, pressures, strict=True)]
    if not any(jump):
        return [(point, "") for point, _ in points]
    scale = (1 - COMPRESSION) ** (1 / 3)
    compressed = _pressures(replace(whole, positions=scale * whole.positions, cells=scale * whole.cells), forces)
    starts = [Stiffness.of(pair, COMPRESSION) for pair in zip(pressures, compressed, strict=True)]
    return [
        ramped(point, start) if jumps else (point, "")
        for (point, _), start, jumps in zip(points, starts, jump, strict=True)
    ]


def _pressures(cells: Flat, forces: BatchForces) -> list[float]:
    """Pressure of each cell, GPa."""
    forces.forget()
    stresses = torch.diagonal(forces(cells).stresses, dim1=1, dim2=2).mean(dim=1)
    forces.forget()
    return [float(pressure) for pressure in (-stresses / units.GPa).cpu().numpy()]


def _check(points: Sequence[tuple[MdPoint, DefectCell]], potential: Potential) -> None:
    if not points:
        raise ConditionError("a batch without points; give at least one")
    for point, cell in points:
        point.check(cell)
        if point.engine != "batched":
            raise ConditionError(f"{point.label}: a batch takes points of engine batched, not {point.engine}")
        potential.require(elements_of(cell.numbers))
    if len({point.pace for point, _ in points}) > 1:
        raise ConditionError(
            "the points of a batch differ in steps, time step, interval, checkpoint or precision; give them alike"
        )


@dataclass(frozen=True, eq=False)
class _Now:
    """The points (a,) that go on, and where they are."""

    alive: IntArray
    motion: Motion


class _Run:
    """One batch under way.

    Args:
        begun: what is run of each point.
        cells: that the points are of.
        forces: the potential.
    """

    def __init__(self, begun: Sequence[Beginning], cells: Sequence[DefectCell], forces: BatchForces) -> None:
        self._points, self._cells = [begin.point for begin in begun], list(cells)
        self._forces, self._device = forces, forces.device
        self._targets = [Targets(begin.point, begin.cell) for begin in begun]
        self._hottest = np.array([float(p.environment.temperatures.array.max()) for p in self._points])
        self._recorder = BatchRecorder(self._cells, self._points[0].interval)
        self._whole = Flat.of([begin.cell for begin in begun], self._device)
        masses = [begin.point.atoms.masses_of(begin.cell.numbers) for begin in begun]
        self._masses = torch.as_tensor(np.concatenate(masses), device=self._device)[:, None]
        self._rngs: list[np.random.Generator] = []
        self._reasons = [""] * len(begun)

    def through(self, checkpoints: Checkpoints | None) -> None:
        """Run to the end, from the newest checkpoint if there is one."""
        state, recorded = checkpoints.read() if checkpoints else (None, [])
        self._recorder.restore(recorded)
        observe = checkpoints.watched(self._recorder.observe) if checkpoints else self._recorder.observe
        point = self._points[0]
        now, step = self._start() if state is None else self._read(state), state.step if state else 0
        for end in sorted(set(chain.from_iterable(p.legs(step) for p in self._points))):
            now = self._without_precise(now, step)
            if len(now.alive) == 0:
                return
            now = self._advance(now, step, end, observe)
            step = end
            if checkpoints and end % point.checkpoint == 0 and end < point.steps:
                checkpoints.write(RunState(end, self._arrays(now)), self._recorder.take_new())

    def _without_precise(self, now: _Now, step: int) -> _Now:
        """The points that go on: those whose means are not yet as precise as requested."""
        if not looks_at(self._points[0], step):
            return now
        precise = {
            int(i) for i in now.alive if is_precise(self._recorder.series(i), self._points[i], len(self._cells[i]))
        }
        places = np.array([k for k, i in enumerate(now.alive) if int(i) not in precise], dtype=np.int64)
        return _Now(now.alive[places], now.motion.only(places))

    def _start(self) -> _Now:
        started = [start_velocities(point, cell) for point, cell in zip(self._points, self._cells, strict=True)]
        self._rngs = [rng for _, rng in started]
        velocities = torch.as_tensor(np.concatenate([v for v, _ in started]), device=self._device)
        return _Now(np.arange(len(self._points)), Motion(self._whole, velocities * self._masses, self._masses))

    def _advance(self, now: _Now, first: int, until: int, observe: Callable[..., None]) -> _Now:
        """One leg, from the state at its beginning alone."""
        self._forces.forget()
        now, labels = self._labelled(now, first)
        if first == 0:
            now, labels = self._observed(now, labels, observe, 0)
        now = self._quenched(now, first)
        for step in range(first + 1, until + 1):
            if len(now.alive) == 0:
                break
            now, labels = self._step(now, labels, step)
            now, labels = self._observed(now, labels, observe, step)
        return now

    def _step(self, now: _Now, labels: BatchLabels, step: int) -> tuple[_Now, BatchLabels]:
        points, targets, rngs = ([of[i] for i in now.alive] for of in (self._points, self._targets, self._rngs))
        drawn = noise(points, [len(self._cells[i]) for i in now.alive], rngs)
        bath = baths(points, targets, step, self._device)
        moved = first_half(now.motion, labels, bath, torch.as_tensor(drawn, device=self._device))
        before = now.alive
        now, labels = self._labelled(_Now(now.alive, moved), step)
        bath = bath.only(np.flatnonzero(np.isin(before, now.alive)))
        return replace(now, motion=kicked(now.motion, labels, bath)), labels

    def _labelled(self, now: _Now, step: int) -> tuple[_Now, BatchLabels]:
        """Labels of the points that pass the guards, and these."""
        volumes = self._whole.volumes[now.alive]
        now, places = self._without(now, tripped_geometries(now.motion.flat, volumes), step)
        if len(places) == 0:
            return now, _no_labels(now.motion.flat)
        labels = self._forces(now.motion.flat)
        now, labels = self._without_labels(now, labels, tripped_labels(now.motion.flat, labels, volumes[places]), step)
        return now, labels

    def _observed(
        self, now: _Now, labels: BatchLabels, observe: Callable[..., None], step: int
    ) -> tuple[_Now, BatchLabels]:
        temperatures = self._recorder.temperatures(now.alive, now.motion)
        tripped = tripped_temperatures(temperatures, self._hottest[now.alive])
        before = self._recorder.before(now.alive)
        if before is not None:
            limit = max_strain(self._points[0].timestep)
            tripped = {**tripped_courses(now.motion.flat, labels, before, limit), **tripped}
        now, labels = self._without_labels(now, labels, tripped, step)
        if len(now.alive):
            observe(now.alive, now.motion, labels)
        return now, labels

    def _without_labels(
        self, now: _Now, labels: BatchLabels, tripped: GuardFailures, step: int
    ) -> tuple[_Now, BatchLabels]:
        flat = now.motion.flat
        now, places = self._without(now, tripped, step)
        return now, labels.only(places, flat.rows(places)) if tripped else labels

    def _without(self, now: _Now, tripped: GuardFailures, step: int) -> tuple[_Now, IntArray]:
        """The points that go on, and their places among those before."""
        places = np.array([i for i in range(len(now.alive)) if i not in tripped], dtype=np.int64)
        if not tripped:
            return now, places
        for i, reason in tripped.items():
            which = now.alive[i]
            self._reasons[which] = f"{reason} {self._points[which].where(step, self._cells[which].numbers)}"
        self._forces.keep(places)
        return _Now(now.alive[places], now.motion.only(places)), places

    def _quenched(self, now: _Now, step: int) -> _Now:
        """Velocities set to a new temperature where a schedule says so."""
        flat, momenta = now.motion.flat, now.motion.momenta
        factors = np.ones(len(now.alive))
        for place, i in enumerate(now.alive):
            if self._targets[i].quenches(step):
                mine = flat.owner == place
                velocities = (momenta[mine] / now.motion.masses[mine]).cpu().numpy()
                masses = now.motion.masses[mine][:, 0].cpu().numpy()
                factors[place] = self._targets[i].quench_factor(step, velocities, masses)
        if (factors == 1.0).all():
            return now
        by_atom = torch.as_tensor(factors, device=self._device)[flat.owner][:, None]
        return replace(now, motion=replace(now.motion, momenta=momenta * by_atom))

    def _arrays(self, now: _Now) -> Arrays:
        motion = now.motion
        return {
            "alive": now.alive,
            "positions": motion.flat.positions.cpu().numpy(),
            "momenta": motion.momenta.cpu().numpy(),
            "cells": motion.flat.cells.cpu().numpy(),
            "rngs": np.array(json.dumps([rng.bit_generator.state for rng in self._rngs])),
            "reasons": np.array(json.dumps(self._reasons)),
        }

    def _read(self, state: RunState) -> _Now:
        arrays = state.arrays
        self._reasons = json.loads(str(arrays["reasons"]))
        self._rngs = [_generator(values) for values in json.loads(str(arrays["rngs"]))]
        alive = np.asarray(arrays["alive"], dtype=np.int64)
        start = Motion(self._whole, self._whole.positions, self._masses).only(alive)
        positions, momenta, cells = (
            torch.as_tensor(arrays[name], device=self._device) for name in ("positions", "momenta", "cells")
        )
        flat = replace(start.flat, positions=positions, cells=cells)
        return _Now(alive, replace(start, flat=flat, momenta=momenta))

    def responses(self, potential: Potential, seconds: float) -> list[Response]:
        """What became of every point; `seconds` each."""
        return [
            Response(
                point, potential, "diverged" if reason else "finished", reason, *self._recorder.results(i), seconds
            )
            for i, (point, reason) in enumerate(zip(self._points, self._reasons, strict=True))
        ]


def _generator(values: dict[str, object]) -> np.random.Generator:
    rng = np.random.default_rng()
    rng.bit_generator.state = values
    return rng


def _no_labels(flat: Flat) -> BatchLabels:
    none = flat.volumes
    return BatchLabels(none, flat.positions, flat.cells, none)

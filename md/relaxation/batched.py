"""Relaxation of many cells in one forward pass, each at its own pace, at fixed cell.

FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)) with a time step, a mixing and a patience for each cell, and
nothing that one cell does has to do with another. It needs two to four times the steps of `md.relaxation.relax`; all
cells share one evaluation a step, and a cell that is done leaves the batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from augment.cell import DefectCell, IntArray
from augment.elements import elements_of
from augment.errors import ConditionError, DataError
from augment.groups.cell_symmetry import CellSymmetry
from md.dynamics.engines.batched.forces import BatchForces, BatchLabels, Flat
from md.dynamics.engines.batched.guards import GuardFailures, evaluation, tripped_geometries, tripped_labels
from md.labels.evaluator import MAX_FORCE, Divergence, check_energy
from md.labels.frames import Snapshot, stack_frames
from md.labels.third_party import one_torch_thread
from md.potentials import Potential
from md.potentials.device import Device, resolve_device
from md.potentials.mace.models import through_torch
from md.relaxation.path import RelaxStatus
from md.relaxation.relax import (
    ENERGY_TOLERANCE,
    MAX_STEP_LENGTH,
    PATIENCE,
    Relaxation,
    RelaxSettings,
    project_labels,
)
from md.relaxation.remainder import remainder

FIRST_STEP, MAX_TIME_STEP = 0.1, 1.0
"""Å sqrt(amu/eV), all masses being 1 amu: time step at the start, and at most."""

GROWTH, CUT, MIXING, MIXING_FALL, WAIT = 1.1, 0.5, 0.1, 0.99, 5
"""The paper's: growth and cut of the time step, first mixing and its fall, and steps downhill before either."""

OPTIMIZER = "batched FIRE"


def relax_batched(
    cells: Sequence[DefectCell],
    potential: Potential,
    settings: RelaxSettings | None = None,
    *,
    symmetries: Sequence[CellSymmetry | None] | None = None,
    device: Device = "auto",
) -> list[Relaxation]:
    """Relax the atoms of many cells at once, to the same stopping rule as `md.relaxation.relax`.

    Args:
        cells: where to start.
        potential: a student or a MACE model; evaluated by mace-torch, in float64.
        settings: how to relax; the defaults of `RelaxSettings` without it. The cell stays fixed.
        symmetries: for each cell the group that its forces are projected on, or None.
        device: `auto` (CUDA where there is one), `cpu` or `cuda`.

    Raises:
        ConditionError: the settings ask for a relaxation of the cell.
        DataError: there are no cells, or not as many symmetries.
        PotentialError: the potential is no MACE network, does not cover an element, or fails.
        SettingsError: there is no such device.
    """
    how = settings or RelaxSettings()
    groups = [None] * len(cells) if symmetries is None else list(symmetries)
    if len(groups) != len(cells) or not cells:
        raise DataError(f"{len(groups)} symmetries for {len(cells)} cells; give at least one cell, and one for each")
    if how.relax_cell:
        raise ConditionError("a batched relaxation keeps the cell; relax cells one by one, or leave out relax_cell")
    potential.require(elements_of(z for cell in cells for z in cell.numbers))
    began, on = time.perf_counter(), resolve_device(device)
    with one_torch_thread(wanted=on == "cpu"):
        descent = _Descent(cells, groups, how, BatchForces(potential, on))
        descent.run()
    share = (time.perf_counter() - began) / len(cells)
    return [descent.relaxation(i, through_torch(potential), share) for i in range(len(cells))]


@dataclass(frozen=True, eq=False)
class _Fire:
    """Cells (b,) with n atoms on their way down: velocities (n, 3), and of each cell its step, mixing and patience."""

    flat: Flat
    velocities: Tensor
    step: Tensor
    mixing: Tensor
    downhill: Tensor

    @classmethod
    def at_rest(cls, flat: Flat) -> _Fire:
        one = torch.ones_like(flat.volumes)
        return cls(flat, torch.zeros_like(flat.positions), FIRST_STEP * one, MIXING * one, 0 * one)

    def only(self, kept: IntArray) -> _Fire:
        rows = self.flat.rows(kept)
        per_cell = (x[kept] for x in (self.step, self.mixing, self.downhill))
        return _Fire(self.flat.only(kept), self.velocities[rows], *per_cell)

    def moved(self, forces: Tensor) -> _Fire:
        """One step: downhill the velocity turns to the force and time runs faster, uphill it stops."""
        owner = self.flat.owner

        def total(values: Tensor) -> Tensor:
            return torch.zeros_like(self.step).index_add(0, owner, values.sum(dim=1))

        falls = total(forces * self.velocities) > 0
        downhill = torch.where(falls, self.downhill + 1, 0.0)
        patient = downhill > WAIT
        share = torch.where(falls, self.mixing, 0.0)
        along = share * torch.sqrt(total(self.velocities**2) / total(forces**2).clamp_min(1e-300))
        step = torch.where(patient, (GROWTH * self.step).clamp_max(MAX_TIME_STEP), self.step)
        step = torch.where(falls, step, CUT * self.step)
        mixing = torch.where(patient, MIXING_FALL * self.mixing, self.mixing)
        kept = torch.where(falls, 1 - share, 0.0)
        velocities = kept[owner][:, None] * self.velocities + along[owner][:, None] * forces
        velocities = velocities + step[owner][:, None] * forces
        moves = self._shortened(step[owner][:, None] * velocities)
        flat = Flat(self.flat.positions + moves, self.flat.cells, owner, self.flat.numbers)
        return _Fire(flat, velocities, step, torch.where(falls, mixing, MIXING), downhill)

    def _shortened(self, moves: Tensor) -> Tensor:
        """Moves (n, 3), those of a cell scaled so that the longest is at most `MAX_STEP_LENGTH`."""
        lengths = torch.linalg.vector_norm(moves, dim=1)
        longest = torch.zeros_like(self.step).scatter_reduce(0, self.flat.owner, lengths, "amax")
        scale = (MAX_STEP_LENGTH / longest.clamp_min(MAX_STEP_LENGTH))[self.flat.owner]
        return scale[:, None] * moves


class _Descent:
    """A batch of relaxations under way."""

    def __init__(
        self,
        cells: Sequence[DefectCell],
        symmetries: Sequence[CellSymmetry | None],
        settings: RelaxSettings,
        forces: BatchForces,
    ) -> None:
        self._cells, self._symmetries, self._settings, self._forces = cells, symmetries, settings, forces
        self._whole = Flat.of(cells, forces.device)
        self._snapshots: list[list[Snapshot]] = [[] for _ in cells]
        self._ended: dict[int, tuple[RelaxStatus, str]] = {}

    def run(self) -> None:
        """Relax until every cell converged, diverged, or took its steps."""
        going, fire = np.arange(len(self._cells)), _Fire.at_rest(self._whole)
        for step in range(self._settings.max_steps + 1):
            going, fire = self._without(going, fire, tripped_geometries(fire.flat, self._volumes(going)))
            if len(going) == 0:
                return
            labels = self._forces(fire.flat)
            tripped = tripped_labels(fire.flat, labels, self._volumes(going), largest_force=np.inf)
            forces = self._taken_down(going, fire.flat, labels, tripped)
            rows = fire.flat.rows(self._kept(going))
            going, fire = self._left(going, fire)
            if len(going) == 0:
                return
            if step < self._settings.max_steps:
                fire = fire.moved(forces[rows])

    def _volumes(self, going: IntArray) -> Tensor:
        return self._whole.volumes[going]

    def _taken_down(self, going: IntArray, flat: Flat, labels: BatchLabels, tripped: GuardFailures) -> Tensor:
        """(n, 3) forces as projected; every good geometry is kept and judged, every tripped one ends its cell."""
        forces = labels.forces.clone()
        for place, i in enumerate(going):
            if place in tripped:
                self._ended[i] = ("diverged", tripped[place])
                continue
            mine, found = flat.owner == place, evaluation(flat, labels, place)
            symmetry = self._symmetries[i]
            if symmetry is not None:
                found = project_labels(found, symmetry)
                forces[mine] = torch.as_tensor(found.forces, device=forces.device)
            self._snapshots[i].append((flat.positions[mine].cpu().numpy(), flat.cells[place].cpu().numpy(), found))
            self._judge(int(i))
        return forces

    def _judge(self, i: int) -> None:
        """End a cell that converged, or whose forces stay beyond the guard's limit; those steps are forgotten."""
        energies = [snapshot[2].energy for snapshot in self._snapshots[i]]
        try:
            check_energy(energies[-1] - energies[0], len(self._cells[i]))
        except Divergence as signal:
            del self._snapshots[i][-1]
            self._ended[i] = ("diverged", str(signal))
            return
        recent = [snapshot[2].largest_force for snapshot in self._snapshots[i][-PATIENCE:]]
        if len(recent) == PATIENCE and min(recent) > MAX_FORCE:
            del self._snapshots[i][1 - PATIENCE :]
            reason = f"a force of {recent[-1]:.0f} eV/Å after {PATIENCE} steps beyond {MAX_FORCE:g}"
            self._ended[i] = ("diverged", reason)
        elif recent[-1] <= self._settings.fmax and self._energy_left(i) <= ENERGY_TOLERANCE:
            self._ended[i] = ("converged", "")

    def _energy_left(self, i: int) -> float:
        return remainder(self._snapshots[i], pressure=None).energy

    def _kept(self, going: IntArray) -> IntArray:
        return np.flatnonzero([i not in self._ended for i in going])

    def _left(self, going: IntArray, fire: _Fire) -> tuple[IntArray, _Fire]:
        """The cells that have not ended."""
        kept = self._kept(going)
        if len(kept) == len(going):
            return going, fire
        self._forces.keep(kept)
        return going[kept], fire.only(kept)

    def _without(self, going: IntArray, fire: _Fire, tripped: GuardFailures) -> tuple[IntArray, _Fire]:
        self._ended |= {int(going[place]): ("diverged", reason) for place, reason in tripped.items()}
        return self._left(going, fire)

    def relaxation(self, i: int, potential: Potential, seconds: float) -> Relaxation:
        """What became of a cell."""
        snapshots, symmetry = self._snapshots[i], self._symmetries[i]
        largest = np.array([snapshot[2].largest_force for snapshot in snapshots])
        short = f"the largest force is {largest[-1]:.3f} eV/Å after {len(largest) - 1} steps" if len(largest) else ""
        status, reason = self._ended.get(i, ("not_converged", short))
        symbol = symmetry.symbol if symmetry else None
        energies = np.array([snapshot[2].energy for snapshot in snapshots])
        kept = self._settings.steps_kept(energies)
        return Relaxation(
            potential,
            status,
            reason,
            energies,
            largest,
            stack_frames(self._cells[i], [snapshots[step] for step in kept]),
            kept,
            {**self._settings.json, "symmetry": symbol, "optimizer": OPTIMIZER},
            seconds,
        )

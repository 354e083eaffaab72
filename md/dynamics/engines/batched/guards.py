"""The guards of `md.labels.evaluator` over a batch: all cells together, those that may trip one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from ase.stress import full_3x3_to_voigt_6_stress
from torch import Tensor

from augment.cell import FloatArray, IntArray
from md.dynamics.engines.batched.forces import BatchLabels, Flat
from md.labels.evaluator import (
    MAX_ATOMIC_VOLUME,
    MAX_ENERGY_CHANGE,
    MAX_FORCE,
    MAX_TEMPERATURE_MULTIPLE,
    MAX_TEMPERATURE_OFFSET,
    MAX_VACUUM_GROWTH,
    MIN_ATOMIC_VOLUME,
    MIN_DISTANCE,
    Divergence,
    Evaluation,
    check_energy,
    check_geometry,
    check_instantaneous_temperature,
    check_labels,
    check_strain,
)

GuardFailures = dict[int, str]
"""The cells that trip a guard, by their place in the batch, and why."""


def tripped_geometries(flat: Flat, start_volumes: Tensor) -> GuardFailures:
    """Cells whose positions, cell or volume are not physical; these must not reach a potential."""
    inside = torch.isfinite(flat.cells).flatten(1).all(dim=1)
    inside &= _of_cells(torch.isfinite(flat.positions).all(dim=1), flat)
    atoms = torch.bincount(flat.owner, minlength=len(flat.volumes))
    largest = torch.maximum(MAX_ATOMIC_VOLUME * atoms, MAX_VACUUM_GROWTH * start_volumes)
    inside &= (flat.volumes > MIN_ATOMIC_VOLUME * atoms) & (flat.volumes < largest)
    return _reasons(_listed(~inside), lambda i: _check_geometry(flat, start_volumes, i))


def tripped_labels(
    flat: Flat, labels: BatchLabels, start_volumes: Tensor, largest_force: float = MAX_FORCE
) -> GuardFailures:
    """Cells in which atoms overlap, or whose labels are not physical; `largest_force` in eV/Å."""
    inside = torch.isfinite(labels.energies) & torch.isfinite(labels.stresses).flatten(1).all(dim=1)
    lengths = torch.linalg.vector_norm(labels.forces, dim=1)
    inside &= _of_cells(torch.isfinite(lengths) & (lengths <= largest_force), flat)
    inside &= labels.closest >= MIN_DISTANCE

    def check(i: int) -> None:
        _check_geometry(flat, start_volumes, i)
        check_labels(evaluation(flat, labels, i), largest_force)

    return _reasons(_listed(~inside), check)


@dataclass(frozen=True, eq=False)
class Before:
    """Where b points came from: number of atoms (b,), energies (b,) at the start, eV, and cells (b, 3, 3) of now, Å."""

    atoms: IntArray
    energies: FloatArray
    cells: FloatArray


def tripped_courses(flat: Flat, labels: BatchLabels, before: Before, limit: float) -> GuardFailures:
    """Points whose energy ran away, or whose cell changed by more than `limit` in a step."""
    changes = labels.energies.cpu().numpy() - before.energies
    gradients = np.linalg.solve(before.cells, flat.cells.cpu().numpy())
    strains = np.abs(gradients - np.eye(3)).max(axis=(1, 2))

    def check(i: int) -> None:
        check_energy(float(changes[i]), int(before.atoms[i]))
        check_strain(float(strains[i]), limit)

    suspects = ~((np.abs(changes) < MAX_ENERGY_CHANGE * before.atoms) & (strains < limit))
    return _reasons(np.flatnonzero(suspects).tolist(), check)


def tripped_temperatures(temperatures: FloatArray, hottest: FloatArray) -> GuardFailures:
    """Points (b,) that are far hotter than the hottest of their target temperatures, K."""
    suspects = np.flatnonzero(~(temperatures < MAX_TEMPERATURE_MULTIPLE * hottest + MAX_TEMPERATURE_OFFSET)).tolist()
    return _reasons(suspects, lambda i: check_instantaneous_temperature(float(temperatures[i]), float(hottest[i])))


def evaluation(flat: Flat, labels: BatchLabels, index: int) -> Evaluation:
    """The labels of one cell of a batch."""
    forces = labels.forces[flat.owner == index].cpu().numpy()
    stress = full_3x3_to_voigt_6_stress(labels.stresses[index].cpu().numpy())
    return Evaluation(float(labels.energies[index]), forces, stress)


def _check_geometry(flat: Flat, start_volumes: Tensor, i: int) -> None:
    positions = flat.positions[flat.owner == i].cpu().numpy()
    check_geometry(positions, flat.cells[i].cpu().numpy(), float(start_volumes[i]))


def _of_cells(good: Tensor, flat: Flat) -> Tensor:
    """(b,) whether all atoms of each cell are good, from (n,)."""
    return torch.ones_like(flat.volumes).scatter_reduce(0, flat.owner, good.to(flat.volumes.dtype), "amin").bool()


def _listed(flags: Tensor) -> list[int]:
    return [int(i) for i in flags.nonzero()[:, 0].tolist()]


def _reasons(suspects: Iterable[int], check: Callable[[int], None]) -> GuardFailures:
    reasons: GuardFailures = {}
    for i in suspects:
        try:
            check(i)
        except Divergence as signal:
            reasons[i] = str(signal)
    return reasons

"""Energy, forces and stress of a network on given atoms, and the reference cell that proves a load right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import PotentialError
from md.students.network import double_precision, silent_mace

if TYPE_CHECKING:
    from torch import nn

SELFTEST_TOLERANCE = 1e-6
"""Largest relative deviation from the stored values: far above rounding, far below any real difference."""


def evaluate(
    network: Any, cell: FloatArray, numbers: IntArray, positions: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Energy (eV), forces (n, 3) in eV/Å and stress (3, 3) in eV/Å³ (ASE sign) of a periodic cell.

    Args:
        network: a MACE network in float64.
        cell: (3, 3) lattice vectors as rows, Å.
        numbers: (n,) atomic numbers, all known to the network.
        positions: (n, 3) Cartesian positions, Å.
    """
    with silent_mace(), double_precision():
        from ase import Atoms
        from mace.data import AtomicData, config_from_atoms
        from mace.tools import AtomicNumberTable
        from mace.tools.torch_geometric.batch import Batch

        atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True)
        table = AtomicNumberTable([int(z) for z in network.atomic_numbers])
        graph = AtomicData.from_config(config_from_atoms(atoms), z_table=table, cutoff=float(network.r_max))
        out = network(Batch.from_data_list([graph]).to_dict(), compute_stress=True)
    return out["energy"].item(), out["forces"].detach().numpy(), out["stress"].detach().numpy()[0]


def reference_of(network: nn.Module, atomic_numbers: Sequence[int]) -> dict[str, Any]:
    """A small distorted cell without any symmetry, with the network's values for it, as JSON values."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    cell = 4.3 * np.eye(3) + rng.normal(scale=0.08, size=(3, 3))
    positions = corners / 2 @ cell + rng.normal(scale=0.1, size=(7, 3))
    first, last = min(atomic_numbers), max(atomic_numbers)
    numbers = np.array([last] * 4 + [first] * 3)
    atoms = {"cell": cell.tolist(), "numbers": numbers.tolist(), "positions": positions.tolist()}
    return {**atoms, **_values(network, cell, numbers, positions)}


def check_reference(network: nn.Module, reference: Mapping[str, Any], where: str) -> None:
    """Compare the network's energy, largest force and stress on the reference cell with the stored values.

    Raises:
        PotentialError: a value deviates by more than `SELFTEST_TOLERANCE` (relative).
    """
    cell, positions = np.array(reference["cell"]), np.array(reference["positions"])
    values = _values(network, cell, np.array(reference["numbers"]), positions)
    for name, value in values.items():
        stored = np.array(reference[name])
        deviation = float(np.abs(np.array(value) - stored).max() / np.abs(stored).max())
        if not deviation <= SELFTEST_TOLERANCE:
            raise PotentialError(
                f"{where}: self-test failed, {name} deviates by {deviation:.1e} (relative) from the card; "
                "the installed torch, e3nn or mace gives other numbers: reinstall the package with its versions"
            )


def _values(network: nn.Module, cell: FloatArray, numbers: IntArray, positions: FloatArray) -> dict[str, Any]:
    energy, forces, stress = evaluate(network, cell, numbers, positions)
    return {
        "energy": energy,
        "max_force": float(np.linalg.norm(forces, axis=1).max()),
        "stress": stress.tolist(),
    }

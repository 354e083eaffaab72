"""What a step of training costs: a student in its dense form and in mace-torch, on the same cells.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py  # seconds

CPU milliseconds an atom for energies, forces, stresses and their gradient in the weights, float32, least of some.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from md.distill.network.dense import DenseMace
from md.distill.network.graphs import collate_labelled, labelled_graphs
from md.distill.network.student import StudentShape, initial_network
from md.labels.record import Record, read_records
from md.labels.third_party import one_torch_thread, silent_evaluation
from md.students.network import silent_mace

LABELS = Path(__file__).resolve().parent.parent / "training" / "labels" / "mgo" / "train.npz"
CELLS, REPEATS = slice(60, 63), 15


def dense_step(network: Any, records: list[Record]) -> Callable[[], None]:
    """A step as the trainer does it, without the optimizer."""
    dense = DenseMace(network).float()
    graphs, labels, _ = collate_labelled(labelled_graphs(records, network), float(network.r_max))

    def step() -> None:
        network.zero_grad()
        out = dense(graphs)
        (((out.forces - labels.forces) ** 2).mean() + out.energy.mean() + out.stress.mean()).backward()

    return step


def torch_step(network: Any, records: list[Record]) -> Callable[[], None]:
    """The same through mace-torch."""
    from mace.data import AtomicData, config_from_atoms
    from mace.tools import AtomicNumberTable
    from mace.tools.torch_geometric.batch import Batch

    table = AtomicNumberTable([int(z) for z in network.atomic_numbers])
    configs = [config_from_atoms(record.cell.to_ase()) for record in records]
    data = [AtomicData.from_config(c, z_table=table, cutoff=float(network.r_max)) for c in configs]
    batch = Batch.from_data_list(data)

    def step() -> None:
        network.zero_grad()
        out = network(batch.to_dict(), training=True, compute_force=True, compute_stress=True)
        ((out["forces"] ** 2).mean() + out["energy"].mean() + out["stress"].mean()).backward()

    return step


def main() -> None:
    """Print the table."""
    records = read_records(LABELS)[CELLS]
    atoms = sum(len(record.cell) for record in records)
    rows: list[str] = []
    with one_torch_thread(wanted=True), silent_evaluation(), silent_mace():
        for channels in (16, 24, 32):
            network = initial_network(records, StudentShape((8, 12), channels), 0).float()
            steps = dense_step(network, records), torch_step(network, records)
            dense, plain = (1000 * min(_seconds(step) for _ in range(REPEATS)) / atoms for step in steps)
            rows.append(
                f"{channels} channels: dense {dense:.2f} ms an atom, mace-torch {plain:.2f}: {plain / dense:.1f}x"
            )
    print("\n".join(rows))


def _seconds(step: Callable[[], None]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


if __name__ == "__main__":
    main()

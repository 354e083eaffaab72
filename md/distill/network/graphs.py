"""Labelled cells as dense neighbour lists, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from augment.cell import FloatArray, IntArray
from augment.neighbours import neighbours
from md.distill.network.dense import DenseGraphs, Labels
from md.labels.record import Record

__all__ = ["ENERGY_WEIGHT", "LABEL_WEIGHTS", "LabelledGraph", "collate_labelled", "energy_weight", "labelled_graphs"]

ENERGY_WEIGHT = "energy_weight"
"""Key of `DefectCell.provenance`: how much the energy of a cell counts; 1 without it, 0 to learn its forces alone."""

LABEL_WEIGHTS = (ENERGY_WEIGHT, "forces_weight", "stress_weight")
"""Keys of `DefectCell.provenance`: how much the energy, the forces and the stress of a cell count; 1 without one."""

_PADDING = 2.0
"""Length of the vectors of padding, in units of the cutoff: beyond the range of all that depends on distance."""


@dataclass(frozen=True, eq=False)
class LabelledGraph:
    """A cell of n atoms with at most k neighbours each, and what is left to learn of its labels.

    Attributes:
        species: (n,) index of the element.
        senders: (n, k) neighbours; any atom in padding.
        vectors: (n, k, 3) to the neighbours, Å; longer than the cutoff in padding.
        volume: Å³.
        energy: less atomic energies and repulsion, eV; forces (n, 3) eV/Å and stress (3, 3) eV/Å³ less the repulsion.
        weights: of the energy, the forces and the stress.
    """

    species: IntArray
    senders: IntArray
    vectors: FloatArray
    volume: float
    energy: float
    forces: FloatArray
    stress: FloatArray
    weights: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.species)


def energy_weight(record: Record) -> float:
    """How much the energy of a record counts in training."""
    return float(record.cell.provenance.get(ENERGY_WEIGHT, 1.0))


def labelled_graphs(records: Sequence[Record], network: Any) -> list[LabelledGraph]:
    """Graphs of records within the cutoff of a network (`ScaleShiftMACE`), its constant parts taken off the labels."""
    numbers = [int(z) for z in network.atomic_numbers]
    atomic = network.atomic_energies_fn.atomic_energies.detach().double().numpy().ravel()
    return [_without_repulsion(_graph(record, numbers, atomic, float(network.r_max)), network) for record in records]


def collate_labelled(graphs: Sequence[LabelledGraph], cutoff: float) -> tuple[DenseGraphs, Labels, torch.Tensor]:
    """One batch in float32: its neighbours, its labels, and the weights (g, 3) of its energies, forces and stresses."""
    sizes = np.array([len(g) for g in graphs])
    starts, width = np.cumsum(sizes) - sizes, max(g.senders.shape[1] for g in graphs)
    senders = np.zeros((sizes.sum(), width), dtype=np.int64)
    vectors = np.zeros((sizes.sum(), width, 3))
    vectors[..., 0] = _PADDING * cutoff
    for graph, start in zip(graphs, starts, strict=True):
        rows, k = slice(start, start + len(graph)), graph.senders.shape[1]
        senders[rows, :k], vectors[rows, :k] = graph.senders + start, graph.vectors
    batch = DenseGraphs(
        torch.as_tensor(np.concatenate([g.species for g in graphs])),
        torch.as_tensor(senders),
        _single(vectors),
        torch.as_tensor(np.repeat(np.arange(len(graphs)), sizes)),
        _single([g.volume for g in graphs]),
    )
    labels = Labels(
        _single([g.energy for g in graphs]),
        _single(np.concatenate([g.forces for g in graphs])),
        _single(np.stack([g.stress for g in graphs])),
    )
    return batch, labels, _single([g.weights for g in graphs])


def _single(values: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)


def _graph(record: Record, numbers: list[int], atomic: FloatArray, cutoff: float) -> LabelledGraph:
    from ase.stress import voigt_6_to_full_3x3_stress

    atoms = record.cell.to_ase()
    receivers, senders, vectors = neighbours("ijD", record.cell.cell, record.cell.positions, cutoff)
    counts = np.bincount(receivers, minlength=len(atoms))
    rank = np.arange(len(receivers)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.zeros((len(atoms), counts.max()), dtype=np.int64)
    padded = np.zeros((*table.shape, 3))
    padded[..., 0] = _PADDING * cutoff
    table[receivers, rank], padded[receivers, rank] = senders, vectors
    species = np.array([numbers.index(z) for z in atoms.numbers], dtype=np.int64)
    energy = record.energy - float(atomic[species].sum())
    stress = np.asarray(voigt_6_to_full_3x3_stress(record.stress))
    of_energy, of_forces, of_stress = (float(record.cell.provenance.get(name, 1.0)) for name in LABEL_WEIGHTS)
    weights = (of_energy, of_forces, of_stress)
    return LabelledGraph(species, table, padded, record.cell.volume, energy, record.forces, stress, weights)


def _without_repulsion(graph: LabelledGraph, network: Any) -> LabelledGraph:
    """The graph with the network's constant short-range repulsion taken off its labels."""
    if not hasattr(network, "pair_repulsion_fn"):
        return graph
    numbers = network.atomic_numbers
    dtype = network.scale_shift.scale.dtype
    vectors = torch.as_tensor(graph.vectors, dtype=dtype).flatten(0, 1).requires_grad_()
    n, k = graph.senders.shape
    edges = torch.as_tensor(np.stack([graph.senders.ravel(), np.repeat(np.arange(n), k)]))
    element = torch.nn.functional.one_hot(torch.as_tensor(graph.species), len(numbers)).to(dtype)
    energy = network.pair_repulsion_fn(vectors.norm(dim=-1, keepdim=True), element, edges, numbers).sum()
    energy = energy * network.scale_shift.scale
    slope = torch.autograd.grad(energy, vectors)[0].double().numpy()
    forces = slope.reshape(n, k, 3).sum(axis=1)
    np.subtract.at(forces, graph.senders.ravel(), slope)
    stress = graph.vectors.reshape(-1, 3).T @ slope / graph.volume
    left = {"energy": graph.energy - energy.item(), "forces": graph.forces - forces, "stress": graph.stress - stress}
    return replace(graph, **left)

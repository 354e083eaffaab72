"""The network a student begins as: a small MACE whose constants come from the labelled cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from augment.cell import FloatArray
from md.labels.record import Record
from md.labels.third_party import silent_evaluation
from md.students.network import double_precision, silent_mace

__all__ = ["StudentShape", "atomic_energies", "initial_network", "refit_atomic_energies", "shape_of"]

_RIDGE = 1e-6
"""Relative; where the cells do not fix every element's energy by itself, the smallest energies that fit are taken."""


@dataclass(frozen=True)
class StudentShape:
    """Size of a student.

    Attributes:
        numbers: atomic numbers, ascending.
        channels: features of an atom; cost grows a little slower than in proportion.
        r_max: cutoff of one layer, Å; two layers see twice as far.
        max_ell: of the spherical harmonics of bonds; the native evaluator wants 3.
        correlation: most bodies but one in a message; 3 likewise.
    """

    numbers: tuple[int, ...]
    channels: int = 16
    r_max: float = 4.5
    max_ell: int = 3
    correlation: int = 3


def shape_of(network: Any) -> StudentShape:
    """The shape of a student."""
    from md.students.network import config_of

    config = config_of(network)
    channels = int(network.node_embedding.linear.irreps_out.dim)
    numbers = tuple(int(z) for z in config["atomic_numbers"])
    return StudentShape(numbers, channels, config["r_max"], config["max_ell"], config["correlation"])


def atomic_energies(records: Sequence[Record], numbers: Sequence[int]) -> FloatArray:
    """Energy of each element, eV: least squares over the compositions of the cells.

    Isolated atoms are no use here: a teacher made for crystals says nothing sensible about them.
    """
    counts = np.array([[(r.cell.numbers == z).sum() for z in numbers] for r in records], dtype=float)
    energies = np.array([r.energy for r in records])
    scale = 1 / np.sqrt(counts.sum(axis=1))
    found = np.linalg.lstsq(counts * scale[:, None], energies * scale, rcond=_RIDGE)[0]
    return np.asarray(found, dtype=float)


def refit_atomic_energies(network: Any, records: Sequence[Record], energies: Sequence[float]) -> Any:
    """A copy of a trained network whose atomic energies are fitted again to what its energies leave over.

    Forces and stresses stay as they are: it takes away the part of the errors of energies that goes with composition.

    Args:
        network: `ScaleShiftMACE` in float64.
        records: labelled cells.
        energies: the network's own energies of them, eV.
    """
    import copy

    import torch

    numbers = [int(z) for z in network.atomic_numbers]
    left = [replace(r, energy=r.energy - e) for r, e in zip(records, energies, strict=True)]
    with silent_evaluation(), torch.no_grad():
        moved = copy.deepcopy(network)
        moved.atomic_energies_fn.atomic_energies += torch.from_numpy(atomic_energies(left, numbers))
    return moved


def initial_network(records: Sequence[Record], shape: StudentShape, seed: int) -> Any:
    """A MACE (`ScaleShiftMACE`, float64) with random weights, scaled by the labels (RMS of forces, atomic energies)."""
    energies = atomic_energies(records, shape.numbers)
    rms = float(np.sqrt(np.mean(np.concatenate([r.forces for r in records]) ** 2)))
    with silent_mace(), double_precision():
        import torch
        from e3nn.o3 import Irreps
        from mace.modules import ScaleShiftMACE, interaction_classes

        block = interaction_classes["RealAgnosticResidualInteractionBlock"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = ScaleShiftMACE(
                r_max=shape.r_max,
                num_bessel=10,
                num_polynomial_cutoff=5,
                max_ell=shape.max_ell,
                interaction_cls=block,
                interaction_cls_first=block,
                num_interactions=2,
                num_elements=len(shape.numbers),
                hidden_irreps=Irreps(f"{shape.channels}x0e"),
                MLP_irreps=Irreps("16x0e"),
                atomic_energies=energies[None],
                avg_num_neighbors=_neighbours(records, shape.r_max),
                atomic_numbers=list(shape.numbers),
                correlation=shape.correlation,
                gate=torch.nn.functional.silu,
                atomic_inter_scale=[max(rms, 1e-3)],
                atomic_inter_shift=0.0,
                radial_MLP=[],
                pair_repulsion=True,
                heads=["Default"],
            )
    return network


def _neighbours(records: Sequence[Record], cutoff: float) -> float:
    """Mean number of neighbours within the cutoff, from the density of the cells."""
    density = np.mean([len(r.cell) / r.cell.volume for r in records])
    return float(density * 4 / 3 * np.pi * cutoff**3)

"""A small MACE as a function of dense neighbour lists: the same parameters and the same numbers, several times faster.

mace-torch is written for every kind of network. A student has scalar features only, so that a message is a product of
matrices for each angular momentum, its product basis has a handful of independent invariants instead of dozens of
coupled paths, and the short-range repulsion is a constant of the training. What is left are few large matrix products.
(Batatia et al., 2022, https://arxiv.org/abs/2206.07697, equations 8 to 14.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augment.cell import FloatArray

__all__ = ["DenseGraphs", "DenseMace", "Labels"]

_EXACT = 1e-6
"""Largest residual of the invariants of a contraction in the reduced ones: rounding, nothing else."""

_PROBES = 200
"""Random moments at which polynomials are compared; a few more than there are invariants would do."""


@dataclass(frozen=True, eq=False)
class DenseGraphs:
    """Cells as one padded table of neighbours: n atoms, k neighbours of the atom that has most, g cells.

    Attributes:
        species: (n,) index of the element in the network's list.
        senders: (n, k) the neighbour; any atom in padding.
        vectors: (n, k, 3) from the atom to the neighbour, Å; longer than the cutoff in padding.
        cells: (n,) the cell of each atom.
        volumes: (g,) Å³.
    """

    species: Tensor
    senders: Tensor
    vectors: Tensor
    cells: Tensor
    volumes: Tensor


@dataclass(frozen=True, eq=False)
class Labels:
    """Energies (g,) eV, forces (n, 3) eV/Å and stresses (g, 3, 3) eV/Å³."""

    energy: Tensor
    forces: Tensor
    stress: Tensor


class DenseMace(nn.Module):
    """The learnt part of a network's energy; it shares the parameters of the network that it is made from.

    Args:
        network: `ScaleShiftMACE` with scalar features, two layers or more, and one head.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        ell = int(network.spherical_harmonics.irreps_out.lmax)
        self.channels = int(network.node_embedding.linear.irreps_out.dim)
        self.r_max, self.power = float(network.r_max), float(network.radial_embedding.cutoff_fn.p)
        self.ell = ell
        for degree in range(1, ell + 1):
            self.register_buffer(f"harmonics_{degree}", torch.as_tensor(_harmonics(degree)))
        self.widths = [2 * degree + 1 for degree in range(ell + 1)]
        first = network.products[0].symmetric_contractions.contractions[0]
        self.invariants = _Invariants(ell, first)
        self.gain = float(network.interactions[0].conv_tp_weights.layer0.act.cst) if _has_hidden(network) else 1.0
        self.readout_gain = float(network.readouts[-1].non_linearity.acts[0].cst)

    def forward(self, graphs: DenseGraphs, *, training: bool = True) -> Labels:
        """Learnt energy, forces and stress; differentiable in the parameters where `training`."""
        vectors = graphs.vectors.detach().requires_grad_()
        energies = torch.zeros_like(graphs.volumes).index_add(0, graphs.cells, self.atomic(graphs, vectors))
        (slope,) = torch.autograd.grad(energies.sum(), vectors, create_graph=training)
        forces = slope.sum(dim=1).index_add(0, graphs.senders.flatten(), slope.flatten(0, 1), alpha=-1)
        virial = torch.einsum("nka,nkb->nab", graphs.vectors, slope)
        total = virial.new_zeros(len(graphs.volumes), 3, 3).index_add(0, graphs.cells, virial)
        return Labels(energies, forces, (total + total.mT) / 2 / graphs.volumes[:, None, None])

    def atomic(self, graphs: DenseGraphs, vectors: Tensor) -> Tensor:
        """(n,) learnt energies of the atoms, eV."""
        net, c = self.network, self.channels
        distance = vectors.norm(dim=-1, keepdim=True)
        harmonics, radial = self._harmonics(vectors / distance), self._radial(distance)
        element = nn.functional.one_hot(graphs.species, len(net.atomic_numbers)).to(vectors.dtype)
        features = element @ net.node_embedding.linear.weight.view(-1, c) / element.shape[1] ** 0.5
        energies = []
        for layer, (interaction, product) in enumerate(zip(net.interactions, net.products, strict=True)):
            moments = self._message(interaction, features, graphs.senders, radial, harmonics)
            contraction = product.symmetric_contractions.contractions[0]
            mixed = self.invariants(moments, contraction, element) @ product.linear.weight.view(c, c) / c**0.5
            skip = interaction.skip_tp.weight.view(c, -1, c)
            features = mixed + torch.einsum("nu,nv,uvw->nw", features, element, skip) / (c * element.shape[1]) ** 0.5
            energies.append(self._readout(net.readouts[layer], features))
        total: Tensor = torch.stack(energies).sum(dim=0) * net.scale_shift.scale + net.scale_shift.shift
        return total

    def _harmonics(self, unit: Tensor) -> Tensor:
        """Real spherical harmonics (n, k, (l + 1)²)."""
        power, found = unit, [torch.ones_like(unit[..., :1])]
        for degree in range(1, self.ell + 1):
            found.append(power @ getattr(self, f"harmonics_{degree}"))
            power = (power[..., :, None] * unit[..., None, :]).flatten(-2)
        return torch.cat(found, dim=-1)

    def _radial(self, distance: Tensor) -> Tensor:
        """(n, k, b) Bessel functions that go to zero at the cutoff."""
        basis = self.network.radial_embedding.bessel_fn
        p, x = self.power, distance / self.r_max
        smooth = 1 - (p + 1) * (p + 2) / 2 * x**p + p * (p + 2) * x ** (p + 1) - p * (p + 1) / 2 * x ** (p + 2)
        inside = smooth * (x < 1)
        waves: Tensor = basis.prefactor * torch.sin(basis.bessel_weights * distance)
        return waves * (inside / distance)

    def _message(
        self, interaction: Any, features: Tensor, senders: Tensor, radial: Tensor, harmonics: Tensor
    ) -> Tensor:
        """(n, c, (l + 1)²) features of the neighbours, weighted by distance and direction."""
        c = self.channels
        layers, weights = list(interaction.conv_tp_weights.children()), radial
        for layer in layers[:-1]:
            weights = nn.functional.silu(weights @ (layer.weight / layer.h_in**0.5)) * self.gain
        weights = weights @ (layers[-1].weight / layers[-1].h_in ** 0.5)
        sent = (features @ interaction.linear_up.weight.view(c, c) / c**0.5)[senders]
        edges = (weights.unflatten(-1, (-1, c)) * sent[:, :, None, :]).unbind(dim=2)
        mixing = interaction.linear.weight.view(-1, c, c) / (c**0.5 * float(interaction.avg_num_neighbors))
        terms = zip(torch.split(harmonics, self.widths, dim=-1), edges, mixing, strict=True)
        return torch.cat([torch.bmm(harmonic.mT, edge) @ mix for harmonic, edge, mix in terms], dim=1)

    def _readout(self, readout: Any, features: Tensor) -> Tensor:
        """(n,) energies that a layer reads out."""
        c = self.channels
        if hasattr(readout, "linear"):
            return torch.mv(features, readout.linear.weight) / math.sqrt(c)
        hidden = features @ readout.linear_1.weight.view(c, -1) / c**0.5
        active = nn.functional.silu(hidden) * self.readout_gain
        return torch.mv(active, readout.linear_2.weight) / math.sqrt(active.shape[1])


class _Invariants(nn.Module):
    """Invariant polynomials of the moments of an atom, weighted by element and channel.

    The coupled paths of a contraction are linear combinations of fewer independent invariants: the mean of each
    feature, the square of each angular momentum, and one cubic form for every triple of angular momenta that couples.
    """

    forms: Tensor
    owner: Tensor
    squares: Tensor
    cubic_paths: Tensor
    square_paths: Tensor
    mean_paths: Tensor

    def __init__(self, ell: int, contraction: Any) -> None:
        super().__init__()
        self.widths = [2 * degree + 1 for degree in range(ell + 1)]
        squares = np.eye(ell + 1).repeat(self.widths, axis=0)
        self._hold("squares", squares)
        triples = [t for t in combinations_with_replacement(range(1, ell + 1), 3) if _couples(t)]
        self.pairs = list(dict.fromkeys(t[:2] for t in triples))
        forms, self.largest, owner = _cubic_forms(triples, self.pairs)
        self._hold("forms", forms)
        self._hold("owner", owner)
        probe = np.random.default_rng(0).normal(size=(_PROBES, len(squares)))
        cubic, square = (v.numpy() for v in self.double().values(torch.as_tensor(probe)))
        self._hold("cubic_paths", _expansion(contraction.U_matrix_3, probe, cubic))
        self._hold("square_paths", _expansion(contraction.U_matrix_2, probe, square))
        self._hold("mean_paths", _expansion(contraction.U_matrix_1, probe, probe[:, :1]))

    def _hold(self, name: str, array: FloatArray) -> None:
        self.register_buffer(name, torch.as_tensor(np.ascontiguousarray(array)))

    def forward(self, moments: Tensor, contraction: Any, element: Tensor) -> Tensor:
        """(n, c) of moments (n, (l + 1)², c)."""
        by_channel = moments.mT
        values = torch.cat([*self.values(by_channel), by_channel[..., :1]], dim=-1)
        third = torch.einsum("jk,ekc->ecj", self.cubic_paths, contraction.weights_max)
        second = torch.einsum("jk,ekc->ecj", self.square_paths, contraction.weights[0])
        first = torch.einsum("jk,ekc->ecj", self.mean_paths, contraction.weights[1])
        weights = torch.cat([third, second, first], dim=-1)
        chosen = (element @ weights.flatten(1)).view(len(element), *weights.shape[1:])
        return (values * chosen).sum(dim=-1)

    def values(self, moments: Tensor) -> tuple[Tensor, Tensor]:
        """Cubic (..., j) and square (..., l + 1) invariants of moments (..., (l + 1)²)."""
        squares = (moments**2) @ self.squares
        parts = torch.split(moments, self.widths, dim=-1)
        pairs = [(parts[a][..., :, None] * parts[b][..., None, :]).flatten(-2) for a, b in self.pairs]
        largest = torch.cat([parts[c] for c in self.largest], dim=-1)
        cubic = ((torch.cat(pairs, dim=-1) @ self.forms) * largest) @ self.owner
        return torch.cat([parts[0] * squares, cubic], dim=-1), squares


def _has_hidden(network: Any) -> bool:
    return len(list(network.interactions[0].conv_tp_weights.children())) > 1


def _couples(triple: tuple[int, int, int]) -> bool:
    a, b, c = triple
    return abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0


def _harmonics(ell: int) -> FloatArray:
    """(3^l, 2l + 1): real spherical harmonics as polynomials of degree l in a unit vector's components."""
    from e3nn.o3 import spherical_harmonics

    points = np.random.default_rng(0).normal(size=(200, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    power = points
    for _ in range(ell - 1):
        power = (power[:, :, None] * points[:, None, :]).reshape(len(points), -1)
    values = spherical_harmonics(ell, torch.as_tensor(points), normalize=True, normalization="component").numpy()
    matrix, *_ = np.linalg.lstsq(power, values, rcond=None)
    return np.asarray(matrix)


def _cubic_forms(
    triples: list[tuple[int, int, int]], pairs: list[tuple[int, int]]
) -> tuple[FloatArray, list[int], FloatArray]:
    """The two smaller moments of each triple coupled to the largest.

    Returns:
        couplings (p, f) of products of pairs, in the order of `pairs`; the largest momentum of each triple; (f, t) the
        triple of each of the f coupled values.
    """
    from e3nn.o3 import wigner_3j

    sizes = [(2 * a + 1) * (2 * b + 1) for a, b in pairs]
    starts = dict(zip(pairs, np.cumsum([0, *sizes]), strict=False))
    forms = np.zeros((sum(sizes), sum(2 * c + 1 for _, _, c in triples)))
    column = 0
    for a, b, c in triples:
        coupling = wigner_3j(a, b, c, dtype=torch.float64).numpy().reshape(-1, 2 * c + 1)
        forms[starts[a, b] : starts[a, b] + len(coupling), column : column + 2 * c + 1] = coupling
        column += 2 * c + 1
    largest = [c for _, _, c in triples]
    return forms, largest, np.eye(len(triples)).repeat([2 * c + 1 for c in largest], axis=0)


def _expansion(coupling: Tensor, moments: FloatArray, invariants: FloatArray) -> FloatArray:
    """(j, k): each path k of a coupling as a combination of the invariants j, from their values at random moments.

    Raises:
        ValueError: a path is no such combination.
    """
    paths = moments @ coupling.double().numpy().reshape(len(coupling), -1)
    for _ in range(coupling.ndim - 2):
        paths = np.einsum("pi,pij->pj", moments, paths.reshape(*moments.shape, -1))
    found, *_ = np.linalg.lstsq(invariants, paths, rcond=None)
    off = float(np.abs(invariants @ found - paths).max())
    if off > _EXACT * max(1.0, float(np.abs(paths).max())):
        raise ValueError(f"a coupling of shape {tuple(coupling.shape)} is no combination of invariants ({off:.0e})")
    return np.asarray(found)

"""Energies, forces and stresses of many cells in one forward pass of a MACE network.

Neighbours are found with a margin, cell by cell on the CPU, and kept while no pair can have come within the cutoff
unseen; every evaluation takes of them those within the cutoff, the very edges that the network's own calculator sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from augment.cell import DefectCell, IntArray
from augment.errors import PotentialError
from augment.neighbours import neighbours
from md.labels.third_party import silent_evaluation
from md.potentials import Potential
from md.potentials.mace.models import through_torch

SKIN = 0.6
"""Å; margin of the neighbour lists. An atom of a hot oxide moves half of it in some 30 fs."""

STALE = 0.5
"""Share of the margin used up beyond which a cell's neighbours are found anew along with another's: so that hundreds
of cells do not have theirs renewed one by one, a new table each time."""


@dataclass(frozen=True, eq=False)
class Flat:
    """Geometries of b cells with n atoms in all.

    Attributes:
        positions: (n, 3) Å.
        cells: (b, 3, 3) lattice vectors as rows, Å.
        owner: (n,) the cell of each atom, ascending.
        numbers: (n,) atomic numbers.
    """

    positions: Tensor
    cells: Tensor
    owner: Tensor
    numbers: Tensor

    @classmethod
    def of(cls, cells: Sequence[DefectCell], device: str) -> Flat:
        """The geometries of defect cells, in float64."""
        sizes = torch.as_tensor([len(cell) for cell in cells])
        return cls(
            torch.as_tensor(np.concatenate([cell.positions for cell in cells]), dtype=torch.float64, device=device),
            torch.as_tensor(np.stack([cell.cell for cell in cells]), dtype=torch.float64, device=device),
            torch.repeat_interleave(torch.arange(len(cells)), sizes).to(device),
            torch.as_tensor(np.concatenate([cell.numbers for cell in cells]), device=device),
        )

    @property
    def sizes(self) -> list[int]:
        """Number of atoms of each cell."""
        return [int(n) for n in torch.bincount(self.owner, minlength=len(self.cells)).tolist()]

    @property
    def volumes(self) -> Tensor:
        """(b,) Å³."""
        volumes: Tensor = torch.linalg.det(self.cells).abs()
        return volumes

    def only(self, places: IntArray) -> Flat:
        """The geometries of these cells."""
        rows = self.rows(places)
        owner = torch.searchsorted(torch.as_tensor(places, device=rows.device), self.owner[rows])
        return Flat(self.positions[rows], self.cells[places], owner, self.numbers[rows])

    def rows(self, places: IntArray) -> Tensor:
        """(m,) the atoms of these cells (ascending)."""
        return torch.isin(self.owner, torch.as_tensor(places, device=self.owner.device)).nonzero()[:, 0]


@dataclass(frozen=True, eq=False)
class BatchLabels:
    """Labels of b cells with n atoms in all.

    Attributes:
        energies: (b,) eV.
        forces: (n, 3) eV/Å.
        stresses: (b, 3, 3) eV/Å³, ASE sign.
        closest: (b,) shortest distance between two atoms, Å; infinite where none is within the cutoff.
    """

    energies: Tensor
    forces: Tensor
    stresses: Tensor
    closest: Tensor

    def only(self, places: IntArray, rows: Tensor) -> BatchLabels:
        """The labels of these cells, whose atoms are `rows`."""
        return BatchLabels(self.energies[places], self.forces[rows], self.stresses[places], self.closest[places])


class BatchForces:
    """A MACE potential applied to batches of cells.

    Args:
        potential: a student or a MACE model.
        device: where it is evaluated.

    Raises:
        PotentialError: it is no MACE network, or its weights cannot be loaded.
    """

    def __init__(self, potential: Potential, device: Literal["cpu", "cuda"]) -> None:
        self._network, self._head = _network(through_torch(potential), device)
        self.device = device
        self._cutoff = float(self._network.r_max)
        self._species = self._network.atomic_numbers.to(device)
        self.forget()

    def forget(self) -> None:
        """Make the next evaluation independent of those before, to the last bit."""
        self._edges: list[_Edges] = []
        self._table: _Edges | None = None

    def keep(self, places: IntArray) -> None:
        """Go on with these of the cells of the last evaluation."""
        self._edges = [self._edges[int(i)] for i in places]
        self._table = None

    def __call__(self, flat: Flat) -> BatchLabels:
        """Labels of a batch; of the same cells as the time before unless `forget` or `keep` said otherwise.

        Raises:
            PotentialError: the network failed, such as for want of memory.
        """
        table = self._neighbours(flat)
        vectors = self._vectors(flat, table)
        lengths = torch.linalg.vector_norm(vectors, dim=1)
        inside = lengths < self._cutoff
        edges = torch.stack([table.senders, table.receivers])[:, inside]
        closest = flat.cells.new_full((len(flat.cells),), torch.inf)
        closest = closest.scatter_reduce(0, flat.owner[edges[1]], lengths[inside], "amin")
        try:
            with silent_evaluation():
                labels = self._network(self._data(flat, edges, table.shifts[inside]), compute_stress=True)
        except RuntimeError as error:
            text = f"the potential failed on {len(flat.cells)} cells of {len(flat.positions)} atoms in all ({error})"
            raise PotentialError(f"{text}; where memory ran out, give fewer atoms to a batch") from error
        energies, forces, stresses = (labels[name].detach() for name in ("energy", "forces", "stress"))
        return BatchLabels(energies, forces, stresses, closest)

    def _vectors(self, flat: Flat, table: _Edges) -> Tensor:
        across = torch.einsum("ek,ekx->ex", table.shifts, flat.cells[flat.owner[table.receivers]])
        return flat.positions[table.receivers] - flat.positions[table.senders] + across

    def _data(self, flat: Flat, edges: Tensor, shifts: Tensor) -> dict[str, Tensor]:
        """The batch as mace-torch takes it."""
        sizes = torch.bincount(flat.owner, minlength=len(flat.cells))
        return {
            "positions": flat.positions.clone(),
            "cell": flat.cells.reshape(-1, 3).clone(),
            "node_attrs": (flat.numbers[:, None] == self._species).to(flat.positions.dtype),
            "edge_index": edges,
            "unit_shifts": shifts,
            "shifts": torch.einsum("ek,ekx->ex", shifts, flat.cells[flat.owner[edges[0]]]),
            "batch": flat.owner,
            "ptr": torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]),
            "head": torch.full_like(sizes, self._head),
        }

    def _neighbours(self, flat: Flat) -> _Edges:
        if not self._edges:
            self._renew(flat, range(len(flat.cells)))
        elif bool(((used := self._used(flat)) > 1).any()):
            self._renew(flat, (used > STALE).nonzero()[:, 0].tolist())
        if self._table is None:
            self._table = _joined(self._edges, flat.sizes)
        return self._table

    def _used(self, flat: Flat) -> Tensor:
        """(b,) share of the margin that atoms may have used up, since the neighbours of their cell were found.

        With all atoms carried along by the change of the cell, F = h0^-1 h, a pair outside of the margin is further
        apart than s (r + skin), s the smallest singular value of F; two atoms that moved u from there are 2 u closer.
        """
        cells = torch.stack([edges.cell for edges in self._edges])
        gradient = torch.linalg.solve(cells, flat.cells)
        smallest = torch.linalg.svdvals(gradient)[:, -1]
        carried = torch.einsum("nx,nxy->ny", torch.cat([e.positions for e in self._edges]), gradient[flat.owner])
        moved = torch.linalg.vector_norm(flat.positions - carried, dim=1)
        furthest = flat.cells.new_zeros(len(cells)).scatter_reduce(0, flat.owner, moved, "amax")
        margin = smallest * (self._cutoff + SKIN) - self._cutoff
        return torch.where(margin > 0, 2 * furthest / margin, torch.inf).nan_to_num(nan=torch.inf, posinf=torch.inf)

    def _renew(self, flat: Flat, which: Sequence[int] | range) -> None:
        positions, cells = torch.split(flat.positions, flat.sizes), flat.cells
        self._edges = self._edges or [_NONE] * len(cells)
        for i in which:
            self._edges[i] = _edges(positions[i], cells[i], self._cutoff + SKIN)
        self._table = None


@lru_cache(maxsize=2)
def _network(potential: Potential, device: str) -> tuple[Any, int]:
    """The network on a device, and the index of its head."""
    from copy import deepcopy

    calculator = potential.calculator()
    network = calculator.models[0]
    head = calculator.available_heads.index(calculator.head)
    return (network if device == "cpu" else deepcopy(network).to(device)), head


@dataclass(frozen=True, eq=False)
class _Edges:
    """Pairs within the margin, and where the atoms were when they were found.

    Attributes:
        senders: (e,) an atom.
        receivers: (e,) its neighbour.
        shifts: (e, 3) lattice vector, in cells, between the copies of both that are neighbours.
        positions: (n, 3) Å.
        cell: (3, 3) Å.
    """

    senders: Tensor
    receivers: Tensor
    shifts: Tensor
    positions: Tensor
    cell: Tensor


_NONE = _Edges(*[torch.empty(0)] * 5)


def _edges(positions: Tensor, cell: Tensor, reach: float) -> _Edges:
    senders, receivers, shifts = neighbours("ijS", cell.cpu().numpy(), positions.cpu().numpy(), reach)
    on = positions.device
    return _Edges(
        torch.as_tensor(senders.astype(np.int64), device=on),
        torch.as_tensor(receivers.astype(np.int64), device=on),
        torch.as_tensor(shifts, dtype=positions.dtype, device=on),
        positions.clone(),
        cell.clone(),
    )


def _joined(edges: Sequence[_Edges], sizes: Sequence[int]) -> _Edges:
    """The pairs of all cells in one table, their atoms numbered through."""
    first = np.cumsum([0, *sizes[:-1]]).tolist()
    return _Edges(
        torch.cat([e.senders + start for e, start in zip(edges, first, strict=True)]),
        torch.cat([e.receivers + start for e, start in zip(edges, first, strict=True)]),
        torch.cat([e.shifts for e in edges]),
        torch.cat([e.positions for e in edges]),
        torch.stack([e.cell for e in edges]),
    )

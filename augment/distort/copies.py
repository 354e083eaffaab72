"""A batch of distorted copies of one parent cell as arrays, and the blocks in which streams of them are drawn."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.errors import ConditionError, DataError
from augment.versions import versions

BLOCK = 128
"""Copies drawn from one generator. Large enough to vectorise over, small enough to stay in the processor's cache."""


@dataclass(frozen=True)
class CopyLabel:
    """What kind of distortion a copy is and what symmetry it keeps.

    Attributes:
        kind: `mode`, `bond -40%`, `dimer`, `rattle` or `strain`.
        irrep: Mulliken symbol of the irreducible representation; empty where the distortion mixes several.
        subgroup: Hermann-Mauguin symbol of H', the operations of the defect's stabilizer H that the copy keeps.
        multiplicity: |H| / |H'|, how many equivalent copies there are under H.
    """

    kind: str
    irrep: str
    subgroup: str
    multiplicity: int


@dataclass(frozen=True, eq=False)
class Copies:
    """Distorted copies of one cell: positions are (1 + strain) x + displacement for each position x of the parent.

    Attributes:
        parent: the undistorted cell.
        displacements: (m, n, 3) Cartesian, Å.
        strains: (m, 3, 3) symmetric.
        labels: the distinct labels of the stream.
        label: (m,) index into `labels`.
        amplitudes: (m,) largest displacement of the distortion before any rattle, Å; of a strain its largest
            principal value; of a plain rattle its standard deviation, Å.
        seed: of the stream.
        index: (m,) number of each copy in the stream.
        provenance: JSON values that all copies of the stream share (settings, versions).
    """

    parent: DefectCell
    displacements: FloatArray
    strains: FloatArray
    labels: tuple[CopyLabel, ...]
    label: IntArray
    amplitudes: FloatArray
    seed: int
    index: IntArray
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        m, n = len(self.label), len(self.parent)
        shapes = (self.displacements.shape, self.strains.shape, self.amplitudes.shape, self.index.shape)
        if shapes != ((m, n, 3), (m, 3, 3), (m,), (m,)):
            raise DataError(f"{self.parent.name}: shapes {shapes} do not fit {m} copies of {n} atoms")

    def __len__(self) -> int:
        return len(self.label)

    @overload
    def __getitem__(self, key: int) -> DefectCell: ...
    @overload
    def __getitem__(self, key: slice) -> Copies: ...
    def __getitem__(self, key: int | slice) -> DefectCell | Copies:
        if isinstance(key, slice):
            names = ("displacements", "strains", "label", "amplitudes", "index")
            return replace(self, **{name: getattr(self, name)[key] for name in names})
        return distorted_cell(
            self.parent, self.displacements[key], self.strains[key], self.labels[self.label[key]],
            {"amplitude": float(self.amplitudes[key]), "seed": self.seed, "index": int(self.index[key])},
            self.provenance,
        )  # fmt: skip

    def __iter__(self) -> Iterator[DefectCell]:
        return (self[k] for k in range(len(self)))


def distorted_cell(
    parent: DefectCell,
    displacements: FloatArray,
    strain: FloatArray,
    label: CopyLabel,
    numbers: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> DefectCell:
    """The defect cell of one copy; label, numbers (amplitude, seed, index) and provenance go into its own."""
    deformation = np.eye(3) + strain
    positions = parent.positions @ deformation.T + displacements
    info = {**provenance, **vars(label), **numbers, "geometry": "distorted"}
    return parent.with_geometry(positions, parent.cell @ deformation.T, **info)


def copy_stream(
    make: Callable[[IntArray, np.random.Generator], Copies], name: str, seed: int, start: int, stop: int
) -> Iterator[Copies]:
    """Copies `start` to `stop` of a stream, block by block; each block has a generator of its own.

    Args:
        make: copies of the given indices (BLOCK,), drawn from the given generator.
        name: of the stream; streams of different names and the same seed are independent.
        seed: not negative.
        start: first copy.
        stop: one after the last copy.

    Raises:
        ConditionError: the seed or the range is not possible.
    """
    if seed < 0 or not 0 <= start <= stop:
        raise ConditionError(
            f"seed {seed}, copies {start} to {stop}: they must not be negative nor end before they start"
        )
    salt = zlib.crc32(name.encode())
    for first in range(start - start % BLOCK, stop, BLOCK):
        rng = np.random.default_rng([seed, salt, first // BLOCK])
        block = make(np.arange(first, first + BLOCK), rng)
        yield block[max(start - first, 0) : stop - first]


def copies_provenance(defect: Defect | None, **settings: object) -> dict[str, Any]:
    """JSON values that say how copies were made: settings, versions, and of a defect where it is and its stabilizer."""
    made = {"settings": settings, "versions": versions("defectgen", "numpy", "spglib")}
    if defect is None:
        return made
    return made | {
        "hermite_normal_form": defect.supercell.hermite_normal_form.tolist(),
        "wyckoff": [orbit.wyckoff for orbit in defect.orbits],
        "H": defect.stabilizer.symbol,
        "stabilizer_order": defect.stabilizer.order,
    }

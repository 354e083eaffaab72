"""Labels of an image: columns of atoms along the beam, places that edits changed, and the mask of the defect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from defectgen.images.specimen import Specimen

ONE_COLUMN = 0.3
"""Å; sites of the pristine crystal whose projections are closer belong to one column: no lens separates them."""


@dataclass(frozen=True, eq=False)
class AtomColumn:
    """Atoms above one another along the beam.

    Attributes:
        x, y: mean position of its atoms in the image, Å; of its sites where all are vacant.
        before: how many atoms of each element it has in the pristine crystal.
        after: the same in the specimen.
        edits: number of its places that an edit changed.
    """

    x: float
    y: float
    before: dict[str, int]
    after: dict[str, int]
    edits: int

    def to_dict(self) -> dict[str, Any]:
        """JSON values; positions in Å."""
        return {"x": self.x, "y": self.y, "before": self.before, "after": self.after, "edits": self.edits}


@dataclass(frozen=True)
class EditedPlace:
    """A place that an edit changed.

    Attributes:
        x, y: where it is in the image, Å.
        z: its depth in the specimen, Å.
        before: element in the pristine crystal, empty for an interstitial.
        after: element in the specimen, empty for a vacancy.
    """

    x: float
    y: float
    z: float
    before: str
    after: str

    def to_dict(self) -> dict[str, Any]:
        """JSON values; positions in Å."""
        return {"x": self.x, "y": self.y, "z": self.z, "before": self.before, "after": self.after}


def atom_columns(specimen: Specimen, corner: FloatArray, field: float) -> list[AtomColumn]:
    """The columns in the field of view, by x and then y.

    Args:
        specimen: what is imaged.
        corner: (2,) place of the first pixel in the box of the specimen, Å.
        field: edge of the image, Å.
    """
    labels = _clusters(specimen.sites[:, :2])
    mean = specimen.mean[:, :2] - corner
    columns = []
    for label in range(labels.max() + 1):
        members = np.flatnonzero(labels == label)
        present = members[specimen.after[members] > 0]
        x, y = mean[present if len(present) else members].mean(axis=0)
        if 0 <= x < field and 0 <= y < field:
            counts = (_counts(specimen.before[members]), _counts(specimen.after[members]))
            columns.append(AtomColumn(float(x), float(y), *counts, int(specimen.changed[members].sum())))
    return sorted(columns, key=lambda column: (round(column.x, 3), column.y))


def _clusters(points: FloatArray) -> IntArray:
    """Number of the column of each point (m, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    first, second = cKDTree(points).query_pairs(ONE_COLUMN, output_type="ndarray").T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(points), len(points)))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _counts(numbers: IntArray) -> dict[str, int]:
    kinds, counts = np.unique(numbers[numbers > 0], return_counts=True)
    return {element_symbol(int(z)): int(count) for z, count in zip(kinds, counts, strict=True)}


def edited_places(specimen: Specimen, corner: FloatArray, field: float) -> list[EditedPlace]:
    """The changed places in the field of view. Arguments as for `atom_columns`."""
    found = []
    for place in np.flatnonzero(specimen.changed):
        x, y, z = (float(v) for v in specimen.mean[place] - (*corner, 0.0))
        if 0 <= x < field and 0 <= y < field:
            elements = (element_symbol(int(n[place])) for n in (specimen.before, specimen.after))
            found.append(EditedPlace(x, y, z, *elements))
    return found


def defect_mask(columns: list[AtomColumn], shape: tuple[int, int], pixel: float, radius: float) -> NDArray[np.bool_]:
    """(rows, columns) whether a pixel belongs to a column with an edited place: it is the nearest, within a radius.

    Args:
        columns: of the image.
        shape: of the image.
        pixel: Å.
        radius: Å.
    """
    if not any(column.edits for column in columns):
        return np.zeros(shape, dtype=bool)
    from scipy.spatial import cKDTree

    rows, across = np.meshgrid(*(np.arange(n) * pixel for n in shape), indexing="ij")
    tree = cKDTree([(column.y, column.x) for column in columns])
    distance, nearest = tree.query(np.stack([rows, across], axis=-1))
    edited = np.array([column.edits > 0 for column in columns])
    return np.asarray(edited[nearest] & (distance <= radius))

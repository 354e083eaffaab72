"""Strained copies: every symmetry that a homogeneous strain can keep, at volumes drawn from a range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.distort.copies import Copies, CopyLabel, copies_provenance, copy_stream
from augment.errors import ConditionError
from augment.groups.irreps import irreps, isotropy_subgroups, strain_characters

DEFAULT_VOLUME = (-0.06, 0.06)
"""Relative change of volume: some ±10 GPa in an oxide."""

DEFAULT_SHEAR = 0.03
"""Largest principal value of the part of a strain that keeps the volume."""


def strain_distorted(
    defect: Defect,
    copies: int,
    seed: int,
    *,
    start: int = 0,
    volume: tuple[float, float] = DEFAULT_VOLUME,
    shear: float = DEFAULT_SHEAR,
    cell: DefectCell | None = None,
) -> Iterator[Copies]:
    """Stream of strained copies whose atoms move along, the symmetries that strains can keep taken in turn.

    The first of them is H itself. A copy that keeps K has the strain P_K of a random one.

    Args:
        defect: its stabilizer is H.
        copies: how many.
        seed: of the stream.
        start: number of the first copy.
        volume: least and most relative change of volume; drawn evenly in between.
        shear: most of the largest principal value of the rest of the strain; drawn evenly from 0.
        cell: geometry to start from; the ideal one by default.

    Raises:
        ConditionError: the volumes, the shear, the seed or the range are not possible.
    """
    if not (-1 < volume[0] <= volume[1] and 0 <= shear < 1):
        raise ConditionError(f"volume changes {volume} must ascend from above -1, and shear {shear} be in [0, 1)")
    parent = defect.cell() if cell is None else cell
    group, action = defect.stabilizer, defect.symmetry()
    subgroups = isotropy_subgroups(group, strain_characters(action))
    trivial = irreps(group, action)[0].label
    labels = tuple(
        CopyLabel("strain", trivial if k.multiplicity == 1 else "", k.symbol, k.multiplicity) for k in subgroups
    )
    uniform = np.zeros((len(subgroups), group.order))
    for row, k in zip(uniform, subgroups, strict=True):
        row[k.members] = 1 / len(k.members)
    made = copies_provenance(defect, volume=volume, shear=shear)

    def make(index: IntArray, rng: np.random.Generator) -> Copies:
        label = index % len(subgroups)
        noise = rng.normal(size=(len(index), 3, 3))
        noise += noise.transpose(0, 2, 1)
        size = shear * rng.random(len(index))
        change = rng.uniform(*volume, size=len(index))
        for k in np.unique(label):
            noise[label == k] = action.strain_operator(uniform[k], noise[label == k])
        strains = _with_volume(_traceless(noise, size), change)
        still = np.zeros((len(index), len(parent), 3))
        return Copies(parent, still, strains, labels, label, _principal(strains), seed, index, made)

    return copy_stream(make, f"strain {parent.key}", seed, start, start + copies)


def _traceless(strains: FloatArray, size: FloatArray) -> FloatArray:
    """Traceless parts of strains (m, 3, 3) scaled to a largest principal value (m,); zero where there is none."""
    rest = strains - np.trace(strains, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    largest = _principal(rest)
    shapeless = largest < 1e-9 * np.maximum(_principal(strains), 1e-9)  # rounding errors of a pure dilation
    return np.asarray(rest * np.where(shapeless, 0.0, size / np.where(shapeless, 1.0, largest))[:, None, None])


def _with_volume(strains: FloatArray, change: FloatArray) -> FloatArray:
    """Strains (m, 3, 3) with a dilation that makes the volume exactly 1 + change times the unstrained one."""
    deformations = np.eye(3) + strains
    scale = np.cbrt((1 + change) / np.linalg.det(deformations))
    return np.asarray(scale[:, None, None] * deformations - np.eye(3))


def _principal(strains: FloatArray) -> FloatArray:
    return np.asarray(np.abs(np.linalg.eigvalsh(strains)).max(axis=1, initial=0.0))

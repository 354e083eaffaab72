"""Units and signs without a potential: energies of frames close to one another must differ by the work of the forces.

Between two frames r and r' = r + Δr of one cell, E' - E = -(F + F')·Δr / 2 up to third order, and a strain ε adds
V (σ + σ'):ε / 2. The ratio of both sides is 1, or a ratio of units: 1/27.2 for energies in Hartree, -1 for gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from defectgen.dataset.frame import NINE_OF_SIX, Frame
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations
from defectgen.dataset.validation.units import Unit, nearest_unit

MAX_PAIR_DISTANCE = 0.12
"""Å in the mean over atoms; frames closer than this differ by the work of their forces to a few per cent."""

MAX_PAIR_STRAIN = 0.03

MIN_WORK = 0.002
"""eV; smaller differences drown in the digits of the energies."""

MIN_PAIRS = 4
TOLERANCE = 0.3
"""Of ratios about their median."""

AGREEMENT = 0.6
"""Share of the pairs that must agree before anything is said."""

_PAIRS = 400
_RIGID = 1e-6


@dataclass(frozen=True, eq=False)
class Pair:
    """Two frames close to one another.

    Attributes:
        frames: their places in the survey.
        energy: difference of their energies, eV.
        work: of the forces on the way, with the sign of the energy, eV.
        strain_work: of the stress on the way, eV; 0 in a rigid cell, nan without a stress.
        size: atoms.
        volume: mean, Å³.
    """

    frames: tuple[int, int]
    energy: float
    work: float
    strain_work: float
    size: int
    volume: float


def consistency(seen: Observations) -> Iterator[Finding]:
    """Whether energies, forces and stresses are of one system of units, with the right signs."""
    pairs = close_pairs(seen)
    rigid = [p for p in pairs if p.strain_work == 0 and abs(p.work) > MIN_WORK]
    unit, sure = _ratio_unit([p.energy / p.work for p in rigid], [1.0 / p.size for p in rigid])
    if unit is not None:
        yield from _judged(seen, rigid, unit, sure)
    if unit is not None and unit.is_right:
        yield from _misfits(seen, rigid)
    if unit is None or unit.is_right:
        yield from _strained(pairs)


def _judged(seen: Observations, pairs: Sequence[Pair], unit: Unit, sure: float) -> Iterator[Finding]:
    if unit.is_right:
        return
    mask = np.zeros(len(seen), dtype=bool)
    mask[[k for pair in pairs for k in pair.frames]] = True
    yield seen.fault(
        "units",
        "error",
        f"energies change by {unit.ratio:.4g} times the work of the forces: {unit.meaning} ({sure:.0%} of {len(pairs)} "
        f"pairs of close frames agree; {{}} are in such pairs)",
        unit.advice,
        mask,
    )


def _misfits(seen: Observations, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Single frames whose energy does not fit their forces, where most fit."""
    off = np.array([pair.energy - pair.work for pair in pairs])
    work = np.array([abs(pair.work) for pair in pairs])
    bad = np.abs(off) > np.maximum(1.0, 3 * work) + _WIDE * np.median(np.abs(off))
    if bad.any() and bad.mean() < 1 - AGREEMENT:
        mask = np.zeros(len(seen), dtype=bool)
        mask[[k for pair, wrong in zip(pairs, bad, strict=True) if wrong for k in pair.frames]] = True
        yield seen.fault(
            "energies against forces",
            "warning",
            f"{{}} are in pairs of close frames whose energies differ by up to {np.abs(off).max():.3g} eV more than "
            "their forces explain",
            "one frame of each pair is not converged, or was labelled by another method",
            mask,
        )


_WIDE = 10.0


def _strained(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """The unit and sign of the stress, from pairs whose cells differ."""
    strained = [p for p in pairs if p.strain_work and np.isfinite(p.strain_work) and abs(p.energy - p.work) > MIN_WORK]
    ratios = [(p.energy - p.work) / p.strain_work for p in strained]
    unit, sure = _ratio_unit(ratios, [-1.0 / p.volume for p in strained], stress=True)
    if unit is not None and not unit.is_right:
        yield Finding(
            "units",
            "error",
            f"energies change by {unit.ratio:.4g} times the work of the stress: {unit.meaning} ({sure:.0%} of "
            f"{len(strained)} pairs of close frames agree)",
            unit.advice,
        )


def _ratio_unit(
    ratios: Sequence[float], special: Sequence[float], *, stress: bool = False
) -> tuple[Unit | None, float]:
    """The unit that most ratios speak for, and the share of them that do; None where they do not agree.

    Args:
        ratios: of the pairs.
        special: ratio of each pair if energies were those of an atom, or stresses were virials.
        stress: whether it is the unit of a stress.
    """
    if len(ratios) < MIN_PAIRS:
        return None, 0.0
    values = np.array(ratios)
    found: list[tuple[Unit, float]] = []
    for scaled, ours in ((values, False), (values / np.array(special), True)):
        middle = float(np.median(scaled))
        share = float((np.abs(scaled - middle) < TOLERANCE * abs(middle)).mean())
        unit = nearest_unit(middle, special=ours, stress=stress)
        if unit is not None and share >= AGREEMENT:
            found.append((unit, share))
    if not found:
        return None, 0.0
    right = [pair for pair in found if pair[0].is_right]
    ranked = right or sorted(found, key=lambda pair: pair[0].distance)
    (unit, share), others = ranked[0], [other for other, _ in ranked[1:]]
    return unit.with_doubt(others), share


def close_pairs(seen: Observations) -> list[Pair]:
    """Pairs of frames of the sample that are close to one another, the nearest neighbours of each."""
    groups: dict[bytes, list[int]] = {}
    for index, frame in seen.sample.items():
        if frame.energy is not None and frame.forces is not None:
            groups.setdefault(frame.numbers.tobytes() + frame.pbc.tobytes(), []).append(index)
    found: list[Pair] = []
    for members in groups.values():
        for first, second in _neighbours(seen, np.array(members)):
            pair = _pair(seen.sample[first], seen.sample[second], (first, second))
            if pair is not None:
                found.append(pair)
            if len(found) >= _PAIRS:
                return found
    return found


def _neighbours(seen: Observations, members: IntArray) -> list[tuple[int, int]]:
    """Successive frames, and each frame with its nearest."""
    from scipy.spatial import cKDTree

    if len(members) < 2:  # noqa: PLR2004  a pair
        return []
    points = seen.survey.sketches[members]
    reach = 2 * MAX_PAIR_DISTANCE * np.sqrt(len(seen.sample[int(members[0])]))
    distance, near = cKDTree(points).query(points, k=min(3, len(members)), distance_upper_bound=reach)
    pairs = {
        (min(i, j), max(i, j)): float(d)
        for i, (row, ds) in enumerate(zip(near.tolist(), distance.tolist(), strict=True))
        for j, d in zip(row, ds, strict=True)
        if i != j and j < len(members)
    }
    pairs |= {(i, i + 1): 0.0 for i in range(len(members) - 1)}
    ranked = sorted(pairs, key=lambda pair: (pairs[pair], pair))
    return [(int(members[i]), int(members[j])) for i, j in ranked[: 4 * _PAIRS]]


def _pair(first: Frame, second: Frame, frames: tuple[int, int]) -> Pair | None:
    """Energy and work between two frames; None where they are too far apart or the same."""
    assert first.energy is not None and second.energy is not None  # noqa: S101, PT018  chosen so
    assert first.forces is not None and second.forces is not None  # noqa: S101, PT018
    cell = (first.cell + second.cell) / 2
    periodic = bool(first.volume and second.volume)
    rigid = not periodic or bool(np.abs(first.cell - second.cell).max() < _RIGID)
    step = _displacement(first, second, cell) if periodic else second.positions - first.positions
    length = float((step**2).sum())
    if length > MAX_PAIR_DISTANCE**2 * len(first) or (rigid and length == 0):
        return None
    work = -float(((first.forces + second.forces) / 2 * step).sum())
    strain_work = 0.0 if rigid else _strain_work(first, second, cell)
    if not rigid and np.abs(np.linalg.solve(first.cell, second.cell) - np.eye(3)).max() > MAX_PAIR_STRAIN:
        return None
    volume = (first.volume + second.volume) / 2
    return Pair(frames, second.energy - first.energy, work, strain_work, len(first), volume or 1.0)


def _displacement(first: Frame, second: Frame, cell: FloatArray) -> FloatArray:
    """(n, 3) displacement of each atom besides the strain, to its nearest image, without the motion of the whole."""
    fractional = second.positions @ np.linalg.inv(second.cell) - first.positions @ np.linalg.inv(first.cell)
    fractional -= np.where(first.pbc, np.round(fractional), 0.0)
    step: FloatArray = fractional @ cell
    return step


def _strain_work(first: Frame, second: Frame, cell: FloatArray) -> float:
    """V σ:ε of the mean stress, eV; nan without one."""
    if first.stress is None or second.stress is None:
        return float("nan")
    gradient = np.linalg.solve(cell, second.cell - first.cell)
    strain = (gradient + gradient.T) / 2
    stress = ((first.stress + second.stress) / 2)[NINE_OF_SIX].reshape(3, 3)
    return float(abs(np.linalg.det(cell)) * (stress * strain).sum())

"""Jumps of defects and what they diffuse by: barriers, attempt frequencies, diffusion coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import DataError, DefectgenError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.near_group import near_group
from defectgen.thermodynamics.cache import ResultCache, fingerprint
from md.energetics import Jump, NormalModes, attempt_frequency, migration_barrier, normal_modes

__all__ = ["JumpRate", "jump_diffusion", "jump_rate", "kept_symmetry"]

ASSUMED_FREQUENCY = 10.0
"""THz; of a jump whose modes are not computed, within a factor of three of most measured ones."""

CM2_PER_A2 = 1e-16

MAX_OFF_SYMMETRY = 0.05
"""Å; a relaxation that ends at 0.03 eV/Å leaves an atom so far off its symmetric place at most."""


@dataclass(frozen=True)
class JumpRate:
    """One kind of jump out of a defect.

    Attributes:
        distance: Å.
        multiplicity: equivalent jumps out of the defect.
        forward: barrier, eV.
        reverse: barrier of the way back, eV.
        attempt_frequency: THz; None where the modes were not computed, and 10 is taken.
        returns: whether it ends in an equivalent defect, so that it can go on for ever.
        coordinates: length of the path up to each image, Å.
        energies: of the images, eV.
    """

    distance: float
    multiplicity: int
    forward: float
    reverse: float
    attempt_frequency: float | None
    returns: bool
    coordinates: tuple[float, ...]
    energies: tuple[float, ...]

    def rate(self, temperature: float) -> float:
        """Jumps a second along one path, nu exp(-E / k T), at a temperature in K."""
        from ase import units

        frequency = ASSUMED_FREQUENCY if self.attempt_frequency is None else self.attempt_frequency
        return float(frequency * 1e12 * np.exp(-self.forward / (units.kB * temperature)))

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def jump_diffusion(jumps: Sequence[JumpRate], temperature: float) -> float | None:
    """Diffusion coefficient of a defect, cm²/s: a sixth of the sum of n d² times the rate, mean over directions.

    Of jumps that end in an equivalent defect; None without one. Times the share of sites that are vacant, and the
    correlation factor of the lattice (0.781 in fcc), it is that of tracer atoms.
    """
    returning = [jump for jump in jumps if jump.returns]
    if not returning:
        return None
    return sum(j.multiplicity * j.distance**2 * j.rate(temperature) for j in returning) / 6 * CM2_PER_A2


def jump_rate(jump: Jump, start: DefectCell, cache: ResultCache, modes: NormalModes | None = None) -> JumpRate:
    """The barrier of a jump, and its attempt frequency where the modes of the start are given; kept.

    Raises:
        DataError: an end or the path does not relax, or an end is the highest point of it.
    """

    def compute() -> dict[str, Any]:
        barrier = migration_barrier(jump, cache.potential, start)
        if barrier.ends_at_top:
            raise DataError(f"an end of a jump of {jump.defect.name} is the top of its path: it is no minimum")
        frequency = None if modes is None else _frequency(jump, barrier.saddle, modes, cache)
        found = JumpRate(
            jump.distance, jump.multiplicity, barrier.forward, barrier.reverse, frequency,
            jump.final.key == jump.defect.key, tuple(barrier.coordinates.tolist()), tuple(barrier.energies.tolist()),
        )  # fmt: skip
        return found.to_dict()

    made_from = {
        "kind": "jump", "cell": fingerprint(start), "origin": jump.origin, "goal": jump.goal,
        "modes": modes is not None,
    }  # fmt: skip
    kept = cache.get(f"{jump.defect.name} jump", made_from, compute)
    return JumpRate(**{**kept, "coordinates": tuple(kept["coordinates"]), "energies": tuple(kept["energies"])})


def _frequency(jump: Jump, saddle: DefectCell, modes: NormalModes, cache: ResultCache) -> float | None:
    """Vineyard's attempt frequency, THz; None where the saddle has not exactly one imaginary mode."""
    first, last = jump.ideal_ends(saddle.cell)
    symmetry = kept_symmetry(jump.symmetry, (first + last) / 2, saddle.positions)
    try:
        return attempt_frequency(modes, normal_modes(saddle, cache.potential, symmetry))
    except DefectgenError:
        return None


def kept_symmetry(group: CellSymmetry, ideal: FloatArray, positions: FloatArray) -> CellSymmetry:
    """The operations of a group that atoms moved off ideal places have kept."""
    moved = positions - ideal
    moved = moved - moved.mean(axis=0)
    turned = np.einsum("hab,nb->hna", group.rotations, moved)
    # Operation k takes atom i to the place of atom permutations[k, i].
    off = np.linalg.norm(turned - moved[group.permutations], axis=2).max(axis=1)
    kept = near_group(group.group, dict(enumerate(off.tolist())), MAX_OFF_SYMMETRY)
    return group if len(kept) == group.order else group.subset(kept)

"""The nudged elastic band with a climbing image between two geometries at rest, at fixed cell.

Henkelman, Uberuaga and Jónsson, J. Chem. Phys. 113, 9901 (2000), with the improved tangent of the paper after it; ASE's
implementation. The band starts as a straight line.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError
from md.labels.evaluator import Divergence, Evaluator, guarded_calculator
from md.labels.third_party import one_torch_thread
from md.potentials import Potential

__all__ = ["BARRIERLESS", "Band", "check_images", "relaxed_band"]

SPRING = 1.0
"""eV/Å²; between images. With the improved tangent the result does not depend on it."""

FIRST_FORCE = 0.1
"""eV/Å; largest force of the band before its highest image starts to climb."""

MAX_BAND_STEPS = 500

BARRIERLESS = 1e-3
"""eV; a dip between images that is not deeper is rounding."""


@dataclass(frozen=True, eq=False)
class Band:
    """A minimum-energy path.

    Attributes:
        coordinates: (m,) length of the path up to each image, Å.
        energies: (m,) of the images, the relaxed start 0, eV.
        path: (m,) geometries, ends included.
        fmax: largest force left perpendicular to the path (at the climbing image in all directions), eV/Å.
        evaluations: of the potential that it took.
        failure: why it is no minimum-energy path; empty where it is one.
    """

    coordinates: FloatArray
    energies: FloatArray
    path: tuple[DefectCell, ...]
    fmax: float
    evaluations: int = 0
    failure: str = ""

    @property
    def forward(self) -> float:
        """Energy of the highest image above the start, eV."""
        return float(self.energies.max())

    @property
    def reverse(self) -> float:
        """Energy of the highest image above the end, eV."""
        return float(self.energies.max() - self.energies[-1])

    @property
    def saddle(self) -> DefectCell:
        """The highest image."""
        return self.path[int(self.energies.argmax())]

    @property
    def ends_at_top(self) -> bool:
        """Whether an end is the highest image: forces vanish there by symmetry alone, and it is no place to rest."""
        return int(self.energies.argmax()) in {0, len(self.energies) - 1}

    @property
    def has_intermediate(self) -> bool:
        """Whether the path runs through another minimum, so that it is two jumps and not one."""
        inner = self.energies[1:-1]
        left, right = np.maximum.accumulate(self.energies)[:-2], np.maximum.accumulate(self.energies[::-1])[::-1][2:]
        return bool((np.minimum(left, right) - inner > BARRIERLESS).any())


def relaxed_band(
    first: DefectCell, last: DefectCell, potential: Potential, *, images: int = 5, fmax: float = 0.02
) -> Band:
    """The path between two geometries at rest; `Band.failure` says where there is none.

    Args:
        first: the start, at rest.
        last: the end, at rest, its atoms in the same order, each in the periodic image that it goes to.
        potential: what evaluates the images.
        images: moving images; odd, so that one is at the middle of a symmetric path.
        fmax: largest force left, eV/Å.

    Raises:
        ConditionError: `images` is even or not positive.
        PotentialError: an element is not covered, or the potential fails.
    """
    check_images(images)
    shares = np.linspace(0, 1, images + 2)
    evaluators = [Evaluator(first.numbers, potential.calculator(), first.volume, largest_force=np.inf) for _ in shares]
    chain = [_image(first, last, *pair) for pair in zip(shares, evaluators, strict=True)]
    with one_torch_thread(wanted=potential.uses_torch):
        try:
            left = _relax(chain, fmax)
            energies = np.array([atoms.get_potential_energy() for atoms in chain])
            failure = "" if left <= fmax else f"{left:.3f} eV/Å left after {MAX_BAND_STEPS} steps"
        except Divergence as signal:
            left, energies, failure = np.inf, np.full(len(chain), np.nan), f"diverged: {signal}"
    path = tuple(first.with_geometry(atoms.get_positions()) for atoms in chain)
    steps = [np.linalg.norm(b.positions - a.positions) for a, b in pairwise(path)]
    lengths = np.concatenate([[0.0], np.cumsum(steps)])
    return Band(lengths, energies - energies[0], path, left, sum(one.calls for one in evaluators), failure)


def check_images(images: int) -> None:
    """Check a number of moving images.

    Raises:
        ConditionError: it is even or not positive.
    """
    if images < 1 or images % 2 == 0:
        raise ConditionError(f"{images} images; give an odd number, so that one is in the middle of the path")


def _image(first: DefectCell, last: DefectCell, share: float, evaluator: Evaluator) -> Any:
    """ASE Atoms at a share of the straight line between the ends, evaluated behind the guards."""
    atoms = first.to_ase()
    atoms.positions += share * (last.positions - first.positions)
    atoms.calc = guarded_calculator(evaluator)
    return atoms


def _relax(chain: list[Any], fmax: float) -> float:
    """Relax a band, its highest image climbing at the end; returns the largest force left, eV/Å."""
    from ase.mep import NEB
    from ase.optimize import FIRE

    for climb, limit in ((False, max(FIRST_FORCE, fmax)), (True, fmax)):
        band = NEB(chain, k=SPRING, climb=climb, method="improvedtangent")
        FIRE(band, logfile=None).run(fmax=limit, steps=MAX_BAND_STEPS)
    return float(np.linalg.norm(band.get_forces(), axis=1).max())

"""Which defects of a host to label: a few of each kind, drawn from a seeded generator, dopants chosen by likeness."""

from __future__ import annotations

import warnings
from collections.abc import Collection

import numpy as np

from augment import Defect, Supercell, point_defects
from defectgen.representation.elements import covalent_radii

DOPANTS = (
    "Li", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "K", "Ca", "Sc", "Ti", "V",
    "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Rb", "Sr", "Y", "Zr", "Nb", "Mo",
    "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Cs", "Ba", "La", "Ce", "Hf", "Ta", "W", "Pb", "Bi",
)  # fmt: skip
"""Elements to dope with: common ones that the teacher has seen much of."""

MAX_INTERSTITIAL_ORBITS = 3
"""Interstitials are put into the widest voids only."""

_LIKE_RADIUS = 1.3
_LIKE_ELECTRONEGATIVITY = 0.7


def similar_dopants(elements: tuple[str, ...]) -> list[tuple[str, str]]:
    """(dopant, host element) pairs of like size and electronegativity, as substitutions in the laboratory are."""
    pairs = []
    for element in elements:
        for dopant in DOPANTS:
            if dopant in elements:
                continue
            ratio = _radius(dopant) / _radius(element)
            near = abs(_electronegativity(dopant) - _electronegativity(element)) < _LIKE_ELECTRONEGATIVITY
            if near and 1.0 / _LIKE_RADIUS < ratio < _LIKE_RADIUS:
                pairs.append((dopant, element))
    return pairs


def choose_defects(
    supercell: Supercell, rng: np.random.Generator, known: Collection[str] = DOPANTS, extra: float = 0.5
) -> list[Defect]:
    """Up to two vacancies, a substitution and an interstitial, and sometimes one more substitution and an antisite.

    Args:
        supercell: where the defects are put.
        rng: decides; the same state gives the same defects.
        known: elements that may be doped with, those of the teacher.
        extra: probability of each optional defect.
    """
    chosen = _some(point_defects(supercell, kinds=["vacancy"]), rng, 2)
    substitutions = _substitutions(supercell, rng, known)
    interstitials = point_defects(supercell, kinds=["interstitial"], max_voids=MAX_INTERSTITIAL_ORBITS)
    chosen += substitutions[:1] + _some(interstitials, rng, 1)
    if rng.random() < extra:
        chosen += substitutions[1:]
    if rng.random() < extra:
        chosen += _some(point_defects(supercell, kinds=["antisite"]), rng, 1)
    return chosen


def _substitutions(supercell: Supercell, rng: np.random.Generator, known: Collection[str]) -> list[Defect]:
    """Two substitutions of like elements, or fewer where there are none."""
    pairs = [pair for pair in similar_dopants(supercell.host.elements) if pair[0] in known]
    chosen: list[Defect] = []
    for index in rng.permutation(len(pairs))[:2]:
        dopant, element = pairs[int(index)]
        options = point_defects(supercell, dopants=[dopant], kinds=["substitution"])
        chosen += _some([d for d in options if d.orbits[0].element == element], rng, 1)
    return chosen


def _some(defects: list[Defect], rng: np.random.Generator, count: int) -> list[Defect]:
    order = rng.permutation(len(defects))[:count]
    return [defects[int(i)] for i in order]


def _radius(symbol: str) -> float:
    from ase.data import atomic_numbers

    return float(covalent_radii(np.array(atomic_numbers[symbol])))


def _electronegativity(symbol: str) -> float:
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(Element(symbol).X)

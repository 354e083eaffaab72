"""Input features of a chemical element besides its number, so that it can say something about new ones."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.elements import MAX_ATOMIC_NUMBER

MAX_NUMBER = MAX_ATOMIC_NUMBER
"""Largest atomic number of the tables; row 0 stands for "no atom"."""

DESCRIPTORS = 9
"""Columns of the descriptor table."""


def covalent_radii(numbers: IntArray) -> FloatArray:
    """Covalent radii of Cordero et al. (2008) in Å for atomic numbers of any shape; 0 for number 0 (no atom)."""
    from ase.data import covalent_radii as radii

    table = np.array(radii[: MAX_NUMBER + 1], dtype=float)
    table[0] = 0.0
    return table[numbers]


def descriptor_table() -> FloatArray:
    """(MAX_NUMBER + 1, DESCRIPTORS) standardised element descriptors; row 0 is zero.

    Columns: covalent radius, electronegativity, period, group, lowest and highest common oxidation state, first
    ionisation energy, electron affinity, Mendeleev number. What is unknown for an element is taken as the mean.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns for each noble gas without an electronegativity
        raw = np.array([_descriptors(z) for z in range(1, MAX_NUMBER + 1)], dtype=float)
    mean, std = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    table = np.where(np.isnan(raw), 0.0, (raw - mean) / std)
    return np.concatenate([np.zeros((1, table.shape[1])), table])


def _descriptors(number: int) -> list[float]:
    from pymatgen.core import Element

    element = Element.from_Z(number)
    states = element.common_oxidation_states or (0,)
    values = [
        float(covalent_radii(np.array(number))),
        element.X,
        element.row,
        element.group,
        min(states),
        max(states),
        element.ionization_energy,
        element.electron_affinity,
        element.mendeleev_no,
    ]
    return [np.nan if value is None else float(value) for value in values]

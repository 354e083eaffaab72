"""A minimum in a few words: new bonds, atoms that left their sites, and how far what is foreign is off centre."""

from __future__ import annotations

import numpy as np
from ase.data import covalent_radii

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.elements import element_symbol
from defectgen.ground_states.same_geometry import aligned, wrapped

__all__ = ["geometry_in_words", "in_words"]

_BOND = 1.2
"""Ratio to the sum of covalent radii up to which two atoms are bound."""

_NEW = 0.85
"""Ratio to the distance on the ideal sites below which a bond is new."""

_LEFT = 1.0
"""Å; an atom that moves further has left its site."""

_OFF_CENTRE, _MOVED = 0.15, 0.05
"""Å; shifts smaller than these are not worth a word."""

_MOST = 2
"""Of each kind that are named."""


def in_words(defect: Defect, ideal: DefectCell, positions: FloatArray) -> str:
    """What distinguishes a geometry (n, 3), Å, from the ideal one: "Te-Te 2.72 Å, Cd left its site by 1.9 Å"."""
    edited = np.flatnonzero(np.isin(ideal.sites, [edit.site for edit in defect.edits if edit.number]))
    return geometry_in_words(ideal, positions, edited)


def geometry_in_words(ideal: DefectCell, positions: FloatArray, edited: IntArray) -> str:
    """`in_words` of a defect of which only the substituted and inserted atoms are known, by their numbers in a cell."""
    # An atom that took the place of a like one left nothing behind.
    positions = positions[aligned(positions, ideal.numbers, ideal.positions, ideal.numbers, ideal.cell)]
    moved = wrapped(positions - ideal.positions, ideal.cell)
    moved = moved - np.median(moved, axis=0)
    far = np.linalg.norm(moved, axis=1)
    said = [*_new_bonds(ideal, positions, far), *_left(ideal, far)]
    said += [
        f"{element_symbol(int(ideal.numbers[i]))} {far[i]:.2f} Å off its site"
        for i in edited
        if _OFF_CENTRE < far[i] <= _LEFT
    ]
    if said:
        return ", ".join(said)
    largest = float(far.max(initial=0.0))
    return f"atoms within {largest:.2f} Å of their sites" if largest > _MOVED else "ideal sites"


def _new_bonds(ideal: DefectCell, positions: FloatArray, far: FloatArray) -> list[str]:
    """Pairs that are bound here and were not on the ideal sites, the shortest in its bond first."""
    near = np.flatnonzero(far > _MOVED)
    found = []
    for k, i in enumerate(near):
        for j in np.setdiff1d(np.arange(len(far)), near[: k + 1]):
            length, before = (
                float(np.linalg.norm(wrapped(x[i] - x[j], ideal.cell))) for x in (positions, ideal.positions)
            )
            radii = covalent_radii[ideal.numbers[i]] + covalent_radii[ideal.numbers[j]]
            if length < _BOND * radii and length < _NEW * before and before > _BOND * radii:
                names = sorted(element_symbol(int(ideal.numbers[m])) for m in (i, j))
                found.append((length / radii, f"{'-'.join(names)} {length:.2f} Å"))
    return [words for _, words in sorted(found)[:_MOST]]


def _left(ideal: DefectCell, far: FloatArray) -> list[str]:
    order = np.argsort(-far, kind="stable")[:_MOST]
    return [f"{element_symbol(int(ideal.numbers[i]))} left its site by {far[i]:.1f} Å" for i in order if far[i] > _LEFT]

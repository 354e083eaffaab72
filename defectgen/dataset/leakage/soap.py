"""SOAP power spectra of the surroundings of each atom: the space in which frames are compared for leakage.

Smooth overlaps of atomic positions (Bartók, Kondor and Csányi, Phys. Rev. B 87, 184115 (2013)), of each neighbouring
element with itself only (Darby, Kermode and Csányi, npj Comput. Mater. 8, 166 (2022)), so that the length grows with
the number of elements and not with its square. Rotations, reflections, permutations and another cell of the same
crystal leave them as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import factorial

import numpy as np
from numpy.polynomial import legendre

from augment.cell import FloatArray, IntArray
from defectgen.dataset.frame import Frame

SOAP_CUTOFF = 5.0
"""Å; the third shell of most oxides is within 4.5."""

_RADII = np.linspace(1.2, 4.5, 6)
_WIDTH = 0.5
"""Å; centres and width of the radial functions."""

_MAX_ORDER = 4
"""Largest l of the power spectrum."""

_UPPER = np.triu_indices(len(_RADII))
PER_ELEMENT = len(_UPPER[0]) * (_MAX_ORDER + 1)
"""Numbers for each neighbouring element."""


def power_spectra(frame: Frame, elements: Sequence[int]) -> FloatArray:
    """(n, `PER_ELEMENT` * elements) power spectrum of each atom.

    With f_n(r) the radial functions and u the unit vectors to the neighbours j, k of one element,
    p_nn'l = sum_jk f_n(r_j) f_n'(r_k) P_l(u_j . u_k), which is the sum over m of c_nlm c*_n'lm up to a constant.

    Args:
        frame: the structure.
        elements: atomic numbers of the neighbours that count, in the order of the numbers.
    """
    first, second, distance, vector = _neighbours(frame)
    monomials, orders, factors = _monomials(vector / distance[:, None])
    radial = _radial(distance)
    found = []
    for element in elements:
        chosen = np.flatnonzero(frame.numbers[second] == element)
        moments = _sums_over_neighbours(first[chosen], radial[chosen], monomials[chosen], len(frame))
        found.append(_legendre_sums(moments, orders, factors))
    return np.concatenate(found, axis=1)


def _neighbours(frame: Frame) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    from matscipy.neighbours import neighbour_list

    cell = frame.cell if frame.volume else np.eye(3)
    periodic = frame.pbc & bool(frame.volume)
    found: tuple[IntArray, IntArray, FloatArray, FloatArray] = neighbour_list(
        "ijdD", cutoff=SOAP_CUTOFF, positions=frame.positions, cell=cell, pbc=periodic
    )
    return found


def _radial(distance: FloatArray) -> FloatArray:
    """(pairs, n) radial functions: Gaussians that fade out at the cutoff, each as heavy as the others in a gas."""
    fade = 0.5 * (1 + np.cos(np.pi * distance / SOAP_CUTOFF))[:, None]
    values: FloatArray = fade * np.exp(-0.5 * ((distance[:, None] - _RADII) / _WIDTH) ** 2) / _RADII**2
    return values


def _monomials(units: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """x^a y^b z^c of unit vectors up to order 4, with the order and the multinomial factor of each column."""
    powers = [
        (a, b, k - a - b) for k in range(_MAX_ORDER + 1) for a in range(k + 1) for b in range(k + 1 - a)
    ]  # fmt: skip
    ones = np.ones((1, *units.T.shape))
    raised = np.cumprod(np.concatenate([ones, *[units.T[None]] * _MAX_ORDER]), axis=0)
    columns = np.ascontiguousarray(np.stack([raised[a, 0] * raised[b, 1] * raised[c, 2] for a, b, c in powers]).T)
    factors = [factorial(a + b + c) / (factorial(a) * factorial(b) * factorial(c)) for a, b, c in powers]
    return columns, np.array([sum(power) for power in powers]), np.array(factors)


def _sums_over_neighbours(atoms: IntArray, radial: FloatArray, monomials: FloatArray, n: int) -> FloatArray:
    """(n, radii, monomials) sums of radial function times monomial over the neighbours of each atom.

    One sparse product, as the outer products of all pairs would be ten times as large as what comes out.

    Args:
        atoms: (pairs,) atom that a pair belongs to.
        radial: (pairs, radii).
        monomials: (pairs, monomials).
        n: number of atoms.
    """
    from scipy.sparse import csr_matrix

    pairs, radii = radial.shape
    rows, columns = atoms[:, None] * radii + np.arange(radii), np.repeat(np.arange(pairs), radii)
    weights = csr_matrix((radial.ravel(), (rows.ravel(), columns)), (n * radii, pairs))
    sums: FloatArray = (weights @ monomials).reshape(n, radii, -1)
    return sums


@cache
def _legendre_coefficients() -> FloatArray:
    """(orders, powers) coefficients of the Legendre polynomials."""
    rows = [legendre.leg2poly([0] * order + [1]) for order in range(_MAX_ORDER + 1)]
    return np.array([np.pad(row, (0, _MAX_ORDER + 1 - len(row))) for row in rows])


def _legendre_sums(moments: FloatArray, orders: IntArray, factors: FloatArray) -> FloatArray:
    """(n, `PER_ELEMENT`) sums over pairs of neighbours of P_l of the angle between them, from moments of their units.

    (u . v)^k is the sum over monomials of order k of multinomial factor times monomial of u times monomial of v.
    """
    sums = []
    for k in range(_MAX_ORDER + 1):
        chosen = moments[:, :, orders == k]
        products = (chosen * factors[orders == k]) @ chosen.transpose(0, 2, 1)
        sums.append(products[:, _UPPER[0], _UPPER[1]])
    mixed = np.einsum("lk,kap->alp", _legendre_coefficients(), np.stack(sums))
    flat: FloatArray = mixed.reshape(len(mixed), -1)
    return flat

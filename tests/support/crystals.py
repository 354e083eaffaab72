"""Crystals made for tests: in any space group, on any Wyckoff positions, and in any disguise."""

from __future__ import annotations

from functools import cache

import numpy as np
from pymatgen.core import Lattice, Structure

from augment import Host, read_host
from augment.crystal.data.make_wyckoff import general_lattice, operations
from augment.crystal.spacegroup import _parse, _table
from augment.groups.symmetry import wrap
from tests.support.places import HOSTS


@cache
def host(name: str) -> Host:
    return read_host(HOSTS / f"{name}.cif")


def point_on(number: int, index: int, rng: np.random.Generator):
    """A random point of a Wyckoff position, by its place in the alphabet, in conventional coordinates."""
    directions, constant = _parse(_table()[str(number)][index][3])
    return directions @ rng.random(3) + constant


def crystal_on(number: int, sites, *, lattice=None) -> Structure:
    """Crystal of one orbit for each (atomic number, conventional point) in the group's standard setting."""
    rotations, translations = operations(number)
    species, points = [], []
    for atomic_number, point in sites:
        images = wrap(rotations @ point + translations)
        gaps = images[:, None] - images[None]
        same = np.abs(gaps - np.rint(gaps)).max(axis=-1) < 1e-4
        first = np.flatnonzero(same.argmax(axis=1) == np.arange(len(images)))
        species += [atomic_number] * len(first)
        points.append(images[first])
    matrix = general_lattice(number) if lattice is None else lattice
    return Structure(Lattice(matrix), species, np.concatenate(points))


def random_crystal(number: int, rng: np.random.Generator, *, most_atoms: int = 400) -> Structure:
    """Crystal on two or three random Wyckoff positions that has exactly the space group asked for."""
    import spglib

    count = len(_table()[str(number)])
    for _ in range(400):
        chosen = rng.integers(count, size=rng.integers(2, 4))
        if rng.random() < 0.5:
            chosen[0] = count - 1
        sites = [(z, point_on(number, k, rng)) for z, k in zip((12, 8, 22), chosen, strict=False)]
        structure = crystal_on(number, sites, lattice=1.3 * general_lattice(number))
        if len(structure) > most_atoms or not structure.is_valid(0.7):
            continue
        cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
        # At a looser tolerance too, so that no near-symmetry makes the answer depend on rounding.
        if all(spglib.get_symmetry_dataset(cell, symprec=p).number == number for p in (0.01, 0.05)):
            return structure
    raise AssertionError(f"no crystal found in space group {number}")


def disguised(structure: Structure, rng: np.random.Generator, *, noise: float = 0.0) -> Structure:
    """The same crystal in another basis, origin, orientation and order of atoms, with noise in Å."""
    while True:
        basis = rng.integers(-2, 3, size=(3, 3))
        if abs(round(float(np.linalg.det(basis)))) == 1:
            break
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    order = rng.permutation(len(structure))
    points = (structure.frac_coords + rng.random(3)) @ np.linalg.inv(basis)
    lattice = Lattice(basis @ structure.lattice.matrix @ turn)
    points = points[order] + lattice.get_fractional_coords(rng.normal(scale=noise, size=points.shape))
    return Structure(lattice, [structure[i].specie for i in order], points - np.floor(points))


def mirrored(structure: Structure) -> Structure:
    """The mirror image: the same fractional coordinates in a reflected lattice."""
    return Structure(Lattice(structure.lattice.matrix * [1, 1, -1]), structure.species, structure.frac_coords)

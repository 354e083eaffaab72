"""Other codes give the same answers: libcasm, bsym and StructureMatcher for complexes, spglib for built cells.

The peers come with the extra `oracles`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from augment import conventional_supercell, find_supercell, point_defects
from augment.defects.editspace import EditSpace
from augment.defects.orderly import complexes, count_by_size
from augment.defects.recipe import Recipe
from tests.support.crystals import host
from tests.support.optional import optional
from tests.support.places import HOSTS as EXAMPLES

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the peers' warnings


@pytest.mark.parametrize(
    ("name", "kinds", "size"),
    [("SrTiO3", "v_O", 3), ("MgO", "v_O,v_Mg,Al_Mg", 2), ("MgO", "v_O,Al_Mg", 3), ("TiO2_rutile", "v_O,Nb_Ti", 3)],
)
def test_libcasm_counts_the_same_complexes(name, kinds, size) -> None:
    casm = optional("libcasm.configuration")
    from ase.data import chemical_symbols
    from libcasm import xtal

    crystal = host(name)
    repeats = 3 if name == "SrTiO3" else 2
    supercell = conventional_supercell(crystal, repeats * np.eye(3, dtype=np.int64))
    edits = EditSpace.of(supercell, kinds.split(","))
    allowed = [[chemical_symbols[z]] for z in crystal.numbers[: crystal.n_lattice]]
    for site, number in {(int(s) // supercell.index, int(z)) for s, z in zip(edits.site, edits.number, strict=True)}:
        allowed[site].append(chemical_symbols[number] if number else "Va")
    lattice = xtal.Lattice(crystal.primitive.T)
    prim = casm.Prim(xtal.Prim(lattice, crystal.points[: crystal.n_lattice].T, occ_dof=allowed))
    assert len(prim.factor_group.elements) == crystal.group.order
    level = [casm.Configuration(casm.Supercell(prim, supercell.matrix.T))]
    for _ in range(size):
        level = _one_more(casm, level, allowed, supercell.index)
    assert next(count_by_size(edits, Recipe(size, size)))[1] == len(level)


def _one_more(casm, level, allowed, index: int):
    """Canonical configurations with one change more."""
    found = {}
    for parent in level:
        for site in range(len(parent.occupation)):
            for value in range(1, len(allowed[site // index])):
                if parent.occ(site) == 0:
                    child = parent.copy()
                    child.set_occ(site, value)
                    least = casm.make_canonical_configuration(child, in_canonical_supercell=False)
                    found[least.occupation.tobytes()] = least
    return list(found.values())


@pytest.mark.parametrize(("name", "element", "size"), [("MgO", "O", 2), ("GaN", "N", 2), ("TiO2_rutile", "O", 3)])
def test_bsym_counts_the_same_substitutions_with_the_same_degeneracies(name, element, size) -> None:
    interface = optional("bsym.interface.pymatgen")
    matrix = np.diag([2, 2, 2] if name == "GaN" else [1, 1, 2])
    supercell = conventional_supercell(host(name), matrix)
    structure = host(name).to_pymatgen().make_supercell(matrix)
    there = int(structure.composition[element])
    theirs = interface.unique_structure_substitutions(structure, element, {element: there - size, "Xe": size})
    edits = EditSpace.of(supercell, [f"Xe_{element}"])
    mine = [d.degeneracy for d in complexes(edits, Recipe(size, size))]
    assert sorted(mine) == sorted(s.number_of_equivalent_configurations for s in theirs)


@pytest.mark.parametrize(("name", "kinds"), [("MgO", "v_O,Al_Mg"), ("TiO2_rutile", "v_O,Nb_Ti"), ("GaN", "v_N,Mg_Ga")])
def test_structure_matcher_tells_distinct_complexes_apart_and_joins_equivalent_ones(name, kinds) -> None:
    from pymatgen.core.structure_matcher import StructureMatcher

    matcher = StructureMatcher(
        primitive_cell=False, scale=False, attempt_supercell=False, stol=0.05, ltol=0.01, angle_tol=1
    )
    supercell = conventional_supercell(host(name), np.diag([2, 2, 1]))
    found = list(complexes(EditSpace.of(supercell, kinds.split(",")), Recipe(2, 2)))
    structures = [d.cell().to_pymatgen() for d in found]
    assert not any(matcher.fit(a, b) for a, b in itertools.combinations(structures, 2))
    rng = np.random.default_rng(0)
    table = supercell.sites
    for defect, structure in zip(found, structures, strict=True):
        images = supercell.images(np.array([e.site for e in defect.edits]))
        row = images[rng.integers(len(images))]
        numbers = table.numbers.copy()
        numbers[row] = [e.number for e in defect.edits]
        kept = np.flatnonzero(numbers)
        other = type(structure)(structure.lattice, numbers[kept], table.positions[kept], coords_are_cartesian=True)
        assert matcher.fit(structure, other)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.cif")), ids=lambda p: p.stem)
def test_spglib_finds_the_claimed_symmetry_on_every_built_cell(path) -> None:
    import spglib

    supercell = find_supercell(host(path.stem), min_image_distance=6.0)
    for defect in point_defects(supercell, dopants=["Xe"]):
        cell = defect.cell()
        fractional = cell.positions @ np.linalg.inv(cell.cell)
        found = spglib.get_symmetry((cell.cell, fractional, cell.numbers), symprec=1e-4)
        assert len(found["rotations"]) == defect.stabilizer.order, defect.name

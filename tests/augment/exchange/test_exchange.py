"""In and out: what is written is read back as the same defect, here and by the programs it is written for."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser

from augment import Defect, Edit, Supercell, find_supercell, point_defects
from augment.crystal.cif import read_structure
from augment.distort import rattle
from augment.errors import CifError, DataError, DefectError, SymmetryError
from augment.exchange import (
    cif_text,
    defect_from_structure,
    from_defect_entry,
    from_pymatgen_defect,
    poscar_text,
    read_cif_cell,
    read_extxyz,
    to_defect_entry,
    to_pymatgen_defect,
    write_cifs,
    write_extxyz,
    write_poscars,
)
from tests.support.crystals import disguised, host
from tests.support.optional import optional

MATERIALS = ["MgO", "GaN", "Fe", "ZrO2_monoclinic"]


def supercell_of(name, distance=6.0) -> Supercell:
    return find_supercell(host(name), min_image_distance=distance, min_atoms=20)


def defects_of(name, **options) -> list[Defect]:
    return [d.with_charge(d.charges[-1]) for d in point_defects(supercell_of(name), dopants=["Al"], **options)]


def pair(name="MgO") -> Defect:
    single = {d.name: d.edits[0] for d in defects_of(name)}
    table = supercell_of(name).sites
    far = np.linalg.norm(table.positions - table.positions[single["v_O"].site], axis=1)
    near = int(np.flatnonzero((table.numbers == 12) & (far > 1))[0])
    return Defect(supercell_of(name), (single["v_O"], Edit(near, 13)), 3)


@pytest.mark.parametrize("name", MATERIALS)
def test_a_structure_is_recognised_ideal_or_relaxed(name) -> None:
    rng = np.random.default_rng(0)
    for defect in defects_of(name, max_voids=2):
        structure = defect.cell().to_pymatgen()
        assert defect_from_structure(structure, host(name)) == defect
        moved = structure.copy()
        moved.perturb(0.1)
        order = rng.permutation(len(moved))
        shuffled = Structure.from_sites([moved[i] for i in order], charge=defect.charge)
        found = defect_from_structure(shuffled.apply_strain(0.01, inplace=False), host(name))
        # Voids of large cells lie closer together than the atoms moved, and the nearest one counts.
        assert found == defect or found.type == defect.type == "interstitial"


@pytest.mark.parametrize("name", MATERIALS)
def test_a_structure_in_foreign_axes_is_recognised_with_its_bulk(name) -> None:
    rng = np.random.default_rng(3)
    bulk = disguised(host(name).to_pymatgen(), rng)
    while True:
        matrix = rng.integers(-2, 3, size=(3, 3))
        if 2 <= abs(round(np.linalg.det(matrix))) <= 4:
            break
    theirs = bulk * matrix if np.linalg.det(matrix) else bulk
    theirs.remove_sites([0])
    found = defect_from_structure(theirs, bulk, charge=1)
    assert found.type == "vacancy"
    assert found.charge == 1
    assert len(found.cell()) == len(theirs)
    image = theirs.copy()
    image.translate_sites(range(len(image)), bulk.lattice.get_cartesian_coords([1, 0, 2]), frac_coords=False)
    assert defect_from_structure(image, bulk, charge=1) == found, "a lattice translation changes nothing"


def test_equivalent_structures_are_one_defect_and_others_are_not() -> None:
    bulk = host("TiO2_rutile").to_pymatgen() * (2, 2, 3)
    oxygen = [i for i, site in enumerate(bulk) if site.specie.symbol == "O"]
    keys = set()
    for index in oxygen[::7]:
        one = bulk.copy()
        one.remove_sites([index])
        keys.add(defect_from_structure(one, host("TiO2_rutile")).key)
    assert len(keys) == 1
    two = bulk.copy()
    two.remove_sites(oxygen[:2])
    assert defect_from_structure(two, host("TiO2_rutile")).key not in keys


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.translate_sites([5], [0.06, 0.06, 0.06]) or s, "no free site"),
        (lambda s: s.append("H", [0.03, 0.03, 0.03]) or s, "no free site"),
        (lambda s: Structure(Lattice(s.lattice.matrix * 1.3), s.species, s.frac_coords), "no supercell"),
        (lambda s: s.translate_sites(range(len(s)), [0.06, 0, 0]) or s, "no free site"),
    ],
)
def test_a_structure_that_does_not_fit_is_refused(change, said) -> None:
    structure = change(host("MgO").to_pymatgen() * (2, 2, 2))
    with pytest.raises(DefectError, match=said):
        defect_from_structure(structure, host("MgO"))


@pytest.mark.parametrize("name", MATERIALS)
def test_pymatgen_defects_come_back(name) -> None:
    optional("pymatgen.analysis.defects")
    for defect in defects_of(name, max_voids=2):
        theirs = to_pymatgen_defect(defect)
        assert theirs.multiplicity * host(name).n_conventional == defect.multiplicity * host(name).n_lattice
        assert theirs.get_charge_states() == list(defect.charges)
        assert theirs.name == "_".join(defect.name.split("_")[:2])
        again = type(theirs).from_dict(json.loads(json.dumps(theirs.as_dict(), default=str)))
        for each in (theirs, again):
            assert from_pymatgen_defect(each, defect.supercell, defect.charge) == defect


def test_the_multiplicity_is_the_one_that_pymatgen_finds() -> None:
    core = optional("pymatgen.analysis.defects.core")
    for defect in itertools.chain(defects_of("TiO2_rutile"), defects_of("GaN")):
        theirs = to_pymatgen_defect(defect)
        if not isinstance(theirs, core.Interstitial):
            assert theirs.get_multiplicity() == theirs.multiplicity


@pytest.mark.parametrize("name", MATERIALS)
def test_defect_entries_come_back_from_relaxed_supercells(name) -> None:
    optional("pymatgen.analysis.defects")
    from pymatgen.analysis.defects.thermo import DefectEntry

    for defect in defects_of(name, max_voids=2):
        cell = rattle(defect.cell(), 0.03, seed=1)
        entry = to_defect_entry(defect, cell)
        again = DefectEntry.from_dict(json.loads(json.dumps(entry.as_dict(), default=str)))
        assert from_defect_entry(again) == defect
        assert entry.charge_state == defect.charge
        assert entry.entry_id == defect.key
        place = np.array(entry.sc_defect_frac_coords) @ cell.cell - defect.centre()
        assert np.abs((place @ np.linalg.inv(cell.cell)) % 1 - 0.5).min() == pytest.approx(0.5)


def test_a_complex_goes_out_and_comes_back() -> None:
    core = optional("pymatgen.analysis.defects.core")
    theirs = to_pymatgen_defect(pair())
    assert isinstance(theirs, core.DefectComplex)
    assert {d.name for d in theirs.defects} == {"v_O", "Al_Mg"}
    assert theirs.defect_structure.composition == pair().cell().to_pymatgen().composition
    assert from_pymatgen_defect(theirs, pair().supercell, 3) == pair()
    assert from_defect_entry(to_defect_entry(pair())) == pair()


def test_pymatgen_objects_that_do_not_fit_are_refused() -> None:
    core = optional("pymatgen.analysis.defects.core")
    theirs = to_pymatgen_defect(defects_of("GaN")[0])
    with pytest.raises(DefectError, match="not of the supercell's host"):
        from_pymatgen_defect(theirs, supercell_of("MgO"))
    bulk = to_pymatgen_defect(defects_of("MgO")[0]).structure
    from pymatgen.core import PeriodicSite

    astray = core.Interstitial(bulk, PeriodicSite("O", [0.12, 0.12, 0.12], bulk.lattice), oxi_state=-2)
    with pytest.raises(DefectError, match="nearest site"):
        from_pymatgen_defect(astray, supercell_of("MgO"))
    with pytest.raises(DefectError, match="no defect"):
        to_pymatgen_defect(Defect(supercell_of("MgO"), ()))


def test_poscar_folders_are_read_by_pymatgen_and_ase(tmp_path) -> None:
    from ase.io import read

    defects = defects_of("MgO")
    cells = (d.cell() for d in [Defect(supercell_of("MgO"), ()), *defects, pair(), pair()])
    written = write_poscars(tmp_path / "vasp", cells)
    assert written[:2] == ["MgO_bulk", "v_O_+2"]
    assert written[-1] == f"{written[-2]}-2"
    assert sorted(p.name for p in (tmp_path / "vasp").iterdir()) == sorted(written)
    for name, defect in zip(written[1:], [*defects, pair(), pair()], strict=True):
        path = tmp_path / "vasp" / name / "POSCAR"
        structure = Structure.from_file(path)
        assert defect_from_structure(structure, host("MgO"), charge=defect.charge) == defect
        species = [str(s.specie) for s in structure]
        assert len([k for k, _ in itertools.groupby(species)]) == len(set(species)), "each element in one block"
        assert len(read(path)) == len(structure)
        assert f"charge={defect.charge:+d}" in path.read_text().splitlines()[0]
        assert path.read_text().splitlines()[0].endswith(f"key={defect.key}")
    assert poscar_text(defects[0].cell()) == (tmp_path / "vasp" / written[1] / "POSCAR").read_text()


@pytest.mark.parametrize("name", MATERIALS)
def test_cifs_are_p1_and_read_by_everyone(name, tmp_path) -> None:
    from ase.io import read

    defects = defects_of(name, max_voids=2)
    cells = [rattle(d.cell(), 0.02, seed=2) for d in defects]
    for file, cell, defect in zip(write_cifs(tmp_path / "cif", iter(cells)), cells, defects, strict=True):
        path = tmp_path / "cif" / file
        ours, atoms = read_structure(path), read(path)
        theirs = CifParser(path, frac_tolerance=0).parse_structures(primitive=False)[0]
        assert len(ours) == len(theirs) == len(atoms) == len(cell)
        assert theirs.lattice.parameters == pytest.approx(Lattice(cell.cell).parameters)
        back = read_cif_cell(path, host(name))
        assert (back.key, back.name, back.charge) == (cell.key, cell.name, defect.charge)
        gaps = back.positions @ np.linalg.inv(back.cell) - cell.positions @ np.linalg.inv(cell.cell)
        assert np.abs(gaps - np.rint(gaps)).max() < 1e-9
        assert cell.key in path.read_text()
        assert "P 1" in path.read_text()


@pytest.mark.parametrize("name", ["MgO", "GaN", "TiO2_rutile"])
def test_a_symmetric_cif_holds_every_atom_and_the_point_group(name, tmp_path) -> None:
    from spglib import get_symmetry_dataset

    for defect in [*defects_of(name, max_voids=1), *([pair()] if name == "MgO" else [])]:
        path = tmp_path / f"{defect.name}.cif"
        path.write_text(cif_text(defect.cell(), defect), encoding="ascii")
        structure = read_structure(path)
        assert len(structure) == len(defect.cell())
        shift = defect.cell().to_pymatgen()
        shift.translate_sites(range(len(shift)), -defect.centre(), frac_coords=False)
        mine = get_symmetry_dataset((shift.lattice.matrix, shift.frac_coords, shift.atomic_numbers), symprec=1e-3)
        read = get_symmetry_dataset(
            (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers), symprec=1e-3
        )
        assert mine.number == read.number
        gaps = structure.frac_coords[:, None] - shift.frac_coords[None]
        distance = np.linalg.norm((gaps - np.rint(gaps)) @ shift.lattice.matrix, axis=-1)
        assert distance.min(axis=1).max() < 2e-3
        assert (np.array(structure.atomic_numbers) == np.array(shift.atomic_numbers)[distance.argmin(axis=1)]).all()
        listed = path.read_text().split("_symmetry_equiv_pos_as_xyz")[1].split("loop_")[0].strip().splitlines()
        assert len(listed) == defect.stabilizer.order


def test_symmetry_that_is_not_there_is_not_written(tmp_path) -> None:
    defect = defects_of("MgO")[0]
    with pytest.raises(SymmetryError, match="write it in P1"):
        cif_text(rattle(defect.cell(), 0.05, seed=0), defect)
    with pytest.raises(SymmetryError):
        write_cifs(tmp_path / "out", [defect.cell(), rattle(defect.cell(), 0.05, seed=0)], symmetric=host("MgO"))
    assert list(tmp_path.iterdir()) == [], "nothing is left half-written"


def test_extended_xyz_comes_back(tmp_path) -> None:
    path = tmp_path / "cells.extxyz"
    cells = [rattle(d.cell(), 0.05, seed=3) for d in [*defects_of("GaN", max_voids=2), pair()]]
    assert write_extxyz(path, iter(cells)) == len(cells)
    for back, cell in zip(read_extxyz(path), cells, strict=True):
        assert (back.name, back.key, back.charge, dict(back.provenance)) == (
            cell.name,
            cell.key,
            cell.charge,
            dict(cell.provenance),
        )
        assert (back.numbers == cell.numbers).all()
        assert (back.sites == cell.sites).all()
        assert np.abs(back.positions - cell.positions).max() < 1e-8
        assert np.allclose(back.cell, cell.cell, atol=1e-8)


@pytest.mark.parametrize("write", [write_poscars, write_cifs])
def test_a_folder_with_content_is_left_alone(write, tmp_path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        write(tmp_path / "full", [pair().cell()])
    (tmp_path / "file").write_text("mine")
    for bad in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError):
            write(bad, [pair().cell()])
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "full", "mine.txt"]
    (tmp_path / "empty").mkdir()
    assert write(tmp_path / "empty", [pair().cell()])


@pytest.mark.parametrize("write", [write_poscars, write_cifs, write_extxyz])
def test_an_error_on_the_way_leaves_nothing(write, tmp_path) -> None:
    def cells():
        yield pair().cell()
        raise DefectError("the third does not exist")

    with pytest.raises(DefectError, match="third"):
        write(tmp_path / "out", cells())
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_ours_are_refused(tmp_path) -> None:
    path = tmp_path / "cells.extxyz"
    with pytest.raises(DataError, match="no such file"):
        list(read_extxyz(path))
    path.write_text('1\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3\nMg 0 0 0\n')
    with pytest.raises(DataError, match="has no name"):
        list(read_extxyz(path))
    path.write_text("not a structure\n")
    with pytest.raises(DataError, match="not readable"):
        list(read_extxyz(path))
    with pytest.raises(DataError, match="exists"):
        write_extxyz(path, [])
    cif = Path(tmp_path / "host.cif")
    host("MgO").to_pymatgen().to(filename=str(cif))
    with pytest.raises(DataError, match="no defect key"):
        read_cif_cell(cif, host("MgO"))
    with pytest.raises(CifError):
        read_cif_cell(tmp_path / "missing.cif", host("MgO"))
    symmetric = tmp_path / "symmetric.cif"
    symmetric.write_text(cif_text(pair().cell(), pair()))
    with pytest.raises(DataError, match="in P1"):
        read_cif_cell(symmetric, host("MgO"))

"""Files of the kinds that users bring: read right, or refused with a reason. What is expected is in expected.json."""

from __future__ import annotations

import json
import warnings

import pytest
import spglib

from augment.crystal.cif import read_atoms, read_crystal_file
from augment.elements import elements_of
from augment.errors import CifError
from tests.support.places import SHARED

FOLDER = SHARED / "cases" / "cif"
EXPECTED = json.loads((FOLDER / "expected.json").read_text()) if FOLDER.exists() else {}
pytestmark = pytest.mark.skipif(not EXPECTED, reason="the cases are not beside this checkout")


def space_group(structure) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
        return spglib.get_symmetry_dataset(cell, symprec=0.01).number


@pytest.mark.parametrize("name", EXPECTED)
def test_a_case_is_read_right_or_refused(name) -> None:
    wanted, path = EXPECTED[name], FOLDER / name
    if wanted.get("refuse"):
        with pytest.raises(CifError):
            read_crystal_file(path)
        return
    if wanted.get("partial"):
        with pytest.raises(CifError, match="defectgen impurities"):
            read_crystal_file(path)
        assert elements_of(read_atoms(path).numbers.tolist()) >= set(wanted.get("formula_contains", ()))
        return
    structure = read_crystal_file(path).structure
    assert space_group(structure) == wanted["number"]
    if "cell" in wanted:
        assert structure.composition.get_el_amt_dict() == wanted["cell"]
    if "volume_per_atom" in wanted:
        assert structure.volume / len(structure) == pytest.approx(wanted["volume_per_atom"], abs=1e-3)
    if "shortest" in wanted:
        shortest = structure.get_neighbor_list(r=3.5, exclude_self=True)[3].min()
        assert shortest == pytest.approx(wanted["shortest"], abs=2e-3)


def test_what_is_left_out_is_said() -> None:
    words = {
        "02_dot_coordinates.cif": "'.'",
        "04_magnetic_rutile.mcif": "magnetic",
        "13b_dummy_atom.cif": "dummy",
        "39b_ref_order.cif": "counts as 1",
        "39d_zero_occ.cif": "occupancy is 0",
    }
    for name, word in words.items():
        assert word in " ".join(read_crystal_file(FOLDER / name).notes)


def test_charges_of_the_file_are_kept() -> None:
    assert read_crystal_file(FOLDER / "01_spinel_fractional_charge.cif").oxidation_states == {
        "Li": 1.0, "O": -2.0, "Mn": 3.5,
    }  # fmt: skip
    atoms = read_atoms(FOLDER / "37c_LiMnO2_symops.cif")
    assert sum(q * x for q, x in zip(atoms.oxidation, atoms.occupancies, strict=True)) == pytest.approx(0, abs=0.02)


def test_a_block_is_chosen_by_name() -> None:
    path = FOLDER / "19_two_temperatures.cif"
    assert read_crystal_file(path, "300K").structure.lattice.a == pytest.approx(4.21)
    assert read_crystal_file(path, "data_900k").structure.lattice.a == pytest.approx(4.25)
    with pytest.raises(CifError, match="one of 300K, 900K"):
        read_crystal_file(path, "400K")
    with pytest.raises(CifError, match="--block 300K"):
        read_crystal_file(path)

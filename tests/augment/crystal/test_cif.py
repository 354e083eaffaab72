"""The CIF gate: a usable host becomes a structure, anything else one CifError that says what and where."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from augment import host_from_structure, read_host
from augment.crystal.cif import MAX_BYTES, check_overlap, read_structure
from augment.crystal.operations import parse_operations
from augment.errors import CifError
from tests.support.places import HOSTS

MGO = (HOSTS / "MgO.cif").read_text(encoding="ascii")
CELL = "".join(f"_cell_length_{a} {{}}\n" for a in "abc") + "".join(
    f"_cell_angle_{a} 90\n" for a in ("alpha", "beta", "gamma")
)
SITES = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
TRIVIAL = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n"


def cif(sites: str, *, length: float = 4.0, symmetry: str = TRIVIAL, more: str = "") -> str:
    return "data_test\n" + CELL.format(length, length, length) + more + symmetry + SITES + sites


def refusal(tmp_path, text) -> str:
    path = tmp_path / "host.cif"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    start = time.process_time()
    with pytest.raises(CifError) as caught:
        read_host(path)
    message = str(caught.value)
    assert message.startswith(str(path)), "says where"
    assert "\n" not in message, "one line"
    assert time.process_time() - start < 2, "s"
    return message.removeprefix(f"{path}: ")


def accepted(tmp_path, text: str) -> Structure:
    path = tmp_path / "host.cif"
    path.write_text(text)
    return read_structure(path)


ROW = "".join(f"Mg{i} 0.{i:03d} 0 0\n" for i in range(200))
BAD = {
    "empty": ("", "not a CIF"),
    "prose": ("Dear colleague,\nplease find the data below.\n", "not a CIF"),
    "binary": (b"data_x\n\x00\x01\x02", "binary"),
    "no atoms": ("data_x\n_cell_length_a 4\n", "holds no atoms"),
    "torn loop": (MGO + "loop_\n_a\n_b\n1\n", "not a readable CIF"),
    "partial occupancy": (
        cif("Mg 0 0 0 0.5\n").replace("fract_z\n", "fract_z\n_atom_site_occupancy\n"),
        r"site Mg has occupancy 0\.5",
    ),
    "occupancy no number": (
        cif("Mg 0 0 0 half\n").replace("fract_z\n", "fract_z\n_atom_site_occupancy\n"),
        "occupancy of site Mg is 'half'",
    ),
    "two species on one site": (cif("Mg 0 0 0\nCa 0 0 0\n"), "overlap"),
    "overlapping atoms": (cif("Mg1 0 0 0\nMg2 0.1 0 0\n"), "overlap .0.40 Å apart"),
    "an atom overlapping its image": (cif("Mg 0 0 0\n", length=1.2), "overlap"),
    "missing atoms": (MGO[: MGO.index("  O  O1")], "formula says MgO, its sites"),
    "doubled atoms": (MGO + "  O  O2  8  0.25  0.25  0.25  1\n", "formula says MgO, its sites"),
    "unknown element": (cif("Zz1 0 0 0\n"), "'Zz1' is not an element"),
    "an element of which there are atoms only": (MGO.replace(" Mg ", " Og "), "'Og' is not an element up to fermium"),
    "dummy element": (cif("X 0 0 0\n"), "not an element"),
    "huge": (cif(ROW, symmetry="_symmetry_space_group_name_H-M 'F m -3 m'\n"), "200 sites x 192 operations exceed"),
    "a cell of 2000 Å": (cif("Mg 0 0 0\n", length=2000), "cannot be"),
    "more atoms than allowed": (cif(ROW * 6, length=900), "more than 1000"),
    "a coordinate in words": (cif("Mg 0 zero 0\n"), "coordinate of site Mg is 'zero'"),
    "a coordinate that is nan": (cif("Mg 0 nan 0\n"), "not a number"),
    "an unknown coordinate": (cif("Mg 0 ? 0\n"), "not a number"),
    "Cartesian coordinates": (MGO.replace("fract_", "Cartn_"), "fractional"),
    "no z coordinate": (cif("Mg 0 0\n").replace("_atom_site_fract_z\n", ""), "atom list is incomplete"),
    "missing length": (MGO.replace("_cell_length_b", "_cell_length_q"), "_cell_length_b is missing"),
    "length unknown": (re.sub(r"(_cell_length_a\s+)\S+", r"\1?", MGO), "_cell_length_a is missing"),
    "length in words": (re.sub(r"(_cell_length_a\s+)\S+", r"\1four", MGO), "not a number"),
    "negative length": (cif("Mg 0 0 0\n", length=-4), "cannot be"),
    "zero length": (cif("Mg 0 0 0\n", length=0), "cannot be"),
    "flat cell": (re.sub(r"(_cell_angle_alpha\s+)\S+", r"\1 180", MGO), "cannot be"),
    "angles that do not close": (cif("Mg 0 0 0\n").replace("90", "130"), "cannot be"),
    "an operation missing": (MGO.replace("  2  '-x, -y, -z'\n", ""), "form no group"),
    "a wrong operation": (MGO.replace("'-x, -y, -z'", "'-x, -y, -z+1/3'"), "form no group"),
    "an operation in other letters": (MGO.replace("'-x, -y, -z'", "'-u, -v, -w'"), "not a symmetry operation"),
    "an operation that is singular": (cif("Mg 0 0 0\n", symmetry=TRIVIAL + "'x,x,z'\n"), "does not keep the lattice"),
    "an unknown group": (cif("Mg 0 0 0\n", symmetry="_symmetry_space_group_name_H-M 'Q 7 m'\n"), "Q7m is not known"),
    "a hexagonal group of a cubic cell": (
        cif("Mg 0 0 0\n", symmetry="_symmetry_space_group_name_H-M 'P 6/m m m'\n"),
        "operations strain its cell by 50%",
    ),
    "a length that two others contradict": (
        re.sub(r"(_cell_length_b\s+)\S+", r"\1 4.4", MGO), r"operations strain its cell by \d%"
    ),
    "two structures": (cif("Mg 0 0 0\n") + cif("Ca 0 0 0\n").replace("data_test", "data_other"), "holds 2 structures"),
    "too large": ("data_x\n" + "# filler\n" * (MAX_BYTES // 8), "larger than"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_usable_host_is_refused_in_one_line(name, tmp_path) -> None:
    text, message = BAD[name]
    assert re.search(message, refusal(tmp_path, text))


def test_missing_files_and_folders_are_refused(tmp_path) -> None:
    for path, message in (
        (tmp_path / "none.cif", "no such file"),
        (tmp_path, "a folder"),
        ("bad\0name", "cannot be read"),
    ):
        with pytest.raises(CifError, match=message):
            read_structure(path)


@pytest.mark.parametrize(
    ("text", "formula", "atoms"),
    [
        (MGO, "MgO", 8),
        (MGO.replace("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"), "MgO", 8),
        (MGO.replace("\n", "\r\n"), "MgO", 8),
        ("\ufeff" + MGO, "MgO", 8),
        ("data_global\n_journal_name 'Acta'\n" + MGO, "MgO", 8),
        (re.sub(r"loop_\n _symmetry(.|\n)*?(?=loop_\n _atom)", "", MGO).replace("P1", ""), "MgO", 8),
        (cif("Mg2+ 0 0 0\nO2- 0.5 0.5 0.5\n").replace("label", "type_symbol"), "MgO", 2),
        (cif("OW1 0 0 0\nD1 0.25 0.0 0\nD2 0 0.25 0\n", more="_chemical_formula_sum 'H2 O'\n"), "H2O", 3),
        (cif("Cl1 0 0 0\nCs1 0.5 0.5 0.5\n"), "CsCl", 2),
        (cif("Cs 0.0000(2) 0 0\n"), "Cs", 1),
        (cif("Cs 0 0 0\n", symmetry=""), "Cs", 1),
        (cif("Si 0 0 0\n", length=5.43, symmetry="_symmetry_Int_Tables_number 227\n"), "Si", 8),
        (cif("Na 0 0 0\n", length=4.2, symmetry="_symmetry_space_group_name_H-M 'I m -3 m'\n"), "Na", 2),
    ],
)  # fmt: skip
def test_the_ways_to_write_a_usable_host_are_accepted(text, formula, atoms, tmp_path) -> None:
    structure = accepted(tmp_path, text)
    assert structure.composition.reduced_formula == formula
    assert len(structure) == atoms


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.cif")), ids=lambda p: p.stem)
def test_expansion_agrees_with_pymatgen(path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = Structure.from_file(path)
    found = read_structure(path)
    assert len(found) == len(expected)
    distance = expected.lattice.get_all_distances(expected.frac_coords, found.frac_coords)
    assert distance.min(axis=1).max() < 1e-4
    assert [expected[k].specie for k in range(len(expected))] == [found[j].specie for j in distance.argmin(axis=1)]


def test_rounded_coordinates_of_special_positions_make_one_atom(tmp_path) -> None:
    rows = "'x,y,z'\n'-y,x-y,z'\n'-x+y,-x,z'\n"
    text = cif("Mg 0.3333 0.6667 0\n", symmetry=TRIVIAL.replace("'x,y,z'\n", rows)).replace("gamma 90", "gamma 120")
    structure = accepted(tmp_path, text)
    assert len(structure) == 1
    assert np.allclose(structure.frac_coords % 1, [[1 / 3, 2 / 3, 0]], atol=1e-4)


def test_operations_are_read_in_every_spelling() -> None:
    spelled = parse_operations(["X, Y, Z", "1/2-x,y+0.5,-z", "x+1/2 , 1/2-y, -z", "-x,-y,+z"])
    assert spelled.rotations[1].tolist() == [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]
    assert spelled.translations[1].tolist() == [0.5, 0.5, 0]
    for text in ("x,y", "x,y,z,x", "x,,z", "x y,y,z", "x,y,1/0", "2*x*y,y,z", "1/2x,y,z", "e,y,z"):
        with pytest.raises(CifError):
            parse_operations(["x,y,z", text])


def test_thirds_written_as_decimals_are_a_group() -> None:
    texts = ["x,y,z", "x+0.6667,y+0.3333,z+0.3333", "x+.3333,y+.6667,z+.6667"]
    assert np.allclose(parse_operations(texts).translations * 3 % 1, 0)


def test_structures_that_do_not_come_from_a_file_are_checked_for_overlap_by_the_same_rule() -> None:
    with pytest.raises(CifError, match="here: atoms Mg1 and O2 overlap"):
        check_overlap(Structure(Lattice.cubic(4), ["Mg", "O"], [[0, 0, 0], [0.1, 0, 0]]), "here")
    with pytest.raises(CifError, match="cannot hold"):
        check_overlap(Structure(Lattice.cubic(1), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]), "here")
    check_overlap(Structure(Lattice.cubic(4), ["Mg"], [[0, 0, 0]]), "here")


def test_atoms_on_top_of_one_another_have_no_space_group() -> None:
    with pytest.raises(CifError, match="no space group"):
        host_from_structure(Structure(Lattice.cubic(4), ["Mg", "Mg"], [[0, 0, 0], [0, 0, 0.0001]]), "here")

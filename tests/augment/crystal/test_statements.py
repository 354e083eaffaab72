"""Statements of a file that agree give one crystal; those that contradict each other are refused and named."""

from __future__ import annotations

import pytest

from augment.crystal.cif import read_crystal_file
from augment.errors import CifError

SITES = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
ROCK_SALT = SITES + "Mg 0 0 0\nO .5 .5 .5\n"
NAME = "_space_group_name_H-M_alt 'F m -3 m'\n"
IDENTITY = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n"
FULL = (
    SITES
    + "".join(f"Mg {p}\n" for p in ("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0"))
    + "".join(f"O {p}\n" for p in (".5 .5 .5", ".5 0 0", "0 .5 0", "0 0 .5"))
)
COMPOSITION = "_chemical_formula_sum 'Mg O'\n_cell_formula_units_Z {}\n"


def text(symmetry: str, sites: str = ROCK_SALT, lengths=(4.21, 4.21, 4.21), angles=(90, 90, 90)) -> str:
    tags = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    cell = "".join(f"_cell_{tag} {value}\n" for tag, value in zip(tags, (*lengths, *angles), strict=True))
    return "data_a\n" + cell + symmetry + sites


P21C = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\n-x,y+1/2,-z+1/2\nx,-y+1/2,z+1/2\n"
GENERAL = SITES + "Mg .1 .2 .3\n"
REFUSED = {
    "number against name": (text("_space_group_IT_number 227\n" + NAME), "F m -3 m.*number 227.*contradict"),
    "Hall against name": (text("_space_group_name_Hall '-F 4vw 2vw 3'\n" + NAME), "Hall.*F m -3 m.*contradict"),
    "identity against name": (text(NAME + IDENTITY), "F m -3 m.*operations.*contradict.*different crystals"),
    "Z against symmetry": (text(COMPOSITION.format(2) + NAME), "Z = 2 say Mg2 O2.*give Mg4 O4"),
    "tags without a value": (text("_space_group_name_H-M_alt ?\n"), "no usable space group"),
    "two axes": (text("_space_group_name_H-M_alt 'P 21/c'\n", GENERAL, (5, 6, 7)), "P 1 21/c 1.*P 21/c 1 1"),
    "a number with several settings": (
        text("_space_group_IT_number 14\n", GENERAL, (5, 6, 7), (90, 101, 90)), "P 1 21/c 1.*P 1 21/n 1"
    ),
    "operations of another setting": (
        text("_space_group_name_H-M_alt 'P 1 21/n 1'\n" + P21C, GENERAL, (5, 6, 7), (90, 101, 90)),
        "P 1 21/n 1 and its operations are different settings",
    ),
    "a magnetic group by name": (text("_space_group_magn_name_BNS 'Fm-3m'\n"), "without its operations"),
    "superspace": (text("loop_\n_space_group_symop_ssg_operation_algebraic\n'x1,x2,x3,x4'\n"), "modulated"),
    "a multiplicity": (
        text(NAME, ROCK_SALT.replace("fract_z\n", "fract_z\n_atom_site_symmetry_multiplicity\n")
             .replace("Mg 0 0 0", "Mg 0 0 0 4").replace("O .5 .5 .5", "O .5 .5 .5 8")),
        "site O has multiplicity 8",
    ),
}  # fmt: skip
READ = {
    "identity, and Z decides": (text(COMPOSITION.format(4) + NAME + IDENTITY), "Mg4 O4", "read in F m -3 m"),
    "identity, and every atom is listed": (text(NAME + IDENTITY, FULL), "Mg4 O4", "contradict"),
    "every atom under a name": (text(NAME, FULL), "Mg4 O4", "counted once"),
    "no tags": (text(""), "Mg1 O1", "read as P 1"),
    "the number 1": (text("_space_group_IT_number 1\n"), "Mg1 O1", ""),
    "a minus sign of a typesetter": (text(NAME.replace("-3", "\N{MINUS SIGN}3")), "Mg4 O4", ""),
    "magnetic centrings": (
        text(
            "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\nloop_\n_space_group_symop_magn_centering.xyz\n"
            "x,y,z,+1\nx+1/2,y+1/2,z,-1\nx+1/2,y,z+1/2,-1\nx,y+1/2,z+1/2,+1\n"
        ),
        "Mg4 O4",
        "magnetic",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_contradiction_is_refused_and_named(name, tmp_path) -> None:
    path = tmp_path / "a.cif"
    path.write_text(REFUSED[name][0], encoding="utf-8")
    with pytest.raises(CifError, match=REFUSED[name][1]):
        read_crystal_file(path)


@pytest.mark.parametrize("name", READ)
def test_evidence_decides_and_is_said(name, tmp_path) -> None:
    content, formula, said = READ[name]
    path = tmp_path / "a.cif"
    path.write_text(content, encoding="utf-8")
    crystal = read_crystal_file(path)
    assert crystal.structure.formula == formula
    assert said in " ".join(crystal.notes)

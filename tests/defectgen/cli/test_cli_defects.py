"""Complexes, sets, impurities and planar defects from the command line."""

import json

import pytest

from tests.defectgen.cli.test_cli import HOSTS, MGO

CU = HOSTS / "Cu.cif"
CELL = "2 0 0 0 2 0 0 0 2"

DISORDERED = """data_alloy
_cell_length_a 3.6
_cell_length_b 3.6
_cell_length_c 3.6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Cu1 Cu 0 0 0 0.75
Ni1 Ni 0 0 0 0.25
"""


def rows(out):
    return [json.loads(line) for line in out.splitlines()]


def test_complexes_are_counted_a_line_a_size(call):
    arguments = ("--complex", "v_O,v_Mg,Al_Mg", "--size", 3, "--supercell", CELL, "--count", "--json")
    code, out, _ = call("defects", MGO, *arguments)
    assert code == 0
    assert rows(out) == [
        {"size": 1, "orbits": 3, "total": 96},
        {"size": 2, "orbits": 28, "total": 4528},
        {"size": 3, "orbits": 268, "total": 139_872},
    ]


def test_a_cutoff_counts_what_the_list_holds(call):
    asked = ("defects", HOSTS / "SrTiO3.cif", "--complex", "v_O,v_Sr,Fe_Ti", "--size", 3, "--cutoff", 4.5)
    cell = ("--supercell", "3 0 0 0 3 0 0 0 3", "--json")
    counts = {row["size"]: row for row in rows(call(*asked, *cell, "--count")[1])}
    found = rows(call(*asked, *cell)[1])
    for size, row in counts.items():
        alike = [r for r in found if len(r["key"].split("/")[2].split("+")) == size]
        assert row["orbits"] == len(alike) == len({r["key"] for r in alike})
        assert row["total"] == sum(r["degeneracy"] for r in alike)
    assert list(counts) == [1, 2, 3]


def test_random_complexes_are_reproducible(call):
    asked = ("--complex", "v_Mg,Al_Mg", "--size", 6, "--neutral", "--supercell", CELL, "-n", 5, "--json")
    once, again, other = (rows(call("defects", MGO, *asked, "--seed", s)[1]) for s in (1, 1, 2))
    assert once == again
    assert once != other
    assert all(row["name"].count("Al_Mg") == 2 * row["name"].count("v_Mg") == 4 for row in once)


def test_named_sets_and_limits(call):
    found = rows(call("defects", MGO, "--set", "schottky", "--set", "frenkel:O", "--cutoff", 5, "--json")[1])
    assert {row["name"] for row in found} == {"v_O+v_Mg", "v_O+O_i_Td"}
    assert len(rows(call("defects", MGO, "--limit", 2, "--json")[1])) == 2
    split = rows(call("defects", HOSTS / "Fe.cif", "--set", "split-interstitial", "--json")[1])
    assert [row["name"] for row in split] == ["Fe_i_split_Fe_111", "Fe_i_split_Fe_110", "Fe_i_split_Fe_100"]


def test_structures_and_pictures_are_written(call, tmp_path):
    from ase.io import read

    asked = ("--kind", "vacancy", "--poscar", tmp_path / "p", "--cif", tmp_path / "c", "--plot", tmp_path / "plots")
    code, _, _ = call("defects", MGO, *asked, "--extxyz", tmp_path / "all.extxyz")
    assert code == 0
    assert {p.name for p in (tmp_path / "p").iterdir()} == {"MgO_bulk", "v_Mg_0", "v_O_0"}
    assert len(read(tmp_path / "p" / "v_O_0" / "POSCAR")) == 53
    assert {p.name for p in (tmp_path / "c").iterdir()} == {"v_Mg_0.cif", "v_O_0.cif"}
    assert [a.info["name"] for a in read(tmp_path / "all.extxyz", index=":")] == ["v_O", "v_Mg"]
    assert all((tmp_path / "plots" / name).stat().st_size > 10_000 for name in ("sites.png", "supercells.png"))
    code, _, error = call("defects", MGO, *asked)
    assert code == 2
    assert "exists" in error


def test_impurities_at_a_concentration(call):
    asked = ("impurities", MGO, "--number", "Al_Mg=2", "--compensate", "v_Mg", "--supercell", CELL, "--json")
    found = rows(call(*asked, "--mode", "exact")[1])
    assert len(found) == found[0]["distinct"] == len({row["key"] for row in found})
    assert all(row["net_charge"] == 0 and row["counts"] == {"Al_Mg": 2, "v_Mg": 1} for row in found)
    drawn = rows(call(*asked, "-n", 4, "--seed", 3)[1])
    assert {row["key"] for row in drawn} <= {row["key"] for row in found}
    best = rows(call("impurities", CU, "--concentration", "Ni_Cu=0.25", "--mode", "sqs", "-n", 2, "--json")[1])
    assert best[0]["objective"] <= best[1]["objective"]


EQUILIBRIUM = ("impurities", CU, "--number", "Au_Cu=2", "--supercell", CELL, "--equilibrate", 400, "--potential", "emt")


def test_impurities_in_equilibrium(call, tmp_path):
    """Relaxed cells of the lowest enthalpies most often, with the whole of what was asked."""
    from ase.io import read

    folder, written = tmp_path / "out", tmp_path / "cells.extxyz"
    code, out, error = call(*EQUILIBRIUM, "-n", 50, "-o", folder, "--extxyz", written, "--json")
    found = rows(out)
    assert code == 0
    assert "without those of vibrations" in error
    assert sum(row["drawn"] for row in found) == 50
    assert found[0]["exact"]
    assert sum(row["probability"] for row in found) == pytest.approx(1, abs=0.2)
    by_enthalpy = sorted(found, key=lambda row: row["enthalpy"])
    weights = [row["probability"] / row["degeneracy"] for row in by_enthalpy]
    assert weights == sorted(weights, reverse=True)
    cells = read(written, index=":")
    assert len(cells) == len(found)
    # Gold is larger than copper: the cells have grown, and their atoms have moved.
    assert all(atoms.get_volume() > 4 * 8 * 3.61**3 / 4 for atoms in cells)
    assert call(*EQUILIBRIUM, "-n", 5, "-o", folder)[1].count("short-range order") == 1


@pytest.mark.parametrize("option", ["--extxyz", "--cif", "--poscar"])
def test_what_is_there_is_refused_before_anything_is_relaxed(call, tmp_path, option):
    taken = tmp_path / "taken"
    if option == "--extxyz":
        taken.write_text("mine")
    else:
        taken.mkdir()
        (taken / "mine").write_text("mine")
    code, _, error = call(*EQUILIBRIUM, option, taken)
    assert code == 2
    assert f"{taken}: exists" in error
    assert "relaxations" not in error
    assert (taken if taken.is_file() else taken / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--equilibrate", 300, "--mode", "sqs"), "give one of them"),
        (("--potential", "emt"), "give --equilibrate"),
        (("--enthalpies", 40), "give --equilibrate"),
        (("--equilibrate", 0, "--potential", "emt"), "above 0 K"),
        (("--equilibrate", 300, "--potential", "emt", "--enthalpies", 3), "needs 10 at least"),
        (("--equilibrate", 300, "--potential", "mace-mgo"), "Au"),
    ],
)
def test_an_equilibrium_that_cannot_be(call, options, message):
    code, out, error = call("impurities", CU, "--number", "Au_Cu=2", "--supercell", CELL, *options)
    assert code == 2
    assert message in error
    assert not out


def test_a_disordered_crystal_becomes_ordered_ones(call, tmp_path):
    path = tmp_path / "alloy.cif"
    path.write_text(DISORDERED)
    code, out, _ = call("impurities", path, "-n", 3, "--json")
    assert code == 0
    assert {row["fractions"]["Ni_Cu"] for row in rows(out)} == {0.25}
    code, _, error = call("defects", path)
    assert code == 2
    assert "defectgen impurities" in error


def test_defects_at_a_surface_a_fault_and_a_boundary(call):
    surface = rows(call("planar", MGO, "--surface", "1,0,0", "--thickness", 6, "--kind", "vacancy", "--json")[1])
    assert {row["planar"]["kind"] for row in surface} == {"surface"}
    assert surface[0]["depths"] == [0.0]
    fault = ("--fault", "1,1,1", "--vector", "1/6,1/6,-1/3", "--kind", "vacancy", "--json")
    assert len({row["depths"][0] for row in rows(call("planar", CU, *fault)[1])}) == 4
    boundary = rows(call("planar", CU, "--grain-boundary", 5, "--plane", "3,1,0", "--kind", "vacancy", "--json")[1])
    assert boundary[0]["planar"]["sigma"] == 5
    assert len(rows(call("planar", CU, "--fault", "1,1,1", "--scan", 3, "--json")[1])) == 4
    code, out, _ = call("planar", MGO, "--surface", "1,0,0", "--thickness", 6, "--complex", "v_O,v_Mg", "--cutoff", 3)
    assert code == 0
    assert "v_O_C4v+v_Mg_C4v" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("defects", MGO, "--count"), "--complex"),
        (("defects", MGO, "--complex", "v_O", "--supercell", "0 0 0 0 0 0 0 0 0"), "singular"),
        (("defects", MGO, "--complex", "v_O", "--supercell", "1 2"), "nine integers"),
        (("defects", MGO, "--complex", "v_O", "--size", 0), "greater than or equal to 1"),
        (("defects", MGO, "--complex", "v_O", "--size", 40), "sites in the supercell"),
        (("defects", MGO, "--complex", "v_O", "--size", 2, "--cutoff", 0.5), "the nearest are"),
        (("defects", MGO, "--complex", "v_O_9z"), "9z"),
        (("defects", MGO, "--complex", "v_O,Al_Mg", "--neutral"), "is neutral"),
        (("defects", MGO, "--complex", "v_O", "-n", 2, "--weight", "x"), "weight"),
        (("defects", MGO, "--set", "frankel"), "the sets are"),
        (("defects", MGO, "--set", "frenkel:N"), "has no N"),
        (("impurities", MGO), "every site holds one species"),
        (("impurities", MGO), "--concentration v_Mg=0.05"),
        (("impurities", MGO, "--number", "Al_Mg=2", "--min-separation", -1), "give a distance"),
        (("impurities", MGO, "--concentration", "Al_Mg=2"), "above 0 and at most 1"),
        (("impurities", MGO, "--number", "Al_Mg=x"), "a name and a number"),
        (("impurities", MGO, "--number", "Al_Mg=1", "--compensate", "v_Mg"), "Al_Mg"),
        (("impurities", MGO, "--number", "Al_Mg=2", "--mode", "x"), "the modes are"),
        (("impurities", MGO, "--number", "Al_Mg=2", "--weight", "x"), "degeneracy"),
        (("planar", MGO), "give one of"),
        (("planar", MGO, "--surface", "0,0,0"), "Miller"),
        (("planar", MGO, "--surface", "1,0,0", "--termination", 7), "numbered from 0"),
        (("planar", CU, "--fault", "1,1,1"), "--vector"),
        (("planar", CU, "--fault", "1,1,1", "--vector", "1/0,0,0"), "fractions"),
        (("planar", CU, "--grain-boundary", 5), "--plane"),
        (("planar", CU, "--grain-boundary", 4, "--plane", "3,1,0"), "no rotation"),
    ],
)
def test_what_cannot_be_gets_one_line(call, arguments, words):
    code, out, error = call(*arguments)
    assert code == 2
    assert not out
    assert error.count("\n") == 1
    assert words in error

"""The example hosts are the crystals they say they are, and every example script runs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.places import EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own

NEAREST = {  # published shortest distance between unlike atoms (like atoms in elements), Å
    "Cu": 2.556,
    "Al": 2.863,
    "Fe": 2.482,
    "Ti": 2.896,
    "Si": 2.352,
    "GaAs": 2.448,
    "GaN": 1.95,
    "ZnO": 1.974,
    "BN_hexagonal": 1.446,
    "MgO": 2.106,
    "CaO": 2.405,
    "NaCl": 2.820,
    "CeO2": 2.343,
    "CaF2": 2.365,
    "SrTiO3": 1.953,
    "TiO2_rutile": 1.948,
    "SiO2_quartz": 1.605,
    "MgAl2O4": 1.921,
    "Al2O3_corundum": 1.855,
    "Ga2O3_beta": 1.80,
    "ZrO2_monoclinic": 2.051,
    "LiCoO2": 1.921,
    "LiFePO4": 1.524,
    "Li3OCl": 1.955,
    "Li6PS5Cl": 2.042,
}


def load_make_hosts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_hosts", EXAMPLES / "make_hosts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_hosts"] = module
    spec.loader.exec_module(module)
    return module


make_hosts = load_make_hosts()
RECIPES = {recipe.name: recipe for recipe in make_hosts.RECIPES}


def test_every_recipe_has_its_published_distance_and_its_file() -> None:
    on_disk = {path.stem for path in (EXAMPLES / "hosts").glob("*.cif")}
    assert set(RECIPES) == set(NEAREST) == on_disk


def test_the_families_that_users_look_for_are_there() -> None:
    families = " ".join(recipe.family for recipe in RECIPES.values())
    for family in (
        "metal",
        "semiconductor",
        "wurtzite",
        "perovskite",
        "spinel",
        "fluorite",
        "lithium-ion",
        "monoclinic",
    ):
        assert family in families


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_file_on_disk_is_the_crystal_of_the_recipe(name: str) -> None:
    import moyopy
    import spglib
    from ase.io import read

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ASE comments on the setting of some space groups
        atoms = read(EXAMPLES / "hosts" / f"{name}.cif")
    fractional, numbers = atoms.get_scaled_positions(), atoms.numbers
    spglib_cell = (np.array(atoms.cell), fractional, numbers)
    moyo_cell = moyopy.Cell(np.array(atoms.cell).tolist(), fractional.tolist(), numbers.tolist())
    assert spglib.get_symmetry_dataset(spglib_cell, symprec=1e-3).number == RECIPES[name].space_group
    assert moyopy.MoyoDataset(moyo_cell, symprec=1e-3).number == RECIPES[name].space_group
    nearest = shortest_distance(atoms)
    assert nearest == pytest.approx(NEAREST[name], abs=0.006)


def shortest_distance(atoms) -> float:
    """Shortest distance between unlike atoms, or between any two where there is one element, Å."""
    from ase.neighborlist import neighbor_list

    i, j, d = neighbor_list("ijd", atoms, 3.2)
    unlike = atoms.numbers[i] != atoms.numbers[j]
    assert d.min() > 1.4, "no two atoms of an ideal crystal overlap"
    return float(d[unlike].min() if unlike.any() else d.min())


def test_writing_again_gives_the_committed_bytes() -> None:
    recipe = RECIPES["ZrO2_monoclinic"]
    committed = (EXAMPLES / "hosts" / "ZrO2_monoclinic.cif").read_text(encoding="ascii")
    assert make_hosts.cif_text(recipe) == committed
    assert (EXAMPLES / "hosts" / "README.md").read_text(encoding="utf-8") == make_hosts.readme_text()


def test_a_wrong_coordinate_breaks_the_space_group() -> None:
    from dataclasses import replace

    import spglib

    recipe = RECIPES["MgAl2O4"]
    broken = replace(recipe, sites=(*recipe.sites[:2], ("O", (0.3874, 0.3874, 0.36))))
    s = make_hosts.build(broken)
    assert len(s) != len(make_hosts.build(recipe))
    s.translate_sites([0], [0.02, 0, 0])
    cell = (s.lattice.matrix, s.frac_coords, s.atomic_numbers)
    assert spglib.get_symmetry_dataset(cell, symprec=1e-3).number != recipe.space_group


def run_example(name: str, *arguments: str, cwd: Path) -> str:
    """What an example prints when it is run as its first line says."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_script_is_short_and_says_how_to_run_it() -> None:
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert len(scripts) >= 7
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert f"python examples/{script.name}" in text.splitlines()[0]
        statements = [line for line in text.splitlines()[1:] if line and not line.startswith(("import", "from", "#"))]
        assert script.name == "make_hosts.py" or len(statements) <= 6, script


def test_the_defects_of_mgo_are_listed(tmp_path: Path) -> None:
    lines = run_example("list_defects.py", cwd=tmp_path).splitlines()
    names = {line.split()[0] for line in lines}
    assert {"v_O", "v_Mg", "Mg_O", "O_Mg", "Al_Mg", "Al_O", "O_i_Td", "Mg_i_Td", "Al_i_Td"} == names


def test_a_vacancy_in_copper_relaxes(tmp_path: Path) -> None:
    assert run_example("relax_defect.py", cwd=tmp_path).startswith("v_Cu: converged in ")


def test_geometries_are_proposed(tmp_path: Path) -> None:
    lines = run_example("generate_geometries.py", cwd=tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == [name for name in ("v_O", "v_Ti", "v_Sr") for _ in range(2)]


def test_supercells_are_compared_and_drawn(tmp_path: Path) -> None:
    lines = run_example("supercell_choice.py", cwd=tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == ["96", "96"]
    assert {p.name for p in tmp_path.iterdir()} == {"GaN_supercells.png", "GaN_sites.png"}


def test_defects_are_exported(tmp_path: Path) -> None:
    lines = run_example("export_defects.py", cwd=tmp_path).splitlines()
    assert any(line.startswith("V_O^••") for line in lines)
    assert len(list((tmp_path / "MgO_vasp").iterdir())) == len(lines) + 1
    assert len(list((tmp_path / "MgO_cif").iterdir())) == len(lines)


def test_complexes_are_listed_counted_and_drawn(tmp_path: Path) -> None:
    lines = run_example("complexes.py", cwd=tmp_path).splitlines()
    assert lines[0].startswith("v_O+v_Mg")
    assert "20 of 2" in lines[-2]
    assert lines[-1].count("/q+0") == 3


def test_a_surface_has_its_defects_by_depth(tmp_path: Path) -> None:
    lines = run_example("planar_defects.py", cwd=tmp_path).splitlines()
    depths = [float(line.split()[1]) for line in lines[1:] if line.startswith("v_")]
    assert depths == sorted(depths)
    assert len(lines) == 13


def test_a_doped_solid_has_its_configurations(tmp_path: Path) -> None:
    lines = run_example("doped_solid.py", cwd=tmp_path).splitlines()
    assert f"{len(lines) - 1} distinct configurations" in lines[0]


@pytest.mark.slow
def test_both_engines_see_the_same_volume(tmp_path: Path) -> None:
    lines = run_example("heat_and_squeeze.py", cwd=tmp_path).splitlines()
    assert [line.split()[:2] for line in lines] == [["ase", "finished:"], ["lammps", "finished:"]]
    (one, other), (error, another) = ([float(line.split()[k]) for line in lines] for k in (2, 4))
    assert abs(one - other) < 4 * np.hypot(error, another)


@pytest.mark.slow
def test_a_whole_run_and_its_dataset(tmp_path: Path) -> None:
    settings = (EXAMPLES / "settings/quick_look.yaml").read_text(encoding="utf-8")
    own = tmp_path / "settings.yaml"
    own.write_text(settings.replace("examples/hosts", str(EXAMPLES / "hosts")), encoding="utf-8")
    report = tmp_path / run_example("whole_run.py", str(own), cwd=tmp_path).strip()
    assert report.is_file()
    printed = run_example("export_dataset.py", "dataset", str(report.parent), cwd=tmp_path)
    assert "mace_run_train" in printed
    assert (tmp_path / "dataset/train.extxyz").is_file()


@pytest.mark.parametrize("path", sorted((EXAMPLES / "settings").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_settings_file_can_be_run(path: Path) -> None:
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.run.settings import read_settings

    settings = read_settings(path)
    assert settings.host.parent == Path("examples/hosts")
    here = settings.replaced({"host": EXAMPLES / "hosts" / settings.host.name})
    assert PreparedRun.of(here).defects
    assert path.read_text(encoding="utf-8").startswith("# ")

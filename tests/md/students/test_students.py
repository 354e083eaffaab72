"""The shipped students: laws of physics, checks at load, and the numbers on the card."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import md.students
from augment.errors import PotentialError
from md.potentials import resolve_potential
from md.students import load_student, read_student, save_student, student_card, student_folders, student_names
from md.students.selftest import evaluate

NAME = "mace-mgo"
STUDENTS = Path(md.students.__file__).parent
SHIPPED = STUDENTS / "mgo"


@pytest.fixture(scope="module")
def network():
    return load_student(NAME)[0]


@pytest.fixture(scope="module")
def cell():
    """A strained, rattled conventional cell with an oxygen vacancy: no symmetry is left to hide an error."""
    rng = np.random.default_rng(5)
    lattice = 4.2 * np.eye(3) + rng.normal(scale=0.06, size=(3, 3))
    corners = [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    positions = np.array(corners) / 2 @ lattice + rng.normal(scale=0.08, size=(7, 3))
    return lattice, np.array([12, 12, 12, 12, 8, 8, 8]), positions


def test_names_and_cards_need_no_torch():
    code = (
        "import sys; from md.students import student_names, student_card; "
        "[student_card(n) for n in student_names()]; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert NAME in student_names()


def test_card_says_what_a_user_must_know():
    card = student_card(NAME)
    assert set(card["elements"]) == {"Mg", "O"}
    assert len(card["teacher"]["sha256"]) == 64
    assert {"temperature_K", "pressure_GPa", "volume_ratio", "charge"} <= card["domain"].keys()
    assert card["errors"]["test"]["all"]["cells"] > 10
    assert (SHIPPED / "README.md").read_text(encoding="utf-8").startswith("# mace-mgo")


def test_unknown_name_is_refused():
    with pytest.raises(PotentialError, match="mace-mgo"):
        load_student("mace-unobtainium")


def test_loading_leaves_global_settings_alone(network):
    import torch

    assert network.r_max.dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ


def test_round_trip_is_exact(network, cell, tmp_path):
    save_student(network, tmp_path, {"name": NAME, "elements": ["O", "Mg"]})
    again, card = read_student(tmp_path)
    for ours, theirs in zip(evaluate(network, *cell), evaluate(again, *cell), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    assert card["config"] == student_card(NAME)["config"]


def test_another_kind_of_network_is_not_saved(tmp_path):
    import torch

    with pytest.raises(PotentialError, match="ScaleShiftMACE"):
        save_student(torch.nn.Linear(1, 1), tmp_path, {"name": "x", "elements": []})
    assert not list(tmp_path.iterdir())


def test_altered_weights_are_refused(tmp_path):
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "copy"))
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(PotentialError, match="altered"):
        read_student(folder)


def test_self_test_refuses_weights_that_only_look_right(tmp_path):
    """Hash and shapes fit, one layer is 0.1 % off: only physics can tell."""
    import hashlib

    from safetensors.torch import load, save

    folder = Path(shutil.copytree(SHIPPED, tmp_path / "copy"))
    state = load((folder / "weights.safetensors").read_bytes())
    state["interactions.0.linear_up.weight"] *= 1.001
    content = save(state)
    (folder / "weights.safetensors").write_bytes(content)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(PotentialError, match="self-test failed"):
        read_student(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "weights.safetensors").unlink(), "cannot be read"),
        (lambda folder: (folder / "card.json").write_text("{"), "unreadable"),
        (lambda folder: (folder / "card.json").write_text('{"format": 99}'), "format"),
    ],
)
def test_damaged_folders_are_refused(tmp_path, damage, message):
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "copy"))
    damage(folder)
    with pytest.raises(PotentialError, match=message):
        read_student(folder)


def test_rotations_turn_forces_and_stress_and_keep_the_energy(network, cell):
    lattice, numbers, positions = cell
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    energy, forces, stress = evaluate(network, *cell)
    turned = evaluate(network, lattice @ rotation.T, numbers, positions @ rotation.T)
    assert turned[0] == pytest.approx(energy, abs=1e-10)
    np.testing.assert_allclose(turned[1], forces @ rotation.T, atol=1e-10)
    np.testing.assert_allclose(turned[2], rotation @ stress @ rotation.T, atol=1e-10)
    # Negative control: a shear is no rotation.
    assert abs(evaluate(network, lattice @ (np.eye(3) + 0.05), numbers, positions)[0] - energy) > 1e-3


def test_permutations_of_like_atoms_change_nothing(network, cell):
    lattice, numbers, positions = cell
    order = np.array([3, 1, 0, 2, 6, 4, 5])
    energy, forces, _ = evaluate(network, *cell)
    permuted = evaluate(network, lattice, numbers[order], positions[order])
    assert permuted[0] == pytest.approx(energy, abs=1e-10)
    np.testing.assert_allclose(permuted[1], forces[order], atol=1e-10)
    # Negative control: exchanging two species is another crystal.
    assert abs(evaluate(network, lattice, numbers[::-1].copy(), positions)[0] - energy) > 0.1


def test_forces_are_the_slope_of_the_energy(network, cell):
    lattice, numbers, positions = cell
    forces, step = evaluate(network, *cell)[1], 1e-4
    assert np.abs(forces.sum(axis=0)).max() < 1e-10
    for atom, axis in ((0, 0), (3, 1), (5, 2)):
        shift = np.zeros_like(positions)
        shift[atom, axis] = step
        up, down = (evaluate(network, lattice, numbers, positions + s * shift)[0] for s in (1, -1))
        assert forces[atom, axis] == pytest.approx(-(up - down) / (2 * step), abs=1e-6)


def test_stress_is_the_slope_of_the_energy(network, cell):
    lattice, numbers, positions = cell
    stress, step = evaluate(network, *cell)[2], 1e-5
    volume = abs(np.linalg.det(lattice))
    for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)):
        strain = np.zeros((3, 3))
        strain[i, j] += step / 2
        strain[j, i] += step / 2
        energies = [
            evaluate(network, lattice @ (np.eye(3) + s * strain), numbers, positions @ (np.eye(3) + s * strain))[0]
            for s in (1, -1)
        ]
        assert stress[i, j] == pytest.approx((energies[0] - energies[1]) / (2 * step * volume), abs=1e-7)


def test_energy_is_extensive(network, cell):
    lattice, numbers, positions = cell
    energy, forces, stress = evaluate(network, *cell)
    doubled = evaluate(
        network,
        lattice * np.array([[1.0], [2.0], [1.0]]),
        np.tile(numbers, 2),
        np.concatenate([positions, positions + lattice[1]]),
    )
    assert doubled[0] == pytest.approx(2 * energy, abs=1e-9)
    np.testing.assert_allclose(doubled[1], np.tile(forces, (2, 1)), atol=1e-10)
    np.testing.assert_allclose(doubled[2], stress, atol=1e-10)


@pytest.mark.parametrize("name", [name for name, folder in student_folders().items() if folder.parent == STUDENTS])
def test_a_student_has_the_volume_of_its_teacher(name):
    from ase.build import bulk
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS

    crystals = {"MgO": bulk("MgO", "rocksalt", 4.2), "ZnS": bulk("ZnS", "zincblende", 5.4), "Cu": bulk("Cu")}
    hosts = student_card(name)["hosts"]
    for formula in crystals.keys() & hosts.keys():
        atoms = crystals[formula]
        atoms.calc = resolve_potential(name).calculator()
        LBFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.01, steps=60)
        known = hosts[formula]
        # That of a refined student is by the curve of its new teacher.
        volume = known["curves"]["teacher"]["volume"] if "curves" in known else known["volume_per_atom"]
        assert atoms.get_volume() / len(atoms) == pytest.approx(volume, rel=5e-3)

"""Native evaluation of MACE: equal to mace-torch on random cells, whatever was evaluated before, and never trusted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from augment.errors import PotentialError
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.labels.evaluator import Evaluator
from md.potentials import Potential, resolve_potential
from md.potentials.mace import native
from md.potentials.mace.native import NotNativeError, cache_folder, native_calculator
from md.potentials.mace.torch_calculator import torch_calculator
from md.students import load_student, student_names
from md.students.network import construct
from tests.support.optional import optional

optional("symmetrix")

MIN_DISTANCE = 1.6
"""Å; of the random cells. Untrained networks are smooth, so that overlaps would hide nothing and prove nothing."""


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache of this session's own, so that what a user has converted before proves nothing here."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield cache_folder()
    patch.undo()


@pytest.fixture(scope="session")
def network():
    """An untrained network of the shape that students have: l up to 3, correlation 3, 16 channels."""
    import torch

    config = load_student("mace-mgo")[1]["config"]
    torch.manual_seed(0)
    changed = {"max_ell": 3, "hidden_irreps": "16x0e", "r_max": 4.5, "radial_MLP": [32, 32]}
    return construct({**config, **changed}).eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="session")
def model(cache: Path, network, tmp_path_factory) -> Potential:
    import torch

    from md.labels.third_party import silent_loading

    assert not cache.exists()
    path = tmp_path_factory.mktemp("model") / "untrained.model"
    with silent_loading():
        torch.save(network, path)
    return resolve_potential(path, {"Mg", "O"}, trust=True)


@pytest.fixture(scope="session")
def oracle(network):
    return torch_calculator(network)


def random_cell(seed: int) -> Atoms:
    """One to twelve atoms in a triclinic cell, some of them smaller than the cutoff in every direction."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 13))
    cell = (14.0 * n) ** (1 / 3) * (np.eye(3) + rng.normal(scale=0.15, size=(3, 3)))
    atoms = Atoms(rng.choice([8, 12], n), rng.random((n, 3)) @ cell, cell=cell, pbc=True)
    distances = atoms.get_all_distances(mic=True)[np.triu_indices(n, 1)]
    return atoms if distances.min(initial=MIN_DISTANCE) >= MIN_DISTANCE else random_cell(seed + 10_000)


def labels(atoms: Atoms, calculator):
    atoms = atoms.copy()
    atoms.calc = calculator
    return atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()


def agree(atoms, one, other) -> None:
    (e, f, s), (e0, f0, s0) = labels(atoms, one), labels(atoms, other)
    assert abs(e - e0) / len(atoms) < 1e-6
    np.testing.assert_allclose(f, f0, atol=1e-5, rtol=0)
    np.testing.assert_allclose(s, s0, atol=1e-6, rtol=0)


def test_it_is_chosen_and_named(model):
    assert model.evaluator == "symmetrix-xl"
    assert "symmetrix-xl 0." in model.provenance["potential_evaluator"]
    assert "e3nn" in model.provenance["potential_evaluator"]
    assert replace(model, evaluator="mace-torch").sha256 == model.sha256


def test_it_agrees_with_mace_torch_on_random_cells(model, oracle):
    for seed in range(20):
        agree(random_cell(seed), model.calculator(), oracle)


@pytest.mark.slow
def test_it_agrees_with_mace_torch_on_a_thousand_random_cells(model, oracle):
    for seed in range(1000):
        agree(random_cell(seed), model.calculator(), oracle)


def test_the_oracle_sees_another_network(model, oracle):
    """Negative control: a species exchanged is far beyond the tolerance."""
    atoms = random_cell(3)
    other = atoms.copy()
    other.numbers = 20 - other.numbers
    assert abs(labels(atoms, model.calculator())[0] - labels(other, oracle)[0]) / len(atoms) > 1e-3


def test_neighbours_kept_between_steps_change_nothing(model, oracle):
    """A walk with jumps across the skin and a strained cell, always against a calculator that lists afresh."""
    calculator, rng = model.calculator(), np.random.default_rng(1)
    atoms = random_cell(7).repeat((2, 1, 1))
    built = calculator.neighbor_cache_build_count
    for step in range(25):
        atoms.positions += rng.normal(scale=0.3 if step % 8 == 7 else 0.02, size=atoms.positions.shape)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.002, size=(3, 3))), scale_atoms=True)
        if step == 12:
            atoms.wrap()
        kept = labels(atoms, calculator)
        agree(atoms, calculator, oracle)
        calculator.reset()
        fresh = labels(atoms, calculator)
        for one, other in zip(kept, fresh, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-10, rtol=0)
    assert calculator.neighbor_cache_build_count > built


def test_an_evaluation_after_reset_is_the_same_to_the_last_bit(model):
    atoms, calculator = random_cell(11).repeat((2, 2, 1)), model.calculator()
    found = []
    for seed in range(3):
        moved = atoms.copy()
        moved.rattle(0.06, seed=seed)
        moved.positions += 1.3 * seed
        calculator.reset()
        labels(moved, calculator)
        evaluation = Evaluator(atoms.numbers, calculator, atoms.get_volume())(atoms.positions, atoms.cell.array)
        found.append((evaluation.energy, evaluation.forces.tobytes(), evaluation.stress.tobytes()))
    assert found[0] == found[1] == found[2]


def test_lists_are_reused_where_atoms_move_little(model):
    calculator = model.calculator()
    atoms = random_cell(5)
    labels(atoms, calculator)
    built = calculator.neighbor_cache_build_count
    for seed in range(5):
        atoms.rattle(0.005, seed=seed)
        labels(atoms, calculator)
    assert calculator.neighbor_cache_build_count == built


def test_both_engines_run_it(model):
    from tests.support.cells import cell_of

    cell = cell_of(random_cell(7).repeat((2, 1, 1)))
    runs = [
        run_point(MdPoint.of(cell, Environment(300.0, ensemble="nve"), engine=e, steps=5, interval=1), cell, model)
        for e in ("ase", "lammps")
    ]
    assert [run.status for run in runs] == ["finished", "finished"]
    np.testing.assert_allclose(runs[0].series.energies, runs[1].series.energies, atol=1e-6)
    np.testing.assert_allclose(runs[0].frames.positions[-1], runs[1].frames.positions[-1], atol=1e-6)


def test_without_a_compiler_it_is_slower_and_the_same(model, network, oracle, monkeypatch):
    monkeypatch.setenv("CXX", "/nonexistent/compiler")
    calculator = native_calculator(model.sha256, lambda: network)
    assert not calculator.compiled
    agree(random_cell(2), calculator, oracle)


def conversion(model: Potential, network, cache: Path) -> Path:
    """The file of the model's conversion, made if no test has needed it yet."""
    native_calculator(model.sha256, lambda: network)
    return cache / "native" / f"{native._key(model.sha256)}.json"


def test_a_conversion_that_was_altered_never_runs(model, network, cache):
    """Weights in the cache that are 1 % off pass every format check; the probe cells tell."""
    path = conversion(model, network, cache)
    before = path.read_bytes()
    found = json.loads(before)
    found["H0_weights"] = (1.01 * np.array(found["H0_weights"])).tolist()
    path.write_text(json.dumps(found))
    try:
        with pytest.raises(NotNativeError, match="self-test failed"):
            native_calculator(model.sha256, lambda: network)
    finally:
        path.write_bytes(before)


def test_a_damaged_conversion_is_made_again(model, network, cache):
    path = conversion(model, network, cache)
    path.write_bytes(path.read_bytes()[:1000])
    native_calculator(model.sha256, lambda: network)
    assert json.loads(path.read_bytes())


@pytest.mark.parametrize(
    ("name", "value"), [("find_spec", lambda _: None), ("_NEEDED_BY_WHEEL", {"avx1024"}), ("cache_folder", None)]
)
def test_where_it_cannot_run_mace_torch_does(monkeypatch, tmp_path, name, value, model, network):
    """No library, an old CPU, a cache that cannot be written."""
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setattr(native, name, value or (lambda: blocked))
    with pytest.raises(NotNativeError):
        native_calculator(model.sha256, lambda: network)
    own = resolve_potential(model.source, trust=True) if name != "cache_folder" else None
    assert own is None or own.sha256 == model.sha256


def test_a_worker_that_cannot_do_what_was_chosen_says_so(model, monkeypatch):
    monkeypatch.setattr(native, "find_spec", lambda _: None)
    with pytest.raises(PotentialError, match="symmetrix-xl is not installed"):
        replace(model, name="elsewhere").calculator()


@pytest.mark.skipif("mace-mgo" not in student_names(), reason="the student is not in this tree")
def test_every_element_is_in_a_probe_cell():
    for numbers in ([8], [8, 12], list(range(1, 90))):
        cells = list(native.probe_cells(np.array(numbers)))
        assert {int(z) for _, species, _ in cells for z in species} == set(numbers)
        for cell, species, positions in cells:
            assert len(species) == len(positions)
            assert abs(np.linalg.det(cell)) > 0


def test_loading_a_native_model_leaves_the_arithmetic_of_the_process_alone() -> None:
    import subprocess
    import sys

    script = (
        "import numpy as np\nfrom md.potentials import resolve_potential\n"
        "potential = resolve_potential('mace-mgo'); potential.calculator()\n"
        "print(potential.evaluator, float(np.float64(5e-324) * 1.0) > 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "True"

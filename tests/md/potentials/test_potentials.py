"""Potentials: coverage, identity, safety, and the agreement of forces and stress with energy."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, covalent_radii

from augment.errors import PotentialError
from md.labels.third_party import silent_loading
from md.potentials import list_potentials, resolve_potential
from md.students import load_student, student_names


def test_auto_takes_chgnet_for_a_host_without_a_student() -> None:
    potential = resolve_potential("auto", {"Ga", "P"})
    assert (potential.name, potential.precision) == ("chgnet-r2scan", "float32")
    assert len(potential.elements) == 89
    assert len(potential.sha256) == 64


@pytest.mark.skipif("mace-mgo" not in student_names(), reason="the student is not in this tree")
def test_auto_takes_the_student_that_covers_the_host() -> None:
    assert resolve_potential("auto", {"Mg", "O"}).name == "mace-mgo"
    assert resolve_potential("auto", {"Ti", "O"}).name == "mace-tio2", (
        "not that of the titanates, which covers them too"
    )
    assert resolve_potential("auto", {"Mg", "O", "Al"}).name == "chgnet-r2scan"


@pytest.mark.parametrize(
    ("spec", "symbols", "message"),
    [
        ("chgnet", {"Po", "Mg"}, "does not cover Po"),
        ("emt", {"O", "Cu", "Fe"}, "does not cover Fe, O"),
        ("auto", {"Xx"}, "does not cover Xx"),
        ("no-such", (), "no potential named 'no-such'"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(spec: str, symbols: set[str], message: str) -> None:
    with pytest.raises(PotentialError, match=message):
        resolve_potential(spec, symbols)


def test_a_model_file_needs_trust_and_must_be_a_model(tmp_path: Path) -> None:
    marker, model = tmp_path / "ran", tmp_path / "bad.model"

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (marker,)

    model.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(PotentialError, match=r"pickle.*trust"):
        resolve_potential(str(model), {"Mg"})
    assert not marker.exists()
    with pytest.raises(PotentialError, match="not a MACE model"):
        resolve_potential(str(model), {"Mg"}, trust=True)


def test_weights_that_changed_are_refused() -> None:
    with pytest.raises(PotentialError, match="changed"):
        replace(resolve_potential("chgnet"), sha256="0" * 64).calculator()


def test_a_potential_travels_between_processes_and_loads_once() -> None:
    potential = resolve_potential("emt", {"Cu"})
    copy = pickle.loads(pickle.dumps(potential))  # noqa: S301  our own bytes
    assert copy == potential
    assert copy.calculator() is potential.calculator()


def test_listing_tells_what_loads_here_and_leaves_the_process_as_it_was() -> None:
    statuses = {status.name: status for status in list_potentials()}
    assert statuses["chgnet"].usable, statuses["chgnet"].detail
    assert statuses["emt"].usable
    assert all(statuses[name].usable for name in student_names())
    import torch

    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ
    assert torch.get_default_dtype() == torch.float32


def test_a_trusted_model_file_gives_the_labels_of_the_network_in_it(tmp_path: Path) -> None:
    import torch

    network, card = load_student("mace-mgo")
    with silent_loading():  # torch deprecates how e3nn pickles
        torch.save(network, tmp_path / "own.model")
    own = resolve_potential(tmp_path / "own.model", card["elements"], trust=True)
    assert (own.kind, own.name, own.elements) == ("mace", "own.model", frozenset(card["elements"]))
    atoms = bulk("MgO", "rocksalt", 4.3)
    energies = [p.calculator().get_potential_energy(atoms) for p in (own, resolve_potential("mace-mgo"))]
    assert energies[0] == pytest.approx(energies[1], abs=1e-10)
    (tmp_path / "own.model").write_bytes(b"something else")
    with pytest.raises(PotentialError, match="changed since it was trusted"):
        replace(own, name="again").calculator()


@pytest.mark.parametrize("name", ["emt", "chgnet", *student_names()])
def test_forces_and_stress_are_the_derivatives_of_the_energy(name: str) -> None:
    potential = resolve_potential(name)
    atoms = bulk("Cu", cubic=True) if name == "emt" else bulk("MgO", "rocksalt", 4.21)
    if not {"Mg", "O"} <= potential.elements and name != "emt":
        pair = sorted(potential.elements)[-2:]
        constant = 2.2 * sum(covalent_radii[atomic_numbers[e]] for e in pair)
        atoms = Atoms(pair, scaled_positions=[[0, 0, 0], [0.5] * 3], cell=constant / 2 * (1 - np.eye(3)), pbc=True)
    atoms.rattle(0.1, seed=3)
    atoms.calc = potential.calculator()
    step, loose = (1e-4, 1e-6) if potential.precision == "float64" else (5e-3, 1e-2)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.calc = potential.calculator()
        moved.positions[0, 0] += sign * step
        energies.append(moved.get_potential_energy())
    numerical = -(energies[0] - energies[1]) / (2 * step)
    assert atoms.get_forces()[0, 0] == pytest.approx(numerical, abs=loose)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.calc = potential.calculator()
        moved.set_cell(atoms.cell @ (np.eye(3) + sign * step * np.diag([1, 0, 0])), scale_atoms=True)
        energies.append(moved.get_potential_energy())
    numerical = (energies[0] - energies[1]) / (2 * step * atoms.get_volume())
    assert atoms.get_stress()[0] == pytest.approx(numerical, abs=loose)

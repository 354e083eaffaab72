"""Laws of physics that every potential obeys, through whatever evaluates it, each with a change that is no symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, covalent_radii

from md.potentials import Potential, resolve_potential
from md.potentials.chgnet.weights import WEIGHT_SETS
from md.potentials.mace.models import fastest
from md.students import student_names

LJ = 'ase.calculators.lj:LennardJones{"sigma": 2.3, "epsilon": 0.4, "rc": 5.0, "smooth": true}'
NAMES = ["emt", LJ, *WEIGHT_SETS, *student_names()]


@dataclass(frozen=True)
class Precision:
    """Steps of finite differences (Å, strain) and how closely labels must agree."""

    step: float
    slope: float
    equal: float


DOUBLE, SINGLE = Precision(1e-4, 2e-5, 1e-7), Precision(5e-3, 3e-2, 3e-4)


@pytest.fixture(params=NAMES, ids=lambda name: name.split("{")[0])
def potential(request) -> Potential:
    return resolve_potential(request.param, trust=True)


@pytest.fixture
def precision(potential) -> Precision:
    return DOUBLE if potential.precision == "float64" else SINGLE


@pytest.fixture
def atoms(potential) -> Atoms:
    """A sheared, rattled cell without any symmetry, some images of an atom within the cutoff of the others."""
    made = bulk("MgO", "rocksalt", 4.25, cubic=True) if potential.covers({"Mg", "O"}) else bulk("Cu", cubic=True)
    if not potential.covers({"Mg", "O"}) and not potential.covers({"Cu"}):
        pair = sorted(potential.elements)[-2:]
        made = bulk("MgO", "rocksalt", 2.2 * sum(covalent_radii[atomic_numbers[e]] for e in pair), cubic=True)
        made.symbols = [pair[symbol == "O"] for symbol in made.symbols]
    del made[0]
    rng = np.random.default_rng(4)
    made.set_cell(made.cell @ (np.eye(3) + rng.normal(scale=0.03, size=(3, 3))), scale_atoms=True)
    made.positions += rng.normal(scale=0.06, size=made.positions.shape)
    made.calc = potential.calculator()
    return made


def changed(atoms: Atoms, **new) -> Atoms:
    made = Atoms(new.get("numbers", atoms.numbers), new.get("positions", atoms.positions), pbc=True)
    made.set_cell(new.get("cell", atoms.cell.array))
    made.calc = atoms.calc
    return made


def test_forces_are_the_slopes_of_the_energy(atoms, precision):
    forces, step = atoms.get_forces(), precision.step
    assert np.abs(forces).max() > 10 * precision.slope
    for atom, axis in ((0, 0), (len(atoms) - 1, 1), (1, 2)):
        shift = np.zeros_like(atoms.positions)
        shift[atom, axis] = step
        up, down = (changed(atoms, positions=atoms.positions + s * shift).get_potential_energy() for s in (1, -1))
        assert forces[atom, axis] == pytest.approx(-(up - down) / (2 * step), abs=precision.slope)


def test_the_stress_is_the_slope_of_the_energy_under_strain(atoms, precision):
    """All six components, per volume; a diagonal and a shear that have the other's value would not pass."""
    stress, step, volume = atoms.get_stress(), precision.step, atoms.get_volume()
    for voigt, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strain = np.zeros((3, 3))
        strain[i, j] += step / 2
        strain[j, i] += step / 2
        energies = []
        for sign in (1, -1):
            deformation = np.eye(3) + sign * strain
            strained = changed(atoms, cell=atoms.cell.array @ deformation, positions=atoms.positions @ deformation)
            energies.append(strained.get_potential_energy())
        assert stress[voigt] == pytest.approx((energies[0] - energies[1]) / (2 * step * volume), abs=precision.slope)


def test_rotations_turn_forces_and_stress_and_keep_the_energy(atoms, precision):
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False)
    turned = changed(atoms, cell=atoms.cell.array @ rotation.T, positions=atoms.positions @ rotation.T)
    assert turned.get_potential_energy() == pytest.approx(energy, abs=precision.equal)
    np.testing.assert_allclose(turned.get_forces(), forces @ rotation.T, atol=precision.equal)
    np.testing.assert_allclose(turned.get_stress(voigt=False), rotation @ stress @ rotation.T, atol=precision.equal)
    shear = np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1.02]])
    sheared = changed(atoms, cell=atoms.cell.array @ shear, positions=atoms.positions @ shear)
    assert abs(sheared.get_potential_energy() - energy) > 10 * precision.equal


def test_permutations_and_translations_change_nothing(atoms, precision):
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    order = np.random.default_rng(2).permutation(len(atoms))
    places = atoms.positions[order] + 0.37
    places[0] += atoms.cell.array[1] - 2 * atoms.cell.array[0]
    permuted = changed(atoms, numbers=atoms.numbers[order], positions=places)
    assert permuted.get_potential_energy() == pytest.approx(energy, abs=precision.equal)
    np.testing.assert_allclose(permuted.get_forces(), forces[order], atol=precision.equal)
    assert np.abs(forces.sum(axis=0)).max() < precision.equal
    places[0, 0] += 0.1
    moved = changed(atoms, numbers=atoms.numbers[order], positions=places).get_potential_energy()
    assert abs(moved - energy) > 10 * precision.equal


def test_energy_is_extensive(atoms, precision):
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    doubled = atoms.repeat((1, 2, 1))
    doubled.calc = atoms.calc
    assert doubled.get_potential_energy() == pytest.approx(2 * energy, abs=2 * precision.equal)
    np.testing.assert_allclose(doubled.get_forces(), np.tile(forces, (2, 1)), atol=precision.equal)
    np.testing.assert_allclose(doubled.get_stress(), stress, atol=precision.equal)


def test_another_description_of_the_cell_is_the_same_crystal(atoms, precision):
    """A left-leaning, very oblique cell of the same lattice: neighbours come from many more images."""
    oblique = np.array([[1, 2, 0], [0, 1, -1], [1, 2, 1]]) @ atoms.cell.array
    same = changed(atoms, cell=oblique)
    assert same.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=precision.equal)
    np.testing.assert_allclose(same.get_forces(), atoms.get_forces(), atol=precision.equal)
    np.testing.assert_allclose(same.get_stress(), atoms.get_stress(), atol=precision.equal)


def test_what_is_resolved_has_its_fastest_evaluator(potential):
    assert fastest(potential) == potential

"""A point charge in a periodic dielectric: known constants, and a sum of its own."""

import numpy as np
import pytest
from scipy.special import erfc

from augment.errors import SettingsError
from defectgen.charge.images import dielectric_tensor, image_energy, point_charge_potentials

COULOMB = 14.399645
"""eV Å."""

CELLS = {
    "cubic": np.eye(3) * 8.4,
    "hexagonal": np.array([[9.6, 0, 0], [-4.8, 4.8 * np.sqrt(3), 0], [0, 0, 10.4]]),
    "triclinic": np.array([[9.0, 0.3, 0], [-2.0, 8.0, 1.0], [0.5, 1.5, 11.0]]),
}
TENSORS = {
    "isotropic": np.eye(3) * 9.8,
    "uniaxial": np.diag([86.0, 86.0, 170.0]),
    "general": np.array([[9.0, 1, 0], [1, 8, 0.5], [0, 0.5, 12]]),
}


def direct(cell, tensor, at, width):
    """Potential, V, at a place other than the charge, by the sums of an anisotropic medium as they stand."""
    inverse, det, volume = np.linalg.inv(tensor), np.linalg.det(tensor), abs(np.linalg.det(cell))
    steps = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), -1).reshape(-1, 3)
    away = steps @ cell - at
    length = np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away))
    waves = steps[np.any(steps, axis=1)] @ (2 * np.pi * np.linalg.inv(cell).T)
    squares = np.einsum("ni,ij,nj->n", waves, tensor, waves)
    real = (erfc(width * length) / length).sum() / np.sqrt(det)
    reciprocal = 4 * np.pi / volume * (np.exp(-squares / 4 / width**2) / squares * np.cos(waves @ at)).sum()
    return COULOMB * (real + reciprocal - np.pi / volume / width**2)


def test_a_cubic_cell_has_the_constant_of_madelung():
    assert image_energy(CELLS["cubic"], np.eye(3) * 9.8) == pytest.approx(
        -2.837297 * COULOMB / (2 * 8.4 * 9.8), rel=1e-4
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tensor", TENSORS)
def test_potentials_are_those_of_sums_in_the_medium_itself(cell, tensor):
    rng = np.random.default_rng(0)
    points = rng.uniform(0.2, 0.8, (5, 3)) @ CELLS[cell]
    centre = np.array([0.03, 0.0, 0.05]) @ CELLS[cell]
    found = point_charge_potentials(CELLS[cell], TENSORS[tensor], centre, points)
    for point, value in zip(points, found, strict=True):
        for width in (0.25, 0.4):
            # The sum in the medium converges with a width scaled by the tensor.
            scaled = width * np.sqrt(np.linalg.eigvalsh(TENSORS[tensor]).mean())
            assert value == pytest.approx(direct(CELLS[cell], TENSORS[tensor], point - centre, scaled), abs=2e-4)


def test_energy_falls_with_the_cell_and_the_constant():
    one = image_energy(CELLS["triclinic"], TENSORS["general"])
    assert image_energy(2 * CELLS["triclinic"], TENSORS["general"]) == pytest.approx(one / 2, rel=1e-4)
    assert image_energy(CELLS["triclinic"], 3 * TENSORS["general"]) == pytest.approx(one / 3, rel=1e-4)


def test_turned_crystals_have_the_same_energy():
    from scipy.spatial.transform import Rotation

    turn = Rotation.random(random_state=1).as_matrix()
    turned = image_energy(CELLS["triclinic"] @ turn, turn.T @ TENSORS["general"] @ turn)
    assert turned == pytest.approx(image_energy(CELLS["triclinic"], TENSORS["general"]), rel=1e-5)


@pytest.mark.parametrize("wrong", [0.5, -3.0, [9.0, 9.0, 0.0], [[9, 1, 0], [0, 9, 0], [0, 0, 9]]])
def test_impossible_constants_are_refused(wrong):
    with pytest.raises(SettingsError, match="at least 1"):
        dielectric_tensor(np.array(wrong))


def test_one_three_and_nine_numbers_are_a_tensor():
    assert np.array_equal(dielectric_tensor(9.8), np.eye(3) * 9.8)
    assert np.array_equal(dielectric_tensor(np.array([9.0, 9.0, 12.0])), np.diag([9.0, 9.0, 12.0]))
    assert np.array_equal(dielectric_tensor(TENSORS["general"]), TENSORS["general"])

"""The applicability guard: invariant features, limits that hold on unseen cells, foreign structures with reasons."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from augment.cell import DefectCell
from augment.errors import DataError
from md.labels.record import read_records
from md.potentials import resolve_potential
from md.potentials.domain import domain_of, fit_domain, shortest_distances_by_element
from md.potentials.environments import environment_features, environment_length
from md.relaxation.relax import relax_structure
from tests.support.cells import cell_of
from tests.support.places import ROOT

LABELS = ROOT / "training" / "labels" / "mgo"


@pytest.fixture(scope="module")
def learnt():
    return [record.cell for record in read_records(LABELS / "train.npz")][::4]


@pytest.fixture(scope="module")
def fitted(learnt):
    return fit_domain(learnt, {"temperature_K": [0.0, 900.0], "pressure_GPa": [0.0, 10.0]})


@pytest.fixture(scope="module")
def domain(fitted):
    return domain_of({"domain": json.loads(json.dumps(fitted))})


@pytest.fixture(scope="module")
def shipped():
    found = resolve_potential("mace-mgo").domain
    assert found is not None
    return found


def judge(domain, atoms):
    cell = atoms if isinstance(atoms, DefectCell) else cell_of(atoms)
    return domain.verdict(cell.cell, cell.numbers, cell.positions)


def test_features_do_not_see_how_a_crystal_is_described():
    rng = np.random.default_rng(0)
    atoms = bulk("MgO", "rocksalt", 4.2, cubic=True)
    atoms.rattle(0.2, seed=1)
    found = environment_features(atoms.cell.array, atoms.numbers, atoms.positions, (8, 12))
    assert found.shape == (8, environment_length((8, 12)))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(8)
    images = rng.integers(-2, 3, size=(8, 3)) @ atoms.cell.array
    cell = np.array([[1, 1, 0], [0, 1, 0], [0, 2, 1]]) @ atoms.cell.array @ rotation.T
    other = environment_features(
        cell, atoms.numbers[order], ((atoms.positions + images) @ rotation.T)[order] + 0.3, (8, 12)
    )
    np.testing.assert_allclose(other, found[order], atol=1e-9)
    atoms.positions[0] += 0.05
    assert np.abs(environment_features(atoms.cell.array, atoms.numbers, atoms.positions, (8, 12)) - found).max() > 1e-3


def test_features_are_those_of_the_definition():
    """Two atoms: the sums have one term each and directions count alike."""
    atoms = Atoms("MgO", [[0, 0, 0], [1.2, 0.9, 0.4]], cell=[12] * 3, pbc=True)
    features = environment_features(atoms.cell.array, atoms.numbers, atoms.positions, (8, 12))
    of_oxygen = features[1]
    assert np.allclose(of_oxygen[: len(of_oxygen) // 2], 0)
    np.testing.assert_allclose(of_oxygen[len(of_oxygen) // 2 :], features[0][: len(of_oxygen) // 2])
    first, second = of_oxygen[len(of_oxygen) // 2 + 6 :].reshape(4, 2).T
    assert np.ptp(first) < 1e-12
    assert np.ptp(second) < 1e-12
    assert first[0] > second[0] > 0


def test_cells_like_those_learnt_are_inside(shipped):
    unseen = [record.cell for record in read_records(LABELS / "test.npz")]
    outside = [cell for cell in unseen if not judge(shipped, cell).inside]
    assert len(outside) <= 0.15 * len(unseen)


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (bulk("CaO", "rocksalt", 4.8), "never saw: Ca"),
        (bulk("MgO", "cesiumchloride", 2.65).repeat(3), "surroundings"),
        (bulk("MgO", "zincblende", 4.6, cubic=True), "surroundings"),
        (bulk("MgO", "rocksalt", 3.75, cubic=True), "Å³ per atom"),
        (bulk("MgO", "rocksalt", 4.75, cubic=True), "Å³ per atom"),
        (bulk("Mg").repeat(2), "surroundings of Mg"),
        (Atoms("O2", [[0, 0, 0], [1.21, 0, 0]], cell=[6] * 3, pbc=True), "surroundings of O"),
    ],
)
def test_foreign_structures_are_outside_and_it_says_why(shipped, structure, reason):
    verdict = judge(shipped, structure)
    assert not verdict.inside
    assert any(reason in text for text in verdict.reasons), verdict.reasons
    assert verdict.distance > 1 or "per atom" in reason


def test_one_foreign_atom_is_found_among_many(shipped):
    atoms = bulk("MgO", "rocksalt", 4.2, cubic=True).repeat(2)
    assert judge(shipped, atoms).inside
    atoms.numbers[:24] = 12
    verdict = judge(shipped, atoms)
    assert not verdict.inside


def test_conditions_are_judged_too(domain):
    assert domain.outside(300, 5) == ()
    assert domain.outside(1200, 5) == ("1200 K is outside 0 to 900 K",)
    assert domain.outside(300, -1) == ("-1 GPa is outside 0 to 10 GPa",)


def test_fitting_is_reproducible_and_survives_json(fitted, domain, learnt):
    assert fit_domain(learnt, {"temperature_K": [0.0, 900.0], "pressure_GPa": [0.0, 10.0]}) == fitted
    assert json.loads(json.dumps(domain.json)) == json.loads(json.dumps(fitted))
    assert len(json.dumps(fitted)) < 60_000
    assert set(fitted["elements"]) == {"Mg", "O"}


def test_limits_come_from_cells_kept_apart(learnt, domain):
    """No cell that was learnt or kept apart is outside: the limits are the largest of the latter."""
    assert all(judge(domain, cell).distance <= 1 + 2e-2 for cell in learnt)


def test_damaged_domains_are_refused(fitted):
    assert domain_of({}) is None
    assert domain_of({"domain": {"host": "in words"}}) is None
    for key in ("limits", "volume_per_atom", "shortest_distances"):
        damaged = {k: v for k, v in fitted.items() if k != key}
        with pytest.raises(DataError, match="damaged"):
            domain_of({"domain": damaged})
    wrong = {**fitted, "environments": {**fitted["environments"], "Mg": {"mean": [1], "spread": [1], "references": ""}}}
    with pytest.raises(DataError, match="format"):
        domain_of({"domain": wrong})
    with pytest.raises(DataError, match="at least"):
        fit_domain([])


def test_shortest_distances_by_pair():
    atoms = bulk("MgO", "rocksalt", 4.2)
    found = shortest_distances_by_element(atoms.cell.array, atoms.numbers, atoms.positions)
    assert found == pytest.approx({(8, 12): 2.1, (8, 8): 4.2 / np.sqrt(2), (12, 12): 4.2 / np.sqrt(2)})


def test_a_relaxation_says_where_it_ended():
    student = resolve_potential("mace-mgo")
    inside = relax_structure(cell_of(bulk("MgO", "rocksalt", 4.2, cubic=True)), student, fmax=0.1)
    assert inside.outside == ()
    outside = relax_structure(cell_of(bulk("MgO", "cesiumchloride", 2.65)), student, fmax=0.1)
    assert outside.outside
    assert outside.summary()["outside_domain"] == list(outside.outside)
    assert resolve_potential("emt").outside(cell_of(bulk("Cu"))) == ()

"""Samplers of complexes are scored against uniform sampling: chance is 1, knowing the energies is better."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from augment import Defect, read_host, sample_complexes
from augment.defects.burnside import count_orbits
from augment.errors import ConditionError, DataError
from defectgen.benchmark.complexes import (
    COMPLEX_TASKS,
    POOL,
    ComplexTask,
    EnergyBook,
    best_margin,
    decode,
    enrichment,
    load_sampler,
    make_request,
    point_charges,
    score_sampler,
    uniform_sampler,
)
from defectgen.benchmark.tasks.task import read_tasks
from md.potentials import resolve_potential

ALLOY = ComplexTask("Cu", (("Al_Cu", 2), ("v_Cu", 2)), 6.0)


@pytest.fixture(scope="module")
def ask():
    return make_request(ALLOY, read_host("examples/hosts/Cu.cif"), 32, 0)


def closeness(defect):
    """A stand-in for an energy: complexes that are close together are low."""
    sites = np.array([e.site for e in defect.edits])
    return float(defect.supercell.distances(sites).sum())


def lottery(defect):
    """An energy that nothing can guess."""
    return int(hashlib.sha256(defect.key.encode()).hexdigest()[:8], 16) / 16**8


def test_enrichment_of_known_sets():
    pool = np.arange(100.0)
    share, low, high = enrichment(np.arange(10.0), pool)
    assert share == pytest.approx(10.0)
    assert low < share <= high + 1e-9
    assert enrichment(np.full(20, 50.0), pool)[0] == 0.0
    assert enrichment(pool, pool)[0] == pytest.approx(1.0)
    assert best_margin(np.array([3.0, 1.0]), np.array([2.0, 5.0])) == -1.0


def test_uniform_sampling_is_chance(ask):
    scores = []
    for seed in range(6):
        own = make_request(ALLOY, ask.host, 32, seed)
        scores.append(score_sampler(own, list(uniform_sampler(own)), lottery))
    assert np.mean([s.enrichment for s in scores]) == pytest.approx(1.0, abs=0.6)
    assert all(s.valid == 1.0 for s in scores)


def test_a_sampler_that_knows_is_enriched_and_wins(ask):
    drawn = sorted(sample_complexes(ask.space, ask.recipe, 600, 7), key=closeness)[:32]
    found = score_sampler(ask, [d.key for d in drawn], closeness)
    assert found.enrichment > 4.0
    assert found.low > 2.0
    assert found.best_margin <= 0.0
    assert found.uniqueness == len({d.key for d in drawn}) / 32
    pool = {d.key for d in sample_complexes(ask.space, ask.recipe, 256, ask.seed)}
    assert found.novelty == len({d.key for d in drawn} - pool) / len({d.key for d in drawn})
    total = next(n for _, n, _ in count_orbits(ask.space, ask.recipe))
    assert found.coverage == len({d.key for d in drawn}) / total


def test_answers_of_another_composition_or_cell_do_not_count(ask):
    good = list(uniform_sampler(ask))[:3]
    fewer = Defect(ask.space.supercell, good[0].edits[:2])
    larger = make_request(ComplexTask("Cu", ALLOY.counts, 7.0), ask.host, 1, 0)
    answers = [good[0], good[1].key, "nonsense", fewer, next(iter(uniform_sampler(larger))), good[2].key]
    assert decode(answers, ask) == good
    assert score_sampler(ask, answers, closeness).valid == 3 / 32
    with pytest.raises(DataError, match="no answer"):
        score_sampler(ask, ["nonsense"], closeness)


def test_energies_are_remembered(ask, tmp_path):
    potential = resolve_potential("emt")
    defect = next(iter(uniform_sampler(ask)))
    first = EnergyBook(tmp_path, potential, 0)(defect)
    atoms = defect.cell().to_ase()
    atoms.calc = potential.calculator()
    assert first == pytest.approx(atoms.get_potential_energy())
    (path,) = tmp_path.glob("*.json")
    path.write_text(path.read_text().replace(str(first), "-1.5"))
    assert EnergyBook(tmp_path, potential, 0)(defect) == -1.5


def test_point_charges_put_opposite_charges_together():
    ask = make_request(ComplexTask("MgO", (("v_Mg", 2), ("v_O", 2)), 8.0), read_host("examples/hosts/MgO.cif"), 16, 0)
    near = np.mean([closeness(d) for d in point_charges(ask)])
    assert near < np.mean([closeness(d) for d in uniform_sampler(ask)])


def test_the_fixed_compositions_are_of_test_hosts_and_leave_room_for_a_search():
    """Four edits each, of more complexes than the pool draws."""
    hosts = {task.formula: task.defect.host for task in read_tasks().tasks if task.split == "test"}
    for task in COMPLEX_TASKS:
        ask = make_request(task, hosts[task.formula], 1, 0)
        assert sum(count for _, count in task.counts) == 4
        assert next(orbits for _, orbits, _ in count_orbits(ask.space, ask.recipe)) > POOL


def test_samplers_by_name():
    assert load_sampler("uniform") == ("uniform", uniform_sampler)
    for spec in ("nothing", "json:nothing"):
        with pytest.raises(ConditionError):
            load_sampler(spec)

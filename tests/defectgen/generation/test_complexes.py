"""Who sits where: counts, species, cutoffs and H hold exactly whatever the network says; and it can learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from augment import Defect, EditSpace, Recipe, complexes, find_supercell, read_host
from augment.errors import DataError, DefectError
from defectgen.corpus.arrangements import Arrangements, edit_charges, pristine_template
from defectgen.corpus.label_arrangements import members_of
from defectgen.generation.complexes import propose_complexes
from defectgen.model.bridge import Bridge
from defectgen.model.network import NetworkConfig, OccupationNetwork, fresh, fresh_network
from defectgen.model.occupied import next_edits
from defectgen.model.weights import load_model, save_model
from defectgen.representation.arrangements import OrbitSpace, counts_of, draw_arrangements, reachable
from defectgen.training.loop import Training, TrainSettings
from defectgen.training.objectives.occupation import OccupationObjective

SMALL = NetworkConfig(width=16, layers=2, cutoff=4.0, radial=6, embedding=4)


@pytest.fixture(scope="module")
def supercell():
    return find_supercell(read_host("examples/hosts/SrTiO3.cif"), min_image_distance=7.0)


@pytest.fixture(scope="module")
def space(supercell):
    return EditSpace.of(supercell, ("v_O", "Fe_Ti", "v_Sr"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Untrained networks: what holds for them holds by construction."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    card = {"elements": ["Sr", "Ti", "O", "Fe"]}
    save_model(path, fresh_network(SMALL, seed=0), Bridge(), card)
    save_model(path.with_name("tiny-occupation.safetensors"), fresh(OccupationNetwork, SMALL, seed=0), None, card)
    return load_model(str(path))


def wild(rng):
    return lambda arranged: rng.normal(scale=5.0, size=(len(arranged), len(arranged[0].orbits)))


def test_counts_and_species_are_exact_for_a_thousand_random_requests(supercell, space):
    rng = np.random.default_rng(0)
    site_numbers = supercell.sites.numbers
    for request in range(1000):
        counts = dict(zip(space.names, (int(n) for n in rng.integers(0, 4, size=3)), strict=True))
        if not any(counts.values()):
            continue
        members = draw_arrangements(OrbitSpace(space), Recipe.exactly(counts), 1, request, wild(rng))[0]
        assert counts_of(space, members) == {name: n for name, n in counts.items() if n}
        assert len(set(space.site[members].tolist())) == len(members) == sum(counts.values())
        for site, number in zip(space.site[members], space.number[members], strict=True):
            assert (site_numbers[site], number) in {(8, 0), (22, 26), (38, 0)}


def test_every_subgroup_is_kept_with_exact_counts(supercell, space):
    """H from the stabilizer of a titanium site; the stabilizer of each proposal contains it."""
    rng = np.random.default_rng(1)
    site = int(np.flatnonzero(supercell.sites.numbers == 22)[0])
    reference = Defect(supercell, Defect(supercell, ()).edits + (space.edits(np.flatnonzero(space.site == site))))
    seen = 0
    for group in [reference.stabilizer.subset(m.tolist()) for m in reference.stabilizer.subgroup_classes[::3]]:
        orbits = OrbitSpace(space, group)
        for counts in ({"v_O": 4}, {"v_O": 4, "Fe_Ti": 1}, {"Fe_Ti": 3}, {"v_O": 3, "v_Sr": 2}):
            try:
                drawn = draw_arrangements(orbits, Recipe.exactly(counts), 3, 0, wild(rng))
            except DefectError:
                continue  # the next test says which message this is
            for members in drawn:
                assert counts_of(space, members) == counts
                edits = {(e.site, e.number) for e in space.edits(members)}
                for row in group.permutations:
                    assert {(int(row[s]), z) for s, z in edits} == edits
                seen += 1
    assert seen > 20


def test_reachability_is_that_of_enumeration():
    from itertools import product

    rng = np.random.default_rng(2)
    for _ in range(60):
        kinds = [
            tuple(sorted({(int(a), int(b)) for a, b in rng.integers([0, 1], [2, 4], size=(2, 2))})) for _ in range(4)
        ]
        totals = set()
        for choice in product(*[(None, *k) for k in kinds]):
            total = [0, 0]
            for picked in choice:
                if picked:
                    total[picked[0]] += picked[1]
            totals.add(tuple(total))
        places = tuple((k, 1) for k in kinds)
        for left in product(range(7), range(7)):
            assert reachable(left, places) == (left in totals)


def test_without_knowledge_every_arrangement_of_a_pair_comes_alike(supercell):
    """The uniform scorer on one kind draws each set of edits with the same probability."""
    space = EditSpace.of(supercell, ("v_Sr",))
    drawn = draw_arrangements(OrbitSpace(space), Recipe.exactly({"v_Sr": 2}), 600, 0)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    sites = len(space)
    assert len(counts) == sites * (sites - 1) // 2
    expected = 600 / len(counts)
    assert ((counts - expected) ** 2 / expected).sum() < 1.6 * len(counts)


def test_a_cutoff_is_kept(supercell):
    space = EditSpace.of(supercell, ("v_O", "Fe_Ti"), cutoff=4.0)
    for members in draw_arrangements(OrbitSpace(space), Recipe.exactly({"v_O": 2, "Fe_Ti": 1}), 30, 3):
        assert space.compatible[np.ix_(members, members)][~np.eye(3, dtype=bool)].all()


def test_impossible_counts_get_one_clear_error(supercell, space, model):
    with pytest.raises(DefectError, match="sites in the supercell|such sites"):
        propose_complexes(space, Recipe.exactly({"v_Sr": 1000}), 1, 0, model=model)
    group = supercell.group
    with pytest.raises(DefectError, match="less symmetry"):
        propose_complexes(space, Recipe.exactly({"v_O": 1}), 1, 0, H=group, model=model)
    with pytest.raises(DataError, match="no network of occupation"):
        propose_complexes(space, Recipe.exactly({"v_O": 1}), 1, 0, model=replace(model, path=None))


def test_same_seed_same_proposals_and_guidance_changes_them(space, model):
    recipe = Recipe.exactly({"v_O": 2, "Fe_Ti": 2})
    keys = [[d.key for d in propose_complexes(space, recipe, 6, s, model=model, **w)] for s, w in
            ((1, {}), (1, {}), (2, {}), (1, {"guidance": 30.0}))]  # fmt: skip
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert keys[0] != keys[3]
    kept = propose_complexes(space, recipe, 3, 1, model=model, best_of=4)
    assert len(kept) == 3
    assert all(d.type == "complex" and len(d.edits) == 4 for d in kept)


def pairs(supercell, split="train") -> Arrangements:
    """All pairs of an oxygen vacancy and an iron: the nearer, the lower."""
    space = EditSpace.of(supercell, ("v_O", "Fe_Ti"))
    defects = list(complexes(space, Recipe.exactly({"v_O": 1, "Fe_Ti": 1})))
    members = np.array([members_of(space, d) for d in defects])
    distance = np.array([supercell.distances(space.site[m])[0, 1] for m in members])
    template, node = pristine_template(space)
    who = ("a", "SrTiO3", "p", split)
    edits = (node, space.number, space.label, edit_charges(space))
    return Arrangements(*who, space.names, template, *edits, members, 0.3 * distance)


def test_it_learns_to_put_a_vacancy_beside_its_partner(supercell):
    item = pairs(supercell)
    ends = [int(item.energies.argmin()), int(item.energies.argmax())]
    item = replace(item, members=item.members[ends], energies=np.array([0.0, 4.0]))
    task = OccupationObjective([item], SMALL, hide=0.0, anonymous=0.0)
    network = Training(task, TrainSettings(steps=40, batch=4, rate=5e-3, warmup=5, averaging=0.8)).run()
    draws = [task.draw(np.random.default_rng(k)) for k in range(16)]
    with torch.no_grad():
        assert task.loss(network, draws) < 0.85 * task.loss(task.fresh(0), draws)


def test_samples_show_only_what_is_known(supercell):
    item = pairs(supercell)
    task = OccupationObjective([item], SMALL)
    sample = task.draw(np.random.default_rng(0))
    assert sample.target.sum() == pytest.approx(1.0)
    assert not np.intersect1d(sample.seen.node, sample.seen.open_nodes).size
    assert next_edits(item.node, item.label, item.members[0][:1], item.members[0][1:]).size > 0
    with pytest.raises(DataError, match="train"):
        OccupationObjective([pairs(supercell, "test")], SMALL)


def test_logits_are_alike_for_equivalent_edits(space, model):
    """Before anything is known the supercell has its whole symmetry, so edits of one orbit score alike."""
    from defectgen.generation.complexes import ComplexConditions, NetworkScorer
    from defectgen.representation.arrangements import Arranging

    scorer = NetworkScorer(model, space, ComplexConditions())
    with torch.inference_mode():
        logits = scorer([Arranging(OrbitSpace(space), np.array([1, 1, 0]))])[0]
    for first in np.unique(space.representative):
        own = logits[space.representative == first]
        assert np.ptp(own) < 1e-4
    assert np.ptp(logits) > 1e-3


def test_point_charges_are_those_of_the_pairs(supercell):
    from defectgen.model.occupied import Occupied, coulomb_of, field_of
    from defectgen.representation.conditions import Conditions

    item = pairs(supercell)
    assert {int(q) for q in item.charge} == {2, -1}
    edges, none = item.template.edges(4.0), np.zeros(0, dtype=np.int64)
    for members in item.members[:5]:
        known = (item.node[members], item.number[members], item.charge[members])
        whole = Occupied(item.template, edges, *known, none, Conditions())
        site = np.array(sorted(EditSpace.of(supercell, item.names).site[members]))
        expected = -2.0 / supercell.distances(site)[0, 1]
        assert coulomb_of(whole) == pytest.approx(expected, abs=1e-9)
        first = Occupied(item.template, edges, *(x[:1] for x in known), none, Conditions())
        assert field_of(first, *(x[1:] for x in known[::2])) == pytest.approx(expected, abs=1e-9)

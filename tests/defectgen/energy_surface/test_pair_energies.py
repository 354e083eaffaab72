"""Complexes by the energies of their pairs: the expansion, its symmetry, and what is drawn by it."""

from __future__ import annotations

import numpy as np
import pytest

from augment import Defect, EditSpace, Recipe, complexes, find_supercell, read_host
from augment.errors import PotentialError
from defectgen.energy_surface.pair_energies import PairEnergies, PairScorer
from defectgen.generation.complexes import propose_complexes
from md.potentials import resolve_potential


@pytest.fixture(scope="module")
def space():
    supercell = find_supercell(read_host("examples/hosts/MgO.cif"), min_image_distance=5.5)
    return EditSpace.of(supercell, ["v_Mg", "v_O"])


def pairwise(space):
    """A sum over pairs: vacancies of unlike charge attract; those of magnesium cost 2 eV alone, others 1."""

    def energy(cell) -> float:
        gone = np.setdiff1d(np.arange(len(space.supercell.sites.numbers)), cell.sites)
        gone = gone[~space.supercell.sites.void[gone]]
        charge = np.where(space.supercell.sites.numbers[gone] == 12, -2.0, 2.0)
        distances = space.supercell.distances(gone) + np.eye(len(gone)) * 1e9
        interaction = (charge[:, None] * charge / distances).sum() / 2
        return -7.0 + float(np.where(charge < 0, 2.0, 1.0).sum() + interaction)

    return energy


def test_what_is_a_sum_of_pairs_is_found_exactly(space):
    energy, calls = pairwise(space), []
    pairs = PairEnergies(
        space, lambda cell: calls.append(1) or energy(cell), lambda done, total: calls.append(done / total)
    )
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 5):
        members = np.sort(rng.choice(len(space), size=size, replace=False))
        cell = Defect(space.supercell, space.edits(members)).cell()
        assert pairs.total(members) == pytest.approx(energy(cell) + 7.0, abs=1e-9)
    assert calls[-1] == 1.0, "progress ends with all of them"
    assert sum(x == 1 for x in calls) < 60, "symmetry leaves few pairs of the hundreds"


def test_the_lowest_are_drawn_and_counts_hold(space):
    energy, recipe = pairwise(space), Recipe.exactly({"v_Mg": 2, "v_O": 2})
    pairs = PairEnergies(space, energy)
    everything = np.sort([energy(d.cell()) for d in complexes(space, recipe)])
    drawn = propose_complexes(space, recipe, 20, 1, pairs=pairs, temperature=1000.0)
    assert [d.key for d in drawn] == [
        d.key for d in propose_complexes(space, recipe, 20, 1, pairs=pairs, temperature=1000.0)
    ]
    assert all(sorted(space.supercell.sites.numbers[e.site] for e in d.edits) == [8, 8, 12, 12] for d in drawn)
    found = np.array([energy(d.cell()) for d in drawn])
    assert (found <= np.quantile(everything, 0.1) + 1e-9).mean() > 0.5
    hot = np.array([energy(d.cell()) for d in propose_complexes(space, recipe, 20, 1, pairs=pairs, temperature=1e6)])
    assert hot.mean() > found.mean() + 0.1
    best = propose_complexes(space, recipe, 1, 1, pairs=pairs, temperature=3000.0, best_of=30)
    assert energy(best[0].cell()) == pytest.approx(everything[0])
    several = propose_complexes(space, recipe, 5, 1, pairs=pairs, best_of=20)
    assert len({d.key for d in several}) == 5
    assert np.allclose([energy(d.cell()) for d in several], everything[:5])
    few = propose_complexes(space, Recipe.exactly({"v_Mg": 1}), 4, 1, pairs=pairs, best_of=8)
    assert len(few) == 4, "the only one there is, as often as it is asked for"
    assert len({d.key for d in few}) == 1


def test_what_one_edit_costs_does_not_decide_which_kind_comes_first(space):
    from defectgen.representation.arrangements import Arranging, OrbitSpace

    empty = Arranging(OrbitSpace(space), np.array([1, 1]))
    assert np.allclose(PairScorer(PairEnergies(space, pairwise(space)))([empty]), 0.0)


def test_pairs_of_a_potential():
    """Of copper: two vacancies side by side attract each other, and far apart they do not meet."""
    supercell = find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=10.0)
    copper = EditSpace.of(supercell, ["v_Cu"])
    pairs = PairEnergies.by(resolve_potential("emt"), copper, steps=0)
    near = supercell.distances(copper.site)[0]
    first = (near > 0) & (near < 2.6)
    assert first.sum() == 12
    assert np.ptp(pairs.pair[0, first]) < 1e-9
    assert pairs.pair[0, first].max() < -0.05
    assert abs(pairs.pair[0, near > 6.0]).max() < 0.02


def test_an_edit_without_an_energy_is_refused(space):
    def energy(cell) -> float:
        return float("nan") if len(cell) < len(space.supercell.bulk_cell()) else 0.0

    with pytest.raises(PotentialError, match="v_O alone"):
        _ = PairEnergies(space, energy).single


def test_settings_draw_complexes_by_the_pairs_of_their_potential_once(monkeypatch, tmp_path):
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.run.settings import Settings

    asked = {"names": ["v_Cu", "Al_Cu"], "size": 3, "min_size": 3, "sample": 8, "weight": "pairs"}
    settings = Settings.model_validate(
        {
            "host": "examples/hosts/Cu.cif",
            "output": tmp_path,
            "potential": {"name": "emt"},
            "defects": {"kinds": [], "min_image_distance": 7.0},
            "complexes": asked,
        }
    )
    prepared = PreparedRun.of(settings)
    found = prepared.defects
    assert 1 <= len(found) <= 8
    assert all(len(defect.edits) == 3 for defect in found)
    monkeypatch.setattr(PairEnergies, "by", lambda *_, **__: pytest.fail("found again"))
    assert prepared.defects == found

"""The search: minima that are minima, lowest first, each once; resumed to the same bits; told what it costs."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pymatgen.symmetry.groups import PointGroup

import defectgen as dg
from augment import Defect, DefectCell, point_defects, read_host
from augment.errors import ResumeError, SettingsError
from augment.supercells.search import widest_supercell
from defectgen.energy_surface import source
from defectgen.energy_surface.source import find_forces
from defectgen.generation.geometries import generate
from defectgen.ground_states import SearchResult, SearchSettings, search
from defectgen.ground_states import race as race_module
from defectgen.ground_states.copies import congruent, symmetry_in
from defectgen.ground_states.race import MIN_SURVIVORS, Race, Racer, chosen, starts_for
from defectgen.ground_states.rearranged import rearranged
from defectgen.ground_states.same_geometry import same_minimum, wrapped
from defectgen.ground_states.stability import pushed
from defectgen.ground_states.starts import Start
from defectgen.model.weights import load_model
from md.energetics import minimum, normal_modes
from md.jobs.sweep import no_stage
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import relax_structure
from md.relaxation.relaxed_host import RelaxedHost, pristine
from tests.support.places import HOSTS

search_module = sys.modules[search.__module__]

FEW = SearchSettings(evaluations=150, use_model=False)


@pytest.fixture(scope="module")
def emt() -> Potential:
    return resolve_potential("emt")


@pytest.fixture(scope="module")
def interstitial() -> Defect:
    supercell = widest_supercell(read_host(HOSTS / "Cu.cif"), min_atoms=24, max_atoms=32)
    return next(d for d in point_defects(supercell) if d.name == "Cu_i_Oh")


@pytest.fixture(scope="module")
def result(interstitial: Defect, emt: Potential) -> SearchResult:
    return search(interstitial, emt, settings=FEW)


def test_the_lowest_is_at_least_as_low_as_every_plain_start(result: SearchResult, emt: Potential) -> None:
    symmetric = minimum(result.defect.cell(), emt, 0.02, symmetry=result.defect.symmetry())
    assert result.lowest.above == 0.0
    assert result.lowest.record.energy <= symmetric.energy + 0.002
    for kind, _, positions in rearranged(result.defect):
        end = relax_structure(result.defect.cell().with_geometry(positions), emt, fmax=0.02)
        assert result.lowest.record.energy <= end.energies[-1] + 0.002, kind


def test_an_oxide_has_a_peroxide_among_the_minima_of_its_interstitial() -> None:
    host = read_host(HOSTS / "MgO.cif")
    potential = resolve_potential("mace-mgo", host.elements)
    supercell = widest_supercell(host, min_atoms=40, max_atoms=60)
    oxygen = next(d for d in point_defects(supercell) if d.name == "O_i_Td")
    found = search(oxygen, potential, settings=SearchSettings(evaluations=300, use_model=False))
    assert len(found.minima) > 1
    assert any("O-O 1.4" in one.words and one.subgroup == "-3m" for one in found.minima)
    for one in found.minima:
        assert normal_modes(one.record.cell, potential).frequencies.min() > -0.5


def test_minima_are_minima_in_order_and_distinct(result: SearchResult, emt: Potential) -> None:
    energies = [found.record.energy for found in result.minima]
    assert energies == sorted(energies)
    assert [found.above for found in result.minima] == pytest.approx([e - energies[0] for e in energies])
    ideal, symmetry = result.defect.cell(), result.defect.symmetry()
    for k, found in enumerate(result.minima):
        cell = found.record.cell
        assert np.linalg.norm(found.record.forces, axis=1).max() < FEW.fmax
        assert cell.key == result.defect.key
        assert np.array_equal(cell.numbers, ideal.numbers)
        assert (found.subgroup, found.degeneracy) == symmetry_in(result.defect.supercell, ideal, cell.positions)
        for other in result.minima[:k]:
            near = abs(other.record.energy - found.record.energy) < 0.01
            assert not (near and congruent(result.defect.supercell, ideal, other.record.cell.positions, cell.positions))
            apart = abs(other.record.energy - found.record.energy) > 0.05
            assert apart or not same_minimum(other.record.cell.positions, cell.positions, ideal, symmetry)
        assert normal_modes(cell, emt).frequencies.min() > -0.5, "no way down is left"


def test_a_saddle_point_is_pushed_off_and_a_minimum_comes_back(result: SearchResult, emt: Potential) -> None:
    """In this cell the relaxed dumbbells along [110] and [111] are saddle points of EMT."""
    ideal = result.defect.cell()
    race = Race(ideal, result.defect.symmetry(), emt, 0.02, 1, no_stage)

    def racer_at(cell: DefectCell) -> Racer:
        end = relax_structure(cell, emt, fmax=0.01)
        return Racer(("",), end.cell, 0, end.energies, (0,))

    def energy_of(cell: DefectCell) -> float:
        atoms = cell.to_ase()
        atoms.calc = emt.calculator()
        return float(atoms.get_potential_energy())

    dumbbells = {name[-3:]: p for kind, name, p in rearranged(result.defect) if kind == "split interstitial"}
    for name in ("110", "111"):
        saddle = racer_at(ideal.with_geometry(dumbbells[name]))
        assert normal_modes(saddle.cell, emt).frequencies.min() < -1.0
        moved, used = pushed(saddle, ideal, emt)
        assert moved is not None
        assert used > 8
        assert racer_at(moved.cell).energy < saddle.energy - 0.01
        aside = saddle.cell.with_geometry(saddle.cell.positions + 0.2 * (moved.cell.positions - saddle.cell.positions))
        lower, _ = pushed(replace(saddle, cell=aside), ideal, emt)
        assert lower is not None
        higher = aside.with_geometry(2 * aside.positions - lower.cell.positions)
        assert energy_of(lower.cell) < energy_of(higher) - 1e-3, "to the side that is lower"
    for found in result.minima:
        there = racer_at(found.record.cell)
        moved, _ = pushed(there, ideal, emt)
        assert moved is None or race.together(racer_at(moved.cell), there)


def test_copies_are_counted_over_the_whole_supercell(interstitial: Defect) -> None:
    """A dumbbell in fcc has three orientations on each site, whatever void its atom came from."""
    ideal, cells = interstitial.cell(), interstitial.supercell
    sites = cells.n_atoms
    assert symmetry_in(cells, ideal, ideal.positions) == ("m-3m", interstitial.degeneracy)
    found = {}
    for kind, name, positions in rearranged(interstitial):
        if kind == "split interstitial":
            found[name.rsplit("_", 1)[1]] = symmetry_in(cells, ideal, positions)
    assert found["100"] == ("4/mmm", 3 * sites)
    assert found["110"] == ("mmm", 6 * sites)
    assert found["111"] == ("-3m", 4 * sites)
    general = ideal.positions + np.random.default_rng(0).normal(scale=0.2, size=ideal.positions.shape)
    assert symmetry_in(cells, ideal, general) == ("1", 48 * sites)


@pytest.mark.parametrize("seed", range(4))
def test_operations_that_nearly_keep_a_geometry_are_a_group(interstitial: Defect, seed: int) -> None:
    """Displacements near the tolerance leave some operations within it, which make no group."""
    ideal, cells = interstitial.cell(), interstitial.supercell
    group = pristine(cells).symmetry()
    for scale in (0.018, 0.022, 0.026):
        drawn = np.random.default_rng(seed).normal(scale=scale, size=ideal.positions.shape)
        symbol, copies = symmetry_in(cells, ideal, ideal.positions + drawn)
        # Of the order of a point group of that name, as no translation is left in the cell of an interstitial.
        assert group.order == copies * len(PointGroup(symbol).symmetry_ops)


def test_an_atom_in_the_next_void_is_the_same_defect(interstitial: Defect) -> None:
    ideal, cells = interstitial.cell(), interstitial.supercell
    atom = int(np.flatnonzero(ideal.sites == interstitial.edits[0].site)[0])
    void, orbit = cells.sites.void, cells.sites.orbit
    alike = cells.sites.positions[void & (orbit == orbit[interstitial.edits[0].site])]
    there, other = ideal.positions.copy(), ideal.positions.copy()
    there[atom] = alike[np.linalg.norm(alike - ideal.positions[atom], axis=1) > 1.0][0]
    assert not same_minimum(ideal.positions, there, ideal, interstitial.symmetry())
    assert congruent(cells, ideal, ideal.positions, there)
    other[atom] = cells.sites.positions[void & (orbit != orbit[interstitial.edits[0].site])][0]
    assert not congruent(cells, ideal, ideal.positions, other)


def test_what_it_took_is_counted(result: SearchResult, interstitial: Defect, emt: Potential, monkeypatch) -> None:
    from md.labels import evaluator

    calls = []
    whole = evaluator.Evaluator.__call__
    monkeypatch.setattr(evaluator.Evaluator, "__call__", lambda *a, **k: calls.append(1) or whole(*a, **k))
    on = RelaxedHost.of(interstitial.supercell.host, emt)
    calls.clear()
    again = search(interstitial, emt, on=on, settings=FEW)
    assert again.evaluations == result.evaluations
    assert again.to_dict() == result.to_dict()
    assert len(calls) <= again.evaluations
    assert sum(count.starts for count in result.sources) >= len(result.minima)
    assert sum(count.lowest for count in result.sources) >= 1


def test_a_stopped_search_goes_on_to_the_same_bits(
    result: SearchResult, interstitial: Defect, emt: Potential, tmp_path: Path, monkeypatch
) -> None:
    class StoppedError(Exception):
        pass

    def stop(*_args: object, **_more: object) -> None:
        raise StoppedError

    monkeypatch.setattr(race_module.Race, "to_rest", stop)
    with pytest.raises(StoppedError):
        search(interstitial, emt, settings=FEW, folder=tmp_path)
    monkeypatch.undo()
    done = search(interstitial, emt, settings=FEW, folder=tmp_path)
    assert done.to_dict() == result.to_dict()
    for a, b in zip(done.minima, result.minima, strict=True):
        assert np.array_equal(a.record.cell.positions, b.record.cell.positions)
    with pytest.raises(ResumeError, match="another"):
        search(interstitial, emt, settings=replace(FEW, seed=1), folder=tmp_path)


def test_other_potentials_give_their_opinion_at_the_same_geometries(interstitial: Defect, emt: Potential) -> None:
    found = search(interstitial, emt, settings=SearchSettings(evaluations=100, use_model=False), others=[emt])
    for one in found.minima:
        assert one.others == {"emt": pytest.approx(one.above, abs=1e-6)}


def ideal_start(run) -> DefectCell:
    ideal = run.defect.cell()
    return ideal.with_geometry(ideal.positions, source="ideal", start="")


def test_the_model_proposes_and_its_evaluations_count(interstitial: Defect, emt: Potential, monkeypatch) -> None:
    found = search(interstitial, emt, settings=SearchSettings(evaluations=100))
    assert "diffusion" in {count.source for count in found.sources}
    forces, model = find_forces(emt, {}), load_model()
    assert forces is not None
    told = forces.evaluations
    calls = []
    whole = source._evaluated
    monkeypatch.setattr(source, "_evaluated", lambda *a, **k: calls.append(1) or whole(*a, **k))
    generate([interstitial], model=model, forces=emt, seed=5, subgroup="1")
    assert forces.evaluations - told == len(calls) > 0
    monkeypatch.setattr(
        search_module._Search, "_made_starts", lambda self, _ideal: ([Start("ideal", "", ideal_start(self))], 5000)
    )
    assert search(interstitial, emt, settings=SearchSettings(evaluations=100)).evaluations > 5000
    monkeypatch.undo()
    without = search(interstitial, emt, settings=SearchSettings(evaluations=100, use_model=False))
    assert "diffusion" not in {count.source for count in without.sources}


@pytest.mark.parametrize(
    "wrong", [{"evaluations": 10}, {"fmax": 0.0}, {"fmax": np.nan}, {"window": -1.0}, {"seed": -1}], ids=str
)
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        SearchSettings(**wrong)


def test_more_evaluations_are_for_more_starts() -> None:
    counts = [starts_for(evaluations) for evaluations in (100, 200, 400, 800, 4000)]
    assert counts == sorted(counts)
    assert counts[0] >= 2
    assert 60 < counts[-1] < 400


@pytest.mark.parametrize("evaluations", [100, 150, 250])
def test_evaluations_are_used_up_and_little_more(interstitial: Defect, emt: Potential, evaluations: int) -> None:
    vacancy = next(d for d in point_defects(interstitial.supercell) if d.name == "v_Cu")
    found = search(vacancy, emt, settings=SearchSettings(evaluations=evaluations, use_model=False))
    assert evaluations - search_module._COST_OF_A_START < found.evaluations < 1.5 * evaluations
    assert sum(count.starts for count in found.sources) <= evaluations / search_module._LEAST_OF_A_START


def racer(cell, energies, number: int) -> Racer:
    return Racer((f"kind {number}",), cell, 5, np.array(energies), (number,))


def test_the_most_promising_go_on_and_the_most_unlike_with_them(interstitial: Defect) -> None:
    ideal = interstitial.cell()
    near = [ideal.with_geometry(ideal.positions + 0.02 * k * np.eye(len(ideal), 3)) for k in range(6)]
    far = ideal.with_geometry(ideal.positions + 1.0 * np.eye(len(ideal), 3))
    racers = [racer(cell, [1.0, 0.5, 0.1 * k], k) for k, cell in enumerate(near)]
    still_falling = racer(near[5], [9.0, 2.0, 0.6], 6)
    kept = chosen([*racers, racer(far, [9.0, 9.0, 9.0], 7), still_falling], 4, ideal)
    numbers = [one.numbers[0] for one in kept]
    assert numbers[0] == 6, "it has fallen by more than an eV since half-way"
    assert 7 in numbers, "high, but unlike all others"
    assert len(numbers) == 4 == MIN_SURVIVORS


def test_those_that_came_to_one_place_are_one(interstitial: Defect, emt: Potential) -> None:
    ideal = interstitial.cell()
    race = Race(ideal, interstitial.symmetry(), emt, 0.02, 1, no_stage)
    there = ideal.with_geometry(ideal.positions + 0.01 * np.eye(len(ideal), 3))
    low, high = racer(ideal, [0.0], 0), racer(there, [0.01], 1)
    (one,) = race.merged([high, low])
    assert one.energy == 0.0
    assert one.sources == ("kind 0", "kind 1")
    assert one.evaluations == 10
    assert sorted(one.numbers) == [0, 1]
    above = racer(there, [0.2], 1)
    assert len(race.merged([above, low])) == 2, "another energy is another minimum"


def test_a_vacancy_that_an_atom_jumped_into_is_shown_as_the_vacancy(emt: Potential) -> None:
    supercell = widest_supercell(read_host(HOSTS / "Cu.cif"), min_atoms=24, max_atoms=32)
    vacancy = next(d for d in point_defects(supercell) if d.name == "v_Cu")
    ideal, hole = vacancy.cell(), supercell.sites.positions[vacancy.edits[0].site]
    jumped = ideal.positions.copy()
    jumped[int(np.linalg.norm(wrapped(jumped - hole, ideal.cell), axis=1).argmin())] = hole
    racers = [
        Racer((name,), ideal.with_geometry(places), 0, np.array([energy]), (k,))
        for k, (name, places, energy) in enumerate((("ideal", ideal.positions, 0.0), ("jumped", jumped, -1e-4)))
    ]
    race = Race(ideal, vacancy.symmetry(), emt, 0.02, 1, no_stage)
    same = lambda a, b: congruent(supercell, ideal, a.cell.positions, b.cell.positions)  # noqa: E731
    (shown,) = race.merged(racers, same, lambda one: float(np.ptp(one.cell.positions - ideal.positions)))
    assert shown.sources == ("ideal", "jumped")
    (lowest,) = race.merged(racers, same)
    assert lowest.sources == ("jumped", "ideal"), "without a rank the lowest is"
    found = search(vacancy, emt, settings=FEW)
    assert "left its site" not in found.lowest.words


def test_the_door_has_it() -> None:
    assert dg.search is search
    assert dg.SearchResult is SearchResult

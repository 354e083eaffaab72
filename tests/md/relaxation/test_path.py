"""Paths of relaxations: their frames are spread in energy, start with the start, and survive their archive."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.cell import DefectCell
from augment.errors import ConditionError, DataError
from md.labels.record import Record
from md.potentials import Potential
from md.relaxation.path import MIN_ENERGY_GAP, path_from_arrays, spread_steps
from md.relaxation.relax import RelaxSettings, relax_structure, relax_with, relaxation_from_arrays

FALLS = st.lists(st.floats(0, 3), min_size=2, max_size=40)


def rattled(cell: DefectCell, seed: int = 1) -> DefectCell:
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(len(cell), 3))
    return cell.with_geometry(cell.positions + noise, start="ideal")


def energies_of(records: list[Record]) -> list[float]:
    return [record.energy for record in records]


@given(FALLS, st.integers(1, 12))
def test_chosen_steps_are_few_distinct_and_apart_with_the_start_and_without_the_end(
    energies: list[float], count: int
) -> None:
    values = np.array(energies)
    chosen = spread_steps(values, count).tolist()
    assert chosen[0] == 0
    assert sorted(set(chosen)) == chosen
    assert len(chosen) <= min(count, len(values) - 1)
    assert len(values) - 1 not in chosen
    others = [values[k] for k in chosen[1:]] + [values[-1]]
    assert all(abs(a - b) >= MIN_ENERGY_GAP for a, b in combinations(others, 2))


@given(FALLS, st.integers(2, 12))
def test_nothing_left_out_is_farther_from_all_than_the_closest_two(energies: list[float], count: int) -> None:
    """What an even spread means: no better place was left for a frame."""
    values = np.array(energies)
    chosen = spread_steps(values, count)
    kept = values[[*chosen, -1]]
    left = [np.abs(kept - values[k]).min() for k in range(len(values) - 1) if k not in chosen]
    if len(chosen) < count:
        assert all(gap < MIN_ENERGY_GAP for gap in left)
    elif len(chosen) > 1:
        closest = min(abs(a - b) for a, b in combinations(kept, 2))
        start = np.abs(values[0] - kept[1:]).min()  # the start is there however near it is
        assert all(gap <= max(closest, start) or closest == start for gap in left)


def test_an_exponential_fall_is_not_sampled_at_its_foot() -> None:
    energies = 2.0 * np.exp(-np.arange(60) / 4)
    chosen = energies[spread_steps(energies, 4)]
    assert np.diff(-chosen).max() < 3 * np.diff(-chosen).min()
    evenly = energies[np.linspace(0, 58, 4).astype(int)]  # by step number it is
    assert np.diff(-evenly).max() > 1000 * np.diff(-evenly).min()


@pytest.mark.parametrize(("energies", "count"), [([], 3), ([1.0], 3), ([1.0, 0.0], 0)])
def test_a_path_without_a_way_has_no_frames(energies: list[float], count: int) -> None:
    assert len(spread_steps(np.array(energies), count)) == 0


def test_frames_of_a_path_say_their_step_start_and_outcome(emt: Potential, copper: DefectCell) -> None:
    whole = relax_structure(rattled(copper), emt, keep_path=True)
    records = whole.spread_path(3)
    assert len(records) == 3
    assert {r.config_type for r in records} == {"relaxation_path"}
    for record in records:
        step = record.cell.provenance["step"]
        assert record.energy == whole.energies[step]
        np.testing.assert_array_equal(record.cell.positions, whole.frames.positions[step])
        assert record.cell.provenance["start"] == "ideal"
        assert record.cell.provenance["status"] == "converged"
        assert record.cell.provenance["potential_sha256"] == emt.sha256
    assert records[0].cell.provenance["step"] == 0
    assert whole.record is not None
    assert whole.record.cell.provenance["step"] == whole.steps


def test_some_of_a_path_are_kept_and_are_those_that_the_whole_gives(emt: Potential, copper: DefectCell) -> None:
    start = rattled(copper)
    whole = relax_structure(start, emt, keep_path=True)
    some = relax_with(start, emt, RelaxSettings(path_frames=4))
    assert energies_of(some.spread_path(4)) == energies_of(whole.spread_path(4))
    assert len(some.frames) == 5
    assert some.energies.tolist() == whole.energies.tolist()
    assert some.cell.positions.tolist() == whole.cell.positions.tolist()
    ended = relax_structure(start, emt)
    assert (len(ended.frames), ended.spread_path(4), ended.frame_steps.tolist()) == (1, [], [ended.steps])
    assert some.without_path.summary() == {**ended.summary(), "seconds": some.seconds}
    assert [record.cell.provenance["step"] for record in some.without_path.path] == [ended.steps]


@pytest.mark.parametrize(("steps", "kind"), [(300, "relaxed"), (2, "unconverged")])
def test_a_path_is_read_without_a_potential(emt: Potential, copper: DefectCell, steps: int, kind: str) -> None:
    relaxation = relax_with(rattled(copper), emt, RelaxSettings(max_steps=steps, path_frames=3))
    arrays = relaxation.to_arrays()
    path = path_from_arrays(arrays, "memory")
    assert path.end is not None
    assert relaxation.record is not None
    assert path.end.config_type == relaxation.record.config_type == kind
    assert path.end.cell.provenance == relaxation.record.cell.provenance
    assert energies_of(path.spread(3)) == energies_of(relaxation.spread_path(3))
    again = relaxation_from_arrays(arrays, emt, relaxation.seconds, "memory")
    assert again.frame_steps.tolist() == relaxation.frame_steps.tolist()


def test_archives_of_older_versions_are_still_read(emt: Potential, copper: DefectCell) -> None:
    for settings in (RelaxSettings(), RelaxSettings(keep_path=True)):
        relaxation = relax_with(rattled(copper), emt, settings)
        arrays = relaxation.to_arrays()
        del arrays["frame_steps"]
        arrays["outcome"] = np.array('["converged", "", {"fmax": 0.02}]')
        path = path_from_arrays(arrays, "memory")
        assert path.steps.tolist() == relaxation.frame_steps.tolist()
        assert path.end is not None
        assert path.end.cell.provenance["step"] == relaxation.steps


def test_an_end_that_a_guard_stopped_is_called_so(emt: Potential, copper: DefectCell, monkeypatch) -> None:
    from tests.support.cells import FailingCalculator

    def spoil(results: dict[str, np.ndarray]) -> None:
        results["forces"] = results["forces"] * np.nan

    FailingCalculator(monkeypatch, emt.calculator(), 3, spoil)
    result = relax_with(rattled(copper), emt, RelaxSettings(fmax=1e-6, path_frames=8))
    assert result.record is not None
    assert (result.status, result.record.config_type) == ("diverged", "diverged")
    assert {record.cell.provenance["status"] for record in result.spread_path(8)} == {"diverged"}


def test_what_does_not_fit_is_refused(emt: Potential, copper: DefectCell) -> None:
    with pytest.raises(ConditionError, match="path_frames is -1"):
        RelaxSettings(path_frames=-1)
    arrays = relax_with(rattled(copper), emt, RelaxSettings(path_frames=3)).to_arrays()
    with pytest.raises(DataError, match="steps of"):
        path_from_arrays({**arrays, "frame_steps": arrays["frame_steps"][1:]}, "memory")
    del arrays["outcome"]
    with pytest.raises(DataError, match="not an archive of a relaxation"):
        path_from_arrays(arrays, "memory")

"""What happens at the host's sites: survival, mean symmetry, shells, neighbours; on trajectories made to order."""

import json
from functools import lru_cache

import numpy as np
import pytest

from augment import Defect, Edit, conventional_supercell, read_host
from augment.defects.kinds import kinds
from augment.errors import ConditionError, DataError, DefectError
from augment.supercell import Supercell
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.labels.frames import Frames
from md.observables import (
    coordination,
    defect_measures,
    defect_of,
    defect_radial_distribution,
    mean_symmetry,
    shells,
    site_displacements,
    summary,
    survival,
)
from md.observables.local import first_minimum
from md.potentials import Potential
from tests.support.places import HOSTS


@lru_cache
def copper(name: str = "") -> Defect:
    """A defect of Cu in 2x2x2 conventional cells."""
    supercell = conventional_supercell(read_host(HOSTS / "Cu.cif"), 2 * np.eye(3, dtype=np.int64))
    if not name:
        return Defect(supercell, ())
    [kind] = kinds(supercell.host, name)
    site = int(np.flatnonzero(supercell.sites.orbit == kind.orbit)[0])
    return Defect(supercell, (Edit(site, kind.number),))


def trajectory(defect: Defect, moved: np.ndarray) -> Frames:
    """A trajectory whose atoms are displaced from the ideal sites by (k, n, 3), in a breathing, drifting cell."""
    rng = np.random.default_rng(0)
    start = defect.cell()
    k, n = moved.shape[:2]
    scale = 1 + 0.005 * rng.standard_normal((k, 1, 1))
    drift = np.linspace(0, 3.0, k)[:, None, None] * np.array([1.0, 0.4, -0.2])
    positions = (start.positions + moved + drift) * scale
    return Frames(start, positions, start.cell * scale, np.zeros(k), np.zeros((k, n, 3)), np.zeros((k, 6)))


def vibration(defect: Defect, frames: int, size: float = 0.08, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return size * rng.standard_normal((frames, len(defect.cell()), 3))


def neighbour(defect: Defect) -> tuple[int, np.ndarray]:
    """A nearest neighbour of the first edited site and the vector that brings it there."""
    from ase.geometry import find_mic

    start = defect.cell()
    vectors, lengths = find_mic(defect.centre() - start.positions, start.cell)
    atom = int(lengths.argmin())
    return atom, vectors[atom]


def test_a_vibrating_vacancy_stays_and_bounds_its_rate() -> None:
    defect = copper("v_Cu")
    course = survival(trajectory(defect, vibration(defect, 100)), defect, np.arange(100) * 20.0)
    assert (course.fate, course.hops, course.survived) == ("stays", (), 1.0)
    assert course.rate is None
    assert course.rate_bound == pytest.approx(-np.log(0.05) / 1.98)


def test_a_jump_is_a_hop_to_an_equivalent_site_and_a_visit_to_the_saddle_is_none() -> None:
    defect = copper("v_Cu")
    atom, vector = neighbour(defect)
    moved = vibration(defect, 60)
    moved[30, atom] += 0.5 * vector  # at the saddle for one frame
    moved[40:, atom] += vector
    course = survival(trajectory(defect, moved), defect, np.arange(60) * 20.0)
    assert course.fate == "hops"
    assert course.survived == 1.0  # the same defect elsewhere
    [hop] = course.hops
    assert (hop.frame, hop.atom, hop.wyckoff) == (40, atom, ("4a", "4a"))
    assert hop.sites == (int(defect.cell().sites[atom]), defect.edits[0].site)
    assert course.rate == pytest.approx((1 / 1.18, 1 / 1.18))


def test_an_interstitial_that_falls_into_a_vacancy_recombines() -> None:
    supercell = copper().supercell
    void = int(np.flatnonzero(supercell.sites.orbit == 1)[0])
    between = np.linalg.norm(
        supercell.sites.positions[:32] - supercell.sites.positions[void] + supercell.cell.diagonal() * 0, axis=1
    )
    defect = Defect(supercell, (Edit(int(between.argmin()), 0), Edit(void, 29)))
    start = defect.cell()
    vacancy, filled = defect.edits[0].site, defect.edits[1].site
    atom = int(np.flatnonzero(start.sites == filled)[0])
    vector = supercell.sites.positions[vacancy] - supercell.sites.positions[filled]
    moved = vibration(defect, 40, 0.03)
    moved[25:, atom] += vector
    course = survival(trajectory(defect, moved), defect, np.arange(40) * 20.0)
    assert course.fate == "recombines"
    assert [s.name for s in course.states] == [defect.name, "bulk"]
    assert course.survived == pytest.approx(25 / 40)
    assert course.hops[0].wyckoff == ("4b", "4a")


def test_a_trajectory_of_another_defect_or_without_frames_is_refused() -> None:
    vacancy, frames = copper("v_Cu"), trajectory(copper(), vibration(copper(), 20))
    for measure in (lambda: survival(frames, vacancy, np.arange(20.0)), lambda: shells(frames, vacancy)):
        with pytest.raises(DataError, match="not those of v_Cu"):
            measure()
    few = trajectory(vacancy, vibration(vacancy, 3))
    with pytest.raises(DataError, match="run longer"):
        mean_symmetry(few, vacancy)
    with pytest.raises(DataError, match="run longer"):
        site_displacements(few, vacancy, 3)
    with pytest.raises(DataError, match="no defect"):
        shells(frames, copper())
    assert defect_of(vacancy.cell(), vacancy.host).edits == vacancy.edits


def distortion(defect: Defect, order: int, size: float) -> np.ndarray:
    """A random displacement pattern with exactly one of the defect's subgroups of this order."""
    group = next(g for g in defect.subgroups() if g.order == order)
    pattern = group.project_displacements(np.random.default_rng(5).standard_normal((len(defect.cell()), 3)))
    pattern -= np.median(pattern, axis=0)
    return size * pattern / np.abs(pattern).max()


def test_noise_keeps_the_symmetry_of_the_mean_and_a_distortion_lowers_it_to_its_own() -> None:
    defect = copper("v_Cu")
    kept = 0
    for seed in range(20):
        found = mean_symmetry(trajectory(defect, vibration(defect, 64, seed=seed)), defect)
        kept += found.group.order == 48
    assert kept >= 19
    assert found.deviations[1:].mean() == pytest.approx(1.0, abs=0.5)
    for order in (16, 8):
        pattern = distortion(defect, order, 0.3)
        moved = vibration(defect, 64) + pattern
        low = mean_symmetry(trajectory(defect, moved), defect)
        assert low.group.order == order
        assert low.group.symbol == next(g for g in defect.subgroups() if g.order == order).symbol


def test_hopping_between_two_distortions_restores_the_symmetry_of_the_mean() -> None:
    defect = copper("v_Cu")
    pattern = distortion(defect, 2, 0.2)
    signs = np.where(np.random.default_rng(3).random(400) < 0.5, 1.0, -1.0)
    held = mean_symmetry(trajectory(defect, vibration(defect, 400) + pattern), defect)
    hopping = mean_symmetry(trajectory(defect, vibration(defect, 400) + signs[:, None, None] * pattern), defect)
    assert held.group.order == 2
    assert hopping.group.order > 2


def test_shells_are_orbits_and_return_the_displacements_that_were_put_in() -> None:
    defect = copper("v_Cu")
    from ase.geometry import find_mic

    start = defect.cell()
    vectors, lengths = find_mic(start.positions - defect.centre(), start.cell)
    moved = vibration(defect, 400, 0.1)
    moved[:, lengths < 2.7] -= 0.05 * (vectors / lengths[:, None])[lengths < 2.7]
    found = shells(trajectory(defect, moved), defect)
    assert [len(s.atoms) for s in found][:2] == [12, 3]  # second neighbours coincide with their images
    assert found[0].distance == pytest.approx(3.6149 / np.sqrt(2), rel=1e-3)
    assert found[0].outward.value == pytest.approx(-0.05, abs=4 * found[0].outward.error)
    assert abs(found[1].outward.value) < 5 * found[1].outward.error + 1e-3
    for shell in found:
        expected = 8 * np.pi**2 * 0.01 * 30 / 31  # less the drift
        assert shell.b_factor.value == pytest.approx(expected, abs=4 * shell.b_factor.error)
        assert shell.b_factor.error < 0.1 * expected
    assert sum(len(s.atoms) for s in found) == 31


def test_neighbours_around_a_vacancy_and_in_the_crystal() -> None:
    defect = copper("v_Cu")
    frames = trajectory(defect, vibration(defect, 20, 0.02))
    r, g = defect_radial_distribution(frames, defect)
    shell = 4 / 3 * np.pi * ((r + 0.025) ** 3 - (r - 0.025) ** 3) * 31 / frames.start.volume
    assert (g * shell)[r < 3].sum() == pytest.approx(12, rel=0.02)
    assert (g * shell)[r < 2].sum() == 0
    counted = coordination(frames, cutoff=3.0)
    assert sorted(counted.numbers)[:12] == [11.0] * 12
    assert sorted(counted.numbers)[12:] == [12.0] * 19
    with pytest.raises(DataError, match="no frames"):
        coordination(frames, first=20)


def test_the_first_minimum_lies_between_the_shells_and_is_not_made_up() -> None:
    r = np.arange(0.025, 6, 0.05)
    g = 5 * np.exp(-((r - 2.5) ** 2) / 0.02) + 3 * np.exp(-((r - 4.0) ** 2) / 0.02)
    assert first_minimum(r, g) == pytest.approx(3.25, abs=0.3)
    with pytest.raises(DataError, match="second shell"):
        first_minimum(r, np.ones_like(r))


def test_the_distribution_around_a_point_of_a_gas_is_one() -> None:
    defect = copper("v_Cu")
    rng = np.random.default_rng(4)
    start = defect.cell()
    positions = rng.random((4000, 31, 3)) @ start.cell
    cells = np.repeat(start.cell[None], 4000, 0)
    k = len(positions)
    frames = Frames(start, positions, cells, np.zeros(k), np.zeros((k, 31, 3)), np.zeros((k, 6)))
    r, g = defect_radial_distribution(frames, defect)
    assert g[r > 1.5].mean() == pytest.approx(1.0, abs=0.01)


def test_measures_of_a_run_are_json_and_say_what_is_missing(emt: Potential) -> None:
    """300 steps of a vacancy: too short to diffuse, long enough to stay; every value is finite or has a reason."""
    defect = copper("v_Cu")
    point = MdPoint.of(defect.cell(), Environment(600, ensemble="npt"), steps=120, timestep=4.0, interval=4)
    response = run_point(point, defect.cell(), emt)
    told = json.loads(json.dumps(summary(response), allow_nan=False))
    measured = ("bulk_modulus", "heat_capacity", "correlation_time", "diffusion", "diffusion_of", "coordination")
    missing = {name for name in measured if told[name] is None}
    assert missing == set(told["not_measurable"])
    assert "diffusion" in missing
    assert told["lattice"]["a"][0] == pytest.approx(7.23, abs=0.15)
    course = json.loads(json.dumps(defect_measures(response, defect.host), allow_nan=False))
    assert (course["fate"], course["rate"], course["survived"]) == ("stays", None, 1.0)
    assert course["states"] == [[0, "v_Cu"]]
    assert sum(shell["atoms"] for shell in course["shells"]) == 31
    short = run_point(MdPoint.of(defect.cell(), Environment(600), steps=2, interval=1), defect.cell(), emt)
    told = json.loads(json.dumps({**summary(short), **defect_measures(short, defect.host)}, allow_nan=False))
    assert "run longer" in told["not_measurable"]["shells"]
    whole = summary(response, defect.host)
    assert told.keys() <= whole.keys()
    assert whole["fate"] == "stays"
    assert whole["conventional_lattice"]["a"][0] == pytest.approx(whole["lattice"]["a"][0] / 2, rel=0.02)
    with pytest.raises(DefectError, match="of host"):
        defect_measures(short, read_host(HOSTS / "Al.cif"))


def test_a_single_atom_has_no_temperature_and_no_average_of_one(
    emt: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = read_host(HOSTS / "Cu.cif")
    cell = Defect(Supercell.primitive(host), ()).cell()
    with pytest.raises(ConditionError, match="no degree of freedom"):
        MdPoint.of(cell, Environment(300.0, ensemble="npt"), steps=40, interval=2)
    # Runs of an earlier version had such points.
    monkeypatch.setattr(MdPoint, "check", lambda _self, _cell: None)
    response = run_point(MdPoint.of(cell, Environment(300.0, ensemble="npt"), steps=40, interval=2), cell, emt)
    told = json.loads(json.dumps(summary(response), allow_nan=False))
    for name in ("temperature_mean", "volume", "lattice", "diffusion"):
        assert told[name] is None
        assert "no degree of freedom" in told["not_measurable"][name]
    assert told["n_atoms"] == 1

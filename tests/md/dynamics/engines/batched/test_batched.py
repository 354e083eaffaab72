"""The batched engine: every point does what it would do alone, with the right labels, ensembles and stops."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase.build import bulk

from augment.cell import DefectCell
from augment.errors import ConditionError, PotentialError, ResumeError, SettingsError
from augment.groups.cell_symmetry import CellSymmetry
from md.campaigns.relax_and_md import md_all, relax_all
from md.conditions.environment import Environment, Strain
from md.conditions.precision import Precision
from md.conditions.schedule import constant, quench, ramp
from md.dynamics import MdPoint, Response, run_point
from md.dynamics.engines.batched.engine import run_batch
from md.dynamics.engines.batched.forces import BatchForces, BatchLabels, Flat
from md.dynamics.engines.batched.steps import Baths, Motion, first_half, kicked
from md.dynamics.start_volume import WarmCrystal, static_pressure
from md.jobs.checkpoint import Checkpoints, RunState
from md.potentials import Potential
from md.potentials.device import resolve_device
from md.potentials.mace.models import describe_student, through_torch
from md.relaxation.batched import relax_batched
from md.relaxation.relax import RelaxSettings, relax_structure
from tests.support.cells import cell_of

EXACT = 1e-10
"""Relative to nothing: eV, eV/Å and eV/Å³ of a few dozen atoms in float64."""

SAME = 1e-9
"""Å; two trajectories that differ by rounding, after 20 steps."""


def sulfide(repeats: tuple[int, int, int], name: str, seed: int, scale: float = 1.0) -> DefectCell:
    atoms = bulk("ZnS", "zincblende", 5.38 * scale, cubic=True) * repeats
    atoms.rattle(0.05, seed=seed)
    return cell_of(atoms, name)


@pytest.fixture(scope="module")
def student() -> Potential:
    return describe_student("mace-zns-znse")


@pytest.fixture(scope="module")
def cells() -> list[DefectCell]:
    """A sheared cell, a long one, and one of selenium: no two of one size or composition."""
    sheared, long, mixed = sulfide((1, 1, 1), "a", 1), sulfide((2, 1, 1), "b", 2), sulfide((1, 1, 1), "c", 3)
    shear = np.eye(3) + np.array([[0.01, 0.04, 0], [0, -0.02, 0.03], [0.02, 0, 0]])
    sheared = replace(sheared, cell=sheared.cell @ shear, positions=sheared.positions @ shear)
    return [sheared, long, replace(mixed, numbers=np.where(mixed.numbers == 16, 34, 30))]


ENVIRONMENTS = (Environment(300, 0, "nve"), Environment(400, 0, "nvt"), Environment(300, 2, "npt"))


def points_of(cells: list[DefectCell], **how: Any) -> list[tuple[MdPoint, DefectCell]]:
    made = zip(cells, ENVIRONMENTS, strict=True)
    return [(MdPoint.of(cell, environment, engine="batched", **how), cell) for cell, environment in made]


def exploding(cell: DefectCell, **how: Any) -> tuple[MdPoint, DefectCell]:
    """A point whose two closest atoms fly apart, far hotter than the 1 K that it is asked for."""
    crushed = replace(cell, positions=cell.positions.copy())
    crushed.positions[3] = crushed.positions[7] + [0.0, 0.0, 0.9]
    return MdPoint.of(crushed, Environment(1, 0, "nvt"), engine="batched", **how), crushed


def bytes_of(responses: list[Response]) -> list[dict[str, bytes]]:
    return [{name: array.tobytes() for name, array in r.to_arrays().items()} for r in responses]


def test_labels_are_those_of_the_calculator(student: Potential, cells: list[DefectCell]) -> None:
    labels = BatchForces(student, "cpu")(Flat.of(cells, "cpu"))
    forces = torch.split(labels.forces, [len(cell) for cell in cells])
    for i, cell in enumerate(cells):
        atoms = cell.to_ase()
        atoms.calc = student.calculator()
        assert abs(labels.energies[i].item() - atoms.get_potential_energy()) < EXACT
        assert np.abs(forces[i].numpy() - atoms.get_forces()).max() < EXACT
        assert np.abs(labels.stresses[i].numpy() - atoms.get_stress(voigt=False)).max() < EXACT
        assert np.abs(forces[i].numpy()).max() > 0.1


def test_neighbours_are_found_anew_before_one_is_missed(student: Potential, cells: list[DefectCell]) -> None:
    kept, flat, rng = BatchForces(student, "cpu"), Flat.of(cells, "cpu"), np.random.default_rng(0)
    missed = False
    for turn in range(8):
        held = kept._edges[1:2]
        found, fresh = kept(flat), BatchForces(student, "cpu")(flat)
        assert (found.forces - fresh.forces).abs().max() < EXACT
        assert (found.energies - fresh.energies).abs().max() < EXACT
        missed |= turn > 0 and held[0] is not kept._edges[1]
        moves = torch.as_tensor(rng.normal(scale=0.08, size=flat.positions.shape))
        flat = replace(flat, positions=0.985 * (flat.positions + moves), cells=0.985 * flat.cells)
    assert missed


def test_a_point_does_alone_what_it_does_with_others(student: Potential, cells: list[DefectCell]) -> None:
    points = points_of(cells, steps=20, interval=4, checkpoint=8)
    together = run_batch(points, student, device="cpu")
    for point, response in zip(points, together, strict=True):
        alone = run_point(*point, student)
        assert response.status == alone.status == "finished"
        assert np.abs(alone.frames.positions - response.frames.positions).max() < SAME
        assert np.abs(alone.series.cells - response.series.cells).max() < SAME
        assert len(response.series) == 21
    other = replace(points[1][0], seed=1, steps=4)
    [moved] = run_batch([(other, cells[1])], student, device="cpu")
    assert np.abs(moved.frames.positions[1] - together[1].frames.positions[1]).max() > 1e-3
    conserved = together[0].series.totals
    assert np.ptp(conserved) < 1e-4 * len(cells[0])
    assert np.ptp(together[0].series.energies) > 20 * np.ptp(conserved)
    assert np.ptp(together[1].series.volumes) == 0 < np.ptp(together[2].series.volumes)


def test_newton_is_the_same_in_both_engines(student: Potential, cells: list[DefectCell]) -> None:
    [point, *_] = points_of(cells, steps=20, interval=5)
    [ours], theirs = run_batch([point], student), run_point(replace(point[0], engine="ase"), cells[0], student)
    assert np.abs(ours.frames.positions - theirs.frames.positions).max() < SAME
    for name in ("energies", "kinetic", "temperatures", "pressures"):
        assert np.abs(getattr(ours.series, name) - getattr(theirs.series, name)).max() < 1e-7
    assert ours.frames.momenta is not None
    assert theirs.frames.momenta is not None
    assert np.abs(ours.frames.momenta - theirs.frames.momenta).max() < SAME


def test_schedules_and_quenches_are_followed(student: Potential) -> None:
    hot = constant(200, 20.0).then(quench(900)).then(ramp(900, 300, 20.0))
    cell = sulfide((1, 1, 1), "a", 1)
    point = MdPoint.of(cell, Environment(hot, 0, "nvt"), engine="batched", steps=40, interval=10)
    [response] = run_batch([(point, cell)], student, device="cpu")
    assert response.series.temperatures[21] > 2 * response.series.temperatures[15]


def test_an_explosion_stops_one_point_and_no_other(student: Potential, cells: list[DefectCell]) -> None:
    how = {"steps": 20, "interval": 5, "checkpoint": 8}
    points = points_of(cells, **how)
    points[1] = exploding(cells[1], **how)
    first, second, third = run_batch(points, student, device="cpu")
    assert (first.status, second.status, third.status) == ("finished", "diverged", "finished")
    assert second.reason.endswith("of 20)")
    assert 0 < len(second.series) < 21
    assert len(second.series) == int(second.reason.rsplit("step ", 1)[1].split()[0])
    assert np.isfinite(second.frames.positions).all()
    alone = run_batch([points[2]], student, device="cpu")[0]
    assert np.abs(alone.frames.positions - third.frames.positions).max() < SAME


class Stop(BaseException):
    """What a test interrupts a run with."""


@pytest.mark.parametrize("after", [10, pytest.param(20, marks=pytest.mark.slow)])
def test_interrupted_and_resumed_to_the_same_bits(
    student: Potential, cells: list[DefectCell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    how = {"steps": 18, "interval": 4, "checkpoint": 5}
    points = [*points_of(cells, **how), exploding(sulfide((1, 1, 1), "x", 4), **how)]
    whole = run_batch(points, student, device="cpu")
    assert [r.status for r in whole] == ["finished"] * 3 + ["diverged"]
    original, calls = BatchForces.__call__, 0

    def interrupted(self: BatchForces, flat: Flat) -> Any:
        nonlocal calls
        calls += 1
        if calls == after:
            raise Stop
        return original(self, flat)

    with monkeypatch.context() as patch:
        patch.setattr(BatchForces, "__call__", interrupted)
        with pytest.raises(Stop):
            run_batch(points, student, device="cpu", checkpoints=Checkpoints(tmp_path, "batch"))
    resumed = run_batch(points, student, device="cpu", checkpoints=Checkpoints(tmp_path, "batch"))
    assert bytes_of(resumed) == bytes_of(whole)
    with pytest.raises(ResumeError):
        run_batch(points, student, device="cpu", checkpoints=Checkpoints(tmp_path, "another"))


def test_each_point_ends_where_its_own_means_are_precise(
    student: Potential, cells: list[DefectCell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the others do, and interrupted or not; here two samples are enough."""
    monkeypatch.setattr("md.dynamics.settling.MIN_SAMPLES", 2)
    monkeypatch.setattr("md.dynamics.settling.MAX_DRIFTING_SHARE", 1.0)
    points = points_of(cells, steps=60, interval=10, checkpoint=10, precision=Precision(0.5, 1.0, stretch=20))
    together = run_batch(points, student, device="cpu")
    lengths = [len(response.series) - 1 for response in together]
    assert set(lengths) <= {20, 40, 60}
    assert min(lengths) < 60
    for pair, response in zip(points, together, strict=True):
        (alone,) = run_batch([pair], student, device="cpu")
        assert len(alone.series) == len(response.series)
        assert response.status == "finished"

    class Stopping(Checkpoints):
        def write(self, state: RunState, recorded: Any) -> None:
            super().write(state, recorded)
            if state.step == min(lengths):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(points, student, device="cpu", checkpoints=Stopping(tmp_path, "batch"))
    resumed = run_batch(points, student, device="cpu", checkpoints=Checkpoints(tmp_path, "batch"))
    for one, other in zip(resumed, together, strict=True):
        assert {k: v.tobytes() for k, v in one.to_arrays().items()} == {
            k: v.tobytes() for k, v in other.to_arrays().items()
        }


def test_a_point_starts_warm_in_a_batch(student: Potential, cells: list[DefectCell]) -> None:
    asked = MdPoint.of(cells[0], Environment(300, 2), engine="batched", steps=5, interval=5, start="warm")
    other = points_of(cells, steps=5, interval=5)[0]
    crystal = WarmCrystal(1.02, 80.0, static_pressure(cells[0], through_torch(student)))
    warm, cold = run_batch([(asked, cells[0]), other], student, device="cpu", finders=[lambda: crystal, None])
    assert warm.series.volumes[0] == pytest.approx(1.02 * cells[0].volume)
    assert warm.frames.start is cells[0]
    assert cold.series.volumes[0] == pytest.approx(cells[0].volume)


def test_relaxations_end_where_those_one_by_one_do(student: Potential, cells: list[DefectCell]) -> None:
    settings = RelaxSettings(fmax=0.002)
    sulfides = [cells[0], sulfide((1, 1, 1), "d", 4)]
    for cell, ours in zip(sulfides, relax_batched(sulfides, student, settings, device="cpu"), strict=True):
        theirs = relax_structure(cell, student, fmax=0.002)
        assert ours.status == theirs.status == "converged"
        assert ours.forces_max[-1] <= 0.002 < ours.forces_max[-2]
        assert abs(ours.energies[-1] - theirs.energies[-1]) < 1e-5 * len(cell)
        off = ours.cell.positions - theirs.cell.positions
        assert np.abs(off - off.mean(axis=0)).max() < 0.005
        assert np.abs(ours.cell.positions - cell.positions).max() > 0.03


def test_a_relaxation_keeps_a_symmetry_and_says_what_it_lacks(student: Potential, cells: list[DefectCell]) -> None:
    perfect = cell_of(bulk("ZnS", "zincblende", 5.38, cubic=True))
    perfect.positions[0, 2] += 0.2
    flip = np.stack([np.eye(3), np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])])
    images = [
        [int(np.argmin(_distances(perfect, position @ operation.T))) for position in perfect.positions]
        for operation in flip
    ]
    mirror = CellSymmetry.from_cartesian("m", flip, np.array(images), np.eye(3))
    off = replace(cells[0], positions=cells[0].positions.copy())
    kept, free = relax_batched(
        [perfect, off], student, RelaxSettings(max_steps=6), symmetries=[mirror, None], device="cpu"
    )
    moves = kept.cell.positions - perfect.positions
    assert np.abs(moves).max() > 0.01
    assert np.abs(mirror.project_displacements(moves) - moves).max() < 1e-14
    assert free.status == "not_converged"
    assert "after 6 steps" in free.reason
    assert free.settings["optimizer"] == "batched FIRE"


def _distances(cell: DefectCell, position: Any) -> Any:
    shares = (cell.positions - position) @ np.linalg.inv(cell.cell)
    return np.linalg.norm((shares - np.round(shares)) @ cell.cell, axis=1)


def test_a_sweep_in_batches_leaves_a_file_for_each_point(
    student: Potential, cells: list[DefectCell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = points_of(cells, steps=6, interval=3)
    told: list[float] = []
    found = md_all(points, student, tmp_path, workers=1, device="cpu", progress=lambda done, _, __: told.append(done))
    assert bytes_of(found) == bytes_of(run_batch(points, student, device="cpu"))
    assert len(list(tmp_path.glob("*.npz"))) == 3
    assert told[-1] == 3
    assert not list((tmp_path / "batches").glob("*.npz"))
    assert found[0].potential.evaluator == "mace-torch"
    assert found[0].seconds > 0
    monkeypatch.setattr("md.dynamics.engines.batched.engine.run_batch", None)
    again = md_all(points, student, tmp_path, workers=1, device="cpu")
    assert bytes_of(again) == bytes_of(found)
    relaxed = relax_all(cells, student, tmp_path / "relaxed", RelaxSettings(max_steps=2), device="cpu", batched=True)
    assert [r.settings["optimizer"] for r in relaxed] == ["batched FIRE"] * 3


def test_what_it_cannot_do_is_said(student: Potential, emt: Potential, cells: list[DefectCell], tmp_path: Path) -> None:
    cell = sulfide((1, 1, 1), "a", 1)
    with pytest.raises(ConditionError, match="the batched engine does not do the ensemble npt-full"):
        MdPoint.of(cell, Environment(300, 0, "npt-full"), engine="batched")
    with pytest.raises(ConditionError, match="does not do a strain rate"):
        MdPoint.of(cell, Environment(300, 0, "nvt", Strain("a", 0.01)), engine="batched")
    points = points_of(cells, steps=5, interval=5)
    with pytest.raises(ConditionError, match="differ in steps"):
        run_batch([points[0], (replace(points[1][0], steps=6), cells[1])], student)
    with pytest.raises(ConditionError, match="not ase"):
        run_batch([(replace(points[0][0], engine="ase"), cells[0])], student)
    with pytest.raises(ConditionError, match="keeps the cell"):
        relax_batched(cells, student, RelaxSettings(relax_cell=True))
    copper = cell_of(bulk("Cu", cubic=True))
    with pytest.raises(PotentialError, match="cannot be evaluated in batches"):
        md_all([(MdPoint.of(copper, Environment(300), engine="batched", steps=20), copper)], emt, tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="no CUDA"):
            resolve_device("cuda")
        assert resolve_device("auto") == "cpu"


def test_an_ideal_gas_has_the_volumes_of_its_ensemble() -> None:
    """Without forces P(V) ~ V^n exp(-P V / kT): a mean of (n + 1) kT / P and a variance of (n + 1) (kT / P)²."""
    atoms, copies, kt, pressure = 4, 1500, 0.03, 0.6
    many = copies * atoms
    side = np.cbrt((atoms + 1) * kt / pressure)
    owner = torch.arange(copies).repeat_interleave(atoms)
    flat = Flat(torch.zeros(many, 3).double(), side * torch.eye(3).double().repeat(copies, 1, 1), owner, owner)
    motion = Motion(flat, torch.zeros(many, 3).double(), torch.full((many, 1), 20.0).double())
    each = torch.ones(copies).double()
    none = BatchLabels(0 * each, torch.zeros(many, 3).double(), torch.zeros(copies, 3, 3).double(), each)
    bath = Baths(0.2, kt * each, 0.98 * each, pressure * each, 0.02 * each)
    rng = np.random.default_rng(0)
    volumes, kinetic = [], []
    for step in range(1501):
        random = torch.as_tensor(rng.standard_normal((many + copies, 3)))
        motion = kicked(first_half(motion, none, bath, random), none, bath)
        if step >= 1000 and step % 500 == 0:
            volumes.append(motion.flat.volumes.numpy())
            kinetic.append(motion.kinetic.numpy())
    found, unit = np.concatenate(volumes), kt / pressure
    assert abs(found.mean() / ((atoms + 1) * unit) - 1) < 0.03
    assert abs(found.var() / ((atoms + 1) * unit**2) - 1) < 0.1
    assert abs(np.concatenate(kinetic).mean() / (1.5 * (atoms - 1) * kt) - 1) < 0.03


@pytest.mark.slow
def test_ensembles_are_those_of_the_ase_engine(student: Potential) -> None:
    """Mean temperature and volume of 8 batched points and one of ASE, within 4 standard errors."""
    cell = sulfide((1, 1, 1), "a", 1)
    how: dict[str, Any] = {"steps": 6000, "timestep": 2.0, "interval": 100}
    environments = (Environment(300, 0, "nvt"), Environment(300, 3, "npt"))
    points = [
        (MdPoint.of(cell, environment, engine="batched", seed=seed, **how), cell)
        for environment in environments
        for seed in range(4)
    ]
    ours = run_batch(points, student, device="cpu")
    temperatures = np.array([r.series.temperatures[1500:].mean() for r in ours])
    assert abs(temperatures.mean() - 300) < 4 * temperatures.std() / np.sqrt(7)
    theirs = [run_point(replace(p, engine="ase"), cell, student) for p, _ in points[4:]]
    volumes = np.array([[r.series.volumes[1500:].mean() for r in runs] for runs in (ours[4:], theirs)])
    assert abs(volumes[0].mean() - volumes[1].mean()) < 4 * np.hypot(*volumes.std(axis=1)) / np.sqrt(3)
    assert volumes.mean() < cell.volume - 1

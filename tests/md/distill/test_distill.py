"""Distillation: what the cells hold, how the training resumes, what is refused, and a whole student of copper."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from augment import host_from_structure, read_host
from augment.errors import ConditionError, DataError, PotentialError, ResumeError, SettingsError
from augment.host import Host
from md.campaigns.labelling import label
from md.distill import finish
from md.distill.crystal import Crystal, relax_crystal, supercells
from md.distill.curriculum import CellCounts, first_cells, ideal_defects
from md.distill.labelled import CellLabeller
from md.distill.network.dense import DenseMace
from md.distill.network.graphs import ENERGY_WEIGHT, collate_labelled, labelled_graphs
from md.distill.network.student import StudentShape, atomic_energies, initial_network, refit_atomic_energies
from md.distill.optimizer import RotatedAdam
from md.distill.run import Distillation, calculator_of, distil, refined
from md.distill.settings import DistilSettings, Plan
from md.distill.trainer import StudentTrainSettings, train_student
from md.distill.validate import errors, volume_runs
from md.jobs.sweep import no_stage
from md.labels.record import Record
from md.potentials import Potential, resolve_potential
from tests.support.places import HOSTS

TINY = DistilSettings(max_temperature=300.0, max_pressure=5.0, effort=0.02, steps=40, max_atoms=16, channels=4)


@pytest.fixture(scope="module")
def host() -> Host:
    return read_host(HOSTS / "Cu.cif")


@pytest.fixture(scope="module")
def crystal(host: Host) -> Crystal:
    return relax_crystal(host, resolve_potential("emt"), 1000.0, 10.0, 72)


@pytest.fixture(scope="module")
def records(crystal: Crystal, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    small = replace(crystal, cells=supercells(crystal.host, 16))
    cells = first_cells(small, (), 600.0, CellCounts(6, 1, 1, 1, 1, 1, 1), [0])
    return label(cells, resolve_potential("emt"), tmp_path_factory.mktemp("labels"), workers=1)


def weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


def test_the_crystal_is_the_teachers(crystal: Crystal) -> None:
    assert np.linalg.norm(crystal.host.lattice[0]) == pytest.approx(3.59, abs=0.01)  # EMT's copper
    low, high = crystal.volumes
    assert 0.85 < low < 0.93  # 10 GPa squeeze copper by 6 %
    assert 1.05 < high < 1.15
    assert crystal.nearest == pytest.approx(3.59 / 2**0.5, abs=0.01)


def test_the_first_cells_hold_every_point_defect_within_the_range(crystal: Crystal) -> None:
    sizes = crystal.cells
    assert sizes["small"].n_atoms < sizes["medium"].n_atoms < sizes["large"].n_atoms <= 72
    cells = first_cells(crystal, ("Ni",), 600.0, CellCounts().scaled(0.1), [3])
    names = {cell.name for cell in cells}
    assert names >= {d.name for d in ideal_defects(sizes["large"], ("Ni",))} >= {"v_Cu", "Ni_Cu", "Cu_i_Oh"}
    assert any("+" in name for name in names)
    atoms = {size: cell.volume for size, cell in ((s, sizes[s].bulk_cell()) for s in sizes)}
    for cell in cells:
        ratio = cell.volume / min(atoms.values(), key=lambda v: abs(v - cell.volume))
        assert crystal.volumes[0] - 1e-9 <= ratio <= crystal.volumes[1] + 1e-9
        assert (cell.provenance[ENERGY_WEIGHT] < 1) == (cell.name != "bulk" and len(cell) < 50)
    again = first_cells(crystal, ("Ni",), 600.0, CellCounts().scaled(0.1), [3])
    assert all((a.positions == b.positions).all() for a, b in zip(cells, again, strict=True))
    other = first_cells(crystal, ("Ni",), 600.0, CellCounts().scaled(0.1), [4])
    assert any((a.positions != b.positions).any() for a, b in zip(cells, other, strict=False) if len(a) == len(b))


def test_some_cells_are_swollen_with_small_displacements(crystal: Crystal) -> None:
    cells = [
        c for c in first_cells(crystal, (), 600.0, CellCounts(), [3]) if c.provenance["config_type"] == "bulk_phonon"
    ]
    assert len(cells) == CellCounts().phonon == CellCounts().scaled(0.1).phonon, "whatever the effort"
    assert {c.provenance["forces_weight"] for c in cells} == {20.0}, "quiet cells count more than hot ones"
    assert {c.provenance["stress_weight"] for c in cells} == {10.0}
    ideal = crystal.cells["medium"].bulk_cell()
    for cell in cells:
        fractions = cell.positions @ np.linalg.inv(cell.cell) - ideal.positions @ np.linalg.inv(ideal.cell)
        moved = (fractions - np.rint(fractions)) @ cell.cell
        assert 0.005 < moved.std() < 0.06
        assert 0.98 <= cell.volume / ideal.volume <= crystal.volumes[1] - 0.03


def test_cells_without_a_label_are_left_out_and_counted(crystal: Crystal, tmp_path: Path) -> None:
    good = [crystal.cells["small"].bulk_cell() for _ in range(9)]
    cells = [c.with_geometry(c.positions + 0.01 * i * np.eye(len(c), 3)) for i, c in enumerate(good)]
    clash = cells[0].positions.copy()
    clash[1] = clash[0] + 0.1
    said: list[str] = []

    @contextmanager
    def stage(_title: str, _unit: str) -> Iterator[Callable[[float, int, str], None]]:
        yield lambda _done, _total, text: said.append(text)

    labeller = CellLabeller(resolve_potential("emt"), tmp_path / "few", 1, stage)
    records = labeller.labelled("cells", lambda: [*cells, cells[0].with_geometry(clash)])
    assert len(records) == len(cells)
    assert any("1 of 10 cells" in text and "apart" in text for text in said)
    assert len(labeller.labelled("cells", list)) == len(cells)  # as they were
    all_bad = CellLabeller(resolve_potential("emt"), tmp_path / "all", 1, no_stage)
    with pytest.raises(DataError, match="1 of 1 cells"):
        all_bad.labelled("cells", lambda: [cells[0].with_geometry(clash)])


def test_atomic_energies_give_energies_that_are_sums_of_them(records: list[Record]) -> None:
    exact = [replace(r, energy=-3.5 * len(r.cell)) for r in records]
    np.testing.assert_allclose(atomic_energies(exact, (29,)), [-3.5], rtol=1e-6)
    # An element that no cell holds takes no energy from the others.
    np.testing.assert_allclose(atomic_energies(exact, (28, 29)), [0.0, -3.5], atol=1e-5)


def test_levelling_takes_away_what_goes_with_composition_and_nothing_else(records: list[Record]) -> None:
    network = initial_network(records, StudentShape((28, 29), channels=4), 0)
    calculator = calculator_of(network)
    found = [calculator.get_potential_energy(record.cell.to_ase()) for record in records]
    wanted = [replace(r, energy=e + 0.3 * len(r.cell)) for r, e in zip(records, found, strict=True)]
    moved = refit_atomic_energies(network, wanted, found)
    shift = moved.atomic_energies_fn.atomic_energies - network.atomic_energies_fn.atomic_energies
    np.testing.assert_allclose(shift.numpy()[0], [0.0, 0.3], atol=1e-6)
    before, after = errors(calculator, wanted), errors(calculator_of(moved), wanted)
    assert before.energy == pytest.approx(0.3)
    assert after.energy < 1e-6
    assert after.forces == pytest.approx(before.forces, abs=1e-12)


def test_atoms_that_nature_does_not_put_there_are_left_out() -> None:
    def names(host: str, *dopants: str) -> set[str]:
        cells = supercells(read_host(HOSTS / f"{host}.cif"), 72)
        return {defect.name for defect in ideal_defects(cells["large"], dopants)}

    ionic = names("MgO", "Ca")
    assert {"v_O", "v_Mg", "Ca_Mg", "Mg_i_Td", "O_i_Td"} == ionic  # no Mg_O, no Ca_O, no large Ca in the small void
    assert {"Ga_As", "As_Ga"} <= names("GaAs")


@pytest.mark.parametrize(("channels", "ell"), [(4, 3), (3, 2)])
def test_the_dense_network_is_the_network_of_mace_torch(records: list[Record], channels: int, ell: int) -> None:
    few = [record for record in records if len(record.cell) < 40][:6]
    network = initial_network(few, StudentShape((28, 29), channels=channels, max_ell=ell), 1)
    calculator = calculator_of(network)
    labels = [labelled(record, calculator) for record in few]
    graphs, left, _ = collate_labelled(labelled_graphs(labels, network), float(network.r_max))
    double = replace(graphs, vectors=graphs.vectors.double(), volumes=graphs.volumes.double())
    found = DenseMace(network)(double, training=False)
    size = left.forces.abs().max()
    assert size > 1e-3
    # The graphs are stored in float32.
    np.testing.assert_allclose(found.energy.detach(), left.energy, atol=2e-5)
    np.testing.assert_allclose(found.forces.detach(), left.forces, atol=1e-5 * float(size) + 1e-6)
    np.testing.assert_allclose(found.stress.detach(), left.stress, atol=1e-6)
    with torch.no_grad():
        network.interactions[1].linear.weight *= 1.1
    changed = DenseMace(network)(double, training=False)
    assert (changed.forces - found.forces).abs().max() > 1e-3 * size


def labelled(record: Record, calculator) -> Record:
    atoms = record.cell.to_ase()
    atoms.calc = calculator
    return replace(record, energy=atoms.get_potential_energy(), forces=atoms.get_forces(), stress=atoms.get_stress())


def test_the_optimizer_bears_gradients_whose_squares_vanish() -> None:
    weight = torch.nn.Parameter(torch.ones(6, 6))
    optimizer = RotatedAdam([weight], 0.1, 6)
    for scale in (1e-25, 1e-3):
        weight.grad = scale * torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
        optimizer.step()
    assert torch.isfinite(weight).all()
    assert (weight != 1).any()


def test_the_turned_optimizer_does_not_care_how_the_axes_lie() -> None:
    """Descent of a quadratic is the same after a rotation of its axes; plain Adam's is not."""
    draw = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=draw))[0]
    start = torch.randn(8, 8, generator=draw)

    def loss_after(make, turn: torch.Tensor) -> float:
        stiffness = turn @ torch.diag(torch.logspace(0, 2, 8)) @ turn.T
        weight = torch.nn.Parameter(turn @ start)
        optimizer = make([weight])
        for _ in range(20):
            optimizer.zero_grad()
            ((stiffness @ weight) * weight).sum().backward()
            optimizer.step()
        return ((stiffness @ weight) * weight).sum().item()

    def difference(make) -> float:
        straight, turned = (loss_after(make, turn) for turn in (torch.eye(8), rotation))
        return abs(turned / straight - 1)

    assert difference(lambda p: RotatedAdam(p, 0.03, 8)) < 0.02
    assert difference(lambda p: torch.optim.Adam(p, 0.03)) > 0.1


def test_training_learns_and_a_resumed_one_ends_at_the_same_bytes(records: list[Record], tmp_path: Path) -> None:
    shape, how = StudentShape((29,), channels=4), StudentTrainSettings(16)
    seen: list[int] = []
    whole = train_student(records, shape, how, tmp_path / "a.pt", progress=lambda d, _t, _s: seen.append(d))
    assert seen[-1] == 16

    class Stop(Exception):  # noqa: N818
        pass

    def stop(done: int, _total: int, _text: str) -> None:
        if done >= 6:
            raise Stop

    from md.training import loop

    before, loop.CHECKPOINT_SECONDS = loop.CHECKPOINT_SECONDS, 0.0
    try:
        with pytest.raises(Stop):
            train_student(records, shape, how, tmp_path / "b.pt", progress=stop)
    finally:
        loop.CHECKPOINT_SECONDS = before
    resumed = train_student(records, shape, how, tmp_path / "b.pt")
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(value, weights(resumed)[name])
    with pytest.raises(ResumeError, match="other data or other settings"):
        train_student(records[1:], shape, how, tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes(b"half")
    with pytest.raises(ResumeError, match="damaged"):
        train_student(records, shape, how, tmp_path / "a.pt")


def test_frames_under_pressure_keep_their_own_cells(crystal: Crystal, emt: Potential) -> None:
    """Volumes of a run differ from frame to frame and stay near the static one; pressed, they are smaller."""
    pristine = crystal.cells["medium"].bulk_cell()
    runs = volume_runs(pristine, emt.calculator(), [(300.0, 0.0), (300.0, 10.0)], steps=200, seed=0)
    free, pressed = (np.array([frame.volume for frame in frames]) for frames, _ in runs)
    assert np.ptp(free) > 1e-3 * pristine.volume
    assert abs(free.mean() / pristine.volume - 1) < 0.04
    assert pressed.mean() < 0.98 * free.mean()


def test_a_refined_student_is_nearer_to_its_labels(crystal: Crystal, records: list[Record], tmp_path: Path) -> None:
    network = initial_network(records, StudentShape((29,), channels=4), 0)
    made = Distillation(network, records, (crystal,), ((),), Plan(1.0, 10))
    better = refined(made, tmp_path / "refined.pt", 40)
    assert better.plan.steps == 50
    before, after = (errors(calculator_of(m.student), records) for m in (made, better))
    assert after.energy < 0.1 * before.energy
    assert after.stress < before.stress


def test_errors_see_a_wrong_label(records: list[Record], emt: Potential) -> None:
    calm = errors(emt.calculator(), records)
    assert max(calm.energy, calm.forces, calm.stress) < 1e-9
    shifted = [replace(r, energy=r.energy + 0.5, forces=r.forces + 0.1) for r in records]
    wrong = errors(emt.calculator(), shifted)
    assert wrong.energy_cell == pytest.approx(0.5)
    assert wrong.forces == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"minutes": 0.0}, SettingsError),
        ({"minutes": float("nan")}, SettingsError),
        ({"max_temperature": -5.0}, ConditionError),
        ({"max_pressure": -1.0}, SettingsError),
        ({"steps": 3}, SettingsError),
        ({"effort": 0.0}, SettingsError),
        ({"channels": 0}, SettingsError),
        ({"cutoff": 45.0}, SettingsError),
        ({"cutoff": float("nan")}, SettingsError),
    ],
)
def test_settings_that_are_impossible_are_refused(change: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        replace(DistilSettings(), **change)


def test_steps_are_shared_out_whole() -> None:
    for steps in (40, 41, 1000, 7777):
        plan = Plan(1.0, steps)
        assert 4 * plan.round_steps + plan.last_steps == steps


def test_what_cannot_be_done_is_refused_with_nothing_begun(host: Host, emt: Potential, tmp_path: Path) -> None:
    with pytest.raises(PotentialError, match="does not cover Fe"):
        distil([host], emt, tmp_path / "a", replace(TINY, dopants=("Fe",)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("")
    with pytest.raises(ResumeError, match="not empty and not a distillation"):
        distil([host], emt, tmp_path / "b", TINY)
    with pytest.raises(SettingsError, match="--max-atoms"):
        distil([read_host(HOSTS / "Al.cif")], emt, tmp_path / "a", replace(TINY, max_atoms=0))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "distillation.json").write_text(json.dumps({"identity": "another", "host": "Cu"}))
    with pytest.raises(ResumeError, match="another host, teacher or settings"):
        distil([host], emt, tmp_path / "c", TINY)
    assert not (tmp_path / "a").exists()
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_one_process_at_a_time_distils_in_a_folder(host: Host, emt: Potential, tmp_path: Path) -> None:
    def intrude(_title: str, _unit: str) -> None:
        distil([host], emt, tmp_path, TINY)

    with pytest.raises(ResumeError, match="another process"):
        distil([host], emt, tmp_path, TINY, workers=1, stage=intrude)


def command(folder: Path, *extra: str) -> list[str]:
    host, start = str(HOSTS / "Cu.cif"), [sys.executable, "-m", "defectgen", "distill"]
    amounts = ["--effort", "0.05", "--training-steps", "240", "--max-atoms", "32", "--workers", "1"]
    climate = ["--max-temperature", "600", "--max-pressure", "5"]
    return [*start, host, "--teacher", "emt", *amounts, *climate, "-o", str(folder), *extra]


@pytest.mark.slow
def test_a_whole_student_of_copper_survives_a_kill_and_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFECTGEN_STUDENTS", str(tmp_path / "students"))
    subprocess.run(command(tmp_path / "whole"), check=True)
    card = json.loads((tmp_path / "whole" / "student" / "card.json").read_text())
    assert card["domain"]["charge"] == 0
    assert {"v_Cu", "Cu_i_Oh", "Cu_i_Td"} <= card["hosts"]["Cu"]["defect_energies"].keys()
    assert card["errors"]["test"]["all"]["cells"] > 5
    assert resolve_potential("auto", {"Cu"}).name == "mace-cu"
    shutil.rmtree(tmp_path / "students")
    assert resolve_potential("auto", {"Cu"}).name != "mace-cu"

    process = subprocess.Popen(command(tmp_path / "killed", "--no-register"))
    while process.poll() is None and not (tmp_path / "killed" / "train_1_0.pt").exists():
        time.sleep(0.05)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    subprocess.run(command(tmp_path / "killed", "--no-register"), check=True)
    for name in ("weights.safetensors",):
        whole, killed = (tmp_path / run / "student" / name for run in ("whole", "killed"))
        assert whole.read_bytes() == killed.read_bytes()
    assert not (tmp_path / "students").exists()


def test_two_crystals_of_one_formula_keep_their_names() -> None:
    centred = host_from_structure(Structure.from_spacegroup(229, Lattice.cubic(2.9), ["Cu"], [[0, 0, 0]]))
    hosts = [read_host(HOSTS / "Cu.cif"), centred, read_host(HOSTS / "MgO.cif")]
    assert finish.crystal_names([Crystal(host, (0.9, 1.1), 2.0, {}) for host in hosts]) == [
        "Cu (225)",
        "Cu (229)",
        "MgO",
    ]

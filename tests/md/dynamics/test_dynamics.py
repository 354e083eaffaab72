"""Dynamics: both engines see the same physics, conserve what they should, and stop where a potential fails."""

import json
from collections.abc import Collection

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.data import atomic_numbers, covalent_radii

from augment.cell import DefectCell
from augment.errors import ConditionError, PotentialError
from md.conditions.environment import Ensemble, Environment
from md.dynamics import Engine, MdPoint, Response, response_from_arrays, run_point
from md.labels.evaluator import Evaluator
from md.lammps.commands import triangular_frame
from md.lammps.session import LammpsSession
from md.observables import energy_drift, summary
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import relax_structure
from md.students import student_names
from tests.support.cells import FailingCalculator, cell_of

ENGINES: tuple[Engine, ...] = ("ase", "lammps")


def run(
    cell: DefectCell, potential: Potential, engine: Engine, ensemble: Ensemble = "nve", **settings: float
) -> Response:
    temperature, pressure = settings.pop("temperature", 300.0), settings.pop("pressure", 0.0)
    environment = Environment(temperature, pressure, ensemble)
    values = {"steps": 50, "interval": 5, "timestep": 2.0} | settings
    return run_point(MdPoint.of(cell, environment, engine=engine, **values), cell, potential)


def triclinic(name: str, elements: Collection[str] = ("Mg", "O")) -> DefectCell:
    pair = ["Mg", "O"] if {"Mg", "O"} <= set(elements) else sorted(elements)[-2:]
    constant = 4.25 if "Mg" in pair else 2.2 * sum(covalent_radii[atomic_numbers[e]] for e in pair)
    atoms = bulk("MgO", "rocksalt", constant) * (2, 1, 2)
    atoms.symbols = [pair[symbol == "O"] for symbol in atoms.symbols]
    deformation = np.array([[1.02, 0.05, -0.03], [0.01, 0.97, 0.06], [-0.04, 0.02, 1.01]])
    atoms.set_cell(atoms.cell @ deformation, scale_atoms=True)
    atoms.rattle(0.08, seed=5)
    return cell_of(atoms, name)


@pytest.mark.parametrize("name", ["emt", "chgnet", *student_names()])
def test_lammps_computes_the_energy_forces_and_pressure_tensor_of_ase(name: str, alloy: DefectCell) -> None:
    potential = resolve_potential(name)
    cell = (
        alloy if name == "emt" else triclinic("a pair", potential.elements if name in student_names() else ("Mg", "O"))
    )
    positions = cell.positions.copy()
    positions[0] += 2 * cell.cell[0] - cell.cell[2]  # far outside its cell: unwrapping matters
    cell = cell.with_geometry(positions)
    atoms = cell.to_ase()
    atoms.calc = potential.calculator()
    session = LammpsSession(cell, np.zeros((len(cell), 3)), Evaluator(cell.numbers, atoms.calc, cell.volume))
    try:
        session.prepare(MdPoint.of(cell, Environment(1.0, ensemble="nve")))
        session.advance(0)
        assert session.positions == pytest.approx(cell.positions, abs=1e-12)
        energy, forces, stress = session.thermo("pe"), session.forces(), session.stress()
    finally:
        session.close()
    tight = 1e-9 if potential.precision == "float64" else 1e-6
    assert energy == pytest.approx(atoms.get_potential_energy(), rel=tight)
    reference = atoms.get_forces()
    assert np.abs(forces - reference).max() <= tight * np.abs(reference).max()
    reference = atoms.get_stress()
    assert np.abs(stress - reference).max() <= tight * np.abs(reference).max()
    assert np.abs(reference[3:]).min() > 1e-4  # shear is tested too


def test_a_left_handed_cell_keeps_its_handedness_in_lammps(emt: Potential, alloy: DefectCell) -> None:
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    mirrored = alloy.with_geometry(alloy.positions, swap @ alloy.cell)
    assert np.linalg.det(mirrored.cell) * np.linalg.det(alloy.cell) < 0
    triangle, rotation = triangular_frame(mirrored.cell)
    assert triangle @ rotation == pytest.approx(mirrored.cell)
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    results = [run(cell, emt, "lammps").series.energies for cell in (alloy, mirrored)]
    assert results[0] == pytest.approx(results[1], abs=1e-7)


def test_both_engines_follow_the_same_trajectory(emt: Potential, alloy: DefectCell) -> None:
    through_ase, through_lammps = (run(alloy, emt, engine) for engine in ENGINES)
    assert len(through_ase.frames) == len(through_lammps.frames) == 11
    assert through_ase.frames.positions == pytest.approx(through_lammps.frames.positions, abs=1e-7)
    # LAMMPS has its constants of metal units to eight digits, which 100 fs turn into 1e-8 of a displacement.
    assert through_ase.series.totals == pytest.approx(through_lammps.series.totals, abs=1e-7)
    assert through_ase.series.pressures == pytest.approx(through_lammps.series.pressures, abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_nve_conserves_energy_and_its_error_falls_with_the_square_of_the_step(
    emt: Potential, copper: DefectCell, engine: Engine
) -> None:
    coarse = run(copper, emt, engine, steps=50, timestep=4.0)
    fine = run(copper, emt, engine, steps=100, timestep=2.0)
    assert abs(energy_drift(fine)) < 1.0  # meV per atom and ps
    kinetic = coarse.series.kinetic
    assert np.ptp(coarse.series.totals) < 0.02 * np.ptp(kinetic)
    assert np.ptp(coarse.series.totals) / np.ptp(fine.series.totals) == pytest.approx(4.0, rel=0.35)


@pytest.mark.parametrize("engine", ENGINES)
def test_velocities_start_at_the_temperature_without_drift(emt: Potential, copper: DefectCell, engine: Engine) -> None:
    result = run(copper, emt, engine, steps=20, interval=1)
    assert result.series.temperatures[0] == pytest.approx(300.0, rel=1e-6)
    masses = result.frames.start.to_ase().get_masses()
    centres = np.einsum("n,kna->ka", masses / masses.sum(), result.frames.positions)
    assert np.abs(centres - centres[0]).max() < 1e-9


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    emt: Potential, copper: DefectCell, engine: Engine, ensemble: Ensemble
) -> None:
    first, second, other = (run(copper, emt, engine, ensemble, seed=s, steps=10) for s in (1, 1, 2))
    assert first.frames.positions.tobytes() == second.frames.positions.tobytes()
    assert first.series.energies.tobytes() == second.series.energies.tobytes()
    assert not np.array_equal(first.frames.positions, other.frames.positions)


@pytest.mark.parametrize("engine", ENGINES)
def test_npt_reaches_the_volume_that_the_pressure_asks_for(emt: Potential, engine: Engine) -> None:
    cell = cell_of(bulk("Cu", "fcc", 3.60, cubic=True))
    environment = {"pressure": 5.0, "temperature": 50.0}
    squeezed = summary(run(cell, emt, engine, "npt", **environment, steps=300, timestep=8.0, interval=50))
    static = relax_structure(cell, emt, relax_cell=True, pressure=5.0).cell.volume / 4
    assert squeezed["volume"] == pytest.approx(static, rel=0.006)  # thermal expansion at 50 K: 0.2 %
    assert squeezed["volume"] < 0.975 * cell.volume / 4
    assert squeezed["pressure_mean"] == pytest.approx(5.0, abs=0.5)
    strain = np.array(squeezed["strain"])
    assert strain == pytest.approx(np.eye(3) * strain[0, 0], abs=1e-9)
    assert strain[0, 0] < 0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_npt_fluctuates_as_the_bulk_modulus_says(emt: Potential, engine: Engine) -> None:
    cell = cell_of(bulk("Cu", "fcc", 3.60, cubic=True) * (2, 2, 2))
    result = run(cell, emt, engine, "npt", steps=9000, timestep=5.0, interval=100)
    volumes = result.series.volumes[3000:]
    expected = np.sqrt(units.kB * 300 * volumes.mean() / (130 * units.GPa))
    assert volumes.std() == pytest.approx(expected, rel=0.3)
    assert summary(result)["temperature_mean"] == pytest.approx(300, rel=0.03)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ensemble", ["nve", "npt"])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda results: results.update(forces=results["forces"] * np.nan), "not finite"),
        (lambda results: results.update(forces=results["forces"] * 1e4), "a force of"),
    ],
)
def test_a_potential_that_explodes_ends_the_run_and_leaves_only_good_frames(
    emt: Potential,
    copper: DefectCell,
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    ensemble: Ensemble,
    spoil: object,
    reason: str,
) -> None:
    failing = FailingCalculator(monkeypatch, emt.calculator(), 8, spoil)
    result = run(copper, emt, engine, ensemble, interval=1)
    assert result.status == "diverged"
    assert reason in result.reason
    assert "of 50" in result.reason
    assert failing.calls == 9  # stopped at once
    asked_before = ensemble == "npt"  # what pressure the start is under
    assert len(result.frames) == len(result.series) == 8 - asked_before
    assert all(np.isfinite(record.forces).all() for record in result.records())
    assert json.loads(json.dumps(summary(result), allow_nan=False))["status"] == "diverged"


@pytest.mark.parametrize("engine", ENGINES)
def test_heat_and_overlap_are_caught(emt: Potential, copper: DefectCell, engine: Engine) -> None:
    atoms = bulk("Cu", "fcc", 3.59, cubic=True)
    atoms.positions[0] += [0.8, 0.3, 0.1]
    hot = run(cell_of(atoms), emt, engine, temperature=10.0, interval=1)
    assert hot.status == "diverged"
    assert "K where 10 K was asked for" in hot.reason
    assert hot.series.temperatures.max() < 1050.0
    positions = copper.positions.copy()
    positions[1] = positions[0] + [0.3, 0, 0]
    overlapping = run(copper.with_geometry(positions), emt, engine)
    assert (overlapping.status, len(overlapping.frames)) == ("diverged", 0)
    assert "0.30 Å apart" in overlapping.reason
    assert summary(overlapping)["volume"] is None


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("error", [ZeroDivisionError("boom"), KeyboardInterrupt()])
def test_an_error_in_the_potential_surfaces_and_stops_the_engine(
    emt: Potential, copper: DefectCell, monkeypatch: pytest.MonkeyPatch, engine: Engine, error: BaseException
) -> None:
    def fail(_results: object) -> None:
        raise error

    failing = FailingCalculator(monkeypatch, emt.calculator(), 3, fail)
    expected = PotentialError if isinstance(error, Exception) else KeyboardInterrupt
    with pytest.raises(expected, match="boom" if isinstance(error, Exception) else None):
        run(copper, emt, engine)
    assert failing.calls == 4


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0.0},
        {"temperature": -5.0},
        {"temperature": float("nan")},
        {"temperature": 300.0, "pressure": 1e5, "ensemble": "npt"},
        {"temperature": 300.0, "ensemble": "nph"},
        {"temperature": 300.0, "pressure": 1.0, "ensemble": "nvt"},
    ],
)
def test_impossible_environments_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConditionError):
        Environment(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 0},
        {"timestep": 0.0},
        {"timestep": 50.0},
        {"engine": "gromacs"},
        {"interval": 0},
        {"interval": 2000},
        {"seed": -1},
    ],
)
def test_impossible_points_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConditionError):
        MdPoint("bulk", "k", Environment(300.0), **values)  # type: ignore[arg-type]


def test_the_id_of_a_point_is_its_content() -> None:
    point = MdPoint("bulk", "k", Environment(300, 1), steps=100)
    assert MdPoint.from_json(json.loads(json.dumps(point.json))) == point
    assert MdPoint("bulk", "k", Environment(300.0, 1.0), steps=100).id == point.id
    others = [
        MdPoint("bulk", "k", Environment(300, 1), steps=100, seed=1),
        MdPoint("bulk", "k2", Environment(300, 1), steps=100),
        MdPoint("bulk", "k", Environment(301, 1), steps=100),
    ]
    assert len({point.id, *(other.id for other in others)}) == 4


def test_a_point_for_another_cell_is_refused(emt: Potential, copper: DefectCell, alloy: DefectCell) -> None:
    with pytest.raises(ConditionError, match="the point is for bulk"):
        run_point(MdPoint.of(copper, Environment(300)), alloy, emt)


def test_a_response_survives_its_archive(emt: Potential, copper: DefectCell) -> None:
    result = run(copper, emt, "ase", "npt", pressure=1.0)
    again = response_from_arrays(result.to_arrays(), emt, result.seconds, "memory")
    assert summary(again) == summary(result)
    record, other = result.records()[3], again.records()[3]
    assert record.config_type == "md_300K_1GPa"
    assert np.array_equal(record.forces, other.forces)
    assert record.cell.provenance == other.cell.provenance

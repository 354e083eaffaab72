"""What a file gives of its atoms is used alike by both engines: masses, momenta, atoms that are held."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk

from augment.cell import DefectCell
from augment.errors import ConditionError
from md.conditions.atoms import AtomSettings
from md.conditions.environment import Ensemble, Environment, Strain
from md.dynamics import Engine, MdPoint, Response, run_point
from md.observables import summary
from md.potentials import Potential, resolve_potential
from tests.support.cells import cell_of

ENGINES: tuple[Engine, ...] = ("ase", "lammps")
HEAVY = tuple(60.0 + i for i in range(32))
MOVING = tuple(tuple(map(float, row)) for row in np.random.default_rng(0).normal(scale=0.7, size=(32, 3)))


@pytest.fixture(scope="module")
def mishin() -> Potential:
    return resolve_potential("lammps:eam/alloy Cu_mishin1.eam.alloy", ["Cu"])


def run(
    cell: DefectCell, potential: Potential, engine: Engine, atoms: AtomSettings, ensemble: Ensemble = "nve"
) -> Response:
    environment, steps = Environment(300.0, ensemble=ensemble), 60 if ensemble == "nve" else 400
    point = MdPoint.of(
        cell, environment, engine=engine, steps=steps, timestep=2.0, interval=10, checkpoint=30, atoms=atoms
    )
    return run_point(point, cell, potential)


@pytest.mark.parametrize(
    "atoms",
    [
        AtomSettings(fixed=(0, 1, 5)),
        AtomSettings(masses=HEAVY),
        AtomSettings(momenta=MOVING),
        AtomSettings((3,), HEAVY, MOVING),
    ],
    ids=["fixed", "masses", "momenta", "all"],
)
def test_both_engines_follow_the_same_trajectory(copper: DefectCell, mishin: Potential, atoms: AtomSettings) -> None:
    first, second = (run(copper, mishin, engine, atoms) for engine in ENGINES)
    assert first.frames.positions == pytest.approx(second.frames.positions, abs=1e-7)
    assert first.series.temperatures == pytest.approx(second.series.temperatures, rel=1e-5)
    assert first.series.pressure_tensors == pytest.approx(second.series.pressure_tensors, abs=1e-4)
    ordinary = run(copper, mishin, "lammps", AtomSettings())
    assert np.abs(ordinary.frames.positions[-1] - second.frames.positions[-1]).max() > 1e-3
    assert MdPoint.from_json(first.point.json) == first.point


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_held_atoms_stay_and_the_others_have_the_temperature(
    copper: DefectCell, mishin: Potential, engine: Engine, ensemble: Ensemble
) -> None:
    held = (0, 1, 2, 3)
    response = run(copper, mishin, engine, AtomSettings(fixed=held), ensemble)
    assert np.abs(response.frames.positions[:, held] - copper.positions[list(held)]).max() < 1e-9
    kinetic = 0.5 * 3 * 28 * units.kB * response.series.temperatures
    assert kinetic == pytest.approx(response.series.kinetic)
    if ensemble == "nvt":
        assert response.series.temperatures[100:].mean() == pytest.approx(300, rel=0.25)


@pytest.mark.parametrize("engine", ENGINES)
def test_momenta_are_those_of_the_start(copper: DefectCell, mishin: Potential, engine: Engine) -> None:
    response = run(copper, mishin, engine, AtomSettings(masses=HEAVY, momenta=MOVING), "nvt")
    assert response.frames.momenta is not None
    assert response.frames.momenta[0] == pytest.approx(np.array(MOVING), abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_held_atoms_under_a_barostat_are_refused(copper: DefectCell, engine: Engine) -> None:
    with pytest.raises(ConditionError, match="use nvt or nve"):
        MdPoint.of(copper, Environment(300.0), engine=engine, atoms=AtomSettings(fixed=(0,)))


def test_a_single_atom_has_no_temperature(copper: DefectCell) -> None:
    with pytest.raises(ConditionError, match="no degree of freedom"):
        MdPoint.of(cell_of(bulk("Cu")), Environment(300.0))
    with pytest.raises(ConditionError, match="no degree of freedom"):
        MdPoint.of(copper, Environment(300.0, ensemble="nvt"), atoms=AtomSettings(fixed=tuple(range(32))))
    with pytest.raises(ConditionError, match="not for 32"):
        MdPoint.of(copper, Environment(300.0), atoms=AtomSettings(masses=(1.0,)))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_pressure_is_the_mean_of_its_tensor_and_a_strain_meets_a_stress(
    copper: DefectCell, mishin: Potential, engine: Engine
) -> None:
    environment = Environment(50.0, ensemble="nvt", strain=Strain("b", 0.2))
    point = MdPoint.of(copper, environment, engine=engine, steps=100, timestep=2.0, interval=10)
    response = run_point(point, copper, mishin)
    series = response.series
    assert series.pressure_tensors[:, :3].mean(axis=1) == pytest.approx(series.pressures, abs=1e-9)
    row = summary(response)["axis_stress"]
    slope = np.polyfit(row["strain"], row["stress"], 1)[0]
    assert slope == pytest.approx(170, rel=0.35)  # C11 of copper, GPa

"""The area of a layer under a tension: the same with any vacuum, in both engines, in any cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase.build import bulk, graphene, mx2

from augment.errors import ConditionError
from md.conditions.environment import Environment
from md.conditions.in_plane_load import area_of, plane_of, pressure_of, tension_of
from md.conditions.point import MdPoint
from md.conditions.schedule import ramp
from md.dynamics import Response, run_point
from md.observables import summary
from md.potentials import resolve_potential
from tests.support.cells import cell_of

TERSOFF = resolve_potential("lammps:tersoff BNC.tersoff")
LAYERS = {
    "graphene": lambda: graphene(a=2.50, size=(3, 3, 1)),
    "h-BN": lambda: graphene("BN", a=2.50, size=(3, 3, 1)),
    "buckled": lambda: mx2("CN2", a=2.7, thickness=1.2, size=(3, 3, 1)),
}


def layer(name: str, vacuum: float = 15.0) -> Any:
    atoms = LAYERS[name]()
    atoms.center(vacuum / 2, axis=2)
    atoms.pbc = True
    return atoms


def ran(atoms: Any, engine: str, tension: Any = 0.0, steps: int = 300, **keywords: Any) -> Response:
    cell = cell_of(atoms)
    environment = Environment(300, ensemble="npt-plane", tension=tension)
    point = MdPoint.of(cell, environment, engine=engine, steps=steps, seed=3, **keywords)  # type: ignore[arg-type]
    return run_point(point, cell, TERSOFF)


def areas(response: Response) -> Any:
    return area_of(response.series.cells, plane_of(response.frames.start))


@pytest.mark.parametrize("engine", ["ase", "lammps"])
@pytest.mark.parametrize("tension", [0.0, 8.0])
@pytest.mark.parametrize("name", LAYERS)
def test_what_a_layer_does_knows_nothing_of_its_vacuum(name: str, tension: float, engine: str) -> None:
    found = [ran(layer(name, vacuum), engine, tension, steps=150) for vacuum in (10.0, 15.0, 25.0)]
    for other in found[1:]:
        assert areas(other) == pytest.approx(areas(found[0]), rel=1e-7)
        assert other.series.totals == pytest.approx(found[0].series.totals, abs=1e-5)
    series = found[0].series
    assert np.ptp(areas(found[0])) > 1e-3 * areas(found[0]).mean()
    assert series.cells[:, 2] == pytest.approx(np.broadcast_to(series.cells[0, 2], (len(series), 3)), abs=1e-9)
    assert np.abs(series.cells[:, :2, 2]).max() < 1e-9, "the layer stays in its plane"


def test_a_pressure_of_the_cell_is_another_tension_for_every_vacuum() -> None:
    """Negative control: what a barostat in GPa would have done."""
    heights = [plane_of(cell_of(layer("graphene", vacuum))).period for vacuum in (15.0, 25.0)]
    assert heights == pytest.approx([15.0, 25.0])
    assert [pressure_of(8.0, height) for height in heights] == pytest.approx([-80 / 15, -80 / 25])
    with pytest.raises(ConditionError, match="another load on the layer for every vacuum; give a tension in N/m"):
        Environment(300, 1.0, "npt-plane")


def test_both_engines_hold_the_tension_and_find_the_same_area() -> None:
    means = {}
    for engine in ("ase", "lammps"):
        for tension in (0.0, 10.0):
            response = ran(layer("h-BN"), engine, tension, steps=1200)
            row = summary(response)
            assert row["tension_mean"] == pytest.approx(tension, abs=1.0)
            assert row["temperature_mean"] == pytest.approx(300, abs=60)
            means[engine, tension] = row["area"]
    for tension in (0.0, 10.0):
        assert means["ase", tension] == pytest.approx(means["lammps", tension], rel=5e-3)
    assert means["ase", 10.0] > 1.02 * means["ase", 0.0]


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_a_run_goes_on_from_its_checkpoints(engine: str) -> None:
    whole, parts = (ran(layer("h-BN"), engine, 5.0, steps=120, checkpoint=every) for every in (500, 40))
    assert areas(parts) == pytest.approx(areas(whole), rel=1e-8)


@pytest.mark.parametrize("engine", ["ase", "lammps"])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_vacuum_may_be_along_any_axis(axis: int, engine: str) -> None:
    upright = layer("h-BN")
    turned = upright.copy()
    turned.set_cell(np.roll(upright.cell.array, axis - 2, axis=0))
    expected, found = (summary(ran(atoms, engine, 5.0, steps=300)) for atoms in (upright, turned))
    assert found["area"] == pytest.approx(expected["area"], rel=5e-3)


def test_a_leaning_cell_is_for_ase() -> None:
    leaning = layer("graphene")
    cell = leaning.cell.array.copy()
    cell[2] += 0.3 * cell[0]
    leaning.set_cell(cell)
    expected, found = (areas(ran(atoms, "ase", 8.0)) for atoms in (layer("graphene"), leaning))
    assert found == pytest.approx(expected, rel=1e-7)
    with pytest.raises(ConditionError, match="no axis of its cell is perpendicular to the layer.* use engine ase"):
        ran(leaning, "lammps", 8.0)


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_a_tension_follows_its_schedule_and_a_jump_is_ramped(engine: str) -> None:
    response = ran(layer("graphene"), engine, ramp(0.0, 12.0, 600.0), steps=900)
    tensions = tension_of(response.series.pressure_matrices, plane_of(response.frames.start))
    assert tensions[700:].mean() == pytest.approx(12.0, abs=3.0)
    assert areas(response)[-100:].mean() > 1.02 * areas(response)[:100].mean()
    jumped = ran(layer("graphene"), engine, 40.0, steps=400)
    (note,) = jumped.notes
    assert "the tension changes by" in note
    assert "of the area modulus" in note
    environment = MdPoint.from_json(response.point.json).environment
    assert environment == response.point.environment


def test_what_cannot_be_is_refused() -> None:
    copper = bulk("Cu", cubic=True)
    with pytest.raises(ConditionError, match="npt-plane is for a layer with vacuum, and there is none in its cell"):
        ran(copper, "ase")
    with pytest.raises(ConditionError, match="the batched engine does not do the ensemble npt-plane; use engine ase"):
        ran(layer("graphene"), "batched")
    with pytest.raises(ConditionError, match="a tension has no effect in nvt; use npt-plane"):
        Environment(300, ensemble="nvt", tension=1.0)
    with pytest.raises(ConditionError, match="a tension is one number from -1000 to 1000 N/m"):
        Environment(300, ensemble="npt-plane", tension=2000.0)
    point = Environment(300, ensemble="npt-plane", tension=2.0)
    assert (point.label, Environment.from_json(point.json)) == ("300K_2N_per_m", point)

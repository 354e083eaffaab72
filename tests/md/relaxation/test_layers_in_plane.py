"""The cell of a layer relaxes in its plane: the vacuum stays, and nothing depends on how wide it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, mx2
from pymatgen.io.ase import AseAtomsAdaptor

from augment import find_supercell, host_or_layer, point_defects
from augment.crystal.vacuum import find_plane
from augment.errors import ConditionError
from md.potentials import resolve_potential
from md.relaxation.relax import STRAIN_TOLERANCE, Relaxation, relax_structure
from md.relaxation.relaxed_host import RelaxedHost
from md.relaxation.remainder import remainder
from tests.support.cells import cell_of

CARBON, MOLYBDENUM = "lammps:tersoff BNC.tersoff", "chgnet"
LAYERS = {
    "graphene": (lambda a: graphene(a=a), 2.46, CARBON),
    "h-BN": (lambda a: graphene("BN", a=a), 2.50, CARBON),
    "MoS2": (lambda a: mx2("MoS2", a=a, thickness=3.19), 3.16, MOLYBDENUM),
}
VACUA = (8.0, 15.0, 25.0)


def layer(name: str, vacuum: float, percent: float = 0.0) -> Any:
    """A layer with so much vacuum in all, Å, its edges too long by so many percent."""
    build, edge, _ = LAYERS[name]
    atoms = build(edge * (1 + percent / 100))
    atoms.center(vacuum / 2, axis=2)
    atoms.pbc = True
    return atoms


def relaxed(atoms: Any, spec: str, **settings: Any) -> Relaxation:
    potential = resolve_potential(spec, trust=True)
    return relax_structure(cell_of(atoms), potential, max_steps=500, relax_cell=True, **settings)


def edges(relaxation: Relaxation) -> Any:
    return np.linalg.norm(relaxation.cell.cell, axis=1)


@pytest.mark.parametrize("name", LAYERS)
def test_the_lattice_depends_neither_on_the_vacuum_nor_on_the_start(name: str) -> None:
    found = [
        (vacuum, percent, relaxed(layer(name, vacuum, percent), LAYERS[name][2]))
        for vacuum in VACUA
        for percent in (-3.0, 0.5, 3.0)
    ]
    assert {relaxation.status for *_, relaxation in found} == {"converged"}
    lengths = np.array([edges(relaxation)[:2] for *_, relaxation in found])
    assert np.ptp(lengths) < 2 * STRAIN_TOLERANCE * lengths.mean()
    steps = {percent: {r.steps for _, p, r in found if p == percent} for _, percent, _ in found}
    assert all(len(each) == 1 for each in steps.values()), "the path itself knows nothing of the vacuum"
    for vacuum, percent, relaxation in found:
        assert relaxation.cell.cell[2] == pytest.approx(layer(name, vacuum, percent).cell[2], abs=1e-9)


@pytest.mark.parametrize("name", LAYERS)
def test_the_relaxed_lattice_is_that_of_least_energy(name: str) -> None:
    """A scan of the edge, the atoms relaxed at each, with nothing of this package's cell relaxation in it."""
    spec = LAYERS[name][2]
    found = edges(relaxed(layer(name, 15.0, 1.0), spec))[0]
    potential = resolve_potential(spec, trust=True)
    shifts = np.linspace(-0.4, 0.4, 9)
    energies = []
    for shift in shifts:
        atoms = layer(name, 15.0)
        cell = atoms.cell.array.copy()
        cell[:2] *= found / np.linalg.norm(cell[0]) * (1 + shift / 100)
        atoms.set_cell(cell, scale_atoms=True)
        energies.append(relax_structure(cell_of(atoms), potential, fmax=1e-4).energies[-1])
    cubic = np.polyfit(shifts, energies, 3)
    extrema = np.roots(np.polyder(cubic))
    assert np.abs(extrema).min() < 0.006, "%; the scan itself has rounding errors in single precision"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_vacuum_may_be_along_any_axis_and_the_cell_turned(axis: int) -> None:
    upright = layer("MoS2", 15.0, 2.0)
    expected = edges(relaxed(upright, MOLYBDENUM))[0]
    turned = upright.copy()
    turned.set_cell(np.roll(upright.cell.array, axis - 2, axis=0))
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    found = relaxed(turned, MOLYBDENUM)
    assert found.settings["in_plane"] == np.eye(3)[axis].tolist()
    lengths = edges(found)
    assert np.delete(lengths, axis) == pytest.approx([expected] * 2, rel=2e-5)
    assert lengths[axis] == pytest.approx(upright.cell.lengths()[2], abs=1e-9)


def test_a_cell_that_leans_keeps_the_height_of_its_vacuum() -> None:
    leaning = layer("graphene", 15.0, 2.0)
    cell = leaning.cell.array.copy()
    cell[2] += 0.4 * cell[0] + 0.2 * cell[1]
    leaning.set_cell(cell)
    found = relaxed(leaning, CARBON)
    assert edges(found)[:2] == pytest.approx(edges(relaxed(layer("graphene", 15.0), CARBON))[:2], rel=2e-5)
    plane = find_plane(found.cell.cell, found.cell.positions @ np.linalg.inv(found.cell.cell))
    assert plane is not None
    assert plane.period == pytest.approx(cell[2, 2], abs=1e-9)


@pytest.mark.parametrize("vacuum", VACUA)
def test_a_single_stress_is_judged_as_that_of_a_layer(vacuum: float) -> None:
    """Without the vacuum taken out, the strain that is left would count three times less at 25 Å than at 8 Å."""
    at_rest = edges(relaxed(layer("graphene", 15.0), CARBON))[0]
    off = relaxed(layer("graphene", vacuum, 100 * (1.0003 * at_rest / 2.46 - 1)), CARBON, keep_path=True)
    start = [(r.cell.positions, r.cell.cell, _labels(r)) for r in off.path[:1]]
    plane = find_plane(off.start.cell, off.start.positions @ np.linalg.inv(off.start.cell))
    left = remainder(start, pressure=0.0, plane=plane)
    reference = relaxed(layer("graphene", 15.0, 100 * (1.0003 * at_rest / 2.46 - 1)), CARBON, keep_path=True)
    same = [(r.cell.positions, r.cell.cell, _labels(r)) for r in reference.path[:1]]
    other = find_plane(reference.start.cell, reference.start.positions @ np.linalg.inv(reference.start.cell))
    assert left.strain == pytest.approx(remainder(same, pressure=0.0, plane=other).strain, rel=1e-6)
    assert left.energy == pytest.approx(remainder(same, pressure=0.0, plane=other).energy, rel=1e-6)
    if vacuum != 15.0:
        assert remainder(start, pressure=0.0).strain != pytest.approx(remainder(same, pressure=0.0).strain, rel=0.2)


def _labels(record: Any) -> Any:
    from md.labels.evaluator import Evaluation

    return Evaluation(record.energy, record.forces, record.stress)


# -- negative controls -------------------------------------------------------------------------------------------


def test_in_all_strains_the_vacuum_does_not_stay() -> None:
    """What the plane is for: layers that feel each other across 6.5 Å of vacuum move."""
    spec = 'ase.calculators.lj:LennardJones{"sigma": 3.4, "epsilon": 0.05, "rc": 12.0}'
    argon = Atoms("Ar", cell=[[3.8, 0, 0], [1.9, 3.29, 0], [0, 0, 6.5]], positions=[[0, 0, 3.0]], pbc=True)
    within, everywhere = relaxed(argon, spec), relaxed(argon, spec, layer="bulk")
    assert edges(within)[2] == pytest.approx(6.5, abs=1e-9)
    assert "in_plane" not in everywhere.settings
    assert abs(edges(everywhere)[2] - 6.5) > 1.0
    assert abs(within.record.stress[2]) > 1e-4  # type: ignore[union-attr]  # the label is the whole stress


def test_a_crystal_relaxes_in_all_strains() -> None:
    found = relaxed(bulk("Cu", "fcc", 3.7), "emt")
    assert "in_plane" not in found.settings
    assert np.ptp(edges(found)) < 1e-6


def test_wires_and_pressures_are_refused() -> None:
    wire = Atoms("Cu", cell=[12, 12, 2.5], positions=[[6, 6, 0]], pbc=True)
    with pytest.raises(ConditionError, match="a wire .* relax it at fixed cell"):
        relaxed(wire, "emt")
    with pytest.raises(ConditionError, match="1 GPa would close the vacuum of the layer"):
        relaxed(layer("graphene", 15.0), CARBON, pressure=1.0)
    with pytest.raises(ConditionError, match=r"the widest gap across the planes \(1, 0, 0\) is"):
        relaxed(layer("graphene", 15.0), CARBON, layer=(1, 0, 0))


# -- hosts and defects -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_a_host_relaxes_in_its_plane_with_its_symmetry(name: str) -> None:
    potential = resolve_potential(LAYERS[name][2], trust=True)
    found = []
    for vacuum in (15.0, 25.0):
        structure = AseAtomsAdaptor.get_structure(layer(name, vacuum, 1.5))
        host = host_or_layer(structure)[0]
        rest = RelaxedHost.of(host, potential)
        assert rest.relaxation.status == "converged"
        strain = rest.strain
        across = np.linalg.solve(host.primitive, np.array(host.normal, dtype=float))
        assert np.abs(strain @ across).max() < 1e-9
        assert strain[0, 0] == pytest.approx(strain[1, 1], abs=1e-9)
        assert abs(strain[0, 0]) > 1e-3
        kept = RelaxedHost.of(host, potential, relax_cell=False)
        assert np.abs(kept.strain).max() < 1e-12
        found.append((strain[0, 0], rest.energy))
    assert found[0] == pytest.approx(found[1], abs=2 * STRAIN_TOLERANCE)


def test_a_defect_cell_relaxes_in_the_plane_too() -> None:
    potential = resolve_potential(CARBON, trust=True)
    shrunk = []
    for vacuum in (15.0, 25.0):
        host = host_or_layer(AseAtomsAdaptor.get_structure(layer("graphene", vacuum)))[0]
        supercell = find_supercell(host, min_image_distance=9.0)
        vacancy = next(d for d in point_defects(supercell, kinds=("vacancy",)))
        cell = RelaxedHost.of(host, potential).place(vacancy)
        free, fixed = (
            relax_structure(cell, potential, relax_cell=both, symmetry=vacancy.symmetry()) for both in (True, False)
        )
        assert free.status == fixed.status == "converged"
        assert free.energies[-1] < fixed.energies[-1] - 1e-3
        strain = np.linalg.inv(cell.cell) @ free.cell.cell - np.eye(3)
        plane = find_plane(cell.cell, cell.positions @ np.linalg.inv(cell.cell))
        assert plane is not None
        assert np.abs(strain @ plane.direction).max() < 1e-9
        shrunk.append(free.cell.volume / cell.volume)
    assert shrunk[0] == pytest.approx(shrunk[1], abs=4 * STRAIN_TOLERANCE)
    assert abs(shrunk[0] - 1) > 1e-3

"""Relaxation: known minima, symmetry kept, pressure felt, divergence caught."""

import numpy as np
import pytest
from ase.build import bulk

from augment.cell import DefectCell
from augment.errors import ConditionError, PotentialError
from augment.groups.cell_symmetry import CellSymmetry
from md.potentials import Potential
from md.relaxation.relax import relax_structure, relaxation_from_arrays
from tests.support.cells import FailingCalculator, cell_of


def test_copper_relaxes_to_the_lattice_constant_of_emt(emt: Potential) -> None:
    start = cell_of(bulk("Cu", "fcc", 3.75, cubic=True) * (2, 2, 2))
    result = relax_structure(start, emt, relax_cell=True)
    assert result.status == "converged"
    constants = np.linalg.norm(result.cell.cell, axis=1) / 2
    assert constants == pytest.approx(3.59, abs=0.005)  # Jacobsen, Stoltze, Norskov 1996
    assert result.energies[-1] < result.energies[0]


def test_a_rattled_vacancy_falls_back_to_the_same_minimum(emt: Potential) -> None:
    atoms = bulk("Cu", "fcc", 3.59, cubic=True) * (2, 2, 2)
    perfect = relax_structure(cell_of(atoms), emt)
    del atoms[0]
    clean = relax_structure(cell_of(atoms, "v_Cu"), emt, fmax=0.001)
    atoms.rattle(0.1, seed=1)
    rattled = relax_structure(cell_of(atoms, "v_Cu"), emt, fmax=0.001)
    assert rattled.status == clean.status == "converged"
    assert rattled.energies[-1] == pytest.approx(clean.energies[-1], abs=1e-4)
    formation = clean.energies[-1] - perfect.energies[-1] * 31 / 32
    assert 0.9 < formation < 1.5  # EMT: about 1.2 eV in larger cells, experiment 1.28


def test_pressure_compresses_by_the_bulk_modulus(emt: Potential, copper: DefectCell) -> None:
    free, squeezed = (relax_structure(copper, emt, relax_cell=True, pressure=p) for p in (0.0, 2.0))
    strain = squeezed.cell.volume / free.cell.volume - 1
    assert -2.0 / strain == pytest.approx(134, rel=0.1)  # EMT's bulk modulus of Cu, GPa


def inversion_through(start: DefectCell) -> CellSymmetry:
    fractional = start.positions @ np.linalg.inv(start.cell)
    images = -fractional
    difference = images[:, None] - fractional[None]
    difference -= np.rint(difference)
    permutation = np.argmin((difference**2).sum(axis=2), axis=1)
    identity = np.arange(len(start))
    return CellSymmetry.from_cartesian(
        "-1", np.array([np.eye(3), -np.eye(3)]), np.array([identity, permutation]), np.eye(3)
    )


@pytest.mark.parametrize("relax_cell", [False, True])
def test_symmetry_is_kept_to_rounding_even_where_the_potential_breaks_it(
    emt: Potential, copper: DefectCell, monkeypatch: pytest.MonkeyPatch, *, relax_cell: bool
) -> None:
    group = inversion_through(copper)
    rng = np.random.default_rng(0)
    shifts = group.project_displacements(rng.normal(0, 0.1, (32, 3)))
    start = copper.with_geometry(copper.positions + shifts)

    def disturb(results: dict[str, np.ndarray]) -> None:
        results["forces"] = results["forces"] + rng.normal(0, 1e-3, (32, 3))

    FailingCalculator(monkeypatch, emt.calculator(), 0, disturb)
    kept = relax_structure(start, emt, relax_cell=relax_cell, symmetry=group, max_steps=15)
    lost = relax_structure(start, emt, relax_cell=relax_cell, max_steps=15)

    def asymmetry(cell: DefectCell) -> float:
        ideal = copper.positions @ np.linalg.inv(copper.cell) @ cell.cell
        moved = cell.positions - ideal
        return float(np.abs(moved - group.project_displacements(moved)).max())

    assert asymmetry(kept.cell) < 1e-12
    assert asymmetry(lost.cell) > 1e-5


def test_the_path_starts_at_the_start_and_ends_at_the_record(emt: Potential, alloy: DefectCell) -> None:
    result = relax_structure(alloy, emt, keep_path=True)
    assert len(result.path) == result.steps + 1 == len(result.energies) == len(result.forces_max)
    assert np.array_equal(result.path[0].cell.positions, alloy.positions)
    assert result.record is not None
    assert np.array_equal(result.path[-1].cell.positions, result.record.cell.positions)
    assert result.record.config_type == "relaxed"
    assert result.record.cell.provenance["potential_sha256"] == emt.sha256
    assert np.array_equal(result.record.cell.sites, alloy.sites)


def test_steps_that_run_out_are_told_from_convergence(emt: Potential, alloy: DefectCell) -> None:
    result = relax_structure(alloy, emt, max_steps=2)
    assert (result.status, result.steps) == ("not_converged", 2)
    assert "after 2 steps" in result.reason
    assert result.record is not None
    assert result.record.config_type == "unconverged"


def test_overlapping_atoms_diverge_without_invented_labels(emt: Potential, alloy: DefectCell) -> None:
    positions = alloy.positions.copy()
    positions[1] = positions[0] + [0.1, 0, 0]
    result = relax_structure(alloy.with_geometry(positions), emt)
    assert result.status == "diverged"
    assert "0.10 Å apart" in result.reason
    assert result.record is None
    assert result.summary()["status"] == "diverged"


@pytest.mark.parametrize("value", [np.nan, 1e4])
def test_forces_that_go_wrong_end_the_run_at_the_last_good_geometry(
    emt: Potential, alloy: DefectCell, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    def spoil(results: dict[str, np.ndarray]) -> None:
        results["forces"] = results["forces"] * value

    FailingCalculator(monkeypatch, emt.calculator(), 3, spoil)
    result = relax_structure(alloy, emt, fmax=1e-6)
    assert result.status == "diverged"
    assert result.record is not None
    assert np.isfinite(result.record.forces).all()


def test_a_relaxation_survives_its_archive(emt: Potential, alloy: DefectCell) -> None:
    result = relax_structure(alloy, emt, keep_path=True, relax_cell=True, pressure=1.0)
    again = relaxation_from_arrays(result.to_arrays(), emt, result.seconds, "memory")
    assert again.summary() == result.summary()
    assert np.array_equal(again.frames.forces, result.frames.forces)
    assert again.frames.start.name == "alloy"


@pytest.mark.parametrize(
    "settings",
    [{"fmax": 0.0}, {"max_steps": -1}, {"pressure": 1.0}, {"relax_cell": True, "pressure": 1e5}, {"fmax": np.nan}],
)
def test_impossible_settings_are_refused(emt: Potential, copper: DefectCell, settings: dict[str, float]) -> None:
    with pytest.raises(ConditionError):
        relax_structure(copper, emt, **settings)  # type: ignore[arg-type]


def test_an_element_the_potential_lacks_is_refused(emt: Potential) -> None:
    with pytest.raises(PotentialError, match="does not cover Fe"):
        relax_structure(cell_of(bulk("Fe")), emt)

"""Displacements of calculations are measured from the pristine cell at the same level of theory."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from augment.errors import DataError
from augment.groups.distortion import Distortion, apply_distortion, project
from defectgen.fine_tuning.geometries import geometries_of
from defectgen.fine_tuning.labelled import labels_of
from defectgen.pipeline.prepared import PreparedRun
from defectgen.run.folder import RunFolder
from md.labels.calculated import CALCULATED_RECORDS, CalculatedRecord, TheoryLevel, write_calculated

PBE, SCAN = TheoryLevel("vasp", "PBE", 520.0), TheoryLevel("vasp", "r2SCAN", 520.0)
STRAIN = 0.02 * np.eye(3)


def record(cell, energy: float, level: TheoryLevel = PBE) -> CalculatedRecord:
    said = {"potential": level.name, "potential_sha256": level.sha256}
    labelled = cell.with_geometry(cell.positions, cell.cell, **said)
    return CalculatedRecord(labelled, energy, None, None, None, "dft_relaxed")


@pytest.fixture
def copy(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    return RunFolder.open(tmp_path / "run")


def breathing(defect) -> Distortion:
    ideal = defect.cell()
    away = ideal.positions - defect.centre()
    away -= np.rint(away @ np.linalg.inv(ideal.cell)) @ ideal.cell
    u = 0.05 * away * np.exp(-np.linalg.norm(away, axis=1, keepdims=True) / 2)
    return project(Distortion(u, STRAIN), defect.symmetry())


def written(folder, *, bulk: bool, levels=(PBE,)):
    prepared = PreparedRun.of_folder(folder)
    defect = prepared.defects[0]
    still = Distortion(np.zeros((prepared.supercell.n_atoms, 3)), STRAIN)
    pristine = apply_distortion(prepared.supercell.bulk_cell(), still)
    records = [record(pristine, -1.0, level) for level in levels if bulk]
    state = breathing(defect)
    records += [record(apply_distortion(defect.cell(), state), -0.5, level) for level in levels]
    write_calculated(folder.file(*CALCULATED_RECORDS.parts), records)
    return defect, state


def test_the_lattice_of_the_calculated_crystal_is_no_strain_of_the_defect(copy):
    defect, state = written(copy, bulk=True)
    found = geometries_of(copy.path)
    (one,) = (one for one in found.defects if one.labeller == PBE.name)
    assert one.defect.key == defect.key
    (label,) = labels_of(one.defect, one.geometries)
    np.testing.assert_allclose(label.state.displacements, state.displacements, atol=1e-6)
    assert abs(label.state.strain).max() < 1e-9, "that of the host would be two percent"
    assert label.charge == 0
    assert not [o for o in found.defects if o.labeller == "emt" and o.defect.key == defect.key], "they contradict"
    assert any("know these defects" in line for line in found.left_out)


def test_calculations_without_their_pristine_cell_are_left_out_and_said(copy):
    written(copy, bulk=False)
    found = geometries_of(copy.path)
    assert {one.labeller for one in found.defects} == {"emt"}
    assert any("measured from" in line for line in found.left_out)


def test_two_levels_of_theory_are_refused(copy):
    written(copy, bulk=True, levels=(PBE, SCAN))
    with pytest.raises(DataError, match="two theories"):
        geometries_of(copy.path)


def test_a_pristine_cell_that_reconstructed_is_refused(copy):
    prepared = PreparedRun.of_folder(copy)
    bulk = prepared.supercell.bulk_cell()
    moved = bulk.positions.copy()
    moved[0] += [0.1, 0.0, 0.0]
    write_calculated(copy.file(*CALCULATED_RECORDS.parts), [record(bulk.with_geometry(moved), -1.0)])
    with pytest.raises(DataError, match="reconstructed"):
        geometries_of(copy.path)

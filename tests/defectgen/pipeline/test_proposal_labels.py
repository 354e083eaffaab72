"""Labels of proposals: asked for with the proposals or after them, the same either way, and resumed after a kill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augment.storage.archive import read_cells, write_cells
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.proposal_labels import BATCHES, LABELLED, label_proposals
from defectgen.pipeline.stages import generate_stage, start_folder
from defectgen.run.folder import RunFolder
from defectgen.run.settings import Settings
from md.labels.record import read_records
from tests.support.places import HOSTS

CHANGES = {
    "potential.name": "emt",
    "seed": 3,
    "workers": 1,
    "defects.dopants": ["Al"],
    "defects.min_image_distance": 6.0,
    "defects.kinds": ["vacancy", "substitution"],
    "generate.samples": 2,
    "generate.forces": "none",
}


def generated(folder: Path, *, label: bool) -> tuple[PreparedRun, RunFolder]:
    settings = Settings(host=HOSTS / "Cu.cif", output=folder).replaced({**CHANGES, "generate.label": label})
    prepared = PreparedRun.of(settings)
    run = start_folder(prepared)
    generate_stage(prepared, run)
    return prepared, run


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[PreparedRun, RunFolder]:
    return generated(tmp_path_factory.mktemp("labelled") / "run", label=True)


def test_every_proposal_has_its_label_and_says_who_made_it(labelled: tuple[PreparedRun, RunFolder]) -> None:
    prepared, run = labelled
    cells, records = read_cells(run.file("generate", "cells.npz")), read_records(run.file(*LABELLED))
    assert len(cells) == len(records) == 8
    assert run.times["generate"]["labelled"] == 8
    for cell, record in zip(cells, records, strict=True):
        assert record.config_type == "proposal"
        np.testing.assert_array_equal(record.cell.positions, cell.positions)
        assert dict(cell.provenance).items() <= dict(record.cell.provenance).items()
        assert record.cell.provenance["potential_sha256"] == prepared.potential.sha256
        atoms = cell.to_ase()
        atoms.calc = prepared.potential.calculator()
        assert record.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)


def test_a_run_keeps_the_energies_of_lone_atoms_for_its_data_set(labelled: tuple[PreparedRun, RunFolder]) -> None:
    prepared, run = labelled
    kept = run.read_json("generate", "lone_atoms.json")
    assert kept["atomic_energies"] == prepared.potential.atomic_energies(["Al", "Cu"])
    assert kept["potential_sha256"] == prepared.potential.sha256


def test_without_the_setting_none_are_labelled_and_they_can_be_later(
    labelled: tuple[PreparedRun, RunFolder], tmp_path: Path, call
) -> None:
    _, run = generated(tmp_path / "run", label=False)
    assert not run.file(*LABELLED).exists()
    before = run.file("generate", "cells.npz").read_bytes()
    code, _, err = call("generate", run.path, "--label", "--workers", "2")
    assert code == 0, err
    assert run.file(*LABELLED).read_bytes() == labelled[1].file(*LABELLED).read_bytes()
    assert run.file("generate", "cells.npz").read_bytes() == before
    again = run.file(*LABELLED).stat().st_mtime_ns
    assert call("generate", run.path, "--label")[0] == 0
    assert run.file(*LABELLED).stat().st_mtime_ns == again
    assert call("generate", run.path, "-n", "1")[0] == 2, "other settings still need --overwrite"


def test_a_stopped_labelling_goes_on_to_the_same_bytes(labelled: tuple[PreparedRun, RunFolder]) -> None:
    prepared, run = labelled
    whole = run.file(*LABELLED).read_bytes()
    run.file(*LABELLED).unlink()
    batches = sorted(run.file(*BATCHES).glob("*.npz"))
    kept = {path: path.stat().st_mtime_ns for path in batches[1:]}
    batches[0].unlink()
    label_proposals(prepared, run)
    assert run.file(*LABELLED).read_bytes() == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_proposal_that_is_no_matter_is_named_and_left_out(tmp_path: Path, capsys) -> None:
    prepared, run = generated(tmp_path / "run", label=False)
    cells = read_cells(run.file("generate", "cells.npz"))
    overlapping = cells[0].positions.copy()
    overlapping[1] = overlapping[0] + [0.1, 0, 0]
    write_cells(run.file("generate", "cells.npz"), [cells[0].with_geometry(overlapping), *cells[1:]])
    asked = PreparedRun(prepared.settings.replaced({"generate.label": True}), prepared.cif)
    assert label_proposals(asked, run) == {"labelled": 7, "without_label": 1}
    start = cells[0].provenance["start"]
    assert f"note: {cells[0].name} ({start}) has no label: two atoms are 0.10 Å apart" in capsys.readouterr().err
    assert [r.cell.key for r in read_records(run.file(*LABELLED))] == [cell.key for cell in cells[1:]]


def test_a_host_and_label_in_one_command(tmp_path: Path, call) -> None:
    how = ("--potential", "emt", "--forces", "none", "--defect", "v_Cu", "--subgroup", "full", "--label")
    code, _, err = call("generate", HOSTS / "Cu.cif", *how, "--min-image-distance", "6", "-o", tmp_path / "run")
    assert code == 0, err
    assert "labelled 1" in " ".join(err.split())
    assert len(read_records(tmp_path / "run" / "generate" / "labelled.npz")) == 1

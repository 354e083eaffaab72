"""Defect entries of pymatgen-analysis-defects go out and come back, with their energies and charges."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from md.labels.calculated import CALCULATED_RECORDS, read_calculated
from tests.defectgen.calculations.test_label import OUTPUTS

pytest.importorskip("pymatgen.analysis.defects")


def labelled(run: Path, tmp_path: Path, call, *names: str) -> Path:
    for name in names:
        (tmp_path / "out" / name).mkdir(parents=True)
        shutil.copy(OUTPUTS / name, tmp_path / "out" / name)
    status, _, error = call("label", run, "--from", tmp_path / "out", "--entries", tmp_path / "entries.json")
    assert status == 0, error
    return tmp_path / "entries.json"


def test_entries_are_those_of_the_library_and_come_back(run, started, tmp_path, call) -> None:
    from monty.serialization import loadfn
    from pymatgen.analysis.defects.thermo import DefectEntry

    path = labelled(run, tmp_path, call, "qe_bulk.out", "qe_v_O_2.out", "gpaw_v_O_2.txt")
    levels = loadfn(path)
    assert len(levels) == 2
    assert all(isinstance(entry, DefectEntry) for entries in levels.values() for entry in entries)
    [entry] = next(entries for name, entries in levels.items() if ":qe:" in name)
    assert entry.charge_state == 2
    assert entry.sc_entry.energy - entry.bulk_entry.energy == pytest.approx(-1435.5250 + 1859.9813, abs=1e-3)
    [alone] = next(entries for name, entries in levels.items() if ":gpaw:" in name)
    assert alone.bulk_entry is None  # that of another level is none of its own
    before = {(r.cell.key, r.cell.provenance["potential"], r.energy) for r in read_calculated(run / CALCULATED_RECORDS)}
    again = shutil.copytree(started, tmp_path / "again")
    status, _, error = call("label", again, "--from", path)
    assert status == 0, error
    after = read_calculated(again / CALCULATED_RECORDS)
    assert {(r.cell.key, r.cell.provenance["potential"], r.energy) for r in after} == before
    assert all(r.forces is None for r in after)


def test_entries_of_other_packages_are_read_by_their_names(run, started, tmp_path, call) -> None:
    """doped writes dictionaries of its own class, which is not installed here."""
    path = labelled(run, tmp_path, call, "qe_v_O_2.out")
    text = path.read_text().replace("pymatgen.analysis.defects.thermo", "doped.core")
    [[entry]] = json.loads(text).values()
    path.write_text(json.dumps({"v_O_+2": entry}))
    again = shutil.copytree(started, tmp_path / "again")
    assert call("label", again, "--from", path)[0] == 0
    [record] = read_calculated(again / CALCULATED_RECORDS)
    assert (record.cell.name, record.cell.charge) == ("v_O", 2)


def test_other_json_is_refused(run, tmp_path, call) -> None:
    for text in ("{}", "[1, 2]", "not json", '{"sc_entry": 1, "charge_state": 0}'):
        (tmp_path / "some.json").write_text(text)
        status, _, error = call("label", run, "--from", tmp_path / "some.json")
        assert status == 2
        assert "defect entr" in error

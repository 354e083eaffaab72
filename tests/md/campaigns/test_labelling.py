"""The label factory: the same records however it is run or killed, each cell labelled once, and honest provenance."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.cell import DefectCell
from augment.distort import rattle
from augment.errors import DataError, PotentialError
from md.campaigns.labelling import LABEL_BATCH_ATOMS, cell_hash, label, label_each
from md.labels.record import Record, write_records
from md.potentials import Potential
from tests.support.places import ROOT


def rattled(cell: DefectCell, count: int) -> list[DefectCell]:
    return [rattle(cell, 0.05, seed) for seed in range(count)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npz"))}


def as_bytes(records: list[Record], path: Path) -> bytes:
    write_records(path, records)
    return path.read_bytes()


def test_labels_are_those_of_the_potential_and_say_who_made_them(
    emt: Potential, copper: DefectCell, alloy: DefectCell, tmp_path: Path
) -> None:
    cells = [alloy, *rattled(copper, 3)]
    records = label(cells, emt, tmp_path, workers=1)
    for cell, record in zip(cells, records, strict=True):
        atoms = cell.to_ase()
        atoms.calc = emt.calculator()
        atoms.calc.reset()
        assert record.energy == atoms.get_potential_energy()
        np.testing.assert_array_equal(record.forces, atoms.get_forces())
        np.testing.assert_array_equal(record.stress, atoms.get_stress())
        np.testing.assert_array_equal(record.cell.positions, cell.positions)
        assert record.cell.provenance["potential_sha256"] == emt.sha256


def test_labels_of_an_earlier_potential_leave_no_trace(emt: Potential, copper: DefectCell, tmp_path: Path) -> None:
    earlier = {"potential": "other", "potential_evaluator": "other 1.0", "kept": 1}
    (record,) = label([replace(copper, provenance=earlier)], emt, tmp_path, workers=1)
    assert record.cell.provenance == {"kept": 1, **emt.provenance}


def test_records_do_not_depend_on_the_number_of_workers_or_the_order(
    emt: Potential, copper: DefectCell, alloy: DefectCell, tmp_path: Path
) -> None:
    cells = [*rattled(copper, 40), *rattled(alloy, 50)]
    one = label(cells, emt, tmp_path / "1", workers=1)
    three = label(cells, emt, tmp_path / "3", workers=3)
    back = label(cells[::-1], emt, tmp_path / "back", workers=1)[::-1]
    assert as_bytes(one, tmp_path / "a.npz") == as_bytes(three, tmp_path / "b.npz")
    assert as_bytes(one, tmp_path / "a.npz") == as_bytes(back, tmp_path / "c.npz")
    assert contents(tmp_path / "1") == contents(tmp_path / "3") == contents(tmp_path / "back")
    atoms = sum(map(len, cells))
    assert atoms / LABEL_BATCH_ATOMS <= len(contents(tmp_path / "1")) < len(cells) / 5  # a file a batch, not a cell


def test_a_cell_that_occurs_twice_is_labelled_once(
    emt: Potential, copper: DefectCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, calculator = [], emt.calculator()
    original = calculator.calculate
    monkeypatch.setattr(calculator, "calculate", lambda *a, **k: (calls.append(1), original(*a, **k)))
    renamed = DefectCell(
        "other", "key", copper.cell, copper.numbers, copper.positions, copper.sites, provenance={"a": 1}
    )
    moved = copper.with_geometry(copper.positions + np.eye(1, 3) * 1e-9)
    assert cell_hash(copper) == cell_hash(renamed) != cell_hash(moved)
    records = label([copper, renamed, copper, moved], emt, tmp_path, workers=1)
    assert [r.cell.name for r in records] == ["bulk", "other", "bulk", "bulk"]
    assert len(calls) == 2
    label([copper, renamed, copper, moved], emt, tmp_path, workers=1)
    assert len(calls) == 2


def test_an_element_that_the_potential_lacks_is_refused_before_anything_is_written(
    emt: Potential, copper: DefectCell, tmp_path: Path
) -> None:
    iron = DefectCell("Fe", "k", copper.cell, copper.numbers * 0 + 26, copper.positions, copper.sites)
    with pytest.raises(PotentialError, match="does not cover Fe"):
        label([copper, iron], emt, tmp_path / "new", workers=1)
    assert not (tmp_path / "new").exists()


def test_a_cell_that_is_no_matter_has_a_reason_and_the_others_their_labels(
    emt: Potential, copper: DefectCell, tmp_path: Path
) -> None:
    good, other = rattled(copper, 2)
    overlapping = good.positions.copy()
    overlapping[1] = overlapping[0] + [0.2, 0, 0]
    cells = [good, good.with_geometry(overlapping), good.with_geometry(good.positions / 9, good.cell / 9), other]
    for _ in range(2):  # the second time from the files
        first, second, third, last = label_each(cells, emt, tmp_path / "some", workers=1)
        assert isinstance(first, Record)
        assert isinstance(last, Record)
        assert second == "two atoms are 0.20 Å apart"
        assert str(third).startswith("the cell collapsed")
    alone = label([good, other], emt, tmp_path / "alone", workers=1)
    assert as_bytes([first, last], tmp_path / "a.npz") == as_bytes(alone, tmp_path / "b.npz")
    with pytest.raises(DataError, match=r"bulk: has no label, two atoms are 0\.20 Å apart"):
        label(cells, emt, tmp_path / "some", workers=1)


SCRIPT = """
import sys, time
sys.path[:0] = [{folder!r}]
from pathlib import Path
from ase.calculators.emt import EMT
slow = EMT.calculate
def calculate(self, *arguments, **settings):
    time.sleep(0.004)
    slow(self, *arguments, **settings)
EMT.calculate = calculate
from tests.md.campaigns.test_labelling import the_cells
from md.campaigns.labelling import label
from md.potentials import resolve_potential
label(the_cells(), resolve_potential("emt"), Path(sys.argv[1]), workers=1)
"""


def the_cells() -> list[DefectCell]:
    from ase.build import bulk

    atoms = bulk("Cu", "fcc", 3.6, cubic=True) * (2, 2, 1)
    n = len(atoms)
    cell = DefectCell("bulk", "k", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions, np.arange(n))
    return rattled(cell, 320)


def test_a_killed_factory_goes_on_to_the_same_bytes(emt: Potential, tmp_path: Path) -> None:
    label(the_cells(), emt, tmp_path / "whole", workers=1)
    script, folder = tmp_path / "script.py", tmp_path / "killed"
    script.write_text(SCRIPT.format(folder=str(ROOT)))
    process = subprocess.Popen([sys.executable, script, folder], env=os.environ)
    while process.poll() is None and len(contents(folder)) < 3:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    before = contents(folder)
    assert 3 <= len(before) < len(contents(tmp_path / "whole"))
    seen: list[int] = []
    label(the_cells(), emt, folder, workers=1, progress=lambda done, _total, _text: seen.append(done))
    assert seen[0] == len(before)
    assert contents(folder) == contents(tmp_path / "whole")

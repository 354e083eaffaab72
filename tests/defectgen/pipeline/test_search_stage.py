"""The search as a stage and a command: what it writes, what goes into exports and reports, what is refused first."""

import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Structure

from augment import find_supercell, point_defects, read_host
from defectgen.cli import main
from defectgen.dataset.extxyz import read_frames
from defectgen.ground_states import Minimum, SearchResult
from defectgen.pipeline.search_stage import MINIMA, SUMMARY, carried_over
from defectgen.run.folder import RunFolder
from md.labels.record import Record, read_records
from tests.support.places import HOSTS

COPPER = HOSTS / "Cu.cif"
ASKED = [
    "--potential", "emt", "--evaluations", "100", "--min-image-distance", "6", "--workers", "1", "--dopant", "Al,Ni",
]  # fmt: skip


def defectgen(*words: object, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["defectgen", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search") / "run"
    with pytest.MonkeyPatch.context() as patch:
        words = ["search", COPPER, "--defect", "Al_Cu,Ni_Cu", *ASKED, "-o", folder, "--poscar", folder.parent / "vasp"]
        assert defectgen(*words, monkeypatch=patch) == 0
    return folder


def test_minima_are_written_lowest_first_with_what_they_are(run: Path) -> None:
    rows = RunFolder.open(run).read_lines(SUMMARY)
    assert [row["name"] for row in rows] == ["Al_Cu", "Ni_Cu"]
    records = read_records(run.joinpath(*MINIMA))
    for row in rows:
        mine = [r for r in records if r.cell.key == row["key"]]
        assert len(mine) == len(row["minima"]) >= 1
        assert [r.energy for r in mine] == sorted(r.energy for r in mine)
        assert mine[0].cell.provenance["above"] == 0.0
        assert mine[0].config_type == "search_minimum"
    assert RunFolder.open(run).times["search"]["evaluations"] == sum(row["evaluations"] for row in rows)


def test_poscars_are_the_minima(run: Path) -> None:
    folders = sorted((run.parent / "vasp").iterdir())
    lowest = {
        f"{r.cell.name}_0": r.cell for r in read_records(run.joinpath(*MINIMA)) if r.cell.provenance["above"] == 0
    }
    assert {folder.name for folder in folders} >= lowest.keys()
    for name, cell in lowest.items():
        structure = Structure.from_file(run.parent / "vasp" / name / "POSCAR")
        assert structure.volume == pytest.approx(cell.volume)
        assert sorted(structure.atomic_numbers) == sorted(cell.numbers.tolist())
        distances = np.sort(structure.distance_matrix.ravel())
        np.testing.assert_allclose(distances, np.sort(cell.to_pymatgen().distance_matrix.ravel()), atol=1e-6)


def test_minima_of_one_defect_are_carried_to_another_on_its_sites() -> None:
    supercell = find_supercell(read_host(COPPER), min_image_distance=6)
    by_name = {defect.name: defect for defect in point_defects(supercell, dopants=["Al", "Ni"])}
    cell = by_name["Al_Cu"].cell()
    moved = np.zeros_like(cell.positions)
    moved[3] = [0.4, 0.0, -0.2]
    there = Record(cell.with_geometry(cell.positions + moved), 0.0, np.zeros_like(moved), np.zeros(6), "")
    minimum = Minimum(there, 0.0, "1", 1, "mode", ("mode",), "")
    found = SearchResult(by_name["Al_Cu"], "emt", (minimum,), 1, (), 0)
    (displacements,) = carried_over(by_name["Ni_Cu"], [found])
    np.testing.assert_allclose(displacements, moved, atol=1e-12)
    assert carried_over(by_name["v_Cu"], [found]) == [], "another number of atoms"
    assert carried_over(by_name["Al_Cu"], [found]) == [], "its own"


def test_minima_go_into_exports_and_the_report(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert defectgen("export", run, "-o", tmp_path / "set", monkeypatch=monkeypatch) == 0
    frames = [f for path in (tmp_path / "set").glob("*.extxyz") for f in read_frames(path)]
    assert {frame.facts["config_type"] for frame in frames} == {"search_minimum"}
    assert defectgen("report", run, monkeypatch=monkeypatch) == 0
    page = (run / "report.html").read_text()
    assert "Minima of 2 defects" in page
    assert "Al_Cu with emt" in page


def test_the_same_call_goes_on_and_another_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    before = (run / SUMMARY).read_bytes()
    words = ["search", COPPER, "--defect", "Al_Cu,Ni_Cu", *ASKED, "-o", run, "--json"]
    assert defectgen(*words, monkeypatch=monkeypatch) == 0
    assert [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()] == ["Al_Cu", "Ni_Cu"]
    assert (run / SUMMARY).read_bytes() == before
    assert defectgen("search", run, "--evaluations", 200, monkeypatch=monkeypatch) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (run / SUMMARY).read_bytes() == before


def test_barriers_are_written_and_shown_where_they_are_wanted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = tmp_path / "run"
    words = ["search", COPPER, "--defect", "Al_Cu", *ASKED, "--barrier", "-o", folder]
    assert defectgen(*words, monkeypatch=monkeypatch) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "barrier from the ideal sites" in shown
    assert "more for the barriers" in shown
    assert defectgen(*words, "--json", monkeypatch=monkeypatch) == 0
    row = json.loads(capsys.readouterr().out)
    assert RunFolder.open(folder).times["search"]["barrier_evaluations"] == row["barrier_evaluations"] > 0
    records = read_records(folder.joinpath(*MINIMA))
    assert len(records) == len(row["minima"]) >= 1
    for record, minimum in zip(records, row["minima"], strict=True):
        assert minimum["barrier"]["words"] == record.cell.provenance["barrier"]
        assert minimum["barrier"]["forward"] == record.cell.provenance["barrier_forward"]
    assert all("barrier" not in one for plain in RunFolder.open(run).read_lines(SUMMARY) for one in plain["minima"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--defect", "v_Xx"], "no defect named v_Xx"),
        (["--defect", "v_Cu", "--second", "mace-mgo"], "does not cover"),
        (["--defect", "v_Cu", "--evaluations", "5"], "greater than or equal to 100"),
        (["--defect", "v_Cu", "--window", "-1"], "window"),
        (["--defect", "v_Cu", "--keep", "0"], "search.keep"),
    ],
    ids=str,
)
def test_what_is_impossible_is_refused_before_anything_is_written(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = tmp_path / "run"
    assert defectgen("search", COPPER, "--potential", "emt", *words, "-o", folder, monkeypatch=monkeypatch) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not folder.exists()

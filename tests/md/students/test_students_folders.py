"""Students in the package and in the user's folder: who comes first, and registering whole or not at all."""

import json
import shutil
from pathlib import Path

import pytest

from augment.errors import PotentialError
from md.students import register_folder, student_card, student_folders, student_names, user_folder
from md.students.folders import remedy, shipped_students

SHIPPED = shipped_students() / "mgo"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "students"
    monkeypatch.setenv("DEFECTGEN_STUDENTS", str(folder))
    return folder


def renamed(tmp_path: Path, name: str) -> Path:
    source = Path(shutil.copytree(SHIPPED, tmp_path / "source", dirs_exist_ok=True))
    card = json.loads((source / "card.json").read_text())
    (source / "card.json").write_text(json.dumps({**card, "name": name, "mark": name}))
    return source


def test_the_folder_is_the_variable_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DEFECTGEN_STUDENTS", str(tmp_path))
    assert user_folder() == tmp_path
    monkeypatch.delenv("DEFECTGEN_STUDENTS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    assert user_folder() == tmp_path / "data" / "defectgen" / "students"


def test_without_a_folder_there_are_the_shipped_ones(mine: Path) -> None:
    assert not mine.exists()
    assert "mace-mgo" in student_names()
    assert all(path.is_relative_to(shipped_students()) for path in student_folders().values())


def test_a_registered_student_comes_first_and_takes_the_place_of_its_namesake(mine: Path, tmp_path: Path) -> None:
    assert register_folder(renamed(tmp_path, "mace-zzz"), "mace-zzz") == mine / "zzz"
    assert student_names()[0] == "mace-zzz"
    assert "mark" not in student_card("mace-mgo")
    register_folder(renamed(tmp_path, "mace-mgo"), "mace-mgo")
    assert student_card("mace-mgo")["mark"] == "mace-mgo"
    assert len(student_names()) == len(set(student_names()))


def test_registering_again_replaces_the_whole_and_leaves_nothing_behind(mine: Path, tmp_path: Path) -> None:
    source = renamed(tmp_path, "mace-a")
    (source / "extra.txt").write_text("old")
    register_folder(source, "mace-a")
    (source / "extra.txt").unlink()
    register_folder(source, "mace-a")
    assert sorted(path.name for path in mine.iterdir()) == ["a"]
    assert sorted(path.name for path in (mine / "a").iterdir()) == sorted(path.name for path in source.iterdir())


@pytest.mark.parametrize("name", ["mace-", "mace-../x", "mace-a/b", "", "mace-."])
def test_names_that_are_no_folder_are_refused(mine: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(PotentialError, match="no name for a student"):
        register_folder(renamed(tmp_path, "x"), name)
    assert not mine.exists()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DEFECTGEN_STUDENTS", str(tmp_path / "file" / "students"))
    with pytest.raises(PotentialError, match="DEFECTGEN_STUDENTS"):
        register_folder(renamed(tmp_path, "x"), "mace-x")


def test_what_to_do_depends_on_where_it_is(mine: Path, tmp_path: Path) -> None:
    assert remedy(SHIPPED) == "reinstall the package"
    folder = register_folder(renamed(tmp_path, "mace-x"), "mace-x")
    assert folder.parent == mine
    (folder / "card.json").write_text("{")
    with pytest.raises(PotentialError, match="distil it again"):
        student_card("mace-x")
    assert str(folder) in remedy(folder)

"""A folder is held by one process or shared by several, however they end, and belongs to one thing."""

import subprocess
import sys
from pathlib import Path

import pytest

from augment.errors import ResumeError
from augment.storage.claim import claim
from augment.storage.lock import folder_lock, held_file

HOLDER = """
import sys, time
from pathlib import Path
from augment.storage.lock import folder_lock
with folder_lock(Path(sys.argv[1]), shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["alone", "shared"])
def test_a_folder_is_free_again_when_its_holder_is_killed(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ResumeError, match="another process"), folder_lock(tmp_path):
            pass
        process.kill()
    with folder_lock(tmp_path):
        assert not list(tmp_path.glob(".shared*"))


def test_those_who_share_a_folder_meet_nobody_who_wants_it_alone(tmp_path: Path) -> None:
    with folder_lock(tmp_path, shared=True):
        with folder_lock(tmp_path, shared=True), pytest.raises(ResumeError), folder_lock(tmp_path):
            pass
        with pytest.raises(ResumeError), folder_lock(tmp_path):
            pass
    with folder_lock(tmp_path), pytest.raises(ResumeError), folder_lock(tmp_path, shared=True):
        pass


def test_a_held_file_is_there_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with held_file(path):
        assert path.exists()
        with pytest.raises(ResumeError), held_file(path):
            pass
    assert not path.exists()


def test_a_folder_belongs_to_what_claimed_it_first(tmp_path: Path) -> None:
    marker = tmp_path / "new" / "who.json"
    claim(marker, {"a": 1, "b": [2.5]}, "a thing", notes={"when": "now"})
    claim(marker, {"a": 1, "b": [2.5]}, "a thing", notes={"when": "later"})
    with pytest.raises(ResumeError, match="a thing with another colour"):
        claim(marker, {"a": 2, "b": [2.5]}, "a thing", words={"a": "colour"})
    marker.write_text("{")
    with pytest.raises(ResumeError, match="who.json"):
        claim(marker, {"a": 1}, "a thing")


def test_a_folder_with_other_files_and_one_that_cannot_be_made_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(ResumeError, match="not empty and not a thing"):
        claim(tmp_path / "who.json", {}, "a thing")
    with pytest.raises(ResumeError, match="cannot be made"):
        claim(tmp_path / "thesis.tex" / "who.json", {}, "a thing")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

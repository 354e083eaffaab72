"""A folder replaced as a whole: old or new at every instant, and nothing left behind by a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from augment.storage.folder_swap import replaced_folder

WRITER = """
import sys, time
from pathlib import Path
from augment.storage.folder_swap import replaced_folder
target = Path(sys.argv[1])
with replaced_folder(target) as draft:
    for k in range(40):
        (draft / f"{k}.txt").write_text("new" * 10_000)
        time.sleep(0.002)
    print("writing done", flush=True)
print("done", flush=True)
time.sleep(0.5)
"""


def test_the_new_folder_takes_the_place_of_the_old(tmp_path: Path) -> None:
    target = tmp_path / "set"
    for text in ("first", "second"):
        with replaced_folder(target) as draft:
            (draft / f"{text}.txt").write_text(text)
        assert [p.name for p in target.iterdir()] == [f"{text}.txt"]
        assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_an_error_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(IsADirectoryError), replaced_folder(target) as draft:
        draft.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    assert [p.name for p in target.iterdir()] == ["old.txt"]


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.08, 0.1, 0.12, 0.2])
def test_a_kill_at_any_instant_leaves_the_old_or_the_new(tmp_path: Path, delay: float) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "old.txt").write_text("old")
    command = [sys.executable, "-c", WRITER, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as writer:
        while not list(tmp_path.glob(".set.*")) and writer.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait()
    deadline = time.monotonic() + 20
    while len(list(tmp_path.iterdir())) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    found = {p.name: p.read_text() for p in target.iterdir()}
    assert found in ({"old.txt": "old"}, {f"{k}.txt": "new" * 10_000 for k in range(40)})

"""A run folder belongs to one host and one set of settings, and to one process at a time."""

from pathlib import Path

import pytest

from augment.errors import DataError, ResumeError
from defectgen.run.folder import RunFolder
from defectgen.run.settings import Settings


@pytest.fixture
def settings(tmp_path):
    cif = tmp_path / "host.cif"
    cif.write_text("data_x\n", encoding="utf-8")
    return Settings(host=cif, output=tmp_path / "run")


def test_the_same_settings_go_on_in_the_same_folder(settings):
    RunFolder.claim(settings).finish("host", 1.0, {"sites": 2})
    again = RunFolder.claim(settings.replaced({"workers": 7}))
    assert again.finished("host")
    assert not again.finished("defects")
    assert again.times["host"]["sites"] == 2


def test_other_settings_are_refused_and_named(settings):
    RunFolder.claim(settings)
    with pytest.raises(ResumeError, match=r"md.steps \(null there, 9 here\)"):
        RunFolder.claim(settings.replaced({"md.steps": 9}))


def test_another_host_is_refused(settings, tmp_path):
    RunFolder.claim(settings)
    other = tmp_path / "other.cif"
    other.write_text("data_y\n", encoding="utf-8")
    with pytest.raises(ResumeError, match="another host"):
        RunFolder.claim(settings.replaced({"host": other}))


def test_a_folder_with_other_files_is_left_alone(settings):
    settings.output.mkdir()
    (settings.output / "thesis.tex").write_text("dear", encoding="utf-8")
    with pytest.raises(ResumeError, match="not empty"):
        RunFolder.claim(settings)
    assert [p.name for p in settings.output.iterdir()] == ["thesis.tex"]


def test_a_stage_with_other_settings_needs_overwrite_and_drops_what_follows(settings):
    folder = RunFolder.claim(settings)
    for stage in ("host", "defects", "generate", "relax", "md"):
        folder.finish(stage, 1.0, {})
    folder.file("relax").mkdir()
    with pytest.raises(ResumeError, match="--overwrite"):
        folder.with_changes("relax", {"relax.fmax": 0.5}, overwrite=False)
    changed = folder.with_changes("relax", {"relax.fmax": 0.5}, overwrite=True)
    assert changed.settings.relax.fmax == 0.5
    assert RunFolder.open(folder.path).settings.relax.fmax == 0.5
    assert [s for s in ("host", "defects", "generate", "relax", "md") if changed.finished(s)] == [
        "host",
        "defects",
        "generate",
    ]
    assert not folder.file("relax").exists()


def test_one_process_at_a_time(settings):
    folder = RunFolder.claim(settings)
    with folder.locked(), pytest.raises(ResumeError, match="another process"), RunFolder.open(folder.path).locked():
        pass
    with folder.locked():
        pass


def test_a_missing_stage_is_named(settings):
    with pytest.raises(DataError, match="defectgen relax"):
        RunFolder.claim(settings).require("relax")


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_identity_fails_closed(settings, content):
    folder = RunFolder.claim(settings)
    folder.file("run.json").write_text(content, encoding="utf-8")
    with pytest.raises(ResumeError, match="run.json"):
        RunFolder.claim(settings)


def test_no_run_folder_at_all(tmp_path):
    with pytest.raises(ResumeError, match="not a run folder"):
        RunFolder.open(Path(tmp_path))

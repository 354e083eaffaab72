"""The report as PDF: by a real browser where there is one, and a refusal that says what to do where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from augment.errors import DataError
from defectgen.cli import main
from defectgen.report import write_pdf, write_report
from tests.defectgen.report.browser import CHROMIUM
from tests.support.report_runs import start_run

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return start_run(tmp_path / "run", dopants=()).path


def program(folder: Path, script: str) -> None:
    """A program named chromium that does something else."""
    folder.mkdir()
    path = folder / "chromium"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed")
def test_a_browser_prints_the_report(run: Path) -> None:
    pdf = write_pdf(write_report(run))
    assert pdf == run / "report.pdf"
    assert pdf.read_bytes().startswith(b"%PDF")
    assert not list(run.glob(".pdf-*"))


def test_without_a_browser_the_command_says_what_to_do(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["defectgen", "report", str(run), "--pdf"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no browser to print it with" in said
    assert "install chromium" in said
    assert (run / "report.html").is_file()
    assert not (run / "report.pdf").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo no display >&2; exit 3", "exit code 3.*no display"), ("exit 0", "did not print it")],
)
def test_a_browser_that_fails_leaves_nothing(
    script: str, said: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{Path(shutil.which('sh') or '/bin/sh').parent}")
    page = write_report(run)
    with pytest.raises(DataError, match=said):
        write_pdf(page)
    assert not list(run.glob("*.pdf"))
    assert not list(run.glob(".pdf-*"))

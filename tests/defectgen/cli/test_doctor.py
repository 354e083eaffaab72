"""The diagnosis always ends, names what is missing, and says what to do about it."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from augment.errors import DataError
from defectgen.cli.commands.doctor import Check, diagnose, doctor_table

doctor = importlib.import_module("defectgen.cli.commands.doctor")  # the package has a command of this name


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the probes that load engines and models."""
    monkeypatch.setattr(doctor, "_lammps", lambda: iter(()))
    monkeypatch.setattr(doctor, "_potentials", lambda: iter(()))
    monkeypatch.setattr(doctor, "_models", lambda: iter(()))


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.mark.usefixtures("quick")
def test_what_is_installed_is_ok_with_its_version() -> None:
    checks = by_name(diagnose())
    assert checks["numpy"].status == "ok"
    assert checks["numpy"].detail == importlib.metadata.version("numpy")
    assert {"Python", "ase", "torch", "lammps", "torch device", "CPU", "memory"} <= set(checks)
    assert "pytest" not in checks, "an extra that was not asked for is no dependency"


@pytest.mark.usefixtures("quick")
def test_a_missing_and_an_old_dependency_are_named_with_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy>=9999", "no-such-thing-here>=1", "ase"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: wanted)
    checks = by_name(diagnose())
    assert checks["numpy"].status == "warning"
    assert ">=9999" in checks["numpy"].advice
    assert checks["no-such-thing-here"].status == "missing"
    assert checks["no-such-thing-here"].advice == "pip install 'no-such-thing-here>=1'"
    assert checks["ase"].status == "ok"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("probe", ["_python", "_dependencies", "_torch", "_lammps", "_models", "_machine"])
def test_no_failure_of_a_probe_gets_out(probe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("the disk is on fire\nand more")

    monkeypatch.setattr(doctor, probe, broken)
    failed = [c for c in diagnose() if "disk is on fire" in c.detail]
    assert [c.status for c in failed] == ["missing"]
    assert "\n" not in failed[0].detail
    assert failed[0].advice


@pytest.mark.usefixtures("quick")
def test_no_compiler_is_a_warning_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert by_name(diagnose())["C++ compiler"].status == "warning"


def test_a_lammps_that_kills_its_process_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LAMMPS_PROBE", "import os; os.abort()")
    (check,) = doctor._guarded("LAMMPS", doctor._lammps)
    assert check.status == "missing"
    assert "lammps[mpi]" in check.advice


def test_a_lammps_that_hangs_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(subprocess, "run", hang)
    (check,) = doctor._guarded("LAMMPS", doctor._lammps)
    assert check.status == "missing"


def test_lammps_and_the_potentials_are_usable_here() -> None:
    checks = doctor._guarded("LAMMPS", doctor._lammps) + doctor._guarded("potentials", doctor._potentials)
    assert {c.name: c.status for c in checks}["LAMMPS"] == "ok", checks
    assert {c.status for c in checks} == {"ok"}, checks


def test_memory_is_plausible() -> None:
    memory = doctor.total_memory()
    assert memory is None or 0.1 < memory < 1e5


def test_an_unsupported_python_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1, "final", 0))
    assert by_name(list(doctor._python()))["Python"].status == "warning"


def test_the_table_shows_every_check_and_its_cure() -> None:
    from rich.console import Console

    checks = [Check("a", "ok", "1.0"), Check("b [odd]", "missing", "gone", "install b")]
    console = Console(width=100, record=True, file=SimpleNamespace(write=lambda _: None, flush=lambda: None))
    console.print(doctor_table(checks))
    text = console.export_text()
    assert "b [odd]" in text
    assert "install b" in text


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(DataError, match="perhaps"):
        Check("a", "perhaps", "")  # type: ignore[arg-type]

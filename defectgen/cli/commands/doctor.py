"""What is installed and usable here, and what to do about what is not; never raises."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from augment.errors import DataError

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from rich.table import Table

Status = Literal["ok", "warning", "missing"]

DISTRIBUTION = "defectgen"
SUPPORTED_PYTHON = ((3, 11), (3, 14))
COMFORTABLE_MEMORY = 4.0
"""GiB; CHGNet needs half of it for 500 atoms, and its libraries most of a GiB."""

_GIB = 2**30
_PROBE_SECONDS = 120
_COLOURS = {"ok": "green", "warning": "yellow", "missing": "red"}
_LAMMPS_PROBE = "from md.lammps.library import lammps_version; print(lammps_version())"


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis.

    Attributes:
        name: what was looked at.
        status: `ok`, `warning` (works, but less well) or `missing` (what needs it will not work).
        detail: what was found.
        advice: what to do about it; empty where there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise DataError(f"check {self.name}: {self.status!r} is not one of {get_args(Status)}")


def diagnose() -> list[Check]:
    """Look at Python, every dependency, the engines, the potentials and the machine; never raises."""
    probes: Sequence[tuple[str, Callable[[], Iterator[Check]]]] = (
        ("Python", _python),
        ("dependencies", _dependencies),
        ("torch", _torch),
        ("LAMMPS", _lammps),
        ("potentials", _potentials),
        ("generative model", _models),
        ("C++ compiler", _compiler),
        ("machine", _machine),
    )
    return [check for name, probe in probes for check in _guarded(name, probe)]


def doctor_table(checks: Sequence[Check]) -> Table:
    """The checks as a rich table: name, status in colour, what was found and what to do."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="defectgen doctor", title_justify="left", show_lines=False)
    for heading in ("check", "status", "found", "what to do"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        status = Text(check.status, style=_COLOURS[check.status])
        table.add_row(Text(check.name), status, Text(check.detail), Text(check.advice))
    return table


def _guarded(name: str, probe: Callable[[], Iterator[Check]]) -> list[Check]:
    """The checks of a probe; whatever it raises becomes a check itself, so that the diagnosis always ends."""
    found: list[Check] = []
    try:
        for check in probe():
            found.append(check)  # noqa: PERF402  keeps what came before an error
    except Exception as error:  # noqa: BLE001  a diagnosis reports every failure
        lines = str(error).splitlines() or [""]
        found.append(Check(name, "missing", f"{type(error).__name__}: {lines[0]}", "reinstall defectgen"))
    return found


def _python() -> Iterator[Check]:
    low, high = SUPPORTED_PYTHON
    supported = low <= sys.version_info[:2] < high
    wanted = f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
    detail = f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    yield Check("Python", "ok" if supported else "warning", detail, "" if supported else wanted)


def _dependencies() -> Iterator[Check]:
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    for text in requires(DISTRIBUTION) or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _dependency(requirement)


def _dependency(requirement: Requirement) -> Check:
    from importlib.metadata import PackageNotFoundError, version

    advice = f"pip install '{requirement}'"
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return Check(requirement.name, "missing", "not installed", advice)
    if requirement.specifier.contains(found, prereleases=True):
        return Check(requirement.name, "ok", found)
    return Check(requirement.name, "warning", f"{found}, outside {requirement.specifier}", advice)


def _torch() -> Iterator[Check]:
    import torch

    threads = torch.get_num_threads()
    device = f"CUDA {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else "CPU only"
    yield Check("torch device", "ok", f"{device}, {threads} thread{'s' if threads > 1 else ''}")


def _lammps() -> Iterator[Check]:
    """Load LAMMPS in a process of its own: a wrong MPI library can end the process that loads it."""
    result = subprocess.run(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", _LAMMPS_PROBE],
        capture_output=True,
        text=True,
        timeout=_PROBE_SECONDS,
        check=False,
    )
    if result.returncode == 0:
        yield Check("LAMMPS", "ok", f"version {result.stdout.split()[-1]}, with its MPI library")
        return
    reason = (result.stderr.strip().splitlines() or [f"ended with code {result.returncode}"])[-1]
    advice = "pip install 'lammps[mpi]' (it brings the MPI library); until then use the ASE engine only"
    yield Check("LAMMPS", "missing", reason, advice)


def _potentials() -> Iterator[Check]:
    from md.potentials import list_potentials
    from md.potentials.external import added_names

    added = added_names()
    for potential in list_potentials():
        status: Status = "ok" if potential.usable else "missing"
        remedy = f"defectgen potentials add {potential.name} ..." if potential.name in added else "reinstall defectgen"
        advice = "" if potential.usable else f"{remedy}, or choose another potential"
        yield Check(f"potential {potential.name}", status, potential.detail, advice)


def _models() -> Iterator[Check]:
    from defectgen.model.weights import load_model, model_names

    names = model_names()
    if not names:
        yield Check("generative model", "missing", "no weights in the package", "reinstall defectgen")
    for name in names:
        model = load_model(name)
        yield Check(f"generative model {name}", "ok", f"{len(model.elements)} elements, sha256 {model.sha256[:12]}")


def _compiler() -> Iterator[Check]:
    name = next((c for c in ("c++", "g++", "clang++") if shutil.which(c)), None)
    if name:
        yield Check("C++ compiler", "ok", str(shutil.which(name)))
    else:
        advice = "not needed by defectgen itself; install g++ for evaluators that compile at their first call"
        yield Check("C++ compiler", "warning", "none found", advice)


def _machine() -> Iterator[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    yield Check("CPU", "ok", f"{cores} core{'s' if cores > 1 else ''}, OMP_NUM_THREADS {threads}")
    memory = total_memory()
    if memory is None:
        yield Check("memory", "warning", "unknown", f"make sure that there are {COMFORTABLE_MEMORY:g} GiB")
    elif memory < COMFORTABLE_MEMORY:
        yield Check("memory", "warning", f"{memory:.1f} GiB", "keep CHGNet cells below 300 atoms")
    else:
        yield Check("memory", "ok", f"{memory:.1f} GiB")


def total_memory() -> float | None:
    """Memory that this process may use, GiB: the machine's, or its control group's limit where that is lower."""
    limits = []
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB)
    group = Path("/sys/fs/cgroup/memory.max")
    if group.is_file() and (text := group.read_text().strip()).isdigit():
        limits.append(int(text) / _GIB)
    return min(limits, default=None)

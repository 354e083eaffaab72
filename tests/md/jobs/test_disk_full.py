"""A disk that is really full: what does not fit, of Python or of LAMMPS, is an error, and the sweep goes on later."""

import resource
import sys
import tempfile
from pathlib import Path

import pytest

from augment.errors import DefectgenError
from md.campaigns.relax_and_md import md_all
from md.lammps.library import lammps_version
from md.potentials import resolve_potential
from tests.support.killed import SERVER, contents, points


def some_work(folder: Path) -> None:
    """A point of each engine, in this process."""
    md_all([points()[i] for i in (1, 3)], resolve_potential("emt"), folder, workers=1)


def work_with_room_for(size: int, folder: Path) -> None:
    """The work, in a process whose files cannot grow beyond so many bytes: 7 if it says so, 8 for another error."""
    lammps_version()  # MPI has files of its own, which it opens once
    tempfile.gettempdir()  # Python writes a file to find out where it can
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        some_work(folder)
    except (DefectgenError, OSError) as error:
        told = "File too large" in str(error) or "is the disk full" in str(error)
        sys.exit(7 if told else 8)


@pytest.mark.parametrize("size", [0, 700, 3000, 6000])
def test_files_that_do_not_fit_are_told_and_nothing_half_written_is_taken(tmp_path: Path, size: int) -> None:
    process = SERVER.Process(target=work_with_room_for, args=(size, tmp_path / "full"))
    process.start()
    process.join()
    assert process.exitcode == 7
    some_work(tmp_path / "full")
    some_work(tmp_path / "whole")
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")
    assert not list((tmp_path / "full").glob("*.parts"))

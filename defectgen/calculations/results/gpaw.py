"""Results of GPAW: its .gpw file, or its text; GPAW itself is not needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError
from defectgen.calculations.codes.gpaw import GPAW_POTENTIALS
from defectgen.calculations.results.calculation import Calculation, calculation_of_atoms, first_group, unfinished
from md.labels.calculated import TheoryLevel


def gpw_result(path: Path) -> Calculation:
    """The geometry of a .gpw file; the text of GPAW beside it says the setups.

    Raises:
        UnconvergedError: its electrons or its atoms did not come to an end.
        DataError: it cannot be read.
    """
    from ase.io import read
    from ase.io.ulm import open as open_ulm

    try:
        atoms: Any = read(str(path), format="gpw")
        with open_ulm(str(path)) as reader:
            parameters, converged = reader.parameters.asdict(), bool(reader.scf.converged)
            version = str(reader.asdict().get("gpaw_version", ""))
    except Exception as error:  # noqa: BLE001  the reader raises whatever its input provokes
        raise DataError(f"{path}: not readable as a .gpw file ({error!r})") from None
    if not converged:
        raise unfinished(path, "the electrons did not converge")
    _check_relaxation(path)
    text = _text_beside(path)
    mode = parameters.get("mode", {})
    cutoff = mode.get("ecut") if isinstance(mode, dict) else None
    xc = parameters.get("xc", "LDA")
    return calculation_of_atoms(
        atoms,
        (path,),
        TheoryLevel("gpaw", str(xc.get("name", xc)) if isinstance(xc, dict) else str(xc), _energy(cutoff)),
        charge=float(parameters.get("charge", 0.0)),
        version=version or first_group(r"\|__ \|.*?(\d+\.\d+\S*)", text),
        setups=_setups(text),
        relaxed=_was_relaxed(path),
        potentials=_potentials_beside(path, len(atoms)),
    )


def _energy(cutoff: Any) -> float | None:
    """A cutoff in eV; a .gpw file keeps that of plane waves so."""
    return None if cutoff is None else float(cutoff)


def gpaw_text_result(path: Path) -> Calculation:
    """The last geometry of a text that GPAW wrote.

    Raises:
        UnconvergedError: its electrons or its atoms did not come to an end.
        DataError: it cannot be read.
    """
    from ase.io import read

    text = path.read_text(encoding="utf-8", errors="replace")
    if not re.search(r"^Converged (after|in) \d+", text.rpartition("iter:")[2], re.MULTILINE):
        raise unfinished(path, "the electrons did not converge, or the run was killed")
    _check_relaxation(path)
    try:
        atoms: Any = read(str(path), index=-1, format="gpaw-out")
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as output of GPAW ({error!r})") from None
    free = re.findall(r"^Free energy:\s+(-?[\d.]+)", text, re.MULTILINE)
    if free:
        atoms.calc.results["free_energy"] = float(free[-1])
    else:
        atoms.calc.results.pop("free_energy", None)
    cutoff = first_group(r"ecut: ([\d.]+)", text)
    return calculation_of_atoms(
        atoms,
        (path,),
        TheoryLevel("gpaw", first_group(r"^  xc: (.+)$", text, "LDA"), float(cutoff) if cutoff else None),
        charge=float(first_group(r"^  charge: (-?[\d.]+)", text, "0")),
        version=first_group(r"\|__ \|.*?(\d+\.\d+\S*)", text),
        setups=_setups(text),
        relaxed=_was_relaxed(path),
        potentials=_potentials_beside(path, len(atoms)),
    )


def _potentials_beside(path: Path, atoms: int) -> FloatArray | None:
    """Potentials at the nuclei (n,), V, that our script keeps; GPAW gives those of an electron."""
    beside = path.with_name(GPAW_POTENTIALS)
    if not beside.is_file():
        return None
    try:
        values = -np.atleast_1d(np.loadtxt(beside))
    except ValueError as error:
        raise DataError(f"{beside}: no column of potentials ({error})") from None
    if values.shape != (atoms,) or not np.isfinite(values).all():
        raise DataError(f"{beside}: {values.size} potentials for {atoms} atoms")
    return values


def _setups(text: str) -> dict[str, str]:
    """Hash of each element's setup."""
    found = re.findall(r"^  ([A-Z][a-z]?):\n    name: .*\n    id: (\S+)", text, re.MULTILINE)
    return {symbol: f"gpaw {identity}" for symbol, identity in found}


def _text_beside(path: Path) -> str:
    beside = path.with_name("gpaw.txt")
    return beside.read_text(encoding="utf-8", errors="replace") if beside.is_file() else ""


def _was_relaxed(path: Path) -> bool:
    return path.with_name("relax.log").is_file()


def _check_relaxation(path: Path) -> None:
    """Refuse a relaxation by our script that ended above the force that the script names."""
    log, script = path.with_name("relax.log"), path.with_name("run.py")
    if not (log.is_file() and script.is_file()):
        return
    wanted = first_group(r"fmax=([\d.e-]+)", script.read_text(encoding="utf-8", errors="replace"))
    rows = log.read_text(encoding="utf-8", errors="replace").split("\n")
    forces = [row.split()[-1].rstrip("*") for row in rows if re.match(r"^\w+:\s+\d+", row)]
    if wanted and (not forces or float(forces[-1]) > float(wanted)):
        raise unfinished(path, "the relaxation did not converge")

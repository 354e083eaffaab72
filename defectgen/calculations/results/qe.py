"""Results of Quantum ESPRESSO: the output of pw.x by ASE."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from augment.errors import DataError
from defectgen.calculations.codes.qe import EV_PER_RYDBERG
from defectgen.calculations.results.calculation import (
    Calculation,
    calculation_of_atoms,
    first_group,
    levels_around_gap,
    unfinished,
)
from md.labels.calculated import TheoryLevel

_FUNCTIONALS = {
    "SLA PZ NOGX NOGC": "LDA",
    "SLA PW NOGX NOGC": "LDA-PW",
    "SLA PW PBX PBC": "PBE",
    "SLA PW PBE PBE": "PBE",
    "SLA PW PSX PSC": "PBEsol",
}
"""What pw.x writes for functionals, by what they are called."""


def pw_result(path: Path) -> Calculation:
    """The last geometry of an output of pw.x.

    Raises:
        UnconvergedError: the run, its electrons or its atoms did not come to an end.
        DataError: it cannot be read.
    """
    from ase.io import read

    text = path.read_text(encoding="utf-8", errors="replace")
    relaxing = "BFGS Geometry Optimization" in text
    _check_end(path, text, relaxing=relaxing)
    try:
        atoms: Any = read(str(path), index=-1, format="espresso-out")
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as output of pw.x ({error!r})") from None
    cutoff = float(first_group(r"kinetic-energy cutoff\s*=\s*([\d.]+)", text, "0")) * EV_PER_RYDBERG
    return calculation_of_atoms(
        atoms,
        (path,),
        TheoryLevel("qe", _functional(text), cutoff),
        charge=_charge(atoms, text),
        version=first_group(r"Program PWSCF v\.(\S+)", text),
        setups=_setups(text),
        relaxed=relaxing,
        band_edges=levels_around_gap(
            r"highest occupied, lowest unoccupied level \(ev\):\s+(-?[\d.]+)\s+(-?[\d.]+)", text
        ),
    )


def _check_end(path: Path, text: str, *, relaxing: bool) -> None:
    if "convergence NOT achieved" in text.rpartition("Self-consistent Calculation")[2]:
        raise unfinished(path, "the electrons did not converge")
    if "JOB DONE" not in text:
        raise unfinished(path, "ends in the middle: the run was killed, failed or still runs")
    if relaxing and not re.search(r"bfgs converged in", text):
        raise unfinished(path, "the relaxation did not converge")
    if "Maximum CPU time exceeded" in text:
        raise unfinished(path, "its time was over before it converged")


def _functional(text: str) -> str:
    said = first_group(r"Exchange-correlation\s*=\s*([^\n(]+)", text)
    return _FUNCTIONALS.get(" ".join(said.split()), said.replace(" ", "_") or "unknown")


def _setups(text: str) -> dict[str, str]:
    """File and checksum of each element's pseudopotential."""
    pattern = r"PseudoPot\. #\s*\d+ for\s+([A-Z][a-z]?)\S*\s+read from file:?\s+(\S+)\s+MD5 check sum:\s*(\S+)"
    return {symbol: f"{Path(file).name} {md5}" for symbol, file, md5 in re.findall(pattern, text)}


def _charge(atoms: Any, text: str) -> float | None:
    """Charge of the cell, e: what its electrons lack of the valence of its atoms."""
    pattern = r"PseudoPot\. #\s*\d+ for\s+([A-Z][a-z]?)[\s\S]*?Zval\s*=\s*([\d.]+)"
    valence = {symbol: float(z) for symbol, z in re.findall(pattern, text)}
    electrons = first_group(r"number of electrons\s*=\s*([\d.]+)", text)
    symbols = atoms.get_chemical_symbols()
    if not electrons or not set(symbols) <= valence.keys():
        return None
    return sum(valence[symbol] for symbol in symbols) - float(electrons)

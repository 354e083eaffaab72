"""Results of FHI-aims: its output file by ASE."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from augment.errors import DataError
from defectgen.calculations.results.calculation import (
    Calculation,
    calculation_of_atoms,
    first_group,
    levels_around_gap,
    unfinished,
)
from md.labels.calculated import TheoryLevel


def aims_result(path: Path) -> Calculation:
    """The last geometry of an output of FHI-aims.

    Raises:
        UnconvergedError: the run, its electrons or its atoms did not come to an end.
        DataError: it cannot be read.
    """
    from ase.io import read

    text = path.read_text(encoding="utf-8", errors="replace")
    relaxing = re.search(r"^\s*relax_geometry\s", text, re.MULTILINE) is not None
    if "Have a nice day" not in text:
        raise unfinished(path, "ends in the middle: the run was killed, failed or still runs")
    if re.search(r"scf.*not converge|Self-consistency cycle not converged", text, re.IGNORECASE):
        raise unfinished(path, "the electrons did not converge")
    if relaxing and "Final atomic structure" not in text:
        raise unfinished(path, "the relaxation did not converge")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its reader will move to a plugin
            atoms: Any = read(str(path), index=-1, format="aims-output")
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as output of FHI-aims ({error!r})") from None
    charge = first_group(r"^\s*charge\s+(-?[\d.]+)", text) or first_group(r"Charge\s*=\s*(-?[\d.E+-]+)", text)
    return calculation_of_atoms(
        atoms,
        (path,),
        TheoryLevel("aims", _functional(text)),
        charge=float(charge) if charge else 0.0,
        version=first_group(r"(?:FHI-aims version|Version)\s*:?\s*(\S+)", text),
        setups=_setups(text),
        relaxed=relaxing,
        band_edges=levels_around_gap(
            r"Highest occupied state \(VBM\) at\s+(-?[\d.]+) eV[\s\S]{0,400}?"
            r"Lowest unoccupied state \(CBM\) at\s+(-?[\d.]+) eV",
            text,
        ),
    )


def _functional(text: str) -> str:
    said = first_group(r"^\s*xc\s+(\S+)", text) or first_group(r"XC:\s+Using (\S+)", text, "unknown")
    return {"pbe": "PBE", "pbesol": "PBEsol", "pw-lda": "LDA", "hse06": "HSE06"}.get(said.lower(), said)


def _setups(text: str) -> dict[str, str]:
    """Species defaults by element, as their heading in the control file names them."""
    pattern = r'Suggested "([^"]+)" defaults for ([A-Z][a-z]?)'
    return {symbol: f"{name} defaults" for name, symbol in re.findall(pattern, text)}

"""Results of CP2K: its output file, with the trajectory of a relaxation beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.elements import element_number
from augment.errors import DataError
from defectgen.calculations.codes.qe import BOHR_PER_ANGSTROM, EV_PER_RYDBERG
from defectgen.calculations.results.calculation import Calculation, first_group, unfinished
from md.labels.calculated import TheoryLevel

_HARTREE = 2 * EV_PER_RYDBERG
_GPA_PER_EV = 160.21766208
_NUMBER = r"(-?\d+\.\d+(?:E[+-]\d+)?)"


def cp2k_result(path: Path) -> Calculation:
    """The last geometry of an output of CP2K.

    Raises:
        UnconvergedError: the run, its electrons or its atoms did not come to an end.
        DataError: it cannot be read, or the trajectory of a relaxation is missing.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    relaxing = "GEO_OPT" in first_group(r"GLOBAL\| Run type\s+(\S+)", text)
    _check_end(path, text, relaxing=relaxing)
    energies = re.findall(rf"ENERGY\| Total FORCE_EVAL.*?:\s+{_NUMBER}", text)
    if not energies:
        raise DataError(f"{path}: no energy in it")
    numbers, positions, files = _geometry(path, text, relaxing=relaxing)
    cutoff = first_group(r"(?:QS\||PW_GRID\|).*?[Cc]utoff \[a\.u\.\]\s+([\d.]+)", text, "0")
    return Calculation(
        files,
        _lattice(path, text),
        numbers,
        positions,
        float(energies[-1]) * _HARTREE,
        TheoryLevel("cp2k", _functional(text), float(cutoff) * _HARTREE),
        forces=_forces(text, len(numbers)),
        stress=_stress(text),
        charge=int(first_group(r"DFT\| Charge\s+(-?\d+)", text, "0")),
        version=first_group(r"CP2K version (\S+)", text),
        setups=_setups(text),
        relaxed=relaxing,
    )


def _functional(text: str) -> str:
    name = first_group(r"FUNCTIONAL\| ([A-Za-z0-9_]+):", text, "unknown")
    return {"PADE": "LDA"}.get(name, name)


def _check_end(path: Path, text: str, *, relaxing: bool) -> None:
    if "PROGRAM ENDED AT" not in text:
        raise unfinished(path, "ends in the middle: the run was killed, failed or still runs")
    runs = re.findall(r"SCF run (NOT )?converged", text)
    if not runs or runs[-1]:
        raise unfinished(path, "the electrons did not converge")
    if relaxing and "GEOMETRY OPTIMIZATION COMPLETED" not in text:
        raise unfinished(path, "the relaxation did not converge")


def _lattice(path: Path, text: str) -> FloatArray:
    """The last cell (3, 3), Å."""
    rows = re.findall(rf"CELL\| Vector ([abc]) \[angstrom\]:\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}", text)
    latest = {axis: [float(x) for x in values] for axis, *values in rows}
    if set(latest) != set("abc"):
        raise DataError(f"{path}: no cell in it; print it with PRINT_LEVEL MEDIUM")
    return np.array([latest[axis] for axis in "abc"])


def _geometry(path: Path, text: str, *, relaxing: bool) -> tuple[IntArray, FloatArray, tuple[Path, ...]]:
    """Atomic numbers and positions: of the trajectory of a relaxation, else those printed at the start."""
    if relaxing:
        from ase.io import read

        trajectories = sorted(path.parent.glob("*-pos-1.xyz"))
        if len(trajectories) != 1:
            raise DataError(f"{path.parent}: {len(trajectories)} files *-pos-1.xyz; a relaxation needs its trajectory")
        atoms: Any = read(str(trajectories[0]), index=-1, format="xyz")
        return np.array(atoms.numbers, dtype=np.int64), np.array(atoms.positions), (path, trajectories[0])
    block = text.rpartition("ATOMIC COORDINATES IN")[2]
    unit = 1 / BOHR_PER_ANGSTROM if re.match(r"\s+bohr", block, re.IGNORECASE) else 1.0
    rows = re.findall(
        rf"^\s+\d+\s+\d+\s+([A-Z][a-z]?)\s+(\d+)\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}", block, re.MULTILINE
    )
    if not rows:
        raise DataError(f"{path}: no atoms in it; print them with PRINT_LEVEL MEDIUM")
    positions = np.array([[float(x) for x in row[2:]] for row in rows]) * unit
    return np.array([int(row[1]) for row in rows], dtype=np.int64), positions, (path,)


def _forces(text: str, count: int) -> FloatArray | None:
    """Forces of the last geometry, eV/Å."""
    block = text.rpartition("ATOMIC FORCES in [a.u.]")[2].partition("SUM OF ATOMIC FORCES")[0]
    rows = re.findall(rf"^\s+\d+\s+\d+\s+[A-Z][a-z]?\S*\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}", block, re.MULTILINE)
    if len(rows) != count:
        return None
    return np.array([[float(x) for x in row] for row in rows]) * _HARTREE * BOHR_PER_ANGSTROM


def _stress(text: str) -> FloatArray | None:
    """Stress of the last geometry, eV/Å³; CP2K prints the pressure tensor in GPa."""
    block = text.rpartition("Analytical stress tensor [GPa]")[2]
    rows = re.findall(rf"STRESS\|\s+[xyz]\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}", block)[:3]
    if len(rows) < 3:  # noqa: PLR2004  a tensor
        return None
    tensor = -np.array([[float(x) for x in row] for row in rows]) / _GPA_PER_EV
    return np.array([tensor[0, 0], tensor[1, 1], tensor[2, 2], tensor[1, 2], tensor[0, 2], tensor[0, 1]])


def _setups(text: str) -> dict[str, str]:
    """Basis and pseudopotential of each element."""
    kinds = re.split(r"Atomic kind:\s+", text)[1:]
    found = {}
    for kind in kinds:
        symbol = re.match(r"[A-Z][a-z]?", kind)
        basis = first_group(r"Orbital Basis Set\s+(\S+)", kind)
        potential = first_group(r"Potential information for\s+(\S+)", kind)
        if symbol and element_number(symbol.group()) and basis:
            found[symbol.group()] = f"{basis} {potential}".strip()
    return found

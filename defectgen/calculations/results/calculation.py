"""What a finished calculation says, whichever code made it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import DataError, UnconvergedError
from defectgen.dataset.extxyz import six_components
from md.labels.calculated import TheoryLevel


@dataclass(frozen=True, eq=False)
class Calculation:
    """A finished calculation, its atoms in the order and axes of its files.

    Attributes:
        files: what was read.
        lattice: (3, 3) vectors as rows, Å.
        numbers: (n,) atomic numbers.
        positions: (n, 3) Å.
        energy: eV; the free energy where occupations are smeared.
        level: of theory.
        forces: (n, 3) eV/Å, or None.
        stress: (6,) Voigt, eV/Å³, ASE sign, or None.
        moments: (n,) μB, or None.
        charge: e; None where the files do not say it.
        version: of the code.
        setups: pseudopotential or basis by element, with its +U.
        relaxed: whether the atoms were relaxed.
        band_edges: highest occupied and lowest empty level, eV, in the code's own zero; None where there is no gap or
            the files do not say it.
        potentials: (n,) electrostatic potential at the nuclei, V, of a positive charge; None where it is not said.
    """

    files: tuple[Path, ...]
    lattice: FloatArray
    numbers: IntArray
    positions: FloatArray
    energy: float
    level: TheoryLevel
    forces: FloatArray | None = None
    stress: FloatArray | None = None
    moments: FloatArray | None = None
    charge: int | None = None
    version: str = ""
    setups: Mapping[str, str] = field(default_factory=dict)
    relaxed: bool = False
    band_edges: tuple[float, float] | None = None
    potentials: FloatArray | None = None


def calculation_of_atoms(atoms: Any, files: tuple[Path, ...], level: TheoryLevel, **known: Any) -> Calculation:
    """A calculation from ASE Atoms whose calculator holds the labels.

    Raises:
        DataError: there is no energy, or the structure is not periodic.
    """
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    energy = results.get("free_energy", results.get("energy"))
    if energy is None:
        raise DataError(f"{files[0]}: no energy in it")
    if not abs(np.linalg.det(np.array(atoms.cell))) > 0:
        raise DataError(f"{files[0]}: not periodic in three directions")
    moments, charge = results.get("magmoms"), known.pop("charge", None)
    edges = known.pop("band_edges", None) or _edges_of_levels(atoms.calc)
    return Calculation(
        files,
        np.array(atoms.cell, dtype=float),
        np.array(atoms.numbers, dtype=np.int64),
        np.array(atoms.positions, dtype=float),
        float(energy),
        level,
        forces=_array(results.get("forces")),
        stress=six_components(results["stress"]) if results.get("stress") is not None else None,
        moments=None if moments is None or np.shape(moments) != (len(atoms),) else _array(moments),
        charge=None if charge is None else whole_charge(charge, files[0]),
        band_edges=edges,
        **known,
    )


def _edges_of_levels(calculator: Any) -> tuple[float, float] | None:
    """The levels around the Fermi level, eV, of all k-points and spins, where the files have both."""
    fermi, points = getattr(calculator, "eFermi", None), getattr(calculator, "kpts", None)
    if fermi is None or not points:
        return None
    levels = np.concatenate([np.ravel(point.eps_n) for point in points]).astype(float)
    below, above = levels[levels <= fermi], levels[levels > fermi]
    return gap_between(float(below.max()), float(above.min())) if len(below) and len(above) else None


def _array(values: Any) -> FloatArray | None:
    return None if values is None else np.array(values, dtype=float)


def whole_charge(charge: float, where: Path) -> int:
    """A charge, e, as a whole number.

    Raises:
        DataError: it is none.
    """
    if abs(charge - round(charge)) > 1e-3:  # noqa: PLR2004  e; rounding of a code's output
        raise DataError(f"{where}: a charge of {charge:g} e; only whole ones are those of a defect")
    return round(charge)


def levels_around_gap(pattern: str, text: str) -> tuple[float, float] | None:
    """The last two levels, eV, that a pattern of two groups matches in a text; None where there is no gap between."""
    found = re.findall(pattern, text, re.MULTILINE)
    return gap_between(*map(float, found[-1])) if found else None


def gap_between(occupied: float, empty: float) -> tuple[float, float] | None:
    """The two edges, eV; None where they are no gap."""
    return (occupied, empty) if np.isfinite([occupied, empty]).all() and empty > occupied else None


def first_group(pattern: str, text: str, default: str = "") -> str:
    """What the first group of a pattern matches in a text; the last match counts nothing."""
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else default


def unfinished(where: Path, why: str) -> UnconvergedError:
    """The error of a calculation that has no label to give."""
    return UnconvergedError(f"{where}: {why}")

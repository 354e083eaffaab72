"""Labelled structures of extended XYZ files, of whatever code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from augment.errors import DefectgenError
from defectgen.calculations.results.calculation import Calculation, calculation_of_atoms
from md.labels.calculated import TheoryLevel


def xyz_results(path: Path) -> Iterator[Calculation | str]:
    """Each structure of a file as a calculation, or why it is none.

    `code`, `functional`, `cutoff` (eV) and `charge` (e) of the comment line say how it was calculated; what is not
    said is `unknown`, and the charge is then 0.

    Raises:
        DataError: the file cannot be read.
    """
    from ase.io import iread

    from augment.errors import DataError

    try:
        structures = list(iread(str(path), index=":", format="extxyz"))
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as extended XYZ ({error})") from None
    for atoms in structures:
        info = atoms.info
        cutoff = info.get("cutoff")
        level = TheoryLevel(
            str(info.get("code", "unknown")),
            str(info.get("functional", "unknown")),
            None if cutoff is None else float(cutoff),
        )
        charge = info.get("charge", info.get("total_charge", 0))
        try:
            yield calculation_of_atoms(
                atoms, (path,), level, charge=float(charge), version=str(info.get("version", ""))
            )
        except (DefectgenError, ValueError) as error:
            yield str(error).removeprefix(f"{path}: ")

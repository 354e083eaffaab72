"""VASP: INCAR, KPOINTS and POSCAR by pymatgen's sets; POTCARs are named, never written."""

from __future__ import annotations

import bz2
import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from augment.cell import DefectCell
from defectgen.calculations.settings import SMEARING, CalculationSettings

_SETS = {"PBE": "MPRelaxSet", "PBEsol": "MPRelaxSet", "r2SCAN": "MPScanRelaxSet", "HSE06": "MPHSERelaxSet"}

ELECTRONIC_TOLERANCE = 1e-5
"""eV; of the electronic loop: that of the sets grows with the cell, which is too coarse for forces of 0.02 eV/Å."""

MAX_IONIC_STEPS = 150


def vasp_inputs(cell: DefectCell, settings: CalculationSettings) -> dict[str, str]:
    """INCAR, KPOINTS (where the set has one), POSCAR and POTCAR.txt of a cell, by file name."""
    made = _input_set(cell, settings)
    incar, symbols, functional = made.incar, list(made.potcar_symbols), str(made.potcar_functional)
    electrons = _valence_electrons(made.poscar, symbols, functional)
    notes = [f"# POTCAR: concatenate {functional} files of these names in this order; nothing of them is copied here."]
    if cell.charge and electrons is None:
        notes.append(f"# NELECT is not written: set it to the sum of ZVAL over the atoms minus {cell.charge:+d}.")
    elif cell.charge and electrons is not None:
        incar["NELECT"] = electrons - cell.charge
        notes.append(
            f"# NELECT = {electrons:g} - ({cell.charge:+d}), by ZVAL of these files in pymatgen's table; check it "
            "against your POTCAR."
        )
    files = {"INCAR": _without_padding(str(incar)), "POSCAR": _without_padding(made.poscar.get_str())}
    if made.kpoints is not None:
        files["KPOINTS"] = _without_padding(str(made.kpoints))
    files["POTCAR.txt"] = "\n".join([*notes, *symbols]) + "\n"
    return files


def vasp_assumptions(settings: CalculationSettings) -> list[str]:
    """What is taken for granted, a line each."""
    chosen = _SETS[settings.functional]
    return [
        f"pymatgen's {chosen} with ISIF 2, ISMEAR 0, SIGMA {SMEARING}, ISYM 0, EDIFF {ELECTRONIC_TOLERANCE:g}.",
        "LVHAR = True: the electrostatic potential, for finite-size corrections; +U, ENCUT and MAGMOM are the set's.",
        "POTCAR.txt names the POTCAR files of the set; make POTCAR of yours in that order.",
        "NELECT of charged cells is the number of valence electrons of these POTCARs minus the charge.",
    ]


def _input_set(cell: DefectCell, settings: CalculationSettings) -> Any:
    from pymatgen.io.vasp import sets

    structure = cell.to_pymatgen().get_sorted_structure()
    structure.unset_charge()
    structure.remove_site_property("site_index")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of POTCARs that are not configured, which are not needed
        made: Any = getattr(sets, _SETS[settings.functional])(
            structure, user_incar_settings=_changes(settings), user_kpoints_settings=_kpoints(cell, settings)
        )
    return made


def _changes(settings: CalculationSettings) -> dict[str, Any]:
    steps = MAX_IONIC_STEPS if settings.relax else 0
    changes: dict[str, Any] = {
        "ISIF": 2,
        "IBRION": 2 if settings.relax else -1,
        "NSW": steps,
        "EDIFF": ELECTRONIC_TOLERANCE,
        "EDIFFG": -settings.max_force,
        "ISMEAR": 0,
        "SIGMA": SMEARING,
        "ISYM": 0,
        "LVHAR": True,
        "LVTOT": None,
        "LELF": None,
    }
    if settings.functional == "PBEsol":
        changes["GGA"] = "PS"
    if settings.cutoff is not None:
        changes["ENCUT"] = settings.cutoff
    if settings.spin == "never":
        changes |= {"ISPIN": 1, "MAGMOM": None}
    if settings.functional == "HSE06":
        changes["ICHARG"] = None  # it would read a charge density that is not there
    if settings.kpoint_spacing is not None and settings.functional == "r2SCAN":
        changes["KSPACING"] = settings.kpoint_spacing
    return changes


def _kpoints(cell: DefectCell, settings: CalculationSettings) -> Any:
    from pymatgen.io.vasp.inputs import Kpoints

    if settings.kpoint_spacing is None or settings.functional == "r2SCAN":
        return {}
    return Kpoints.gamma_automatic(settings.mesh(cell.cell))


def _valence_electrons(poscar: Any, symbols: list[str], functional: str) -> float | None:
    """Valence electrons of the neutral cell; None where the number of a POTCAR is not known for certain."""
    table = _zvals().get(functional, {})
    values = [table.get(symbol) for symbol in symbols]
    known = [value for value in values if value is not None]
    if len(known) != len(values):
        return None
    return float(sum(count * value for count, value in zip(poscar.natoms, known, strict=True)))


@cache
def _zvals() -> dict[str, dict[str, float | None]]:
    """ZVAL by functional and POTCAR symbol, of the table in pymatgen; None where versions of a file differ in it."""
    import pymatgen.io.vasp as package

    with bz2.open(Path(package.__path__[0]) / "potcar-summary-stats.json.bz2") as stream:
        table = json.load(stream)
    found: dict[str, dict[str, float | None]] = {}
    for functional, files in table.items():
        by_symbol: dict[str, set[float]] = {}
        for entry in (entry for entries in files.values() for entry in entries):
            by_symbol.setdefault(str(entry["symbol"]), set()).add(float(entry["ZVAL"]))
        found[functional] = {s: next(iter(v)) if len(v) == 1 else None for s, v in by_symbol.items()}
    return found


def _without_padding(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"

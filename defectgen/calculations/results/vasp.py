"""Results of VASP: vasprun.xml by pymatgen, or OUTCAR by ASE."""

from __future__ import annotations

import gzip
import re
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from augment.errors import DataError
from defectgen.calculations.results.calculation import (
    Calculation,
    calculation_of_atoms,
    first_group,
    unfinished,
    whole_charge,
)
from md.labels.calculated import TheoryLevel

_KBAR_PER_EV = 1602.1766208
"""kbar in 1 eV/Å³."""

_SIX_OF_VASP = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def vasprun_result(path: Path) -> Calculation:
    """The last geometry of a vasprun.xml.

    Raises:
        UnconvergedError: the run, its electrons or its atoms did not come to an end.
        DataError: it cannot be read.
    """
    from pymatgen.io.vasp import Vasprun

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run: Any = Vasprun(str(path), parse_dos=False, parse_eigen=False, parse_potcar_file=False)
            valence = _valences(path)
    except ElementTree.ParseError as error:
        raise unfinished(path, f"ends in the middle ({error}): the run was killed or still runs") from None
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as vasprun.xml ({error!r})") from None
    if not run.converged_electronic:
        raise unfinished(path, "the electrons did not converge")
    if not run.converged_ionic:
        raise unfinished(path, "the relaxation did not converge")
    last = run.ionic_steps[-1]
    structure = run.final_structure
    forces = np.array(last["forces"], dtype=float) if "forces" in last else None
    stress = np.array(last["stress"], dtype=float) / -_KBAR_PER_EV if "stress" in last else None
    return Calculation(
        (path,),
        np.array(structure.lattice.matrix),
        np.array(structure.atomic_numbers, dtype=np.int64),
        np.array(structure.cart_coords),
        float(last["e_fr_energy"]),
        TheoryLevel("vasp", _functional(run), float(run.parameters["ENMAX"])),
        forces=forces,
        stress=None if stress is None else np.array([stress[index] for index in _SIX_OF_VASP]),
        charge=_charge(path, run.parameters.get("NELECT"), valence),
        version=str(run.vasp_version),
        setups=_setups(run),
        relaxed=int(run.parameters.get("NSW", 0)) > 0 and int(run.parameters.get("IBRION", -1)) > 0,
    )


def _functional(run: Any) -> str:
    """Functional as pymatgen names the type of run, the +U left to the setups."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = str(run.run_type)
    return {"GGA": "PBE", "PBESOL": "PBEsol", "R2SCAN": "r2SCAN"}.get(name.removesuffix("+U"), name.removesuffix("+U"))


def _setups(run: Any) -> dict[str, str]:
    titles = {symbol.split()[1].partition("_")[0]: symbol for symbol in run.potcar_symbols}
    hubbard = dict(run.hubbards) if run.is_hubbard else {}
    return {element: f"{title} U={hubbard[element]:g}" if hubbard.get(element) else title for element, title in titles.items()}


def _valences(path: Path) -> float:
    """Valence electrons of the neutral cell, by the table of atom types."""
    opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    with opened as stream:
        for _, element in ElementTree.iterparse(stream):  # noqa: S314  as pymatgen reads it
            if element.tag == "array" and element.get("name") == "atomtypes":
                rows = [[c.text or "" for c in row] for row in element.iterfind("set/rc")]
                return sum(int(row[0]) * float(row[3]) for row in rows)
    raise DataError(f"{path}: no table of atom types")


def _charge(path: Path, electrons: Any, valence: float) -> int | None:
    """Charge of the cell, e: what its electrons lack of the valence of its atoms."""
    return None if electrons is None else whole_charge(valence - float(electrons), path)


def outcar_result(path: Path) -> Calculation:
    """The last geometry of an OUTCAR.

    Raises:
        UnconvergedError: the run, its electrons or its atoms did not come to an end.
        DataError: it cannot be read.
    """
    from ase.io import read

    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8", errors="replace")
    with opened as stream:
        text = stream.read()
    if "General timing and accounting" not in text:
        raise unfinished(path, "ends in the middle: the run was killed or still runs")
    steps = int(first_group(r"NSW\s*=\s*(-?\d+)", text, "0"))
    last = text.rpartition("Iteration")[2]
    if "aborting loop because EDIFF is reached" not in text[text.rfind("- Iteration", 0, text.rfind("TOTEN")) :]:
        raise unfinished(path, f"the electrons did not converge (iteration {first_group(r'([(0-9 )]+)', last)})")
    relaxing = steps > 0 and int(first_group(r"IBRION\s*=\s*(-?\d+)", text, "-1")) > 0
    if relaxing and "reached required accuracy - stopping structural" not in text:
        raise unfinished(path, "the relaxation did not converge")
    try:
        atoms: Any = read(str(path), index=-1, format="vasp-out")
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as OUTCAR ({error!r})") from None
    electrons, valence = first_group(r"NELECT\s*=\s*([\d.]+)", text), _outcar_valence(text)
    return calculation_of_atoms(
        atoms,
        (path,),
        TheoryLevel("vasp", _outcar_functional(text), float(first_group(r"ENCUT\s*=\s*([\d.]+)", text, "0"))),
        charge=valence - float(electrons) if electrons and valence else None,
        version=first_group(r"vasp\.(\S+)", text),
        setups={title.split()[1].partition("_")[0]: title.strip() for title in re.findall(r"TITEL\s*=\s*(.+)", text)},
        relaxed=relaxing,
    )


def _outcar_valence(text: str) -> float:
    """Valence electrons of the neutral cell; 0 where the file does not say them."""
    counts = [int(n) for n in first_group(r"ions per type\s*=\s*([\d ]+)", text).split()]
    zvals = [float(z) for z in re.findall(r"POMASS\s*=.*ZVAL\s*=\s*([\d.]+)", text)]
    return float(np.dot(counts, zvals[: len(counts)])) if counts and len(zvals) >= len(counts) else 0.0


def _outcar_functional(text: str) -> str:
    meta, hybrid = first_group(r"METAGGA\s*=\s*(\S+)", text, "--"), first_group(r"LHFCALC\s*=\s*(\S)", text, "F")
    if meta not in {"--", "F"}:
        return {"R2SCA": "r2SCAN", "R2SCAN": "r2SCAN"}.get(meta.upper(), meta)
    if hybrid == "T":
        return "HSE06"
    gga = first_group(r"GGA\s*=\s*(\S+)", text, "--")
    known = {"PE": "PBE", "PS": "PBEsol", "91": "PW91", "CA": "LDA", "--": first_group(r"LEXCH\s*=\s*(\S+)", text)}
    name = known.get(gga, gga)
    return {"8": "PBE", "2": "LDA", "PE": "PBE", "CA": "LDA"}.get(name, name)

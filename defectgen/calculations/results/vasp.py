"""Results of VASP: vasprun.xml by pymatgen, or OUTCAR by ASE."""

from __future__ import annotations

import gzip
import io
import re
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError
from defectgen.calculations.results.calculation import (
    Calculation,
    calculation_of_atoms,
    first_group,
    gap_between,
    unfinished,
    whole_charge,
)
from md.labels.calculated import TheoryLevel

_KBAR_PER_EV = 1602.1766208
"""kbar in 1 eV/Å³."""

_SIX_OF_VASP = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


_GGA = {"PE": "PBE", "PS": "PBEsol", "91": "PW91", "CA": "LDA", "RP": "RPBE"}
"""Tags of INCAR, by what they are called."""


def vasprun_result(path: Path) -> Calculation:
    """The last geometry of a vasprun.xml.

    Raises:
        UnconvergedError: the run, its electrons or its atoms did not come to an end.
        DataError: it cannot be read.
    """
    from pymatgen.io.vasp import Vasprun

    if b"</modeling>" not in _content(path)[-200:]:
        raise unfinished(path, "ends in the middle: the run was killed or still runs")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run: Any = Vasprun(str(path), parse_dos=False, parse_eigen=True, parse_potcar_file=False)
            valence = _valences(path)
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
        band_edges=_band_edges(run),
        potentials=_potentials_beside(path, len(structure)),
    )


def _band_edges(run: Any) -> tuple[float, float] | None:
    """Highest occupied and lowest empty level of all k-points and spins, eV."""
    if not getattr(run, "eigenvalues", None):
        return None
    _, empty, occupied, _ = run.eigenvalue_band_properties
    return gap_between(float(occupied), float(empty))


def _potentials_beside(path: Path, atoms: int) -> FloatArray | None:
    """Potentials of the OUTCAR beside a vasprun.xml."""
    outcars = [path.with_name(name) for name in ("OUTCAR", "OUTCAR.gz") if path.with_name(name).is_file()]
    return _potentials(_content(outcars[0]).decode("utf-8", errors="replace"), atoms) if outcars else None


def _potentials(text: str, atoms: int) -> FloatArray | None:
    """The last potentials at the nuclei (n,), V, of a positive charge; VASP writes those of an electron.

    None where there are not as many as atoms.
    """
    values: list[str] = []
    for line in text.rpartition("average (electrostatic) potential at core")[2].splitlines():
        found = re.findall(r"\d+\s*(-?\d+\.\d{4})", line) if re.match(r"\s*\d+\s*-?\d+\.\d{4}", line) else []
        if values and not found:
            break
        values += found
    return -np.array(values, dtype=float) if len(values) == atoms else None


def _content(path: Path) -> bytes:
    """The bytes of a file, which may be compressed."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _functional(run: Any) -> str:
    """Functional by the type of run that pymatgen names; where GGA is not set it is that of the POTCARs."""
    if run.incar.get("METAGGA") in {None, "", "--", "None"} and not run.parameters.get("LHFCALC"):
        gga = str(run.parameters.get("GGA", run.incar.get("GGA", "--"))).strip().upper()
        return _GGA.get(gga, gga) if gga not in {"", "--", "NONE"} else _of_potcar(list(run.potcar_symbols))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = str(run.run_type).removesuffix("+U")
    return {"R2SCAN": "r2SCAN"}.get(name, name)


def _of_potcar(titles: list[str]) -> str:
    """Functional that POTCARs were made for, by their titles; VASP takes it where INCAR names none."""
    kinds = {title.split()[0] for title in titles}
    names = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA", "US": "LDA"}
    return names.get(next(iter(kinds)), "unknown") if len(kinds) == 1 else "unknown"


def _setups(run: Any) -> dict[str, str]:
    titles = {symbol.split()[1].partition("_")[0]: symbol for symbol in run.potcar_symbols}
    hubbard = dict(run.hubbards) if run.is_hubbard else {}
    return {e: f"{title} U={hubbard[e]:g}" if hubbard.get(e) else title for e, title in titles.items()}


def _valences(path: Path) -> float:
    """Valence electrons of the neutral cell, by the table of atom types."""
    for _, element in ET.iterparse(io.BytesIO(_content(path))):  # noqa: S314  as pymatgen reads it
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

    text = _content(path).decode("utf-8", errors="replace")
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
        setups={title.split()[1].partition("_")[0]: title for title in _outcar_titles(text)},
        relaxed=relaxing,
        potentials=_potentials(text, len(atoms)),
    )


def _outcar_valence(text: str) -> float:
    """Valence electrons of the neutral cell; 0 where the file does not say them."""
    counts = [int(n) for n in first_group(r"ions per type\s*=\s*([\d ]+)", text).split()]
    zvals = [float(z) for z in re.findall(r"\d+\.\d+", first_group(r"^\s*ZVAL\s*=\s*([\d. ]+)$", text))]
    return float(np.dot(counts, zvals)) if counts and len(zvals) == len(counts) else 0.0


def _outcar_titles(text: str) -> list[str]:
    """Titles of the POTCARs, in their order."""
    found = re.findall(r"TITEL\s*=\s*(.+)", text) or re.findall(r"^\s*POTCAR:\s+(.+)", text, re.MULTILINE)
    return list(dict.fromkeys(title.strip() for title in found))


def _outcar_functional(text: str) -> str:
    meta, hybrid = first_group(r"METAGGA\s*=\s*(\S+)", text, "--"), first_group(r"LHFCALC\s*=\s*(\S)", text, "F")
    if meta not in {"--", "F", "NONE"}:
        return {"R2SCA": "r2SCAN", "R2SCAN": "r2SCAN"}.get(meta.upper(), meta)
    if hybrid == "T":
        return "HSE06"
    gga = first_group(r"^\s+GGA\s*=\s*(\S+)", text, "--").upper()
    return _GGA.get(gga, gga) if gga != "--" else _of_potcar(_outcar_titles(text))

"""Quantum ESPRESSO: the input of pw.x by ASE, with the pseudopotentials that the user has."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.elements import elements_of
from augment.errors import ConditionError
from defectgen.calculations.settings import SMEARING, CalculationSettings
from defectgen.calculations.spin import WEAK_MOMENT, is_polarised, starting_moments

EV_PER_RYDBERG = 13.605693122994
BOHR_PER_ANGSTROM = 1.8897261246257702

DENSITY_CUTOFF_RATIO = 8
"""ecutrho over ecutwfc, for ultrasoft and PAW pseudopotentials; norm-conserving ones need 4."""

PW_INPUT = "pw.in"

_EMPTY = re.compile(r"^&(CELL|FCP|RISM|IONS)\n/\n", re.MULTILINE)
"""Namelists without a line, which older versions of pw.x do not know."""


def qe_inputs(cell: DefectCell, settings: CalculationSettings) -> dict[str, str]:
    """The input of pw.x.

    Raises:
        ConditionError: the folder of pseudopotentials has none, or several, of an element.
    """
    from ase.io.espresso import write_espresso_in

    stream = io.StringIO()
    names = {symbol: pseudopotential(symbol, settings) for symbol in sorted(elements_of(cell.numbers.tolist()))}
    polarised, atoms = is_polarised(cell, settings), cell.to_ase()
    if polarised:  # ASE writes them as starting_magnetization of each species, a fraction of its valence
        atoms.set_initial_magnetic_moments(np.where(starting_moments(cell) > WEAK_MOMENT, 0.5, 0.1))
    write_espresso_in(
        stream,
        atoms,
        input_data=_namelists(cell, settings, polarised=polarised),
        pseudopotentials=names,
        kpts=settings.mesh(cell.cell),
        format="espresso-in",
    )
    return {PW_INPUT: _EMPTY.sub("", stream.getvalue())}


def qe_assumptions(settings: CalculationSettings) -> list[str]:
    """What is taken for granted, a line each."""
    where = f"of {settings.data_folder}" if settings.data_folder else "of `pseudo` in this folder, ELEMENT.UPF or named"
    return [
        f"pw.x reads pseudopotentials ({where}); they decide the functional, which has to be {settings.functional}.",
        f"ecutwfc {settings.cutoff_energy / EV_PER_RYDBERG:.4g} Ry, ecutrho {DENSITY_CUTOFF_RATIO} times that.",
        f"Gaussian smearing of {SMEARING} eV; a Gamma-centred mesh; no symmetry is used (nosym).",
        "Charged cells have tot_charge set; QE adds the compensating background itself.",
    ]


def pseudopotential(symbol: str, settings: CalculationSettings) -> str:
    """File name of the pseudopotential of an element: as named, the one in the folder, or ELEMENT.UPF.

    Raises:
        ConditionError: the folder has none, or several.
    """
    if symbol in settings.pseudopotentials:
        return settings.pseudopotentials[symbol]
    if settings.data_folder is None:
        return f"{symbol}.UPF"
    pattern = re.compile(rf"{symbol}(?![a-z]).*\.upf", re.IGNORECASE)
    found = sorted(p.name for p in settings.data_folder.glob("*") if pattern.fullmatch(p.name) and p.name[:1].isupper())
    found = [name for name in found if name.startswith(symbol)]
    if len(found) != 1:
        what = f"several pseudopotentials of {symbol} ({', '.join(found[:5])})" if found else f"no file {symbol}*.UPF"
        raise ConditionError(f"{settings.data_folder}: {what}; name one with --pseudopotential {symbol}=FILE")
    return found[0]


def _namelists(cell: DefectCell, settings: CalculationSettings, *, polarised: bool) -> dict[str, Any]:
    """The namelists of pw.x."""
    cutoff = settings.cutoff_energy / EV_PER_RYDBERG
    folder = settings.data_folder.resolve() if settings.data_folder else Path("../pseudo")
    system: dict[str, Any] = {
        "ecutwfc": round(cutoff, 4),
        "ecutrho": round(DENSITY_CUTOFF_RATIO * cutoff, 4),
        "occupations": "smearing",
        "smearing": "gaussian",
        "degauss": round(SMEARING / EV_PER_RYDBERG, 8),
        "tot_charge": float(cell.charge),
        "nosym": True,
    }
    if polarised:
        system["nspin"] = 2
    return {
        "control": {
            "calculation": "relax" if settings.relax else "scf",
            "prefix": "defect",
            "outdir": "./scratch",
            "pseudo_dir": str(folder),
            "tprnfor": True,
            "tstress": True,
            "forc_conv_thr": round(settings.max_force / EV_PER_RYDBERG / BOHR_PER_ANGSTROM, 8),
            "etot_conv_thr": 1e-5,
            "nstep": 150,
        },
        "system": system,
        "electrons": {"conv_thr": 1e-8, "electron_maxstep": 200, "mixing_beta": 0.4},
        "ions": {"ion_dynamics": "bfgs"},
    }

"""Density functional theory by GPAW in plane waves: the functional follows the colon in `gpaw:PBEsol`.

Two calculations of the same cell in a row start from the density and the waves of the first. The energy is the free
one of the smeared electrons, which the forces are the gradient of.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

DEFAULTS: dict[str, Any] = {
    "cutoff": 800.0,
    "kpts_density": 2.5,
    "gamma": True,
    "smearing": 0.05,
    "density_convergence": 1e-5,
    "max_iterations": 150,
    "spinpol": False,
}
"""Plane waves up to so many eV; k-points for each 1/Å, and whether Γ is one of them; width of the Fermi-Dirac smearing,
eV; change of the density at convergence, electrons per valence electron."""

SETUPS = "/usr/share/gpaw-setups"
"""Where Debian's gpaw-data has them."""


def gpaw_calculator(name: str, _weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The calculator of a functional.

    Settings: those of `DEFAULTS`; `setup_path` (folders of setups, by colons), and any other argument of GPAW.
    """
    chosen = {**DEFAULTS, **settings}
    folders = _folders(chosen.pop("setup_path", None))
    os.environ["GPAW_SETUP_PATH"] = os.pathsep.join(str(folder) for folder in folders)
    from gpaw import GPAW, PW, FermiDirac
    from gpaw.xc import XC

    functional = chosen.get("xc") or name.partition(":")[2] or "PBE"
    facts = {
        "libraries": ["gpaw", "ase"],
        "settings": {**chosen, "xc": functional},
        "files": setup_files(XC(functional).get_setup_name(), folders),
    }
    facts["elements"] = sorted(facts["files"])
    others = {key: value for key, value in chosen.items() if key not in {*DEFAULTS, "xc"}}
    calculator = GPAW(
        mode=PW(chosen["cutoff"]),
        xc=functional,
        kpts={"density": chosen["kpts_density"], "gamma": chosen["gamma"]},
        occupations=FermiDirac(chosen["smearing"]),
        convergence={"density": chosen["density_convergence"]},
        maxiter=chosen["max_iterations"],
        spinpol=chosen["spinpol"],
        txt=None,
        **others,
    )
    return calculator, facts


def _folders(given: str | None) -> list[Path]:
    """Folders of setups: those given, those of the environment, and Debian's."""
    texts = [*(given or "").split(os.pathsep), *os.environ.get("GPAW_SETUP_PATH", "").split(os.pathsep), SETUPS]
    return [Path(text) for text in dict.fromkeys(texts) if text and Path(text).is_dir()]


def setup_files(functional: str, folders: list[Path]) -> dict[str, str]:
    """The file with the setup of each element that has one, as GPAW looks for it: the first folder first."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted(folder.glob(f"*.{functional}*"), reverse=True):
            match = re.fullmatch(rf"([A-Z][a-z]?)\.{re.escape(functional)}(\.gz)?", path.name)
            if match:
                found.setdefault(match[1], str(path))
    return found

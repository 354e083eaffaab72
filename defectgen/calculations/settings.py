"""What is asked of a code for electronic structure, in one set of words for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from augment.cell import FloatArray
from augment.errors import ConditionError
from augment.storage.missing import did_you_mean

CodeName = Literal["vasp", "qe", "cp2k", "gpaw", "aims"]

CODES: tuple[CodeName, ...] = get_args(CodeName)

SpinChoice = Literal["auto", "always", "never"]

DEFAULT_CUTOFFS: dict[CodeName, float] = {"qe": 816.0, "cp2k": 8163.0, "gpaw": 500.0}
"""eV; 60 Ry of plane waves for QE, a grid of 600 Ry for CP2K, and what GPAW's setups are tested with. VASP has that of
pymatgen's set, and FHI-aims has basis sets of its own."""

DEFAULT_KPOINT_SPACING = 0.4
"""1/Å with the 2π; enough for insulators, metals need 0.2."""

DEFAULT_MAX_FORCE = 0.02
"""eV/Å at which a relaxation ends."""

SMEARING = 0.05
"""eV; width of the Gaussian occupation."""

FUNCTIONALS: dict[CodeName, tuple[str, ...]] = {
    "vasp": ("PBE", "PBEsol", "r2SCAN", "HSE06"),
    "qe": ("PBE", "PBEsol", "LDA"),
    "cp2k": ("PBE", "LDA"),
    "gpaw": ("PBE", "PBEsol", "LDA"),
    "aims": ("PBE", "PBEsol", "LDA", "HSE06"),
}
"""Those that are written for each code."""


@dataclass(frozen=True)
class CalculationSettings:
    """Settings of calculations, the same for all of a folder.

    Attributes:
        code: that runs them.
        functional: of the exchange and correlation.
        cutoff: of the plane waves (CP2K: of the grid), eV; None for the code's default.
        kpoint_spacing: largest distance of k-points, 1/Å with the 2π; None for 0.4, for VASP that of pymatgen's set.
        relax: relax the atoms in the fixed cell; else a single point.
        max_force: at which a relaxation ends, eV/Å.
        spin: whether electrons of both spins differ: where their number is odd or an element is magnetic (`auto`).
        pseudopotentials: file or name by element; of QE and CP2K.
        data_folder: pseudopotentials of QE (UPF files), or species defaults of FHI-aims.
    """

    code: CodeName
    functional: str = "PBE"
    cutoff: float | None = None
    kpoint_spacing: float | None = None
    relax: bool = True
    max_force: float = DEFAULT_MAX_FORCE
    spin: SpinChoice = "auto"
    pseudopotentials: Mapping[str, str] = field(default_factory=dict)
    data_folder: Path | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ConditionError(
                f"no code {self.code!r}; {did_you_mean(self.code, CODES)}the codes are {', '.join(CODES)}"
            )
        known = {name.lower(): name for name in FUNCTIONALS[self.code]}
        if self.functional.lower() not in known:
            raise ConditionError(
                f"functional {self.functional!r} is not written for {self.code}; there are {', '.join(known.values())}"
            )
        object.__setattr__(self, "functional", known[self.functional.lower()])
        if self.spin not in get_args(SpinChoice):
            raise ConditionError(f"spin {self.spin!r}; give {', '.join(get_args(SpinChoice))}")
        for name, value in (("cutoff", self.cutoff), ("k-point spacing", self.kpoint_spacing)):
            if value is not None and not 0 < value < np.inf:
                raise ConditionError(f"a {name} of {value:g}; give a positive number")
        if not 0 < self.max_force < np.inf:
            raise ConditionError(f"a force of {self.max_force:g} eV/Å at the end; give a positive one")

    @property
    def cutoff_energy(self) -> float:
        """Cutoff, eV, that is given or the code's default."""
        return self.cutoff if self.cutoff is not None else DEFAULT_CUTOFFS.get(self.code, 0.0)

    def mesh(self, cell: FloatArray) -> tuple[int, int, int]:
        """Divisions of a Gamma-centred mesh for a cell (3, 3), Å."""
        lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
        divisions = np.maximum(1, np.ceil(lengths / (self.kpoint_spacing or DEFAULT_KPOINT_SPACING) - 1e-9))
        return int(divisions[0]), int(divisions[1]), int(divisions[2])

    def to_json(self) -> dict[str, Any]:
        """JSON values, for the manifest."""
        return {
            "code": self.code,
            "functional": self.functional,
            "cutoff": self.cutoff,
            "kpoint_spacing": self.kpoint_spacing,
            "relax": self.relax,
            "max_force": self.max_force,
            "spin": self.spin,
            "pseudopotentials": dict(sorted(self.pseudopotentials.items())),
        }

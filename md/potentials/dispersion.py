"""Dispersion on top of any potential: D3(BJ) by dftd3, or D4 by dftd4, with the damping of the potential's functional.

D3: Grimme, Antony, Ehrlich and Krieg, J. Chem. Phys. 132, 154104 (2010); its damping: Grimme, Ehrlich and Goerigk,
J. Comput. Chem. 32, 1456 (2011). D4, whose coefficients follow the charges: Caldeweyher et al., J. Chem. Phys. 150,
154122 (2019); in periodic crystals: Phys. Chem. Chem. Phys. 22, 8499 (2020).
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from augment.cell import DefectCell
from augment.errors import PotentialError
from augment.versions import versions
from md.potentials.domain import Domain
from md.potentials.potential import Potential

__all__ = ["METHODS", "Dispersion", "DispersionPotential", "split_dispersion", "with_dispersion"]

METHODS = {"d3bj": "dftd3", "d4": "dftd4"}
"""The library of each method."""

_DAMPING = {"d3bj": ("d3", "bj"), "d4": ("d4", "bj-eeq-atm")}
"""Where the parameters of each are in the table of its library."""

_MAX_ATOMIC_NUMBER = {"d3bj": 94, "d4": 98}
"""The heaviest element that each has coefficients for."""

_SUFFIX = re.compile(r"(?P<name>.+)\+(?P<method>d3bj|d4)(?::(?P<functional>[\w-]+))?")


@dataclass(frozen=True)
class Dispersion:
    """A method with the damping parameters of one functional.

    Attributes:
        method: `d3bj` or `d4`.
        functional: as the library calls it, lower case.
    """

    method: str
    functional: str

    @cached_property
    def parameters(self) -> dict[str, float]:
        """The damping parameters, by the library.

        Raises:
            PotentialError: it is not installed, or has none for this functional.
        """
        library, (version, damping) = METHODS[self.method], _DAMPING[self.method]
        spec = find_spec(library)
        if spec is None or not spec.submodule_search_locations:
            raise PotentialError(f"{library} is not installed; run `pip install 'defectgen[dispersion]'`")
        # Its own reader of this file asks for a package that it does not require.
        table = tomllib.loads(
            (Path(spec.submodule_search_locations[0]) / "parameters.toml").read_text(encoding="utf-8")
        )
        try:
            entry = table["parameter"][self.functional][version][damping]
        except KeyError:
            raise PotentialError(
                f"{library} has no parameters of {self.method} for {self.functional!r}; name another functional, as in "
                f"{self.method}:pbe"
            ) from None
        values = {**table["default"]["parameter"][version][damping], **entry}
        return {key: float(value) for key, value in values.items() if isinstance(value, int | float)}

    @property
    def text(self) -> str:
        """All that labels depend on, for provenance."""
        library = METHODS[self.method]
        values = ", ".join(f"{key} {value:g}" for key, value in sorted(self.parameters.items()))
        return f"{self.method} for {self.functional} by {library} {versions(library)[library]} ({values})"

    @property
    def sha256(self) -> str:
        """Hash of method, parameters and version."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def calculator(self) -> Any:
        """ASE calculator of the dispersion alone."""
        if self.method == "d4":
            return import_module("dftd4.ase").DFTD4(method=self.functional)
        return import_module("dftd3.ase").DFTD3(method=self.functional, damping="d3bj")


@dataclass(frozen=True)
class DispersionPotential(Potential):
    """A potential with dispersion added to its labels.

    Attributes:
        base: without it.
        dispersion: what is added.
    """

    base: Potential | None = None
    dispersion: Dispersion | None = None

    @property
    def parts(self) -> tuple[Potential, Dispersion]:
        """Base and dispersion, which are always there."""
        if self.base is None or self.dispersion is None:
            raise PotentialError(f"{self.name}: no potential to add dispersion to")
        return self.base, self.dispersion

    @property
    def uses_torch(self) -> bool:
        """Whether its base does."""
        return self.parts[0].uses_torch

    @property
    def provenance(self) -> dict[str, str]:
        """Of its base, with the dispersion: its method, parameters and hash."""
        base, dispersion = self.parts
        own = {"potential": self.name, "potential_sha256": self.sha256}
        added = {"potential_dispersion": dispersion.text, "potential_dispersion_sha256": dispersion.sha256}
        return {**base.provenance, **own, **added}

    @property
    def functional(self) -> str | None:
        """Of its base."""
        return self.parts[0].functional

    @property
    def holds_dispersion(self) -> bool:
        """It does."""
        return True

    @property
    def domain(self) -> Domain | None:
        """Of its base."""
        return self.parts[0].domain

    def outside(self, cell: DefectCell) -> tuple[str, ...]:
        """As of its base."""
        return self.parts[0].outside(cell)

    def atomic_energies(self, symbols: Iterable[str]) -> dict[str, float] | None:
        """Of its base: a lone atom attracts nothing."""
        return self.parts[0].atomic_energies(symbols)

    def calculator(self) -> Any:
        """ASE calculator of both; that of the base is made anew too, which may have an earlier job to forget.

        Raises:
            PotentialError: as of the base, or the library is not installed.
        """
        self.parts[0].calculator()
        return super().calculator()

    def load(self) -> Any:
        """A fresh calculator of both.

        Raises:
            PotentialError: as of the base, or the library is not installed.
        """
        base, dispersion = self.parts
        _ = dispersion.parameters
        return DispersionCalculator(base.calculator(), dispersion.calculator())


class DispersionCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """The sum of a calculator and of dispersion."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, base: Any, dispersion: Any) -> None:
        super().__init__()
        self._base, self._dispersion = base, dispersion

    def reset(self) -> None:
        """Forget what both have found."""
        super().reset()
        self._base.reset()

    def evaluate_ahead(self, structures: Sequence[Any]) -> None:
        """As a calculator of another process does it; the others have no use for it."""
        ahead = getattr(self._base, "evaluate_ahead", None)
        if ahead is not None:
            ahead(structures)

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Energy, forces and stress of both together; the base is shared, so it takes everything as changed."""
        super().calculate(atoms, properties, system_changes)
        labels = ["energy", "forces", "stress"]
        self._base.calculate(atoms, labels, list(all_changes))
        self._dispersion.calculate(atoms, labels, list(all_changes))
        parts = [self._base.results, self._dispersion.results]
        energy = sum(float(part["energy"]) for part in parts)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": sum(np.asarray(part["forces"], dtype=float) for part in parts),
            "stress": sum(_voigt(part["stress"]) for part in parts),
        }


def _voigt(stress: Any) -> Any:
    """Stress as six components, whichever of its two shapes it has."""
    from ase.stress import full_3x3_to_voigt_6_stress

    array = np.asarray(stress, dtype=float)
    return full_3x3_to_voigt_6_stress(array) if array.shape == (3, 3) else array


def split_dispersion(name: str) -> tuple[str, str]:
    """The name of a potential and the dispersion behind it: `chgnet+d3bj` is (`chgnet`, `d3bj`); empty for none."""
    match = _SUFFIX.fullmatch(name)
    if match is None:
        return name, ""
    return match["name"], name[len(match["name"]) + 1 :]


def with_dispersion(potential: Potential, text: str) -> DispersionPotential:
    """A potential with dispersion on top.

    Args:
        potential: without it.
        text: `d3bj` or `d4`, or with the functional where the potential does not say its own, `d3bj:pbe`.

    Raises:
        PotentialError: the text is neither, the library is not installed, the potential holds dispersion already, its
            functional is not known or another one, or there are no parameters for it.
    """
    method, _, given = text.lower().partition(":")
    if method not in METHODS:
        raise PotentialError(f"dispersion {text!r}: write d3bj or d4, or with a functional d3bj:pbe")
    if potential.holds_dispersion:
        raise PotentialError(f"{potential.name}: what it learnt from holds dispersion, so none is added; leave it out")
    known = potential.functional
    if given and known and given != known:
        raise PotentialError(f"{potential.name} imitates {known}, and {text} is for {given}; write {method}:{known}")
    if not (given or known):
        raise PotentialError(
            f"{potential.name}: nobody says which functional it imitates, and the damping depends on it; name it, as "
            f"in {method}:pbe"
        )
    dispersion = Dispersion(method, given or known or "")
    both = json.dumps([potential.sha256, dispersion.sha256])
    return DispersionPotential(
        name=f"{potential.name}+{method}",
        kind="ase",
        elements=potential.elements & _covered(method),
        precision=potential.precision,
        sha256=hashlib.sha256(both.encode()).hexdigest(),
        source=f"{potential.source}; {dispersion.method} by {METHODS[method]}",
        base=potential,
        dispersion=dispersion,
    )


def _covered(method: str) -> frozenset[str]:
    from ase.data import chemical_symbols

    return frozenset(chemical_symbols[1 : _MAX_ATOMIC_NUMBER[method] + 1])

"""A physical self-test of any ASE calculator: what must hold for every potential, whatever its package or version.

Forces are minus the gradient of the energy, stress is its derivative by strain over the volume with ASE's sign, and
neither rotation nor translation of the whole crystal changes anything. Where the lattice constant of a crystal is
known under a potential, the pressure there is nearly zero: weights that a library reads wrongly do not pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from augment.cell import FloatArray
from augment.errors import DefectgenError, PotentialError
from md.labels.third_party import silent_evaluation

__all__ = ["KnownCrystal", "LawCheck", "self_test"]

_STEP, _STRAIN = 0.01, 0.002
"""Å and 1 of the finite differences: large enough for single precision, small enough for a parabola."""

_FORCE_LIMIT, _STRESS_LIMIT, _SHARE = 0.01, 0.2, 0.03
"""eV/Å and GPa, or so much of the largest where that is more: the noise of networks in single precision, 10 times."""

_ENERGY_LIMIT = 1e-3
"""eV an atom, of moved and turned crystals: grids of plane waves are felt by less than that."""

_DEFORMATION = np.array([[1.01, 0.02, -0.01], [0.015, 0.985, 0.02], [-0.02, 0.01, 0.975]])
_DIRECTION = np.array([0.6, -0.48, 0.64])
_STRAIN_DIRECTION = np.array([[0.5, 0.3, -0.2], [0.3, -0.4, 0.1], [-0.2, 0.1, 0.7]])
_RATTLE = 0.08

_CRYSTALS = (
    ("NaCl", "rocksalt", 5.6),
    ("MgO", "rocksalt", 4.21),
    ("Si", "diamond", 5.43),
    ("Cu", "fcc", 3.61),
    ("Al", "fcc", 4.05),
    ("GaAs", "zincblende", 5.65),
    ("Fe", "bcc", 2.87),
    ("C", "diamond", 3.57),
)
"""What it is tested on: the first that it covers."""


@dataclass(frozen=True)
class KnownCrystal:
    """A cubic crystal whose lattice constant under a potential is known.

    Attributes:
        formula: such as `NaCl`.
        structure: name that `ase.build.bulk` knows.
        constant: Å.
        max_pressure: GPa that may be left there.
        advice: what is likely wrong where more is left.
    """

    formula: str
    structure: str
    constant: float
    max_pressure: float = 1.0
    advice: str = ""


@dataclass(frozen=True)
class LawCheck:
    """One law, by how much it is broken, and how much it may be.

    Attributes:
        law: what is tested.
        deviation: in `unit`.
        limit: the most that passes.
        unit: of both.
        advice: what the deviation looks like; empty where nothing is known.
    """

    law: str
    deviation: float
    limit: float
    unit: str
    advice: str = ""

    @property
    def passed(self) -> bool:
        """A deviation that is not a number fails too."""
        return bool(self.deviation <= self.limit)

    @property
    def json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**asdict(self), "passed": self.passed}

    def __str__(self) -> str:
        verdict = "" if self.passed else f" where {self.limit:.2g} is allowed"
        return (
            f"{self.law}: off by {self.deviation:.2g} {self.unit}{verdict}{f' ({self.advice})' if self.advice else ''}"
        )


def self_test(
    calculator: Any, elements: Iterable[str], known: Iterable[KnownCrystal] = (), *, pulay: float = 0.0
) -> list[LawCheck]:
    """The laws, each with its deviation: what is wrong is for the caller to say.

    Args:
        calculator: ASE calculator with energy, forces and stress.
        elements: symbols that it covers.
        known: crystals with their lattice constants under it.
        pulay: GPa that the stress of an incomplete basis may differ from the derivative of its energy.

    Raises:
        PotentialError: it fails on every crystal that its elements allow.
    """
    atoms, labels = _test_crystal(calculator, frozenset(elements))
    checks = [_gradient(calculator, atoms, labels), _virial(calculator, atoms, labels, pulay)]
    checks += [_moved(calculator, atoms, labels), _turned(calculator, atoms, labels)]
    return [*checks, *(_pressure(calculator, crystal) for crystal in known)]


_Labels = tuple[float, FloatArray, FloatArray]


def _labels(calculator: Any, atoms: Any) -> _Labels:
    """Energy (eV), forces (n, 3) in eV/Å and stress (3, 3) in GPa, in the sign of ASE."""
    from ase.units import GPa

    copy = atoms.copy()
    copy.calc = calculator
    with silent_evaluation():
        energy, forces, stress = copy.get_potential_energy(), copy.get_forces(), copy.get_stress(voigt=False)
    return float(energy), np.array(forces, dtype=float), np.array(stress, dtype=float) / GPa


def _test_crystal(calculator: Any, elements: frozenset[str]) -> tuple[Any, _Labels]:
    """A crystal without symmetry that the calculator answers for, and the answer."""
    failures: list[str] = []
    for atoms in _crystals(elements):
        try:
            return atoms, _labels(calculator, atoms)
        except DefectgenError as error:
            failures.append(f"{atoms.get_chemical_formula()}: {error}")
        except Exception as error:  # noqa: BLE001  whatever it is, the calculator does not do this crystal
            failures.append(f"{atoms.get_chemical_formula()}: {type(error).__name__}: {error}")
    raise PotentialError(f"fails on every crystal that it could be tested on; {failures[0] if failures else 'none'}")


def _crystals(elements: frozenset[str]) -> Iterable[Any]:
    from ase import Atoms
    from ase.build import bulk

    covered = 0
    for formula, structure, constant in _CRYSTALS:
        if elements.issuperset(Atoms(formula).get_chemical_symbols()):
            covered += 1
            crystal = bulk(formula, structure, constant)
            # The force on an atom that is alone in its cell vanishes, whatever it is.
            yield _distorted(crystal if len(crystal) > 1 else crystal * (1, 1, 2))
    if not covered and elements:
        yield _distorted(_simple_cubic(min(elements)))


def _simple_cubic(symbol: str) -> Any:
    """Two atoms of an element that no test crystal has, at the distance of their covalent radii."""
    from ase.build import bulk
    from ase.data import atomic_numbers, covalent_radii

    bond = 2 * float(covalent_radii[atomic_numbers[symbol]])
    return bulk(symbol, "bcc", 2 * bond / 3**0.5, cubic=True)


def _distorted(atoms: Any) -> Any:
    atoms.set_cell(atoms.cell @ _DEFORMATION, scale_atoms=True)
    atoms.positions += _RATTLE * np.random.default_rng(1).standard_normal(atoms.positions.shape)
    return atoms


def _gradient(calculator: Any, atoms: Any, labels: _Labels) -> LawCheck:
    """Force on one atom against the difference of energies, eV/Å."""
    # Along the longest force and across it: a wrong factor and a wrong direction both show.
    atom = int(np.argmax(np.linalg.norm(labels[1], axis=1)))
    longest = labels[1][atom]
    direction = longest / max(float(np.linalg.norm(longest)), _FORCE_LIMIT) + _DIRECTION / 2
    direction /= np.linalg.norm(direction)

    def energy(step: float) -> float:
        copy = atoms.copy()
        copy.positions[atom] += step * direction
        return _labels(calculator, copy)[0]

    force, slope = float(longest @ direction), (energy(-_STEP) - energy(_STEP)) / (2 * _STEP)
    limit = max(_FORCE_LIMIT, _SHARE * float(np.abs(labels[1]).max()))
    return LawCheck("forces against energies", abs(force - slope), limit, "eV/Å", _likeness(force, slope, limit))


def _virial(calculator: Any, atoms: Any, labels: _Labels, pulay: float) -> LawCheck:
    """Stress along one general strain against the difference of energies, GPa."""
    from ase.units import GPa

    def energy(strain: float) -> float:
        copy = atoms.copy()
        copy.set_cell(atoms.cell @ (np.eye(3) + strain * _STRAIN_DIRECTION), scale_atoms=True)
        return _labels(calculator, copy)[0]

    stress = float((labels[2] * _STRAIN_DIRECTION).sum())
    slope = (energy(_STRAIN) - energy(-_STRAIN)) / (2 * _STRAIN) / atoms.get_volume() / GPa
    limit = max(_STRESS_LIMIT, _SHARE * abs(slope), pulay)
    return LawCheck("stress against energies", abs(stress - slope), limit, "GPa", _likeness(stress, slope, limit))


def _likeness(label: float, slope: float, limit: float) -> str:
    """What a wrong label looks like."""
    from ase.units import GPa

    if abs(label - slope) <= limit:
        return ""
    signs = {1.0: "", -1.0: "the opposite sign", 1 / GPa: "GPa where eV/Å³ is meant", GPa: "eV/Å³ taken for GPa"}
    signs |= {-1 / GPa: "GPa with the opposite sign", -GPa: "eV/Å³ taken for GPa, with the opposite sign"}
    for factor, name in signs.items():
        if name and abs(label - factor * slope) < 2 * _SHARE * abs(factor * slope):
            return f"it looks like {name}"
    return ""


def _moved(calculator: Any, atoms: Any, labels: _Labels) -> LawCheck:
    copy = atoms.copy()
    copy.positions += [0.37, 0.41, 0.29]
    return _unchanged("translation", atoms, labels, _labels(calculator, copy), np.eye(3))


def _turned(calculator: Any, atoms: Any, labels: _Labels) -> LawCheck:
    from scipy.spatial.transform import Rotation

    rotation: FloatArray = Rotation.from_rotvec([0.7, -0.4, 1.1]).as_matrix()
    copy = atoms.copy()
    copy.set_cell(atoms.cell @ rotation.T, scale_atoms=False)
    copy.positions = atoms.positions @ rotation.T
    return _unchanged("rotation", atoms, labels, _labels(calculator, copy), rotation)


def _unchanged(what: str, atoms: Any, before: _Labels, after: _Labels, rotation: FloatArray) -> LawCheck:
    """The largest change of energy (per atom), forces and stress, each as a share of what it may change."""
    energy = abs(after[0] - before[0]) / len(atoms) / _ENERGY_LIMIT
    forces = np.abs(after[1] - before[1] @ rotation.T).max() / max(_FORCE_LIMIT, _SHARE * np.abs(before[1]).max())
    stress = np.abs(after[2] - rotation @ before[2] @ rotation.T).max()
    stress = stress / max(_STRESS_LIMIT, _SHARE * np.abs(before[2]).max())
    shares = {"energy": energy, "forces": forces, "stress": stress}
    worst = max(shares, key=lambda name: np.nan_to_num(shares[name], nan=np.inf))
    return LawCheck(f"{what} changes the {worst}", float(shares[worst]), 1.0, "times what rounding does")


def _pressure(calculator: Any, crystal: KnownCrystal) -> LawCheck:
    from ase.build import bulk

    atoms = bulk(crystal.formula, crystal.structure, crystal.constant)
    pressure = abs(float(np.trace(_labels(calculator, atoms)[2])) / 3)
    law = f"pressure of {crystal.formula} at its lattice constant of {crystal.constant:g} Å"
    advice = "" if pressure <= crystal.max_pressure else crystal.advice
    return LawCheck(law, pressure, crystal.max_pressure, "GPa", advice)

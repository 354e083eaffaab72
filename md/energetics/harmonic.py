"""Normal modes of a relaxed cell from finite displacements that its symmetry reduces, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.elements import elements_of
from augment.errors import ConditionError, DataError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.symmetry import orbits
from md.energetics.formation import added_atoms
from md.labels.evaluator import Evaluator
from md.labels.third_party import one_torch_thread
from md.potentials import Potential

DISPLACEMENT = 0.01
"""Å; cubic anharmonicity cancels between plus and minus, quartic leaves about 1e-4 of a frequency."""

DIRECTION_CANDIDATES = 64
"""Directions that are tried for a displacement; the one whose images span space best is taken."""

SPANS = 0.1
"""Smallest singular value of the images of displacements, of at most their number, that counts as spanning space."""

PositionForces = Callable[[FloatArray], FloatArray]
"""Forces (n, 3) at positions (n, 3)."""


@dataclass(frozen=True, eq=False)
class NormalModes:
    """Normal modes of a cell of n atoms at rest, without the three translations.

    Attributes:
        frequencies: (3n - 3,) THz, ascending; an imaginary frequency is negative.
        cell: the geometry.
    """

    frequencies: FloatArray
    cell: DefectCell

    @property
    def imaginary(self) -> int:
        """Number of imaginary modes: 0 at a minimum, 1 at a saddle."""
        return int((self.frequencies < 0).sum())

    @property
    def is_minimum(self) -> bool:
        """Whether every mode has a positive curvature."""
        return bool((self.frequencies > 0).all())

    def _quanta(self) -> FloatArray:
        """H nu, eV.

        Raises:
            DataError: the cell is not at a minimum.
        """
        from ase import units

        if not self.is_minimum:
            raise DataError(
                f"{self.cell.name}: a mode of {self.frequencies[0]:.2f} THz (negative: imaginary); relax it to a "
                "minimum before asking for a free energy"
            )
        return np.asarray(self.frequencies * 1e12 * units._hplanck / units._e, dtype=float)  # noqa: SLF001  ASE's names

    @property
    def zero_point(self) -> float:
        """Zero-point energy, eV."""
        return float(self._quanta().sum() / 2)

    def free_energy(self, temperature: float) -> float:
        """Vibrational Helmholtz energy of quantum oscillators, eV, zero-point energy included; temperature in K."""
        from ase import units

        kt = units.kB * temperature
        quanta = self._quanta()
        return float((quanta / 2 + kt * np.log(-np.expm1(-quanta / kt))).sum())

    def classical_free_energy(self, temperature: float) -> float:
        """Its classical limit k T sum of ln(h nu / k T), eV: what classical dynamics samples."""
        from ase import units

        kt = units.kB * temperature
        return float(kt * np.log(self._quanta() / kt).sum())

    def entropy(self, temperature: float) -> float:
        """Vibrational entropy of quantum oscillators, eV/K."""
        from ase import units

        x = self._quanta() / (units.kB * temperature)
        return float(units.kB * (x / np.expm1(x) - np.log(-np.expm1(-x))).sum())


def normal_modes(cell: DefectCell, potential: Potential, symmetry: CellSymmetry | None = None) -> NormalModes:
    """Normal modes of a cell at rest; arguments as those of `hessian`.

    Raises:
        PotentialError: an element is not covered, or the potential fails.
    """
    from ase.data import atomic_masses
    from scipy.linalg import null_space

    roots = np.repeat(np.sqrt(atomic_masses[cell.numbers]), 3)
    dynamical = hessian(cell, potential, symmetry) / np.outer(roots, roots)
    translations = (np.tile(np.eye(3), (len(cell), 1)) * roots[:, None]).T
    inner = null_space(translations)
    curvatures = np.asarray(np.linalg.eigvalsh(inner.T @ dynamical @ inner), dtype=float)
    return NormalModes(_frequencies(curvatures), cell)


def _frequencies(curvatures: FloatArray) -> FloatArray:
    """Frequencies in THz from eigenvalues in eV/Å²/amu; negative for negative ones."""
    from ase import units

    return np.asarray(np.sign(curvatures) * np.sqrt(np.abs(curvatures)) * units.fs * 1000 / (2 * np.pi), dtype=float)


def hessian(cell: DefectCell, potential: Potential, symmetry: CellSymmetry | None = None) -> FloatArray:
    """Second derivatives (3n, 3n) of the energy, eV/Å²; see `hessian_of`.

    Args:
        cell: a relaxed geometry.
        potential: what evaluates it.
        symmetry: a group that the geometry has (`Defect.symmetry`); every atom is displaced three ways without it.
    """
    group = symmetry or CellSymmetry.trivial(len(cell))
    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume, largest_force=np.inf)
    with one_torch_thread(wanted=potential.uses_torch):
        return hessian_of(lambda positions: evaluate(positions, cell.cell).forces, cell.positions, group)


def hessian_of(forces: PositionForces, positions: FloatArray, symmetry: CellSymmetry) -> FloatArray:
    """Second derivatives (3n, 3n) of an energy by central differences of its forces, in the units of both.

    One atom of each orbit is displaced, along so many directions that their images under its site symmetry span
    space (one at a site of C2v or higher); the other columns follow from the group. Newton's third law and the
    invariance under translations are imposed.

    Args:
        forces: (n, 3) at positions (n, 3).
        positions: where.
        symmetry: a group that the positions have; `difference_evaluations` says how often forces are requested.
    """
    n = len(positions)
    blocks = np.zeros((n, 3, n, 3))
    for atom in np.unique(orbits(symmetry.permutations)):
        column = _column(forces, positions, symmetry, int(atom))
        for rotation, image in zip(symmetry.rotations, symmetry.permutations, strict=True):
            blocks[image, :, image[atom]] = rotation @ column @ rotation.T
    flat = blocks.reshape(3 * n, 3 * n)
    flat = (flat + flat.T) / 2
    shift = np.tile(np.eye(3), (n, 1)) / np.sqrt(n)
    keep = np.eye(3 * n) - shift @ shift.T
    return np.asarray(keep @ flat @ keep, dtype=float)


def difference_evaluations(symmetry: CellSymmetry) -> int:
    """Number of force evaluations of `hessian_of`."""
    atoms = np.unique(orbits(symmetry.permutations))
    return 2 * sum(len(_directions(symmetry.rotations[_fixing(symmetry, int(atom))])) for atom in atoms)


def _fixing(group: CellSymmetry, atom: int) -> IntArray:
    """Operations that leave an atom where it is."""
    return np.flatnonzero(group.permutations[:, atom] == atom)


def _column(forces: PositionForces, positions: FloatArray, group: CellSymmetry, atom: int) -> FloatArray:
    """Blocks (n, 3, 3) of the Hessian between every atom and one, by least squares over the images of displacements."""
    fixing = _fixing(group, atom)
    rotations, images = group.rotations[fixing], group.permutations[fixing]
    moves, responses = [], []
    for direction in _directions(rotations):
        ends = []
        for sign in (1, -1):
            moved = positions.copy()
            moved[atom] += sign * DISPLACEMENT * direction
            ends.append(forces(moved))
        slope = (ends[0] - ends[1]) / (2 * DISPLACEMENT)
        for rotation, image in zip(rotations, images, strict=True):
            turned = np.empty_like(slope)
            turned[image] = slope @ rotation.T
            moves.append(rotation @ direction)
            responses.append(turned.ravel())
    solution = np.linalg.lstsq(np.array(moves), np.array(responses), rcond=None)[0]
    return np.asarray(-solution.reshape(3, len(positions), 3).transpose(1, 2, 0), dtype=float)


def _directions(rotations: FloatArray) -> list[FloatArray]:
    """Fewest unit vectors whose images under the rotations span space, each the best conditioned of the candidates."""
    candidates = np.random.default_rng(0).standard_normal((DIRECTION_CANDIDATES, 3))
    candidates /= np.linalg.norm(candidates, axis=1)[:, None]
    chosen: list[FloatArray] = []
    spanned = np.zeros((0, 3))
    while len(chosen) < 3:  # noqa: PLR2004  three always do
        images = np.einsum("hab,cb->cha", rotations, candidates)
        trials = [np.concatenate([spanned, some]) for some in images]
        # The smallest singular value is zero until space is spanned; the product of them measures the progress.
        gains = [float(np.prod(np.linalg.svd(t / np.sqrt(len(t)), compute_uv=False) + SPANS**2)) for t in trials]
        best = int(np.argmax(gains))
        chosen.append(candidates[best])
        spanned = trials[best]
        if len(spanned) >= 3 and np.linalg.svd(spanned / np.sqrt(len(spanned)), compute_uv=False)[2] > SPANS:  # noqa: PLR2004
            break
    return chosen


def formation_entropy(
    defect: NormalModes, bulk: NormalModes, temperature: float, references: Mapping[str, NormalModes] | None = None
) -> float:
    """Vibrational entropy of formation at constant volume, eV/K: S(defect) less that of the bulk and of added atoms.

    Args:
        defect: modes of the defect cell.
        bulk: modes of the pristine supercell.
        temperature: K.
        references: modes of the elemental crystals that atoms come from; in an elemental host the bulk serves.

    Raises:
        ConditionError: a reference is missing.
        DataError: a cell is not at a minimum.
    """
    return -_formation(defect, bulk, references or {}, lambda modes: -modes.entropy(temperature))


def constant_pressure_entropy(entropy: float, expansion: float, bulk_modulus: float, relaxation_volume: float) -> float:
    """Entropy of formation at constant pressure, eV/K, from that at constant volume: S + alpha K dV.

    A fixed cell holds a crystal around a defect that relaxes inward under tension, which softens its modes; by
    Maxwell's relation dS/dV = alpha K. For vacancies in metals the term is as large as the rest.

    Args:
        entropy: at constant volume, eV/K (`formation_entropy` of modes in the cell of the perfect host).
        expansion: volumetric thermal expansion, 1/K.
        bulk_modulus: GPa.
        relaxation_volume: Å³.
    """
    from ase import units

    return entropy + expansion * bulk_modulus * float(units.GPa) * relaxation_volume


def formation_free_energy(
    defect: NormalModes, bulk: NormalModes, temperature: float, references: Mapping[str, NormalModes] | None = None
) -> float:
    """Vibrational part of the free energy of formation, eV, to be added to the formation energy; as the entropy."""
    return _formation(defect, bulk, references or {}, lambda modes: modes.free_energy(temperature))


def _formation(
    defect: NormalModes,
    bulk: NormalModes,
    references: Mapping[str, NormalModes],
    quantity: Callable[[NormalModes], float],
) -> float:
    """Quantity of the defect less those of the bulk and of the atoms added; an atom carries three mean modes."""
    total = quantity(defect) - quantity(bulk)
    elements = set(bulk.cell.numbers.tolist())
    for symbol, count in added_atoms(defect.cell, bulk.cell).items():
        source = references.get(symbol)
        if source is None and len(elements) == 1 and symbol in elements_of(elements):
            source = bulk
        if source is None:
            raise ConditionError(f"no modes of elemental {symbol} are given, the reservoir of {defect.cell.name}")
        total -= count * 3 * quantity(source) / len(source.frequencies)
    return total


def attempt_frequency(initial: NormalModes, saddle: NormalModes) -> float:
    """Attempt frequency of a jump, THz: product of the frequencies at the minimum over those at the saddle.

    Vineyard, J. Phys. Chem. Solids 3, 121 (1957); the imaginary mode is left out.

    Raises:
        DataError: the start is no minimum, or the saddle has not exactly one imaginary mode.
    """
    if not initial.is_minimum or saddle.imaginary != 1:
        raise DataError(
            f"{initial.cell.name}: {initial.imaginary} imaginary modes at the start and {saddle.imaginary} at the "
            "saddle of a jump, where there should be 0 and 1; relax both further"
        )
    return float(np.exp(np.log(initial.frequencies).sum() - np.log(saddle.frequencies[1:]).sum()))

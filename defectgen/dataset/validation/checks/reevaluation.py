"""Units and signs with a potential: a few frames evaluated again, and labels compared with what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from augment.cell import FloatArray
from augment.elements import elements_of
from augment.errors import PotentialError
from defectgen.dataset.frame import Frame
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations
from defectgen.dataset.validation.units import BOHR, EV_A3_IN_GPA, HARTREE, KCAL, KJOULE, RYDBERG

MAX_COMPARED = 12
"""Frames that are evaluated; the smallest that have forces."""

MIN_CORRELATION = 0.7
"""Between labels and the potential, below which it says nothing of them."""

_APART = 1.6
"""Factor between two ratios of units that a potential which is not the labeller still distinguishes."""

_FORCES = {
    "eV/Å": 1.0,
    "Hartree/Bohr": BOHR / HARTREE,
    "Rydberg/Bohr": BOHR / RYDBERG,
    "Hartree/Å": 1 / HARTREE,
    "kcal/mol/Å": 1 / KCAL,
    "kJ/mol/Å": 1 / KJOULE,
    "meV/Å": 1e3,
}
_ENERGIES = {
    "eV": 1.0,
    "Hartree": 1 / HARTREE,
    "Rydberg": 1 / RYDBERG,
    "kcal/mol": 1 / KCAL,
    "kJ/mol": 1 / KJOULE,
    "meV": 1e3,
}
_STRESSES = {"eV/Å³": 1.0, "GPa": EV_A3_IN_GPA, "kbar": 10 * EV_A3_IN_GPA, "Hartree/Bohr³": BOHR**3 / HARTREE}


@dataclass(frozen=True, eq=False)
class Comparison:
    """A frame and what a potential says of it.

    Attributes:
        frame: with its labels.
        energy: of the potential, eV.
        forces: (n, 3) eV/Å.
        stress: (6,) eV/Å³.
    """

    frame: Frame
    energy: float
    forces: FloatArray
    stress: FloatArray


def reevaluation(seen: Observations, potential: Any) -> Iterator[Finding]:
    """Compare the labels of a few frames with a potential.

    Raises:
        PotentialError: it covers no frame that could be evaluated.
    """
    compared = _evaluate(seen, potential)
    if not compared:
        raise PotentialError(
            f"{potential.name} can be asked about no frame: none is periodic, labelled and of its elements "
            f"({potential.coverage}); name another with --potential"
        )
    name = potential.name
    labels = np.concatenate([c.frame.forces.ravel() for c in compared if c.frame.forces is not None])
    forces = np.concatenate([c.forces.ravel() for c in compared if c.frame.forces is not None])
    like = float(np.corrcoef(labels, forces)[0, 1]) if np.ptp(labels) and np.ptp(forces) else 0.0
    if abs(like) < MIN_CORRELATION:
        yield Finding(
            "re-evaluation",
            "warning",
            f"forces of {len(compared)} frames and those of {name} have a correlation of {like:.2f}: it says nothing "
            "of their units, or forces belong to other atoms",
            "name the potential that labelled them, or check the order of the atoms",
        )
        return
    sure = f"{len(compared)} frames, correlation of forces {like:.3f}"
    yield from _verdict("forces", labels, forces, _FORCES, name, sure)
    yield from _energies(compared, name, sure)
    yield from _stresses(compared, name, sure)


def _evaluate(seen: Observations, potential: Any) -> list[Comparison]:
    """What the potential says of the smallest frames that it can be asked about, spread over compositions."""
    from md.labels.evaluator import Divergence, Evaluator
    from md.labels.third_party import one_torch_thread

    compared: list[Comparison] = []
    with one_torch_thread(wanted=potential.uses_torch):
        for frame in _candidates(seen, potential):
            try:
                calculator = potential.calculator()
                said = Evaluator(frame.numbers, calculator, frame.volume)(frame.positions, frame.cell)
            except Divergence:
                continue
            compared.append(Comparison(frame, said.energy, said.forces, said.stress))
            if len(compared) == MAX_COMPARED:
                break
    return compared


def _candidates(seen: Observations, potential: Any) -> list[Frame]:
    """Frames by composition in turn, so that each comes before any has many."""
    contact = seen.survey.table["contact"].to_numpy(dtype=float)
    by_kind: dict[int, list[Frame]] = {}
    for index, frame in seen.sample.items():
        usable = frame.energy is not None and frame.forces is not None and frame.pbc.all() and frame.volume
        if usable and contact[index] > _TIGHT and potential.covers(elements_of(frame.numbers)):
            by_kind.setdefault(int(seen.compositions[index]), []).append(frame)
    kinds = sorted(by_kind.values(), key=lambda frames: len(frames[0]))[: MAX_COMPARED // 3]
    spread = [frames[:: max(1, len(frames) // MAX_COMPARED)] for frames in kinds]
    return [frames[turn] for turn in range(3 * MAX_COMPARED) for frames in spread if turn < len(frames)]


_TIGHT = 0.6


def _energies(compared: Sequence[Comparison], name: str, sure: str) -> Iterator[Finding]:
    """The unit of the energies, from differences within compositions, and where their zero lies."""
    groups: dict[bytes, list[Comparison]] = {}
    for c in compared:
        groups.setdefault(np.sort(c.frame.numbers).tobytes(), []).append(c)
    label, own, size = [], [], []
    for group in groups.values():
        energies = np.array([c.frame.energy for c in group], dtype=float)
        label += (energies - energies.mean()).tolist()
        own += (np.array([c.energy for c in group]) - np.mean([c.energy for c in group])).tolist()
        size += [float(len(c.frame)) for c in group]
    first, second = np.array(label), np.array(own)
    if np.abs(second).max() < _LEAST_ENERGY or abs(_slope_fit(first, second)[1]) < MIN_CORRELATION:
        return
    as_atoms = _slope_fit(first * np.array(size), second)[0]
    if 1 / _APART < as_atoms < _APART and min(size) > _APART**2:
        yield _wrong("energies", "eV an atom", name, sure, "multiply them by the number of atoms")
        return
    found = list(_verdict("energies", first, second, _ENERGIES, name, sure))
    yield from found
    if not found:
        offsets = np.array([((c.frame.energy or 0.0) - c.energy) / len(c.frame) for c in compared])
        yield Finding(
            "re-evaluation",
            "note",
            f"energies are {round(offsets.mean(), 4) + 0.0:+.4f} eV an atom off {name} (spread {offsets.std():.4f}); "
            f"{sure}",
            "another zero than that of the potential means other atomic energies: do not mix the two in one dataset"
            if abs(offsets.mean()) > _ZERO
            else "none needed: labels and potential have the same zero",
        )


_LEAST_ENERGY, _ZERO = 1e-3, 5e-3


def _stresses(compared: Sequence[Comparison], name: str, sure: str) -> Iterator[Finding]:
    known = [c for c in compared if c.frame.stress is not None]
    if not known:
        return
    labels = np.stack([c.frame.stress for c in known if c.frame.stress is not None])
    own = np.stack([c.stress for c in known])
    volumes = np.array([[c.frame.volume] for c in known])
    plain, virial = _slope_fit(labels, own), _slope_fit(labels, -volumes * own)
    if max(abs(plain[1]), abs(virial[1])) < MIN_CORRELATION:
        yield Finding(
            "re-evaluation",
            "note",
            f"stresses have little in common with those of {name} (correlation {plain[1]:.2f})",
            "check their unit and order (xx, yy, zz, yz, xz, xy) with the potential that labelled them",
        )
    elif _misfit(*virial, 1.0) < min(_misfit(*plain, factor) for factor in _STRESSES.values()):
        what = "virials, -V times the stress, in eV" if virial[0] > 0 else "V times the stress, in eV"
        yield _wrong("stresses", what, name, sure, "divide them by -V, or rename the key to virial")
    else:
        yield from _verdict("stresses", labels, own, _STRESSES, name, sure)


def _misfit(ratio: float, likeness: float, expected: float) -> float:
    """How badly a unit explains labels: by its ratio, and by how unlike they are to the potential."""
    return float(abs(np.log(abs(ratio) / expected))) + _UNLIKE * (1 - abs(likeness)) if ratio else np.inf


_UNLIKE = 10.0


def _slope_fit(labels: FloatArray, own: FloatArray) -> tuple[float, float]:
    """Least-squares ratio through the origin and the cosine between labels and potential."""
    a, b = labels.ravel(), own.ravel()
    product, norm = float(a @ b), float(b @ b)
    length = float(np.sqrt(norm * float(a @ a)))
    return (product / norm, product / length) if length else (0.0, 0.0)


def _verdict(
    what: str, labels: FloatArray, own: FloatArray, units: dict[str, float], name: str, sure: str
) -> Iterator[Finding]:
    """Nothing where labels are in the first of the units and have the right sign."""
    ratio, _ = _slope_fit(labels, own)
    unit = min(units, key=lambda key: abs(np.log(abs(ratio) / units[key]))) if ratio else next(iter(units))
    if 1 / _APART < ratio < _APART:
        return
    right = next(iter(units))
    turned = ratio < 0
    if not 1 / _APART < abs(ratio) / units[unit] < _APART:
        shown = f"an unknown unit ({ratio:.3g} times {right})"
    else:
        shown = unit + (", with the wrong sign" if turned else "")
    yield _wrong(what, shown, name, sure, f"convert them to {right}" + ("; turn the sign" if turned else ""))


def _wrong(what: str, unit: str, name: str, sure: str, advice: str) -> Finding:
    return Finding("units", "error", f"{what} are in {unit}, against {name} ({sure})", advice)

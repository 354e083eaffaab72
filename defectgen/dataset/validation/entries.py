"""What a file says of each of its frames, before any of it is believed: labels by the names that stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray
from augment.errors import DataError
from defectgen.dataset.extxyz import ISOLATED_ATOM, NOT_FACTS, six_components, typed_fact
from defectgen.dataset.fields import FIELD_NAMES
from defectgen.dataset.frame import Frame

MAX_REACH = 1e4
"""Å; atoms and lattice vectors that reach farther are no structure of atoms."""

MIN_VOLUME = 0.5
"""Å³ for an atom; hydrogen at the pressure of the centre of Jupiter has 2."""

MAX_LABEL = 1e9
"""eV, eV/Å or eV/Å³; all electrons of a uranium atom have 8e5 eV."""

READ_NAMES: Mapping[str, tuple[str, ...]] = {
    "energy": ("energy", "REF_energy"),
    "forces": ("forces", "REF_forces"),
    "stress": ("stress", "REF_stress"),
}
"""Names of each label that trainers read with their defaults: those of ASE, then those of MACE."""

_LOOKS = {
    "energy": re.compile(
        r"(^|[_\-.:])(energy|energies_total|etot|e_tot)$|^(e|toten|total_energy|energy_?\w*)$", re.IGNORECASE
    ),
    "forces": re.compile(r"(^|[_\-.:])(forces?|f_dft|gradients?)$|^atomic_forces$|^forces?_\w+$", re.IGNORECASE),
    "stress": re.compile(r"(^|[_\-.:])(stress(es)?|virials?|cauchy_stress)$|^(stress|virial)_\w+$", re.IGNORECASE),
}

_OTHER_QUANTITIES = re.compile(
    r"per_atom|formation|above|hull|kinetic|cohesive|surface|weight|free|band|fermi|vdw|disp|unit|error|std|isolated"
    r"|cutoff|max_|corr|solv|binding|zero|zpe",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Entry:
    """What a file says of one frame.

    Attributes:
        number: of the frame in its file.
        frame: the structure with the labels that trainers read; None where it cannot be one.
        problem: why it cannot, or why its numbers cannot be used; empty where nothing is wrong with it.
        values: what else stands there by its name, labels under all their names included.
    """

    number: int
    frame: Frame | None
    problem: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_isolated_atom(self) -> bool:
        """Whether it gives the energy of a free atom: MACE takes it for E0, and it is no frame."""
        if self.values.get("config_type") == ISOLATED_ATOM:
            return True
        frame = self.frame
        return frame is not None and len(frame) == 1 and (not frame.pbc.any() or frame.volume > _BOX)


_BOX = 300.0
"""Å³; a single atom with more room than this is a free one."""


def label_kind(name: str) -> str:
    """The label that a name stands for, `energy`, `forces` or `stress`; empty where it does not look like one."""
    if name in FIELD_NAMES or (_OTHER_QUANTITIES.search(name) and name != "free_energy"):
        return ""
    return next((kind for kind, pattern in _LOOKS.items() if pattern.search(name)), "")


def make_entry(
    number: int,
    numbers: NDArray[np.int64],
    positions: FloatArray,
    cell: FloatArray,
    pbc: NDArray[np.bool_],
    values: Mapping[str, Any],
) -> Entry:
    """An entry of a structure and of what stands beside it by name; a label that does not fit is its problem."""
    if problem := _impossible(numbers, positions, cell, pbc):
        return Entry(number, None, problem, values)
    try:
        frame = _frame(numbers, positions, cell, pbc, values)
        return Entry(number, frame, _not_usable(frame, values), values)
    except (DataError, TypeError, ValueError) as error:
        return Entry(number, None, f"a label that does not fit: {error}", values)


def _frame(
    numbers: NDArray[np.int64],
    positions: FloatArray,
    cell: FloatArray,
    pbc: NDArray[np.bool_],
    values: Mapping[str, Any],
) -> Frame:
    energy, forces, stress = (first_value(values, names) for names in READ_NAMES.values())
    charge = values.get("charge", values.get("total_charge", 0))
    momenta = values.get("momenta")
    finite = isinstance(charge, int | float | np.number) and bool(np.isfinite(charge))
    return Frame(
        numbers,
        positions,
        cell,
        pbc,
        energy=None if energy is None else float(energy),
        forces=None if forces is None else np.asarray(forces, dtype=float),
        stress=None if stress is None else six_components(stress),
        charge=round(float(charge)) if finite else 0,
        facts={k: typed_fact(k, v) for k, v in values.items() if k not in NOT_FACTS and _is_plain(v)},
        momenta=None if momenta is None else np.asarray(momenta, dtype=float),
    )


def first_value(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of some names that a frame has a value for."""
    return next((values[name] for name in names if values.get(name) is not None), None)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bool | int | float | np.generic)


def _impossible(numbers: NDArray[np.int64], positions: FloatArray, cell: FloatArray, pbc: NDArray[np.bool_]) -> str:
    """Why atoms cannot stand like this; empty where they can."""
    if len(numbers) == 0:
        return "no atoms"
    if numbers.min() < 1:
        return "an atom of no element"
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        return "positions or lattice vectors that are not finite"
    reach = max(float(np.abs(positions).max()), float(np.abs(cell).max()))
    if reach > MAX_REACH:
        return f"coordinates of {reach:.3g} Å"
    volume = abs(float(np.linalg.det(cell)))
    if pbc.all() and 0 < volume < MIN_VOLUME * len(numbers):
        return f"a cell of {volume:.3g} Å³ for {len(numbers)} atoms"
    return ""


def _not_usable(frame: Frame, values: Mapping[str, Any]) -> str:
    """Why the numbers of a frame cannot be used; empty where they can."""
    for kind, names in READ_NAMES.items():
        for name in names:
            if (value := values.get(name)) is None:
                continue
            label = np.asarray(value, dtype=float)
            if not np.isfinite(label).all():
                return f"{name} is not finite"
            if np.abs(label).max(initial=0) > MAX_LABEL:
                return f"{name} is {np.abs(label).max():.3g}, which is no {kind}"
    momenta = frame.momenta
    return "momenta are not finite" if momenta is not None and not np.isfinite(momenta).all() else ""

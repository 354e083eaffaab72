"""Energies of lone atoms that sources know: baselines that go with their labels.

A run evaluates them once with its potential and keeps them (`generate/lone_atoms.json`), and a dataset keeps them in
frames of one atom; so no potential is looked up by its name and loaded again, which may have changed or run code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment.elements import element_symbol
from augment.errors import DataError
from defectgen.dataset.extxyz import ISOLATED_ATOM, frame_of_atoms
from defectgen.dataset.frame import Frame
from defectgen.dataset.sources.files import XYZ_SUFFIXES, FileSource
from defectgen.dataset.sources.run_folder import RunSource

ISOLATED_ATOMS = "isolated_atoms.extxyz"

UNNAMED = "unnamed"
"""Who labelled frames that do not say it."""

LONE_ATOMS_OF_RUN = Path("generate/lone_atoms.json")

MAX_DIFFERENCE = 1e-4
"""eV between two energies of the same atom by the same potential, which precision can explain."""

_BOX = 40.0

Energies = dict[str, dict[str, float]]


def lone_atom_energies_of(sources: Sequence[object]) -> tuple[Energies, tuple[str, ...]]:
    """Energies of lone atoms (eV) by potential and element, and what is said of them, a line each.

    Where sources contradict each other the element is left out, and that is said.

    Raises:
        DataError: a file of a source is damaged.
    """
    found: Energies = {}
    contradictions: dict[tuple[str, str], set[float]] = {}
    for potential, symbol, energy in _statements(sources):
        known = found.setdefault(potential, {}).setdefault(symbol, energy)
        if abs(known - energy) > MAX_DIFFERENCE:
            contradictions.setdefault((potential, symbol), {known}).add(energy)
    notes = []
    for (potential, symbol), values in sorted(contradictions.items()):
        del found[potential][symbol]
        shown = " and ".join(f"{value:.6g}" for value in sorted(values))
        notes.append(f"lone {symbol} has energies of {shown} eV by {potential} in the sources: left out")
    return {name: energies for name, energies in found.items() if energies}, tuple(notes)


def lone_atom_frames(energies: Energies, *, heads: bool) -> Iterator[Frame]:
    """A frame of one atom in a large box for each energy, in the order of potentials and atomic numbers.

    Args:
        energies: eV, by potential and element.
        heads: whether each potential is a head of its own.
    """
    from augment.elements import element_number

    for potential, values in sorted(energies.items()):
        for symbol in sorted(values, key=lambda s: element_number(s) or 0):
            facts = {"config_type": ISOLATED_ATOM, "head": potential if heads else "Default"}
            yield Frame(
                np.array([element_number(symbol)]),
                np.full((1, 3), _BOX / 2),
                np.eye(3) * _BOX,
                np.zeros(3, dtype=bool),
                energy=values[symbol],
                forces=np.zeros((1, 3)),
                facts=facts if potential == UNNAMED else {**facts, "potential": potential},
            )


def _statements(sources: Sequence[object]) -> Iterator[tuple[str, str, float]]:
    for source in sources:
        if isinstance(source, RunSource):
            yield from _of_run(source.path / LONE_ATOMS_OF_RUN)
        elif isinstance(source, FileSource):
            for path in source.files:
                if path.suffix in XYZ_SUFFIXES:
                    yield from _of_file(path)


def _of_run(path: Path) -> Iterator[tuple[str, str, float]]:
    """What a run wrote; nothing where its potential knows no lone atoms, or it is of an older version."""
    if not path.is_file():
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        pairs = [(str(s), float(e)) for s, e in (values["atomic_energies"] or {}).items()]
        potential = str(values["potential"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: no energies of lone atoms ({error!r}); run the stage generate again") from None
    for symbol, energy in pairs:
        yield potential, symbol, energy


def _of_file(path: Path) -> Iterator[tuple[str, str, float]]:
    """Frames of isolated atoms in anybody's extended XYZ, found without parsing the others."""
    for text in _isolated_blocks(path):
        frame = _parsed(text, path)
        if frame.energy is not None and len(frame) == 1:
            yield frame.text("potential") or UNNAMED, element_symbol(int(frame.numbers[0])), frame.energy


def _isolated_blocks(path: Path) -> Iterator[str]:
    """The three lines of every frame of one atom whose comment calls it isolated."""
    before = ["", ""]
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if before[0].strip() == "1" and ISOLATED_ATOM in before[1]:
                yield f"{before[0]}{before[1]}{line}"
            before = [before[1], line]


def _parsed(text: str, path: Path) -> Frame:
    import io

    from ase.io import read

    try:
        atoms: Any = read(io.StringIO(text), format="extxyz")
        return frame_of_atoms(atoms)
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: a frame of an isolated atom is not readable ({error})") from None

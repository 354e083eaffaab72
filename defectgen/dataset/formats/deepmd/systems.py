"""Systems of DeePMD-kit: frames of one composition, or of one number of atoms, as arrays of NumPy.

DeePMD-kit, `doc/data/system.md`: `type.raw`, `type_map.raw` and `set.000/{box,coord,energy,force,virial}.npy`; Å, eV,
eV/Å; the virial is -V σ in eV, positive under compression. A folder of systems is given to it as `systems`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import IntArray
from augment.elements import element_number
from augment.errors import DataError
from defectgen.dataset.formats.deepmd.npy_file import NpyFile
from defectgen.dataset.formats.writer import Contents
from defectgen.dataset.frame import Frame
from defectgen.dataset.survey import composition

MAX_WAITING = 200_000
"""Atoms that wait in memory, over all systems, before they are written."""


class System:
    """The frames of one folder, which all have the same number of atoms.

    Args:
        folder: new.
        first: a frame of it.
        types: (n,) what `type.raw` says of each atom.
        symbols: of all types.
        mixed: whether the types of the atoms differ from frame to frame.
    """

    def __init__(self, folder: Path, first: Frame, types: IntArray, symbols: list[str], *, mixed: bool) -> None:
        data = folder / "set.000"
        data.mkdir(parents=True)
        (folder / "type.raw").write_text("\n".join(map(str, types.tolist())) + "\n", encoding="utf-8")
        (folder / "type_map.raw").write_text("\n".join(symbols) + "\n", encoding="utf-8")
        if not first.pbc.any():
            (folder / "nopbc").touch()
        n = len(first)
        rows = {"box": (9,), "coord": (3 * n,), "energy": (), "force": (3 * n,)}
        if first.stress is not None:
            rows["virial"] = (9,)
        self._files = {name: NpyFile(data / f"{name}.npy", row) for name, row in rows.items()}
        if mixed:
            self._files["real_atom_types"] = NpyFile(data / "real_atom_types.npy", (n,), np.int32)
        self._waiting: list[tuple[Frame, IntArray]] = []

    def add(self, frame: Frame, types: IntArray) -> None:
        """Have a frame wait, with the types of its atoms."""
        self._waiting.append((frame, types))

    def flush(self) -> None:
        """Write the frames that wait."""
        if not self._waiting:
            return
        for name, file in self._files.items():
            file.append(np.array([_values(name, frame, types) for frame, types in self._waiting]))
        self._waiting.clear()

    def finish(self) -> None:
        """Write what waits and the heads of the files."""
        self.flush()
        for file in self._files.values():
            file.finish()


def _values(name: str, frame: Frame, types: IntArray) -> Any:
    """What the array of a name holds of a frame."""
    labels = {"energy": frame.energy, "force": frame.forces, "virial": frame.virial}
    value = {"box": frame.cell, "coord": frame.positions, "real_atom_types": types, **labels}[name]
    return np.ravel(value) if name != "energy" else value  # type: ignore[arg-type]  # the caller checks the labels


class DeepmdWriter:
    """Systems of all splits.

    Args:
        folder: of the dataset in this format.
        elements: of the dataset; a type is a place in this list.
        name: of the system that a frame belongs to.
        mixed: whether the atoms of a frame stay in their order, with their types beside them.
    """

    def __init__(self, folder: Path, elements: list[str], name: Callable[[Frame], str], *, mixed: bool) -> None:
        self._folder, self._elements, self._name, self._mixed = folder, elements, name, mixed
        numbers = [element_number(symbol) or 0 for symbol in elements]
        self._types = np.zeros(max(numbers) + 1, dtype=np.int64)
        self._types[numbers] = np.arange(len(elements))
        self._systems: dict[str, System] = {}
        self._waiting = 0

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to its system.

        Raises:
            DataError: it repeats along some directions only, or has no energy or forces.
        """
        if frame.energy is None or frame.forces is None or frame.pbc.any() != frame.pbc.all():
            raise DataError(
                f"frame {frame.text('name')}: DeePMD takes frames with energy and forces that repeat along all "
                "directions or along none; leave its formats out"
            )
        types = self._types[frame.numbers]
        if not self._mixed:
            frame, types = _by_type(frame, types)
        name = f"{split}/{self._name(frame)}{_suffix(frame)}"
        if name not in self._systems:
            shown = np.zeros(len(frame), dtype=np.int64) if self._mixed else types
            self._systems[name] = System(self._folder / name, frame, shown, self._elements, mixed=self._mixed)
        self._systems[name].add(frame, types)
        self._waiting += len(frame)
        if self._waiting > MAX_WAITING:
            for system in self._systems.values():
                system.flush()
            self._waiting = 0

    def finish(self) -> None:
        """Finish every system."""
        for system in self._systems.values():
            system.finish()


def _by_type(frame: Frame, types: IntArray) -> tuple[Frame, IntArray]:
    """A frame with its atoms in the order of their types, which all frames of a system share."""
    order = np.argsort(types, kind="stable")
    forces = None if frame.forces is None else frame.forces[order]
    sorted_frame = Frame(
        frame.numbers[order],
        frame.positions[order],
        frame.cell,
        frame.pbc,
        energy=frame.energy,
        forces=forces,
        stress=frame.stress,
        charge=frame.charge,
        facts=frame.facts,
    )
    return sorted_frame, types[order]


def _suffix(frame: Frame) -> str:
    """What sets apart frames of one system that cannot share its files."""
    return ("" if frame.pbc.all() else "_nopbc") + ("" if frame.stress is not None else "_without_virial")


@contextmanager
def open_deepmd(folder: Path, contents: Contents) -> Iterator[DeepmdWriter]:
    """A writer of `train/Mg27O26` and so on, a system for each composition, atoms sorted by type."""
    yield DeepmdWriter(folder, list(contents.elements), lambda frame: composition(frame.numbers), mixed=False)


@contextmanager
def open_deepmd_mixed(folder: Path, contents: Contents) -> Iterator[DeepmdWriter]:
    """A writer of `train/53` and so on, a system for each number of atoms, whatever they are."""
    yield DeepmdWriter(folder, list(contents.elements), lambda frame: str(len(frame)), mixed=True)

"""The one dialect of extended XYZ that datasets, trajectories and proposals speak.

The labels stand there twice: as ASE, SevenNet, NequIP, fairchem, matgl, dpdata, calorine, GRACE and metatrain read them
(`energy`, `free_energy`, `forces`, `stress` of nine components), and as MACE does (`REF_energy`, `REF_forces`,
`REF_stress` of six). Numbers are written in the shortest form that reads back to the same bits.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from augment.errors import DataError
from augment.storage.missing import no_such_file
from defectgen.dataset.fields import FIELDS, Kind
from defectgen.dataset.frame import NINE_OF_SIX, SIX_OF_NINE, Frame, FrameFact

NOT_FACTS = frozenset({"charge", "total_charge", "energy", "free_energy", "stress", "REF_energy", "REF_stress"})
"""Keys of the comment line that are labels or are written from the frame itself."""

MISSING: dict[Kind, FrameFact] = {"text": "unknown", "integer": math.nan, "number": math.nan, "flag": False}
"""What stands for a field that is not known of a frame but of others in its file: SevenNet wants the same keys in all,
with values of one type."""

ISOLATED_ATOM = "IsolatedAtom"
"""Config type of the frames that MACE takes for the energies of its elements."""

_RANK = {field.name: rank for rank, field in enumerate(FIELDS)}
_PYTHON: dict[Kind, Callable[[Any], FrameFact]] = {"text": str, "integer": int, "number": float, "flag": bool}
_TYPES = {field.name: _PYTHON[field.kind] for field in FIELDS}


def frame_text(frame: Frame) -> str:
    """One frame with both sets of labels; facts follow in the order of `FIELDS`, others after them."""
    fields = {"Lattice": vector_text(frame.cell), "Properties": _properties(frame), "pbc": _flags(frame)}
    if frame.energy is not None:
        fields |= dict.fromkeys(("energy", "free_energy", "REF_energy"), repr(float(frame.energy)))
    if frame.stress is not None:
        fields |= {"stress": vector_text(frame.stress[NINE_OF_SIX]), "REF_stress": vector_text(frame.stress)}
    fields |= dict.fromkeys(("charge", "total_charge"), str(int(frame.charge)))
    named = sorted(frame.facts.keys() - NOT_FACTS, key=lambda key: (_RANK.get(key, len(_RANK)), key))
    # ASE takes the next key for the value of an empty text, so there are none.
    fields |= {key: _value(frame.facts[key]) for key in named if frame.facts[key] != ""}
    lines = [str(len(frame)), " ".join(f"{key}={value}" for key, value in fields.items())]
    lines += atom_lines(frame.numbers, _columns(frame))
    return "\n".join(lines) + "\n"


def _properties(frame: Frame) -> str:
    columns = ["species:S:1", "pos:R:3"]
    if frame.forces is not None:
        columns += ["forces:R:3", "REF_forces:R:3"]
    if frame.momenta is not None:
        columns.append("momenta:R:3")
    return ":".join(columns)


def _columns(frame: Frame) -> list[FloatArray]:
    """The numbers of the atoms by the columns of `_properties`."""
    forces = [] if frame.forces is None else [frame.forces, frame.forces]
    momenta = [] if frame.momenta is None else [frame.momenta]
    return [frame.positions, *forces, *momenta]


def atom_lines(numbers: IntArray, columns: Sequence[FloatArray]) -> list[str]:
    """The line of each atom: its symbol and its row of each (n, 3) array; an array that comes twice is written once."""
    texts: dict[int, list[str]] = {}
    for column in columns:
        if id(column) not in texts:
            texts[id(column)] = array_text(column)[1:-1].split("] [")
    symbols = map(_symbol, numbers.tolist())
    return [" ".join(row) for row in zip(symbols, *(texts[id(column)] for column in columns), strict=True)]


_symbol = lru_cache(maxsize=128)(element_symbol)


def array_text(array: FloatArray) -> str:
    """The numbers of an array between its brackets, with spaces between them, each in its shortest exact form.

    Raises:
        DataError: a number is not finite.
    """
    if not np.isfinite(array).all():
        raise DataError("a frame with numbers that are not finite")
    text = orjson.dumps(np.ascontiguousarray(array, dtype=np.float64), option=orjson.OPT_SERIALIZE_NUMPY)
    return text.decode()[1:-1].replace(",", " ")


def vector_text(values: FloatArray) -> str:
    """The numbers of an array as one quoted value of the comment line."""
    return f'"{array_text(np.asarray(values, dtype=float).ravel())}"'


def _flags(frame: Frame) -> str:
    return '"' + " ".join("T" if periodic else "F" for periodic in frame.pbc) + '"'


@lru_cache(maxsize=4096)
def quoted(text: str) -> str:
    """A string as a quoted value of the comment line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _value(value: FrameFact) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    return repr(value.item() if isinstance(value, np.generic) else value)


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of anybody's extended XYZ, one by one.

    Labels are those of ASE's calculator; where there are none, `REF_energy`, `REF_forces` and `REF_stress`. Isolated
    atoms, which MACE takes for the energies of its elements, are no frames and are left out.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    from ase.io import iread

    if not path.is_file():
        raise DataError(f"{path}: {no_such_file(path)}")
    count = 0
    try:
        for atoms in iread(path, index=":", format="extxyz"):
            count += 1
            if atoms.info.get("config_type") != ISOLATED_ATOM:
                yield frame_of_atoms(atoms)
    except DataError as error:
        raise DataError(f"{path}: frame {count}: {error}") from None
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: frame {count + 1} is not readable as extended XYZ ({error})") from None


def frame_of_atoms(atoms: Any) -> Frame:
    """The frame of ASE Atoms, with the labels of its calculator or of the keys that MACE reads.

    Raises:
        DataError: a label does not fit the atoms.
    """
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    energy = results.get("energy", atoms.info.get("REF_energy"))
    forces = results.get("forces", atoms.arrays.get("REF_forces"))
    stress = results.get("stress", atoms.info.get("REF_stress"))
    charge = atoms.info.get("charge", atoms.info.get("total_charge", 0))
    return Frame(
        numbers=np.asarray(atoms.numbers, dtype=np.int64),
        positions=np.array(atoms.positions, dtype=float),
        cell=np.array(atoms.cell, dtype=float),
        pbc=np.array(atoms.pbc, dtype=bool),
        energy=None if energy is None else float(energy),
        forces=None if forces is None else np.asarray(forces, dtype=float),
        stress=None if stress is None else six_components(stress),
        charge=round(float(charge)) if isinstance(charge, int | float | np.number) else 0,
        facts={k: typed_fact(k, v) for k, v in atoms.info.items() if k not in NOT_FACTS and _is_fact(k, v)},
        momenta=atoms.get_momenta() if atoms.has("momenta") else None,
    )


def six_components(stress: Any) -> FloatArray:
    """The Voigt vector of a stress of six or nine components.

    Raises:
        DataError: it has another number of components.
    """
    values = np.asarray(stress, dtype=float).ravel()
    if values.size not in (6, 9):
        raise DataError(f"a stress of {values.size} components; it has six (xx, yy, zz, yz, xz, xy) or nine")
    return values if values.size == len(SIX_OF_NINE) else values[SIX_OF_NINE]


def _is_fact(name: str, value: object) -> bool:
    """Whether a value says something: one that stands for what is not known does not."""
    if name in _RANK and (value == MISSING["text"] or (isinstance(value, float) and math.isnan(value))):
        return False
    return isinstance(value, str | bool | int | float | np.generic)


def typed_fact(name: str, value: Any) -> FrameFact:
    """A value as the table of fields has it: text that reads as a number, such as the subgroup 1, stays text."""
    plain: FrameFact = value.item() if isinstance(value, np.generic) else value
    try:
        return _TYPES[name](plain) if name in _TYPES else plain
    except ValueError:
        return plain


class ExtxyzFile:
    """A stream of frames into a temporary file; `publish` puts the whole file at `path` and gives its SHA-256."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        self._path, self._temporary = path, Path(name)
        self._stream = os.fdopen(handle, "wb")
        self._hash = hashlib.sha256()
        self.frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._temporary.unlink(missing_ok=True)

    def write(self, frame: Frame) -> None:
        """Append one frame."""
        content = frame_text(frame).encode()
        self._stream.write(content)
        self._hash.update(content)
        self.frames += 1

    def publish(self) -> str:
        """Close the file and rename it to its path; returns its SHA-256."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._temporary.chmod(0o644)
        self._temporary.replace(self._path)
        return self._hash.hexdigest()

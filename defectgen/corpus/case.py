"""A labelled defect of the corpus, and the compressed archive that holds many of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray
from augment.errors import DataError
from augment.invariant import CellSymmetry
from augment.store import read_arrays, write_arrays
from defectgen.diffusion import State
from defectgen.representation import Template

SPLITS = ("train", "valid", "test")
_TEMPLATE_INTS = ("numbers", "host_numbers", "markers", "wyckoff", "site_order", "multiplicity")


@dataclass(frozen=True, eq=False)
class Label:
    """One clean geometry of a defect.

    Attributes:
        state: displacements and strain relative to the ideal cell of the host relaxed under the same potential.
        temperature: K; 0 for a relaxed structure.
        pressure: GPa.
        snapshot: an instantaneous frame.
        broken: the geometry does not have the symmetry of the full stabilizer; it is taken to have none (H = 1).
        energy: eV per cell for relaxed structures, NaN otherwise.
    """

    state: State
    temperature: float
    pressure: float
    snapshot: bool
    broken: bool
    energy: float


@dataclass(frozen=True, eq=False)
class Case:
    """A defect with its template, full stabilizer and labels.

    Attributes:
        material_id: identifier of the host.
        formula: reduced formula of the host.
        split: `train`, `valid` or `test`, decided for the host before any defect was made.
        name: doped-style name of the defect.
        template: the ideal geometry as the network sees it.
        symmetry: full stabilizer acting on the atoms of the template.
        labels: geometries under different conditions.
    """

    material_id: str
    formula: str
    split: str
    name: str
    template: Template
    symmetry: CellSymmetry
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise DataError(f"{self.material_id} {self.name}: split {self.split!r} is not one of {', '.join(SPLITS)}")
        n = self.template.n_atoms
        if any(label.state.displacements.shape != (n, 3) for label in self.labels):
            raise DataError(f"{self.material_id} {self.name}: a label does not fit its {n} atoms")


def check_split(cases: Sequence[Case]) -> None:
    """Refuse cases whose host is in two splits: geometries of one host resemble each other too much.

    Raises:
        DataError: a host, by identifier or by formula, is in two splits.
    """
    seen: dict[str, str] = {}
    for case in cases:
        for host in (case.material_id, case.formula):
            if seen.setdefault(host, case.split) != case.split:
                raise DataError(f"host {host} is in the splits {seen[host]} and {case.split}; split by host first")


def write_cases(path: Path, cases: Sequence[Case]) -> None:
    """Write cases to one archive, atomically; displacements are rounded to float32 (1e-8 Å)."""
    check_split(cases)
    columns: dict[str, list[NDArray[Any]]] = {}
    for case in cases:
        for name, array in _columns(case).items():
            columns.setdefault(name, []).append(array)
    arrays: dict[str, NDArray[Any]] = {}
    for name, parts in columns.items():
        arrays[name] = np.concatenate([part.ravel() for part in parts])
        arrays[f"{name}.shape"] = np.array([part.shape for part in parts])
    meta = [[c.material_id, c.formula, c.split, c.name, c.template.key, c.symmetry.symbol] for c in cases]
    arrays["meta"] = np.array([json.dumps(row) for row in meta], dtype=np.str_)
    write_arrays(path, arrays)


def read_cases(path: Path) -> list[Case]:
    """Read the cases of an archive.

    Raises:
        DataError: the file is missing or damaged, or a host is in two splits.
    """
    arrays = read_arrays(path)
    try:
        names = [name for name in arrays if f"{name}.shape" in arrays]
        columns = {name: _split_column(arrays[name], arrays[f"{name}.shape"]) for name in names}
        rows = [json.loads(str(text)) for text in arrays["meta"]]
        cases = [_case(row, {name: columns[name][i] for name in names}) for i, row in enumerate(rows)]
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(f"{path}: not a corpus archive ({error})") from None
    check_split(cases)
    return cases


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _columns(case: Case) -> dict[str, NDArray[Any]]:
    template, labels = case.template, case.labels
    columns: dict[str, NDArray[Any]] = {name: getattr(template, name).astype(np.int32) for name in _TEMPLATE_INTS}
    n = template.n_atoms
    columns |= {
        "cell": template.cell,
        "positions": template.positions,
        "rotations": case.symmetry.rotations,
        "permutations": case.symmetry.permutations.astype(np.int16),
        "displacements": np.array([x.state.displacements for x in labels], dtype=np.float32).reshape(-1, n, 3),
        "strain": np.array([x.state.strain for x in labels]).reshape(-1, 3, 3),
        "conditions": np.array([[x.temperature, x.pressure, x.energy] for x in labels]).reshape(-1, 3),
        "flags": np.array([[x.snapshot, x.broken] for x in labels], dtype=bool).reshape(-1, 2),
    }
    return columns


def _split_column(flat: NDArray[Any], shapes: NDArray[Any]) -> list[NDArray[Any]]:
    sizes = np.prod(shapes, axis=1)
    ends = np.cumsum(sizes)
    return [flat[end - size : end].reshape(shape) for size, end, shape in zip(sizes, ends, shapes, strict=True)]


def _case(row: list[str], columns: Mapping[str, NDArray[Any]]) -> Case:
    material_id, formula, split, name, key, symbol = row
    ints = {column: columns[column].astype(np.int64) for column in _TEMPLATE_INTS}
    template = Template(key=key, cell=columns["cell"], positions=columns["positions"], **ints)
    symmetry = CellSymmetry(symbol, columns["rotations"], columns["permutations"].astype(np.int64))
    labels = [
        Label(State(_float64(u), strain), float(t), float(p), bool(snapshot), bool(broken), float(energy))
        for u, strain, (t, p, energy), (snapshot, broken) in zip(
            columns["displacements"], columns["strain"], columns["conditions"], columns["flags"], strict=True
        )
    ]
    return Case(material_id, formula, split, name, template, symmetry, tuple(labels))


def _float64(array: NDArray[Any]) -> FloatArray:
    return np.asarray(array, dtype=np.float64)

"""A labelled defect of the corpus, and the compressed archive that holds many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray
from augment.errors import DataError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import Distortion
from augment.groups.subgroups import SubgroupClasses
from augment.storage.archive import read_arrays, write_arrays
from augment.storage.columns import from_columns, to_columns
from defectgen.representation.template import Template
from md.labels.split import SPLITS, check_split

Apart = Literal["host", "defect"]
"""What splits do not share: hosts, for a model of any crystal, or defects, for one of the crystals of its runs."""

ARRANGEMENTS = "arrangements."
"""Prefix of the columns of arrangements in an archive that holds cases too."""

TEMPLATE_INTS = ("numbers", "host_numbers", "markers", "wyckoff", "site_order", "multiplicity")


@dataclass(frozen=True, eq=False)
class Label:
    """One clean geometry of a defect.

    Attributes:
        state: displacements and strain relative to the ideal cell of the host relaxed under the same potential.
        temperature: K; 0 for a relaxed structure.
        pressure: GPa.
        snapshot: an instantaneous frame.
        broken: the geometry does not have the symmetry of the full stabilizer.
        energy: eV per cell for relaxed structures, NaN otherwise.
        kept: operations of the full stabilizer that the geometry keeps, H; by default all of them, or the identity
            alone where it is broken.
        charge: e; None where the potential knows none.
        path: (p, n, 3) displacements on the way of the relaxation to this geometry, Å.
        path_energies: (p,) potential energies there, eV per cell.
        towards: (d, n, 2, 3) points off the symmetric geometry in directions in which this one lies, displacements and
            forces there, Å and eV/Å (see `Surface.towards`).
    """

    state: Distortion
    temperature: float
    pressure: float
    snapshot: bool
    broken: bool
    energy: float
    kept: tuple[int, ...] | None = None
    charge: int | None = None
    path: FloatArray | None = None
    path_energies: FloatArray | None = None
    towards: FloatArray | None = None


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
        prototype: of the host, which is in one split too; empty where it was not found.
        curvatures: (c,) what each class of subgroups releases, eV/Å²; None where it is not known.
    """

    material_id: str
    formula: str
    split: str
    name: str
    template: Template
    symmetry: CellSymmetry
    labels: tuple[Label, ...]
    prototype: str = ""
    curvatures: FloatArray | None = None

    @cached_property
    def classes(self) -> SubgroupClasses:
        """The classes of subgroups of the stabilizer."""
        return SubgroupClasses(self.symmetry)

    def kept(self, label: Label) -> tuple[int, ...]:
        """Operations of the stabilizer that a label's geometry keeps."""
        if label.kept is not None:
            return label.kept
        return (self.symmetry.group.identity,) if label.broken or label.snapshot else tuple(range(self.symmetry.order))

    def symmetry_of(self, label: Label) -> CellSymmetry:
        """H of a label."""
        return self.symmetry.subset(self.kept(label))

    def towards(self, label: Label) -> FloatArray | None:
        """Points towards a label, or towards the lowest relaxed geometry of its symmetry."""
        if label.towards is not None:
            return label.towards
        alike = [x for x in self.labels if x.towards is not None and self.kept(x) == self.kept(label)]
        return min(alike, key=lambda x: x.energy).towards if alike else None

    def excess_energy(self, label: Label) -> float | None:
        """Energy above the lowest label of the defect at the same pressure, eV; None for thermal labels."""
        if not np.isfinite(label.energy):
            return None
        same = [x.energy for x in self.labels if x.temperature == label.temperature and x.pressure == label.pressure]
        return float(label.energy - np.nanmin(same))

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise DataError(f"{self.material_id} {self.name}: split {self.split!r} is not one of {', '.join(SPLITS)}")
        n = self.template.n_atoms
        if any(label.state.displacements.shape != (n, 3) for label in self.labels):
            raise DataError(f"{self.material_id} {self.name}: a label does not fit its {n} atoms")


def check_hosts(cases: Sequence[Case]) -> None:
    """Refuse cases whose host is in two splits: geometries of one host resemble each other too much.

    Raises:
        DataError: a host, by identifier, formula or prototype, is in two splits.
    """
    hosts: dict[str, set[str]] = {}
    for case in cases:
        hosts.setdefault(case.split, set()).update({case.material_id, case.formula, case.prototype or case.formula})
    check_split(hosts)


def check_defects(cases: Sequence[Case]) -> None:
    """Refuse cases whose defect is in two splits, in whatever charge: what is held out must not have been learnt from.

    Raises:
        DataError: a defect, by its key without charge, is in two splits.
    """
    defects: dict[str, set[str]] = {}
    for case in cases:
        defects.setdefault(case.split, set()).add(uncharged(case.template.key))
    check_split(defects)


def check_cases(cases: Sequence[Case], apart: Apart) -> None:
    """Refuse cases that share a host, or a defect, between splits.

    Raises:
        DataError: one is in two splits.
    """
    if apart == "host":
        check_hosts(cases)
    else:
        check_defects(cases)


def uncharged(key: str) -> str:
    """The key of a defect without its charge."""
    return key.partition("/q")[0]


def write_cases(path: Path, cases: Sequence[Case]) -> None:
    """Write cases to one archive, atomically; displacements are rounded to float32 (1e-8 Å), paths to float16."""
    check_hosts(cases)
    write_arrays(path, cases_to_arrays(cases))


def cases_to_arrays(cases: Sequence[Case]) -> dict[str, NDArray[Any]]:
    """Columns of the cases: all arrays of a name one after the other, and the shape of each."""
    meta = [[c.material_id, c.formula, c.split, c.name, c.template.key, c.symmetry.symbol, c.prototype] for c in cases]
    return to_columns(meta, [_columns(case) for case in cases])


def read_cases(path: Path) -> list[Case]:
    """Read the cases of an archive, or of all shards of a corpus folder.

    Raises:
        DataError: the file is missing or damaged, or a host is in two splits.
    """
    paths = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"{path}: a folder without shards of a corpus (*.npz)")
    cases = [case for part in paths for case in cases_from_arrays(read_arrays(part), str(part))]
    check_hosts(cases)
    return cases


def cases_from_arrays(arrays: Mapping[str, NDArray[Any]], where: str) -> list[Case]:
    """Inverse of `cases_to_arrays`; `where` names the source in errors.

    Raises:
        DataError: a column is missing or damaged.
    """
    columns = {name: array for name, array in arrays.items() if not name.startswith(ARRANGEMENTS)}
    return from_columns(columns, _case, where, "labelled defects")


def _columns(case: Case) -> dict[str, NDArray[Any]]:
    template, labels = case.template, case.labels
    columns: dict[str, NDArray[Any]] = {name: getattr(template, name).astype(np.int32) for name in TEMPLATE_INTS}
    n, order = template.n_atoms, case.symmetry.order
    charges = [np.nan if x.charge is None else float(x.charge) for x in labels]
    kept = np.zeros((len(labels), order), dtype=bool)
    for row, label in zip(kept, labels, strict=True):
        row[list(case.kept(label))] = True
    descent, off = template.descent, [x.towards for x in labels]
    paths = [(np.zeros((0, n, 3)), np.zeros(0)) if x.path is None else (x.path, x.path_energies) for x in labels]
    columns |= {
        "cell": template.cell,
        "positions": template.positions,
        "rotations": case.symmetry.rotations,
        "permutations": case.symmetry.permutations.astype(np.int16),
        "displacements": np.array([x.state.displacements for x in labels], dtype=np.float32).reshape(-1, n, 3),
        "strain": np.array([x.state.strain for x in labels]).reshape(-1, 3, 3),
        "conditions": np.array([[x.temperature, x.pressure, x.energy] for x in labels]).reshape(-1, 3),
        "charges": np.array(charges, dtype=np.float32),
        "flags": np.array([[x.snapshot, x.broken] for x in labels], dtype=bool).reshape(-1, 2),
        "kept": kept,
        "descent": np.zeros((0, 0, 2, 3), np.float32) if descent is None else descent.astype(np.float32),
        "towards": np.concatenate([np.zeros((0, n, 2, 3)), *(t for t in off if t is not None)]).astype(np.float32),
        "towards_counts": np.array([0 if t is None else len(t) for t in off], dtype=np.int32),
        "curvatures": np.zeros(0) if case.curvatures is None else case.curvatures,
        "path": np.concatenate([p for p, _ in paths] or [np.zeros((0, n, 3))]).astype(np.float16),
        "path_energies": np.concatenate([np.asarray(e) for _, e in paths] or [np.zeros(0)]),
        "path_lengths": np.array([len(p) for p, _ in paths], dtype=np.int32),
    }
    return columns


def template_from_columns(key: str, columns: Mapping[str, NDArray[Any]]) -> Template:
    """The template whose columns were stored under their names."""
    ints = {column: columns[column].astype(np.int64) for column in TEMPLATE_INTS}
    stored = columns.get("descent", ())  # columns of arrangements have none
    descent = _float64(columns["descent"]) if len(stored) else None
    return Template(key=key, cell=columns["cell"], positions=columns["positions"], **ints, descent=descent)


def _case(row: list[str], columns: Mapping[str, NDArray[Any]]) -> Case:
    material_id, formula, split, name, key, symbol, prototype = row
    symmetry = CellSymmetry.from_cartesian(
        symbol, columns["rotations"], columns["permutations"].astype(np.int64), columns["cell"]
    )
    labels = tuple(_label(columns, k) for k in range(len(columns["strain"])))
    soft = columns["curvatures"] if len(columns["curvatures"]) else None
    template = template_from_columns(key, columns)
    return Case(material_id, formula, split, name, template, symmetry, labels, prototype, soft)


def _label(columns: Mapping[str, NDArray[Any]], k: int) -> Label:
    temperature, pressure, energy = (float(x) for x in columns["conditions"][k])
    snapshot, broken = (bool(x) for x in columns["flags"][k])
    state = Distortion(_float64(columns["displacements"][k]), columns["strain"][k])
    end = int(np.cumsum(columns["path_lengths"])[k])
    rows = slice(end - int(columns["path_lengths"][k]), end)
    last = int(np.cumsum(columns["towards_counts"])[k])
    off = slice(last - int(columns["towards_counts"][k]), last)
    charge = float(columns["charges"][k])
    return Label(
        state,
        temperature,
        pressure,
        snapshot,
        broken,
        energy,
        kept=tuple(np.flatnonzero(columns["kept"][k]).tolist()),
        charge=None if np.isnan(charge) else round(charge),
        path=_float64(columns["path"][rows]) if rows.stop > rows.start else None,
        path_energies=columns["path_energies"][rows] if rows.stop > rows.start else None,
        towards=_float64(columns["towards"][off]) if off.stop > off.start else None,
    )


def _float64(array: NDArray[Any]) -> FloatArray:
    return np.asarray(array, dtype=np.float64)

"""One pass over a dataset: a survey of its frames, and what else the checks need to know of each."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from augment.errors import DataError
from defectgen.dataset.duplicates import Mask
from defectgen.dataset.extxyz import six_components
from defectgen.dataset.frame import Frame
from defectgen.dataset.survey import Survey, survey_frames
from defectgen.dataset.validation.entries import READ_NAMES, Entry, label_kind
from defectgen.dataset.validation.finding import MAX_EXAMPLES, Finding, Place, Severity
from defectgen.dataset.validation.reading import usable_frames

MAX_SAMPLE_ATOMS = 400_000
"""Atoms of the frames that are held in memory for checks that need whole frames; 20 MB."""

LABELLER_NAMES = ("potential", "functional", "xc", "code", "software", "method", "calculator", "level_of_theory")
"""Facts by which a file may say who made its labels."""

SPIN_NAMES = ("spin", "total_spin", "spin_multiplicity", "multiplicity", "magmom", "magmoms", "initial_magmoms")

_COLUMNS = (
    "file", "number", "layout", "energy_gap", "forces_gap", "stress_gap", "charge", "total_charge", "bad_charge",
    "periodic", "cell", "net_force", "force_sum", "force_squares", "split_clash",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Observations:
    """What is known of a dataset after it was read once.

    Attributes:
        files: that were read.
        survey: of the n frames that are usable, in their order.
        columns: (n,) numbers of these frames: `file` and `number` say where one stands, `layout` which names it has;
            `energy_gap`, `forces_gap`, `stress_gap` how far its two sets of labels are apart (nan without two);
            `charge`, `total_charge` as they stand there; `periodic` a bit for each direction, `cell` the rank of its
            lattice; `net_force` in eV/Å an atom; `force_sum`, `force_squares` of the lengths of its forces.
        geometries: (n,) hash of each geometry without its labels.
        layouts: sets of names that frames have values for.
        labellers: who made the labels, by the name of the fact that says so: frames of each value.
        unusable: what is wrong with the frames that are not, and where they stand.
        isolated: energies of free atoms, eV, by symbol.
        isolated_frames: frames of free atoms.
        sample: frames held in memory, by their place in the survey.
    """

    files: Sequence[str]
    survey: Survey
    columns: Mapping[str, FloatArray]
    geometries: NDArray[np.uint64]
    layouts: Sequence[frozenset[str]]
    labellers: Mapping[str, Counter[str]]
    unusable: Sequence[tuple[Place, str]]
    isolated: Mapping[str, list[float]]
    isolated_frames: int
    sample: Mapping[int, Frame] = field(repr=False)

    def __len__(self) -> int:
        return len(self.survey)

    def places(self, mask: Mask) -> tuple[Place, ...]:
        """The first few of some frames."""
        return tuple(self.place(int(k)) for k in np.flatnonzero(mask)[:MAX_EXAMPLES])

    def place(self, index: int) -> Place:
        """Where a frame stands."""
        return Place(self.files[int(self.columns["file"][index])], int(self.columns["number"][index]))

    def has(self, *names: str) -> Mask:
        """(n,) frames that have a value for one of some names."""
        wanted = frozenset(names)
        known = np.array([bool(wanted & layout) for layout in self.layouts], dtype=bool)
        layout: IntArray = self.columns["layout"].astype(np.int64)
        return np.asarray(known[layout], dtype=bool)

    def fault(
        self, check: str, severity: Severity, what: str, advice: str, mask: Mask, *, droppable: bool = False
    ) -> Finding:
        """A finding on some frames.

        Args:
            check: name of the check.
            severity: how bad it is.
            what: the fault; `{}` stands for the number of frames.
            advice: what to do.
            mask: (n,) which frames.
            droppable: whether the dataset is better off without them.
        """
        count = int(mask.sum())
        frames = f"{count} of {len(self)} frames" if count != len(self) else f"all {count} frames"
        places = self.places(mask)
        return Finding(check, severity, what.replace("{}", frames), advice, count, places, mask if droppable else None)

    @property
    def splits(self) -> NDArray[np.str_]:
        """(n,) split of each frame, empty where none is named."""
        return np.asarray(self.survey.table["split"].astype(object).fillna("").to_numpy(dtype=str))

    @property
    def compositions(self) -> IntArray:
        """(n,) number of the composition of each frame."""
        return np.asarray(self.survey.table["composition"].cat.codes.to_numpy(), dtype=np.int64)


def observe(files: Sequence[Path], progress: Callable[[int], None] | None = None) -> Observations:
    """Read a dataset once.

    Args:
        files: to read.
        progress: called with the number of frames so far.

    Raises:
        DataError: no frame of it can be used.
    """
    reader = _Reader(files)
    survey = survey_frames(reader.frames(), progress)
    if len(survey) == 0:
        where = "; ".join(f"{place}: {problem}" for place, problem in reader.unusable[:3]) or "there are none"
        raise DataError(f"{', '.join(map(str, files[:3]))}: no frame can be used ({where})")
    return Observations(
        [str(path) for path in files],
        survey,
        {name: np.frombuffer(column, dtype=float) for name, column in reader.columns.items()},
        np.frombuffer(reader.geometries, dtype=np.uint64),
        list(reader.layouts),
        reader.labellers,
        reader.unusable,
        reader.isolated,
        reader.isolated_frames,
        reader.sample,
    )


class _Reader:
    """Gives the frames that are usable, and notes the rest on the way."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self.columns = {name: array("d") for name in _COLUMNS}
        self.geometries = array("Q")
        self.layouts: dict[frozenset[str], int] = {}
        self.labellers: dict[str, Counter[str]] = {}
        self.unusable: list[tuple[Place, str]] = []
        self.isolated: dict[str, list[float]] = {}
        self.isolated_frames = 0
        self.sample: dict[int, Frame] = {}
        self._stride, self._atoms = 1, 0

    def frames(self) -> Iterator[Frame]:
        count = 0
        for position, path in enumerate(self._files):
            for entry, frame in usable_frames(path):
                if frame is not None:
                    self._note(position, entry, frame)
                    self._keep(count, frame)
                    yield frame
                    count += 1
                elif entry.problem or entry.frame is None:
                    self.unusable.append((Place(str(path), entry.number), entry.problem))
                else:
                    self._isolated(entry.frame)

    def _isolated(self, frame: Frame) -> None:
        self.isolated_frames += 1
        known = self.isolated.setdefault(element_symbol(int(frame.numbers[0])), [])
        if frame.energy is not None:
            known.append(frame.energy)

    def _note(self, file: int, entry: Entry, frame: Frame) -> None:
        layout = self.layouts.setdefault(frozenset(entry.values), len(self.layouts))
        for name in LABELLER_NAMES:
            if isinstance(value := entry.values.get(name), str) and value:
                self.labellers.setdefault(name, Counter())[value] += 1
        clash = entry.values.get("split", frame.facts.get("split")) != frame.facts.get("split")
        row = (file, entry.number, layout, *_gaps(entry.values), *_charges(entry.values), *_lattice(frame))
        for column, value in zip(self.columns.values(), (*row, *_force_measures(frame), clash), strict=True):
            column.append(value)
        self.geometries.append(_geometry(frame))

    def _keep(self, index: int, frame: Frame) -> None:
        """Hold pairs of successive frames, fewer the more there are."""
        if (index // 2) % self._stride:
            return
        self.sample[index] = frame
        self._atoms += len(frame)
        if self._atoms > MAX_SAMPLE_ATOMS and len(self.sample) > 2:  # noqa: PLR2004  a pair
            self._stride *= 2
            self.sample = {k: f for k, f in self.sample.items() if (k // 2) % self._stride == 0}
            self._atoms = sum(map(len, self.sample.values()))


def _gaps(values: Mapping[str, Any]) -> tuple[float, float, float]:
    """How far the two sets of labels that trainers read are apart, eV, eV/Å, eV/Å³; nan where there is one."""
    found = []
    for names in READ_NAMES.values():
        first, second = (values.get(name) for name in names)
        found.append(float("nan") if first is None or second is None else _distance(first, second))
    return found[0], found[1], found[2]


def _distance(first: Any, second: Any) -> float:
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.size != b.size:
        a, b = six_components(a), six_components(b)
    return float(np.abs(a.ravel() - b.ravel()).max(initial=0.0))


def _charges(values: Mapping[str, Any]) -> tuple[float, float, bool]:
    """Both charges, e, nan where they are not there; and whether one is no number."""
    first, second = (_number(values.get(name)) for name in ("charge", "total_charge"))
    given = [values[name] for name in ("charge", "total_charge") if values.get(name) is not None]
    return first, second, any(not np.isfinite(_number(value)) for value in given)


def _number(value: Any) -> float:
    try:
        return float("nan") if value is None or isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return float("nan")


def _lattice(frame: Frame) -> tuple[int, int]:
    periodic = int(frame.pbc[0]) + 2 * int(frame.pbc[1]) + 4 * int(frame.pbc[2])
    return periodic, 3 if frame.volume > _FLAT else int(np.linalg.matrix_rank(frame.cell))


_FLAT = 1e-6
"""Å³; below it lattice vectors are not independent."""


def _force_measures(frame: Frame) -> tuple[float, float, float]:
    """Net force an atom, and sums of the lengths of forces and of their squares, which no order of atoms changes."""
    if frame.forces is None:
        return float("nan"), 0.0, 0.0
    lengths = np.sqrt((frame.forces**2).sum(axis=1))
    net = float(np.linalg.norm(frame.forces.sum(axis=0))) / len(frame)
    return net, float(lengths.sum()), float((lengths**2).sum())


def _geometry(frame: Frame) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for values in (frame.numbers, frame.positions, frame.cell, frame.pbc):
        digest.update(np.ascontiguousarray(values).tobytes())
    return int.from_bytes(digest.digest(), "little")


def unread_names(layout: frozenset[str], kind: str) -> list[str]:
    """Names that look like a label and that no trainer reads with its defaults."""
    return sorted(n for n in layout if n not in READ_NAMES[kind] and label_kind(n) == kind)

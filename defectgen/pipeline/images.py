"""What is imaged of a run folder or of structure files, with the pristine crystal beside it, and the files made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray
from augment.errors import ConditionError, DataError
from augment.storage.archive import read_cells, write_atomically
from augment.storage.missing import did_you_mean
from defectgen.dataset.trajectory import Trajectory, read_trajectory
from defectgen.images import (
    MeanCellFrames,
    PairSettings,
    PowderSettings,
    StemSettings,
    VoxelSettings,
    conventional_lattice,
    encode_voxels,
    on_sites,
    pair_distribution,
    powder_pattern,
    stem_image,
    write_stem,
    write_voxels,
)
from defectgen.images.stem import require_abtem
from defectgen.pipeline.prepared import PreparedRun
from defectgen.report.response.conditions import equilibrated_at
from defectgen.run.folder import RunFolder
from defectgen.run.structure_files import read_cells_of_files
from md.jobs.sweep import Progress
from md.labels.record import read_records

KINDS = ("stem", "xrd", "pdf", "voxels")
"""Representations that can be made."""

STATES = ("ideal", "relaxed", "md")
"""Geometries of a run, from the first to the last that it makes."""


@dataclass(frozen=True, eq=False)
class ImageSource:
    """A cell to be imaged.

    Attributes:
        label: name of its files.
        frames: its geometry, or the frames of it that are averaged over.
        pristine: the same supercell without the defect, where it is known.
        conventional: (3, 3) lattice that zone axes are given in, rows, Å.
    """

    label: str
    frames: MeanCellFrames
    pristine: MeanCellFrames | None
    conventional: FloatArray


@dataclass(frozen=True)
class ImageRequest:
    """What is to be made of every source.

    Attributes:
        kinds: of `KINDS`.
        zone: direction of the beam.
        stem, powder, pairs, voxels: how.

    Raises:
        ConditionError: a kind is not known, or abTEM is missing for one.
    """

    kinds: tuple[str, ...]
    zone: tuple[int, ...]
    stem: StemSettings
    powder: PowderSettings
    pairs: PairSettings
    voxels: VoxelSettings

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            wrong = next(iter(unknown), "")
            raise ConditionError(
                f"no representation is called {wrong!r}; {did_you_mean(wrong, KINDS)}use some of {', '.join(KINDS)}"
            )
        if "stem" in self.kinds:
            require_abtem()


def file_sources(paths: Sequence[Path], pristine: Path | None = None) -> list[ImageSource]:
    """The structures of CIFs and extended XYZ files; zone axes are directions of their own cells.

    Args:
        paths: the files.
        pristine: file of the same supercell without a defect, in the same axes and with the same origin.

    Raises:
        DataError: a file is no periodic structure, or the pristine one is of another supercell.
    """
    cells = read_cells_of_files(paths)
    if pristine is None:
        return [ImageSource(cell.name, MeanCellFrames.of_cell(cell), None, cell.cell) for cell in cells]
    host = read_cells_of_files([pristine])[0]
    beside = MeanCellFrames.of_cell(host)
    placed = [MeanCellFrames.of_cell(on_sites(cell, host)) for cell in cells]
    return [ImageSource(frames.cell.name, frames, beside, frames.lattice) for frames in placed]


def run_sources(
    path: Path, state: str | None = None, only: Sequence[str] = (), most: int | None = None
) -> list[ImageSource]:
    """The cells of a run folder, the pristine one first, or its points of dynamics.

    Args:
        path: the folder.
        state: `ideal`, `relaxed` or `md`; the last that the run has finished, without it.
        only: names of defects; all without it.
        most: number of cells or points, the first ones.

    Raises:
        DataError: the run has not made this state, or holds no such defect.
        ConditionError: there is no such state.
    """
    folder = RunFolder.open(path)
    chosen = state or _last_state(folder)
    if chosen not in STATES:
        raise ConditionError(f"no geometries are called {chosen!r}; use one of {', '.join(STATES)}")
    host = PreparedRun.of_folder(folder).host
    found = _points(folder) if chosen == "md" else _cells(folder, chosen)
    names = {frames.cell.name for _, frames, _ in found}
    missing = sorted(set(only) - names)
    if missing:
        raise DataError(f"{path}: no {chosen} cell is called {missing[0]}; there are {', '.join(sorted(names))}")
    wanted = [entry for entry in found if not only or entry[1].cell.name in only][:most]
    return [
        ImageSource(label, frames, pristine, conventional_lattice(frames.cell, host))
        for label, frames, pristine in wanted
    ]


def _last_state(folder: RunFolder) -> str:
    stages = {"md": "md", "relax": "relaxed"}
    return next((state for stage, state in stages.items() if folder.finished(stage)), "ideal")


_Found = tuple[str, MeanCellFrames, MeanCellFrames | None]


def _cells(folder: RunFolder, state: str) -> list[_Found]:
    """Cells at rest beside the pristine one."""
    folder.require("relax" if state == "relaxed" else "defects")
    if state == "ideal":
        cells = read_cells(folder.file("defects", "cells.npz"))
    else:
        cells = [record.cell for record in read_records(folder.file("relax", "records.npz"))]
    bulk = next((MeanCellFrames.of_cell(cell) for cell in cells if cell.name == BULK), None)
    labels = _distinct([f"{cell.name}_{state}" for cell in cells])
    return [(label, MeanCellFrames.of_cell(cell), bulk) for label, cell in zip(labels, cells, strict=True)]


def _points(folder: RunFolder) -> list[_Found]:
    """Points of dynamics from when they have settled, each beside the pristine crystal at the same conditions."""
    folder.require("md")
    rows = {row["id"]: row for row in folder.read_lines("md/summary.jsonl")}
    settled = {}
    for archive in sorted(folder.file("md", "points").glob("*.npz")):
        trajectory = read_trajectory(archive)
        row = rows.get(trajectory.point.id)
        if row is not None and row["status"] == "finished":
            settled[trajectory.point.id] = (trajectory, _settled(trajectory, equilibrated_at(row) or 0))
    order = [settled[identity] for identity in rows if identity in settled]
    pristine = {_conditions(t): frames for t, frames in order if t.point.name == BULK}
    labels = _distinct([t.point.label for t, _ in order])
    return [(label, frames, pristine.get(_conditions(t))) for label, (t, frames) in zip(labels, order, strict=True)]


def _settled(trajectory: Trajectory, step: int) -> MeanCellFrames:
    first = min(int(np.searchsorted(trajectory.steps, step)), len(trajectory.frames) - 1)
    return MeanCellFrames.of_frames(trajectory.frames, first)


def _conditions(trajectory: Trajectory) -> tuple[str, str, str]:
    point = trajectory.point
    return point.environment.label, point.environment.ensemble, point.engine


def _distinct(labels: Sequence[str]) -> list[str]:
    """Names of files, numbered where two are alike."""
    plain = [re.sub(r"[^\w.+-]+", "_", label) for label in labels]
    return [f"{name}_{plain[:i].count(name)}" if plain.count(name) > 1 else name for i, name in enumerate(plain)]


def make_images(
    sources: Sequence[ImageSource], request: ImageRequest, folder: Path, progress: Progress
) -> Iterator[list[Path]]:
    """Make what is requested of every source, and give the files of each when they are in place.

    An image that is there already, made with the same settings of the same cell, is made again: a folder has no state.
    """
    writers: dict[str, Callable[[ImageSource, ImageRequest, Path, Callable[[float], object]], list[Path]]] = {
        "stem": _write_image, "xrd": _write_powder, "pdf": _write_pairs, "voxels": _write_grid,
    }  # fmt: skip
    total = len(sources) * len(request.kinds)
    tasks = ((source, kind) for source in sources for kind in request.kinds)
    for done, (source, kind) in enumerate(tasks):

        def part(share: float, at: int = done, label: str = f"{source.label} {kind}") -> None:
            progress(at + share, total, label)

        part(0.0)
        yield writers[kind](source, request, folder, part)
    progress(total, total, "done")


def _write_image(
    source: ImageSource, request: ImageRequest, folder: Path, part: Callable[[float], object]
) -> list[Path]:
    image = stem_image(
        source.frames,
        request.zone,
        conventional=source.conventional,
        pristine=source.pristine,
        settings=request.stem,
        report=lambda done, total: part(done / total),
    )
    image = replace(image, about={**image.about, "source": source.label})
    return write_stem(image, folder, f"{source.label}_stem")


def _write_powder(source: ImageSource, request: ImageRequest, folder: Path, _: object) -> list[Path]:
    path = folder / f"{source.label}_xrd.csv"
    write_atomically(path, powder_pattern(source.frames, request.powder).to_csv().encode())
    return [path]


def _write_pairs(source: ImageSource, request: ImageRequest, folder: Path, _: object) -> list[Path]:
    path = folder / f"{source.label}_pdf.csv"
    write_atomically(path, pair_distribution(source.frames, request.pairs).to_csv().encode())
    return [path]


def _write_grid(source: ImageSource, request: ImageRequest, folder: Path, _: object) -> list[Path]:
    cell: DefectCell = source.frames.cell
    return write_voxels(encode_voxels(cell, request.voxels), cell, folder, f"{source.label}_voxels")

"""What a run folder knows of where atoms go: minima of relaxations and searches, thermal means, and calculations.

Each geometry is measured from the host at rest under who made it: the potential of the run, or density functional
theory where the run has the pristine cell at the same level.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from augment.cell import BULK, DefectCell
from augment.defect import Defect
from augment.errors import DataError
from augment.host import Host
from augment.supercell import Supercell
from defectgen.corpus.cases import uncharged
from defectgen.dataset.trajectory import Trajectory, read_trajectory
from defectgen.fine_tuning.calculated_host import calculated_hosts
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.search_stage import MINIMA
from defectgen.run.folder import RunFolder
from md.campaigns.labelling import cell_hash
from md.campaigns.relaxation_records import relaxation_records
from md.labels.calculated import CALCULATED_RECORDS, is_calculated, read_calculated
from md.labels.record import read_records
from md.potentials import Potential

__all__ = ["DefectGeometries", "Geometry", "RunGeometries", "geometries_hash", "geometries_of"]

_MEAN_FRAMES = 20
"""Frames after the first half of a run of dynamics, below which their mean says little."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """One labelled geometry of a defect.

    Attributes:
        cell: the structure, its atoms in the order of the ideal cell.
        energy: eV; NaN for a thermal mean.
        temperature: K; 0 at rest.
        pressure: GPa.
        charge: e; None where the potential knows none.
    """

    cell: DefectCell
    energy: float
    temperature: float = 0.0
    pressure: float = 0.0
    charge: int | None = None


@dataclass(frozen=True, eq=False)
class DefectGeometries:
    """The geometries of one defect by one labeller.

    Attributes:
        defect: in the crystal that is at rest under the labeller.
        labeller: name of who labelled.
        potential: of the run, whose forces are input features.
        geometries: at rest, and thermal means.
    """

    defect: Defect
    labeller: str
    potential: Potential
    geometries: tuple[Geometry, ...]


@dataclass(frozen=True, eq=False)
class RunGeometries:
    """What a run folder has to learn from.

    Attributes:
        path: the folder.
        host: its crystal.
        potential: of the run.
        defects: with their geometries.
        sources: number of geometries by what they are.
        left_out: what is not used, a line each.
    """

    path: Path
    host: Host
    potential: Potential
    defects: tuple[DefectGeometries, ...]
    sources: dict[str, int]
    left_out: tuple[str, ...] = ()


def geometries_of(run: Path) -> RunGeometries:
    """Everything to learn from in a run folder.

    Raises:
        ResumeError: it is no run folder.
        DataError: it has no geometry of a defect, or labels of another potential than its host was relaxed by.
        PotentialError: its potential is not there.
    """
    folder = RunFolder.open(run)
    stages = [stage for stage in ("relax", "search", "md") if folder.finished(stage)]
    calculated = folder.file(*CALCULATED_RECORDS.parts).is_file()
    if not stages and not calculated:
        raise DataError(
            f"{run}: no relaxed defects to learn from; run `defectgen relax {run}` or `defectgen search {run}` first"
        )
    reader = _Reader(folder, PreparedRun.of_folder(folder))
    for stage in stages:
        getattr(reader, stage)()
    if calculated:
        reader.calculations()
    return reader.found()


@dataclass(eq=False)
class _Reader:
    folder: RunFolder
    prepared: PreparedRun
    _known: dict[tuple[str, str], list[Geometry]] = field(default_factory=dict)
    _crystals: dict[str, Host] = field(default_factory=dict)
    _sources: Counter[str] = field(default_factory=Counter)
    _left_out: list[str] = field(default_factory=list)

    def found(self) -> RunGeometries:
        """What has been read."""
        potential = self.prepared.potential
        defects = [
            DefectGeometries(self._placed(key, labeller), labeller, potential, tuple(geometries))
            for (labeller, key), geometries in self._known.items()
        ]
        if not defects:
            reasons = f" ({'; '.join(self._left_out)})" if self._left_out else ""
            raise DataError(f"{self.folder.path}: no relaxed defect in it{reasons}")
        sources, lines = dict(self._sources), tuple(self._left_out)
        return RunGeometries(self.folder.path, self.prepared.host, potential, tuple(defects), sources, lines)

    def relax(self) -> None:
        """Ends of relaxations that came to rest."""
        for record in relaxation_records(self.folder.path, 0):
            if record.config_type == "relaxed" and record.cell.name != BULK:
                self._add("relaxations", record.cell, record.energy)

    def search(self) -> None:
        """Minima that searches found."""
        for record in read_records(self.folder.file(*MINIMA)):
            self._add("searches", record.cell, record.energy)

    def md(self) -> None:
        """Means of runs at one temperature and pressure."""
        for archive in sorted(self.folder.file("md", "points").glob("*.npz")):
            trajectory = read_trajectory(archive)
            mean = _mean(trajectory) if trajectory.point.role == "data" else None
            if mean is not None and mean.cell.name != BULK:
                self._keep(self.prepared.potential.name, mean, "thermal means")

    def calculations(self) -> None:
        """Calculations that came to rest, at the levels at which the pristine cell is known."""
        records = read_calculated(self.folder.file(*CALCULATED_RECORDS.parts))
        self._crystals = calculated_hosts(self.prepared.host, self.prepared.supercell, records)
        lost: Counter[str] = Counter()
        for record in records:
            level = str(record.cell.provenance["potential"])
            if record.cell.name == BULK or record.config_type != "dft_relaxed":
                continue
            if level in self._crystals and _same_supercell(record.cell.key, self.prepared.supercell.bulk_cell().key):
                self._keep(level, Geometry(record.cell, record.energy, charge=record.cell.charge), "calculations")
            else:
                lost[level] += 1
        self._left_out += [
            f"{count} calculations at {level}: the run has none of its pristine supercell at that level, which "
            "displacements are measured from"
            for level, count in lost.items()
        ]
        self._prefer_calculated()

    def _prefer_calculated(self) -> None:
        """Leave out what the potential says of a defect that calculations know: the two contradict each other."""
        levels = sorted({labeller for labeller, _ in self._known if is_calculated(labeller)})
        if len(levels) > 1:
            raise DataError(
                f"{self.folder.path}: calculations at {' and '.join(levels)}; their geometries are those of two "
                "theories, make a run of its own for each"
            )
        better = {uncharged(key) for labeller, key in self._known if labeller in levels}
        doubled = [pair for pair in self._known if pair[0] not in levels and uncharged(pair[1]) in better]
        for pair in doubled:
            del self._known[pair]
        if doubled:
            self._left_out.append(
                f"geometries of {len(doubled)} defects by {self.prepared.potential.name}: calculations at {levels[0]} "
                "know these defects"
            )

    def _add(self, source: str, cell: DefectCell, energy: float) -> None:
        potential, by = self.prepared.potential, cell.provenance
        if by.get("potential_sha256") != potential.sha256:
            raise DataError(
                f"{self.folder.path}: {source} by {by.get('potential')}, and its host is relaxed by {potential.name}; "
                "displacements are measured from the host under the same potential: make a run of its own for each"
            )
        self._keep(potential.name, Geometry(cell, energy), source)

    def _keep(self, labeller: str, geometry: Geometry, source: str) -> None:
        self._known.setdefault((labeller, geometry.cell.key), []).append(geometry)
        self._sources[source] += 1

    def _placed(self, key: str, labeller: str) -> Defect:
        """A defect in the crystal at rest under a labeller."""
        defect = self.prepared.decoded(key)
        if labeller in self._crystals:
            crystal, voids = self._crystals[labeller], defect.supercell.host
            at_rest = voids.relaxed(crystal.primitive, crystal.points[: crystal.n_lattice])
            return Defect(Supercell(at_rest, defect.supercell.matrix), defect.edits, defect.charge)
        return self.prepared.reference(self.folder).on(defect)


def geometries_hash(runs: Sequence[RunGeometries]) -> str:
    """Hash of the geometries of runs, of the crystals they are measured from, and of the potentials."""
    digest = hashlib.sha256()
    for run in runs:
        digest.update(f"{run.potential.name} {run.potential.sha256}".encode())
        for one in run.defects:
            digest.update(f"{one.labeller} {cell_hash(one.defect.cell())}".encode())
            for g in one.geometries:
                said = (cell_hash(g.cell), g.energy, g.temperature, g.pressure, g.charge)
                digest.update(repr(said).encode())
    return digest.hexdigest()


def _mean(trajectory: Trajectory) -> Geometry | None:
    """The mean of the second half of a run; None where its conditions change or there are few frames."""
    environment, frames = trajectory.point.environment, trajectory.frames
    temperature, pressure = environment.temperature, environment.pressure
    half = slice(len(frames) // 2, None)
    constant = isinstance(temperature, int | float) and isinstance(pressure, int | float)
    if not constant or len(frames) < 2 * _MEAN_FRAMES:
        return None
    cell = frames.start.with_geometry(frames.positions[half].mean(axis=0), frames.cells[half].mean(axis=0))
    return Geometry(cell, float("nan"), float(temperature), float(pressure))  # type: ignore[arg-type]


def _same_supercell(key: str, other: str) -> bool:
    """Whether the keys of two defects are of one supercell of one host."""
    return key.split("/")[:2] == other.split("/")[:2]

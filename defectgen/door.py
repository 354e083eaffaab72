"""The verbs of the public door: from a host to relaxed and hot cells and a dataset, with explicit, typed keywords."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from augment.cell import DefectCell
from augment.crystal.vacuum import has_vacuum
from augment.errors import ConditionError, DataError
from augment.host import Host
from augment.supercell import Supercell
from defectgen.dataset.card import DatasetManifest
from defectgen.dataset.dataset import export_records
from defectgen.dataset.settings import UNLICENSED, DatasetSettings
from md.campaigns.relax_and_md import grid, md_all, relax_all
from md.conditions.environment import IN_PLANE, Ensemble
from md.conditions.point import Engine, MdPoint
from md.conditions.schedule_text import environments
from md.conditions.timestep import default_timestep
from md.dynamics.response import Response
from md.jobs.sweep import Progress
from md.labels.record import Record
from md.potentials import Potential, resolve_potential
from md.potentials.device import Device
from md.relaxation.relax import Relaxation, RelaxSettings
from md.relaxation.relaxed_host import RELAXED_HOST_FMAX, RelaxedHost

Condition = float | str
"""A constant, or the text of a schedule such as `ramp(300,900,5ps)+quench(300)`."""


def potential(
    name: str | Path = "auto", host: Host | None = None, *, dopants: Sequence[str] = (), trust: bool = False
) -> Potential:
    """A potential by name that covers a host and what is put into it.

    Args:
        name: `auto` (a student that knows the host, else CHGNet with its r2SCAN weights), a name that
            `list_potentials` gives, a MACE model file, `lammps:STYLE FILE`, or `module:Class` of an ASE calculator.
        host: the crystal that it is for.
        dopants: symbols of foreign elements that it must cover as well.
        trust: allow a model file or an import path, which run code when they are loaded.

    Raises:
        PotentialError: there is none, it is not trusted, or it does not cover an element.
    """
    symbols = {*(() if host is None else host.elements), *dopants}
    like = None if host is None else Supercell.primitive(host).bulk_cell()
    return resolve_potential(name, symbols, trust=trust, like=like)


def relax_host(
    host: Host,
    potential: Potential,
    *,
    pressure: float = 0.0,
    relax_cell: bool = True,
    fmax: float = RELAXED_HOST_FMAX,
) -> RelaxedHost:
    """The host at rest under a potential: what displacements are measured from, and `generate` is asked on.

    Args:
        host: the crystal.
        potential: what it is relaxed under.
        pressure: GPa.
        relax_cell: relax the lattice as well; that of a layer or slab in its plane only. Without it the lattice is
            that of the CIF, as the surface of a thick crystal needs it.
        fmax: largest force left on an atom, eV/Å.

    Raises:
        DataError: the relaxation diverged, or makes another crystal of it.
        PotentialError: an element is not covered, or the potential fails.
    """
    return RelaxedHost.of(host, potential, pressure=pressure, relax_cell=relax_cell, fmax=fmax)


def relax(
    cells: Sequence[DefectCell],
    potential: Potential,
    *,
    fmax: float = RelaxSettings.fmax,
    max_steps: int = RelaxSettings.max_steps,
    folder: str | Path | None = None,
    workers: int = 1,
    device: Device = "auto",
    progress: Progress | None = None,
) -> list[Relaxation]:
    """Relax cells at fixed lattice, each to the nearest minimum; in the order of the cells.

    Args:
        cells: where to start.
        potential: what to relax with.
        fmax: largest force left, eV/Å.
        max_steps: most steps of each.
        folder: keeps each relaxation in a file; what is there already is not done again. None keeps nothing.
        workers: processes; results do not depend on their number.
        device: for MACE networks: `auto`, `cpu` or `cuda`.
        progress: called with (done, total, label).

    Raises:
        PotentialError: an element is not covered, or the potential fails.
    """
    settings = RelaxSettings(fmax=fmax, max_steps=max_steps)
    with _kept(folder) as path:
        return relax_all(cells, potential, path, settings, workers=workers, device=device, progress=progress)


def run_md(
    cells: Sequence[DefectCell | Relaxation],
    potential: Potential,
    *,
    temperature: Condition | Sequence[Condition] = 300.0,
    pressure: Condition | Sequence[Condition] = 0.0,
    ensemble: Ensemble = "npt",
    tension: Condition | Sequence[Condition] = 0.0,
    strain_rate: str | None = None,
    engine: Engine = "ase",
    steps: int = 1000,
    timestep: float | None = None,
    interval: int = 20,
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int = 1,
    device: Device = "auto",
    progress: Progress | None = None,
) -> list[Response]:
    """Molecular dynamics of every cell at every temperature and pressure.

    Args:
        cells: cells, or relaxations, of which those that diverged are left out.
        potential: what makes the forces.
        temperature: K, one or several; or schedules such as `ramp(300,900,5ps)+quench(300)`.
        pressure: GPa, likewise.
        ensemble: `nve`, `nvt`, `npt`, `npt-aniso` or `npt-full`; with a vacuum in a cell `nve`, `nvt` or `npt-plane`,
            in which the area of the layer breathes.
        tension: N/m, of a layer in `npt-plane`, positive where it is pulled; one or several, or schedules.
        strain_rate: AXIS:RATE in 1/ps, `a:0.001`; with npt-aniso, nvt or nve.
        engine: `ase`, `lammps`, or `batched` for MACE networks.
        steps: of each run.
        timestep: fs; None for that of the lightest atom in each cell: 0.5 with H, 1 up to F, 2 above.
        interval: steps between kept frames.
        seed: from which each point has one of its own, of the velocities and the thermostat.
        folder: keeps each point in a file, checkpoints included; None keeps nothing.
        workers: processes; results do not depend on their number.
        device: for MACE networks: `auto`, `cpu` or `cuda`.
        progress: called with (done, total, label).

    Raises:
        ConditionError: a condition is not possible, or not in a cell.
        PotentialError: an element is not covered, or the potential fails.
    """
    starts = [c.cell if isinstance(c, Relaxation) else c for c in cells if not _diverged(c)]
    _check_vacuum(starts, ensemble)
    points: list[tuple[MdPoint, DefectCell]] = []
    for start in starts:
        fs = timestep or default_timestep(start)
        conditions = (_several(temperature), _several(pressure), ensemble, strain_rate, fs, _several(tension))
        wanted = environments(*conditions)
        points += grid([start], wanted, (engine,), steps=steps, timestep=fs, interval=interval, seed=seed)
    with _kept(folder) as path:
        return md_all(points, potential, path, workers=workers, device=device, progress=progress)


def export(
    *results: Sequence[Relaxation | Response | Record],
    to: str | Path,
    seed: int = 0,
    dataset_license: str = UNLICENSED,
    settings: DatasetSettings | None = None,
) -> DatasetManifest:
    """Write relaxed and hot cells as a training set that trainers read with their defaults, with a dataset card.

    Relaxations that diverged and the first frame of each run, which is its start, are left out.

    Args:
        results: relaxations, responses and records.
        to: folder of the dataset.
        seed: of the split.
        dataset_license: named in the card.
        settings: what goes in, how it is split and as what it is written, instead of `seed` and `dataset_license`.

    Raises:
        DataError: nothing can be exported, or a record does not say its host or its potential.
    """
    records = [record for group in results for result in group for record in _records(result)]
    if not records:
        raise DataError("nothing to export: every relaxation diverged, or none was given")
    return export_records(records, Path(to), settings or DatasetSettings(seed=seed, license=dataset_license))


def _check_vacuum(cells: Sequence[DefectCell], ensemble: Ensemble) -> None:
    """Refuse a barostat that would close the vacuum in a cell.

    Raises:
        ConditionError: there is one.
    """
    for cell in cells if ensemble.startswith("npt") and ensemble != IN_PLANE else ():
        if has_vacuum(cell.cell, cell.positions @ np.linalg.inv(cell.cell)):
            raise ConditionError(
                f'{cell.name}: {ensemble} would close the vacuum in its cell; use ensemble="nvt", or '
                f'"{IN_PLANE}" for an area that breathes'
            )


def _several(value: Condition | Sequence[Condition]) -> Sequence[Condition]:
    return [value] if isinstance(value, str | int | float) else value


def _diverged(cell: DefectCell | Relaxation) -> bool:
    return isinstance(cell, Relaxation) and cell.status == "diverged"


def _records(result: Relaxation | Response | Record) -> list[Record]:
    """What a result has for a dataset."""
    if isinstance(result, Record):
        return [result]
    if isinstance(result, Response):
        return [record for record in result.records() if record.cell.provenance["step"] > 0]
    return [] if result.record is None or _diverged(result) else [result.record]


@contextmanager
def _kept(folder: str | Path | None) -> Iterator[Path]:
    """The folder that results are kept in, or one that goes away."""
    if folder is not None:
        yield Path(folder)
        return
    with TemporaryDirectory(prefix="defectgen-") as made:
        yield Path(made)

"""The stages of a run: each reads the files of the one before in the run folder and writes its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import BULK, DefectCell
from augment.defect import Defect
from augment.errors import ConditionError, DataError
from augment.host import Host
from augment.storage.archive import read_cells, write_atomically, write_cells
from defectgen.config import Settings
from defectgen.crystal import crystal_of, planar_crystal
from defectgen.export.proposals import write_proposals
from defectgen.progress import progress
from defectgen.run_folder import RunFolder
from defectgen.selection import build_defects, build_supercell, find_potential
from md.record import Record, read_records, write_records
from md.reference import onto_relaxed_host
from md.relax import Relaxation, relax

if TYPE_CHECKING:
    from defectgen.generate.request import Request

Counts = dict[str, Any]

INPUT = ("host", "input.cif")
"""The CIF as the user gave it, so that a run folder stands on its own."""

IDEAL = "ideal"
"""Name of the start that is on the sites of the host."""

HOST_RELAXATION_STEPS = 500
HOST_FORCE = 0.005
"""eV/Å; every displacement is measured from the relaxed host, so it is relaxed further than the defects."""


def _timed(stage: str) -> Callable[[Callable[[RunFolder], Counts]], Callable[[RunFolder], Counts]]:
    """Time a stage and note its end in the folder, after its files are in place."""

    def wrap(function: Callable[[RunFolder], Counts]) -> Callable[[RunFolder], Counts]:
        @wraps(function)
        def timed(folder: RunFolder) -> Counts:
            start = time.monotonic()
            counts = function(folder)
            folder.finish(stage, time.monotonic() - start, counts)
            return counts

        return timed

    return wrap


@_timed("host")
def host_stage(folder: RunFolder) -> Counts:
    """Read and standardise the host; write its Wyckoff table and its standardised CIF."""
    from pymatgen.io.cif import CifWriter

    source = folder.settings.host.read_bytes()
    write_atomically(folder.file(*INPUT), source)
    asked = folder.settings.planar
    made = planar_crystal(folder.file(*INPUT), asked) if asked.kinds else None
    host = host_of(folder) if made is None else made.host
    plane = {} if made is None else {"plane": {"kind": made.kind, "label": made.label}}
    folder.write_json("host/host.json", {**host.to_dict(), **plane})
    text = str(CifWriter(host.to_pymatgen(), symprec=1e-3))
    write_atomically(folder.file("host", "host.cif"), text.encode())
    return {"space_group": host.space_group_symbol, "sites": len(host.orbits)}


@_timed("defects")
def defects_stage(folder: RunFolder) -> Counts:
    """Build every symmetry-distinct defect of the settings; write their table and ideal cells."""
    defects = build_defects(folder.settings)
    supercell = defects[0].supercell if defects else build_supercell(folder.settings)
    write_cells(folder.file("defects", "cells.npz"), [supercell.bulk_cell(), *(d.cell() for d in defects)])
    folder.write_lines("defects/defects.jsonl", [d.to_dict() for d in defects])
    return {"defects": len(defects), "supercell_atoms": supercell.n_atoms}


def start_folder(settings: Settings) -> RunFolder:
    """Claim the run folder and finish its first two stages; nothing is written if the host cannot be used.

    Raises:
        DefectgenError: the host, the supercell or a dopant is not possible, or the folder belongs to another run.
    """
    build_defects(settings)
    folder = RunFolder.claim(settings)
    with folder.locked():
        for stage, function in (("host", host_stage), ("defects", defects_stage)):
            if not folder.finished(stage):
                function(folder)
    return folder


def check_conditions(settings: Settings) -> None:
    """Check everything asked for that can be checked without long work, before anything is written.

    Raises:
        DefectgenError: names what is not possible.
    """
    from defectgen.energy_surface.source import find_forces
    from defectgen.model.weights import load_model

    check_environments(settings)
    requests = requests_of(settings)
    defects = build_defects(settings)
    if defects:
        check_engines(settings, defects[0].host)
        names = _chosen(settings, [d.name for d in defects])
        _check_subgroups(requests, [d for d in defects if d.name in names])
    model = load_model(settings.generate.model)
    find_forces(settings.generate.forces, model.card)


def check_environments(settings: Settings) -> None:
    """Check the temperatures, pressures and engines of the dynamics.

    Raises:
        ConditionError: one is not possible in the ensemble or the engine asked for.
    """
    from defectgen.dynamics import check_points

    check_points(settings)


def check_engines(settings: Settings, host: Host) -> None:
    """Check that there is the potential, and that it runs on the device and in the engines asked for.

    Raises:
        PotentialError: it does not cover an element, or is no MACE network where CUDA or batches are asked for.
        SettingsError: there is no such device.
    """
    from md.jobs import on_cuda
    from md.potentials.mace import through_torch

    potential = find_potential(settings, host)
    on_cuda(potential, settings.potential.device)
    if "batched" in settings.md.engines:
        through_torch(potential)


def host_of(folder: RunFolder) -> Host:
    """The host of a run, from the CIF in its folder."""
    return crystal_of(folder.file(*INPUT), folder.settings.planar)


def requests_of(settings: Settings) -> list[Request]:
    """What is asked of the generative model for each defect, one request a subgroup.

    Raises:
        ConditionError: a snapshot is asked for without a temperature.
    """
    from defectgen.generate.request import Request

    asked = settings.generate
    return [
        Request(
            subgroup=subgroup,
            temperature=asked.temperature,
            pressure=asked.pressure,
            snapshot=asked.snapshot,
            n=asked.samples,
            seed=settings.seed,
            steps=asked.steps,
            forces=asked.forces,
            corrections=asked.corrections,
        )
        for subgroup in asked.subgroups
    ]


def _check_subgroups(requests: Sequence[Request], defects: Sequence[Defect]) -> None:
    """Check that every defect has the subgroups asked for by symbol; every one has `full` and `1`.

    Raises:
        ConditionError: one has not; the message lists those that it has.
    """
    from defectgen.generate.subgroup_choice import find_subgroup

    for request in requests:
        for defect in defects if request.subgroup not in ("full", "1") else ():
            find_subgroup(defect, request)


def _chosen(settings: Settings, names: Sequence[str]) -> list[str]:
    """Names of the defects to generate for, all by default.

    Raises:
        ConditionError: a name is not one of the host's defects.
    """
    for name in settings.generate.only:
        if name not in names:
            raise ConditionError(f"no defect named {name}; the defects are {', '.join(names)}")
    return [n for n in names if not settings.generate.only or n in settings.generate.only]


@_timed("generate")
def generate_stage(folder: RunFolder) -> Counts:
    """Relax the host, put the defects onto it, and let the diffusion model propose their geometries."""
    folder.require("defects")
    settings = folder.settings
    requests = requests_of(settings)
    host, cells = _host_and_cells(folder)
    names = _chosen(settings, [c.name for c in cells[1:]])
    chosen = [c for c in cells[1:] if c.name in names]
    proposals: list[DefectCell] = []
    with progress("generate", "defects") as report:
        report(0, len(chosen), "relaxing the host first")
        bulk = relaxed_bulk(folder, host, cells[0])
        for done, ideal in enumerate(chosen):
            report(done, len(chosen), ideal.name)
            proposals += propose(Defect.from_key(host, ideal.key), requests, settings, (cells[0], bulk.cell))
        report(len(chosen), len(chosen), "done")
    write_cells(folder.file("generate", "cells.npz"), proposals)
    write_proposals(folder.file("generate"), proposals)
    new = " ".join(sorted({symbol for cell in proposals for symbol in cell.info["extrapolates"]}))
    told: Counts = {"geometries_extrapolated_for": new} if new else {}
    blind = sum(cell.info["forces"] == "none" for cell in proposals)
    if blind and settings.generate.forces != "none":
        told["told_no_forces"] = blind
    elif any(cell.info.get("fluctuations") == "learnt" for cell in proposals):
        told["fluctuations_learnt"] = sum(cell.info["fluctuations"] == "learnt" for cell in proposals)
    return {"potential": bulk.cell.info["potential"], "proposals": len(proposals), "defects": len(chosen), **told}


def propose(
    defect: Defect, requests: Sequence[Request], settings: Settings, bulk: tuple[DefectCell, DefectCell]
) -> list[DefectCell]:
    """Proposals for one defect under every distinct subgroup asked for, on the host: its cell ideal, and relaxed.

    At 0 K and 0 GPa a proposal has the cell of the relaxed host: one defect in a large crystal does not strain it.

    Raises:
        ConditionError: a subgroup is none of this defect's.
    """
    from defectgen.generate.geometries import generate
    from defectgen.generate.request import BEST, SAMPLED
    from defectgen.generate.subgroup_choice import find_subgroup

    asked = settings.generate
    ideal = defect.cell()
    placed = onto_relaxed_host(ideal, *bulk)
    made: dict[str, list[DefectCell]] = {}
    for request in requests:
        subgroup = str(request.subgroup)
        chosen_later = subgroup in (BEST, SAMPLED)
        symbol = subgroup if chosen_later else find_subgroup(defect, request).symbol
        if symbol not in made:
            made[symbol] = generate([defect], model=asked.model, **vars(request))
    strained = (asked.temperature > 0 or asked.pressure != 0) and not settings.planar.has_vacuum
    return [_onto(cell, ideal, placed, strained=strained) for cells in made.values() for cell in cells]


def _onto(proposal: DefectCell, ideal: DefectCell, placed: DefectCell, *, strained: bool) -> DefectCell:
    """The displacements (and the strain, where asked) of a proposal, from the relaxed host instead of the ideal one."""
    gradient = np.linalg.solve(ideal.cell, proposal.cell)
    displacements = proposal.positions - ideal.positions @ gradient
    taken = gradient if strained else np.eye(3)
    start = f"generated {proposal.info['subgroup']} #{proposal.info['sample']}"
    return proposal.with_geometry(placed.positions @ taken + displacements, placed.cell @ taken, start=start)


def relaxed_bulk(folder: RunFolder, host: Host, bulk: DefectCell) -> Record:
    """The pristine supercell relaxed in positions and, without a vacuum, lattice: the reference of displacements."""
    path = folder.file("generate", "bulk.npz")
    if path.is_file():
        return read_records(path)[0]
    potential = find_potential(folder.settings, host)
    free = not folder.settings.planar.has_vacuum
    found = relax(bulk, potential, fmax=HOST_FORCE, max_steps=HOST_RELAXATION_STEPS, relax_cell=free)
    if found.record is None or found.status == "diverged":
        raise DataError(f"{host.formula}: relaxing the host with {potential.name} diverged ({found.reason})")
    folder.write_lines("generate/bulk.jsonl", [{**found.summary(), "start": IDEAL}])
    write_records(path, [found.record])
    return found.record


@_timed("relax")
def relax_stage(folder: RunFolder) -> Counts:
    """Relax the proposals, and the ideal starts, in the cells they come in; keep the lowest of each defect."""
    from md.jobs import relax_all
    from md.relax import RelaxSettings

    folder.require("generate")
    settings = folder.settings
    host, cells = _host_and_cells(folder)
    bulk = relaxed_bulk(folder, host, cells[0])
    starts = _starts(folder, cells, bulk.cell)
    how = RelaxSettings(fmax=settings.relax.fmax, max_steps=settings.relax.max_steps)
    potential = find_potential(settings, host)
    with progress("relax", "relaxations") as report:
        items = folder.file("relax", "items")
        where: dict[str, Any] = {"workers": settings.workers, "device": settings.potential.device}
        found = relax_all(starts, potential, items, how, **where, progress=report)
    rows = folder.read_lines("generate/bulk.jsonl") + [{**r.summary(), "start": r.start.info["start"]} for r in found]
    best = lowest(found)
    write_records(folder.file("relax", "records.npz"), [bulk, *best])
    folder.write_lines("relax/summary.jsonl", rows)
    defects = len({c.key for c in starts})
    left_out = len({c.key for c in read_cells(folder.file("generate", "cells.npz"))}) - defects
    return {"relaxations": len(found), "defects": defects, "defects_left_out": left_out}


def _starts(folder: RunFolder, cells: Sequence[DefectCell], bulk: DefectCell) -> list[DefectCell]:
    """Where relaxations start: for each of the first defects its ideal sites, if asked, and its proposals."""
    asked = folder.settings.relax
    proposals = read_cells(folder.file("generate", "cells.npz"))
    keys = list(dict.fromkeys(c.key for c in proposals))[: asked.max_defects]
    ideal = {c.key: c for c in cells[1:]} if asked.from_ideal else {}
    starts = []
    for key in keys:
        if key in ideal:
            placed = onto_relaxed_host(ideal[key], cells[0], bulk)
            starts.append(placed.with_geometry(placed.positions, start=IDEAL))
        # How long a proposal took differs from run to run; what is made of it must not.
        own = [c for c in proposals if c.key == key]
        starts += [replace(c, info={k: v for k, v in c.info.items() if k != "elapsed"}) for c in own]
    return starts


def lowest(found: Sequence[Relaxation]) -> list[Record]:
    """The lowest relaxed geometry of each defect, in the order of the defects; none of what diverged."""
    best: dict[str, Record] = {}
    for relaxation in found:
        record = relaxation.record
        if record is None or relaxation.status == "diverged":
            continue
        known = best.get(record.cell.key)
        if known is None or record.energy < known.energy:
            best[record.cell.key] = record
    return list(best.values())


@_timed("md")
def md_stage(folder: RunFolder) -> Counts:
    """Run the relaxed cells on the grid of temperatures and pressures, in every engine."""
    from defectgen.dynamics import md_points, run_points
    from md.observables import curves, summary

    folder.require("relax")
    settings = folder.settings
    records = read_records(folder.file("relax", "records.npz"))
    cells = [r.cell for r in records[: settings.md.max_cells]]
    host = host_of(folder)
    potential = find_potential(settings, host)
    points = md_points(settings, cells)
    where: dict[str, Any] = {"workers": settings.workers, "device": settings.potential.device}
    responses = run_points(points, potential, folder.file("md", "points"), **where)
    folder.write_lines("md/curves.jsonl", [curves(r, host) for r in responses])
    folder.write_lines("md/summary.jsonl", [summary(r, host) for r in responses])
    diverged = sum(r.status == "diverged" for r in responses)
    return {"cells": len(cells), "points": len(responses), "diverged": diverged}


@_timed("export")
def export_stage(folder: RunFolder) -> Counts:
    """Write the dataset of this run."""
    from defectgen.export import export_dataset

    folder.require("relax")
    manifest = export_dataset([folder.path], folder.file("export"), seed=folder.settings.seed)
    return {"records": manifest.n_records}


def report_stage(folder: RunFolder) -> Counts:
    """Write the report; it shows the times of all stages before it."""
    from defectgen.report import write_report

    start = time.monotonic()
    path = write_report(folder.path)
    folder.finish("report", time.monotonic() - start, {"bytes": path.stat().st_size})
    return {}


def _host_and_cells(folder: RunFolder) -> tuple[Host, list[DefectCell]]:
    """The host and the ideal cells of the defects stage, the pristine one first."""
    host = host_of(folder)
    cells = read_cells(folder.file("defects", "cells.npz"))
    if not cells or cells[0].name != BULK:
        raise DataError(f"{folder.path}: the defect cells do not start with the pristine one; run defects again")
    return host, cells

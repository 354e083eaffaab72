"""The stages of a run: each reads the files of the one before in the run folder and writes its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

from augment.cell import DefectCell
from augment.defect import Defect
from augment.storage.archive import read_cells, write_atomically, write_cells
from defectgen.export.proposals import write_proposals
from defectgen.pipeline.checks import _chosen, requests_of
from defectgen.pipeline.reference import IDEAL, INPUT, _host_and_cells, host_of, propose, relaxed_bulk
from defectgen.run.defects import build_defects, build_supercell, find_potential
from defectgen.run.folder import RunFolder
from defectgen.run.host import planar_crystal
from defectgen.run.progress import progress
from defectgen.run.settings import Settings
from md.labels.record import Record, read_records, write_records
from md.labels.reference import onto_relaxed_host
from md.relaxation.relax import Relaxation

Counts = dict[str, Any]


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


@_timed("relax")
def relax_stage(folder: RunFolder) -> Counts:
    """Relax the proposals, and the ideal starts, in the cells they come in; keep the lowest of each defect."""
    from md.campaigns.relax_and_md import relax_all
    from md.relaxation.relax import RelaxSettings

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
    from defectgen.pipeline.md_grid import md_points, run_points
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

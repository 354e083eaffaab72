"""The stages of a run: each takes the prepared run and its folder, reads the files before it and writes its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from augment.cell import BULK, DefectCell
from augment.defect import Defect
from augment.elements import elements_of
from augment.errors import DataError
from augment.storage.archive import read_cells, write_atomically, write_cells
from defectgen.dataset.proposals import write_proposals
from defectgen.pipeline.prepared import INPUT, PreparedRun
from defectgen.pipeline.proposal_labels import label_proposals
from defectgen.pipeline.search_stage import search_stage
from defectgen.pipeline.thermo.stage import thermo_stage
from defectgen.run.folder import STAGES, RunFolder
from defectgen.run.progress import progress, report_notes
from md.labels.record import read_records, write_records
from md.relaxation.relaxed_host import RelaxedHost, pristine

Counts = dict[str, Any]
Stage = Callable[[PreparedRun, RunFolder], Counts]

IDEAL = "ideal"
"""Name of the start that is on the sites of the relaxed host."""

PLACED = ("generate", "ideal.npz")
"""Ideal cells on the sites of the relaxed host, the pristine one first."""

LONE_ATOMS = "generate/lone_atoms.json"
"""Energies (eV) of lone atoms of the run's elements by its potential (`Potential.atomic_energies`), null for none."""

PRISTINE = ("generate", "bulk.npz")
"""The pristine supercell of the relaxed host, with its labels."""


def _timed(stage: str) -> Callable[[Stage], Stage]:
    """Time a stage and note its end in the folder, after its files are in place."""

    def wrap(function: Stage) -> Stage:
        @wraps(function)
        def timed(prepared: PreparedRun, folder: RunFolder) -> Counts:
            start = time.monotonic()
            counts = function(prepared, folder)
            folder.finish(stage, time.monotonic() - start, counts)
            return counts

        return timed

    return wrap


@_timed("host")
def host_stage(prepared: PreparedRun, folder: RunFolder) -> Counts:
    """Write the host as it was given, its Wyckoff table and its standardised CIF."""
    from pymatgen.io.cif import CifWriter

    write_atomically(folder.file(*INPUT), prepared.cif.read_bytes())
    host, made = prepared.host, prepared.plane
    plane = {} if made is None else {"plane": {"kind": made.kind, "label": made.label, **made.info}}
    notes = {"notes": list(prepared.notes)} if prepared.notes else {}
    folder.write_json("host/host.json", {**host.to_dict(), **plane, **notes})
    text = str(CifWriter(host.to_pymatgen(), symprec=1e-3))
    write_atomically(folder.file("host", "host.cif"), text.encode())
    return {"space_group": host.space_group_symbol, "sites": len(host.orbits)}


@_timed("defects")
def defects_stage(prepared: PreparedRun, folder: RunFolder) -> Counts:
    """Write the table and the ideal cells of every symmetry-distinct defect."""
    defects, supercell = prepared.defects, prepared.supercell
    write_cells(folder.file("defects", "cells.npz"), [supercell.bulk_cell(), *(d.cell() for d in defects)])
    folder.write_lines("defects/defects.jsonl", [d.to_dict() for d in defects])
    return {"defects": len(defects), "supercell_atoms": supercell.n_atoms}


def start_folder(prepared: PreparedRun) -> RunFolder:
    """Claim the run folder and finish its first two stages; nothing is written if the host cannot be used.

    Raises:
        DefectgenError: the host, the supercell or a dopant is not possible, or the folder belongs to another run.
    """
    prepared.defects  # noqa: B018  made before anything is written, so that what is impossible leaves no folder
    folder = RunFolder.claim(prepared.settings)
    with folder.locked():
        for stage, function in (("host", host_stage), ("defects", defects_stage)):
            if not folder.finished(stage):
                function(prepared, folder)
    return folder


@_timed("generate")
def generate_stage(prepared: PreparedRun, folder: RunFolder) -> Counts:
    """Relax the host, put the defects onto it, and let the diffusion model propose their geometries there."""
    check_inputs("generate", folder)
    proposals: list[DefectCell] = []
    with progress("generate", "defects") as report:
        report(0, len(prepared.chosen), "relaxing the host first")
        reference = prepared.reference(folder)
        _write_reference(prepared, folder, reference)
        for done, defect in enumerate(prepared.chosen):
            report(done, len(prepared.chosen), defect.name)
            proposals += propose(defect, prepared, reference)
        report(len(prepared.chosen), len(prepared.chosen), "done")
    write_cells(folder.file("generate", "cells.npz"), proposals)
    write_proposals(folder.file("generate"), proposals)
    counts: Counts = {"proposals": len(proposals), "defects": len(prepared.chosen)}
    counts |= label_proposals(prepared, folder)
    return {"potential": prepared.potential.name, **counts, **_remarks(prepared, proposals)}


def _write_reference(prepared: PreparedRun, folder: RunFolder, reference: RelaxedHost) -> None:
    """Write the ideal cells on the relaxed host, the pristine one with its labels, and energies of lone atoms."""
    placed = [reference.place(defect) for defect in (pristine(prepared.supercell), *prepared.defects)]
    write_cells(folder.file(*PLACED), placed)
    bulk = reference.bulk(prepared.supercell)
    write_records(folder.file(*PRISTINE), [bulk.record] if bulk.record else [])
    folder.write_lines("generate/bulk.jsonl", [{**bulk.summary(), "start": IDEAL}])
    potential, elements = prepared.potential, elements_of(z for cell in placed for z in cell.numbers)
    made_by = {"potential": potential.name, "potential_sha256": potential.sha256}
    folder.write_json(LONE_ATOMS, {**made_by, "atomic_energies": potential.atomic_energies(elements)})


def _remarks(prepared: PreparedRun, proposals: Sequence[DefectCell]) -> Counts:
    """What a person should know of the proposals: elements that are new to the model, forces it did not have."""
    remarks: Counts = {}
    new = " ".join(sorted({symbol for cell in proposals for symbol in cell.provenance["extrapolates"]}))
    if new:
        remarks["geometries_extrapolated_for"] = new
    blind = sum(cell.provenance["forces_by"] == "none" for cell in proposals)
    if blind and prepared.settings.generate.forces != "none":
        remarks["without_forces"] = blind
    elif any(cell.provenance.get("fluctuations") == "learnt" for cell in proposals):
        remarks["fluctuations_learnt"] = sum(cell.provenance["fluctuations"] == "learnt" for cell in proposals)
    return remarks


def propose(defect: Defect, prepared: PreparedRun, reference: RelaxedHost) -> list[DefectCell]:
    """Proposals for one defect on the relaxed host, under every distinct subgroup requested.

    Raises:
        ConditionError: a subgroup is none of this defect's.
    """
    from defectgen.generation.geometries import geometry_stream
    from defectgen.generation.request import BEST, SAMPLED
    from defectgen.generation.subgroup_choice import find_subgroup
    from defectgen.model.weights import load_model

    model = load_model(prepared.settings.generate.model)
    made: dict[str, list[DefectCell]] = {}
    for request in prepared.requests:
        subgroup = str(request.subgroup)
        symbol = subgroup if subgroup in (BEST, SAMPLED) else find_subgroup(defect, request).symbol
        if symbol not in made:
            made[symbol] = list(geometry_stream(reference.on(defect), request, model))
    return [_with_start(cell) for cells in made.values() for cell in cells]


def _with_start(proposal: DefectCell) -> DefectCell:
    start = f"generated {proposal.provenance['subgroup']} #{proposal.provenance['sample']}"
    return proposal.with_geometry(proposal.positions, start=start)


@_timed("relax")
def relax_stage(prepared: PreparedRun, folder: RunFolder) -> Counts:
    """Relax the proposals, and the ideal starts, in the cells they come in; keep the lowest of each defect.

    All ends and some of each path stay in `relax/items` (`md.campaigns.relaxation_records`).
    """
    from md.campaigns.relax_and_md import relax_all
    from md.campaigns.relaxation_records import lowest_of_each
    from md.relaxation.relax import RelaxSettings

    check_inputs("relax", folder)
    settings = prepared.settings
    starts = _starts(prepared, folder)
    asked = settings.relax
    how = RelaxSettings(fmax=asked.fmax, max_steps=asked.max_steps, path_frames=asked.path_frames)
    with progress("relax", "relaxations") as report:
        relaxations = relax_all(
            starts,
            prepared.potential,
            folder.file("relax", "items"),
            how,
            workers=settings.workers,
            device=settings.potential.device,
            progress=report,
            ends_only=True,
        )
    rows = [{**r.summary(), "start": r.start.provenance["start"]} for r in relaxations]
    best = [record for k in lowest_of_each(rows) if (record := relaxations[k].record)]
    write_records(folder.file("relax", "records.npz"), [*read_records(folder.file(*PRISTINE)), *best])
    folder.write_lines("relax/summary.jsonl", folder.read_lines("generate/bulk.jsonl") + rows)
    defects = len({c.key for c in starts})
    left_out = len({c.key for c in read_cells(folder.file("generate", "cells.npz"))}) - defects
    return {"relaxations": len(relaxations), "defects": defects, "defects_left_out": left_out}


def _starts(prepared: PreparedRun, folder: RunFolder) -> list[DefectCell]:
    """Where relaxations start: for each of the first defects its ideal sites, if asked, and its proposals."""
    asked = prepared.settings.relax
    proposals = read_cells(folder.file("generate", "cells.npz"))
    keys = list(dict.fromkeys(c.key for c in proposals))[: asked.max_defects]
    ideal = {c.key: c for c in placed_cells(folder)[1:]} if asked.from_ideal else {}
    starts = []
    for key in keys:
        if key in ideal:
            starts.append(ideal[key].with_geometry(ideal[key].positions, start=IDEAL))
        starts += [c for c in proposals if c.key == key]
    return starts


def placed_cells(folder: RunFolder) -> list[DefectCell]:
    """The ideal cells of a run on the sites of its relaxed host, the pristine one first.

    Raises:
        DataError: the folder is of a version that kept none.
    """
    path = folder.file(*PLACED)
    if not path.is_file():
        raise DataError(
            f"{folder.path}: its proposals were made by defectgen {folder.identity['versions'].get('defectgen', '?')}, "
            f"which kept no {'/'.join(PLACED)}; make them again with `defectgen generate {folder.path} --overwrite`"
        )
    cells = read_cells(path)
    if not cells or cells[0].name != BULK:
        raise DataError(f"{path}: does not start with the pristine cell; run generate again with --overwrite")
    return cells


def check_inputs(stage: str, folder: RunFolder) -> None:
    """Check that a stage has what it reads, before anything of an earlier run of it is replaced.

    Raises:
        DataError: the stage before has not finished, or what it wrote is of a version that this one cannot go on from.
    """
    before = STAGES.index(stage) - 1
    if stage in ("generate", "relax", "md"):
        folder.require(STAGES[before])
    if stage == "relax":
        placed_cells(folder)


@_timed("md")
def md_stage(prepared: PreparedRun, folder: RunFolder) -> Counts:
    """Run the relaxed cells on the grid of temperatures and pressures, and one point in the engine that checks."""
    from defectgen.pipeline.md_grid import md_points, run_points, timestep_lines, with_check
    from md.observables import curves, summary

    check_inputs("md", folder)
    settings = prepared.settings
    records = read_records(folder.file("relax", "records.npz"))
    cells = [r.cell for r in records[: settings.md.max_cells]]
    points = with_check(settings, md_points(settings, cells, vacuum=prepared.host.has_vacuum))
    report_notes(timestep_lines(settings, points))
    responses = run_points(
        points,
        prepared.potential,
        folder.file("md", "points"),
        workers=settings.workers,
        device=settings.potential.device,
        crystal=next((record.cell for record in records if record.cell.name == BULK), None),
    )
    folder.write_lines("md/curves.jsonl", [curves(r, prepared.host) for r in responses])
    folder.write_lines("md/summary.jsonl", [summary(r, prepared.host) for r in responses])
    diverged = sum(r.status == "diverged" for r in responses)
    return {"cells": len(cells), "points": len(responses), "diverged": diverged}


@_timed("export")
def export_stage(prepared: PreparedRun, folder: RunFolder) -> Counts:
    """Write the dataset of this run."""
    from defectgen.dataset import export_dataset

    folder.require("relax", "search")
    with progress("export", "frames") as report:
        manifest = export_dataset([folder.path], folder.file("export"), prepared.settings.export, progress=report)
    report_notes(manifest.notes)
    return {"records": manifest.n_records, "left_out": sum(manifest.dropped.values())}


def report_stage(_prepared: PreparedRun, folder: RunFolder) -> Counts:
    """Write the report; it shows the times of all stages before it."""
    from defectgen.report import write_report

    start = time.monotonic()
    path = write_report(folder.path)
    folder.finish("report", time.monotonic() - start, {"bytes": path.stat().st_size})
    return {}


LATER_STAGES: tuple[tuple[str, Stage], ...] = (
    ("generate", generate_stage),
    ("relax", relax_stage),
    ("md", md_stage),
    ("search", search_stage),
    ("export", export_stage),
    ("thermo", thermo_stage),
    ("report", report_stage),
)
"""What follows the host and its defects."""

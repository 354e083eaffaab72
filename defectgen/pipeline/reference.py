"""The host and the ideal cells of a run, the relaxed host, and defects proposed on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import BULK, DefectCell
from augment.defect import Defect
from augment.errors import DataError
from augment.host import Host
from augment.storage.archive import read_cells
from defectgen.run.defects import find_potential
from defectgen.run.folder import RunFolder
from defectgen.run.host import crystal_of
from defectgen.run.settings import Settings
from md.labels.record import Record, read_records, write_records
from md.labels.reference import onto_relaxed_host
from md.relaxation.relax import relax

if TYPE_CHECKING:
    from defectgen.generate.request import Request


INPUT = ("host", "input.cif")
"""The CIF as the user gave it, so that a run folder stands on its own."""


IDEAL = "ideal"
"""Name of the start that is on the sites of the host."""


HOST_RELAXATION_STEPS = 500


HOST_FORCE = 0.005
"""eV/Å; every displacement is measured from the relaxed host, so it is relaxed further than the defects."""


def host_of(folder: RunFolder) -> Host:
    """The host of a run, from the CIF in its folder."""
    return crystal_of(folder.file(*INPUT), folder.settings.planar)


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


def _host_and_cells(folder: RunFolder) -> tuple[Host, list[DefectCell]]:
    """The host and the ideal cells of the defects stage, the pristine one first."""
    host = host_of(folder)
    cells = read_cells(folder.file("defects", "cells.npz"))
    if not cells or cells[0].name != BULK:
        raise DataError(f"{folder.path}: the defect cells do not start with the pristine one; run defects again")
    return host, cells

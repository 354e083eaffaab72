"""The stages of a run: each reads the files of the one before in the run folder and writes its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from augment.cell import BULK, DefectCell
from augment.defect import Defect
from augment.enumerate import point_defects
from augment.errors import ConditionError, DataError
from augment.host import Host, read_host
from augment.store import read_cells, write_atomically, write_cells
from augment.supercell import Supercell, find_supercell
from defectgen.config import Settings
from defectgen.progress import progress
from defectgen.run_folder import RunFolder
from md.potentials import Potential, resolve_potential
from md.record import Record, read_records, write_records
from md.reference import onto_relaxed_host
from md.relax import relax

Counts = dict[str, Any]

INPUT = ("host", "input.cif")
"""The CIF as the user gave it, so that a run folder stands on its own."""

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


def build_supercell(settings: Settings) -> Supercell:
    """Host and supercell of the settings.

    Raises:
        CifError: the host cannot be used.
        SupercellError: no supercell fits.
    """
    asked = settings.defects
    host = read_host(settings.host)
    return find_supercell(host, min_image_distance=asked.min_image_distance, max_atoms=asked.max_atoms)


def build_defects(settings: Settings) -> list[Defect]:
    """The symmetry-distinct point defects that the settings ask for.

    Raises:
        DefectgenError: the host, the supercell or a dopant is not possible.
    """
    asked = settings.defects
    supercell = build_supercell(settings)
    return point_defects(supercell, dopants=asked.dopants, kinds=asked.kinds, max_voids=asked.max_voids)


def find_potential(settings: Settings, host: Host) -> Potential:
    """The potential of the settings, checked to cover the host and every dopant.

    Raises:
        PotentialError: it is missing, untrusted or does not cover an element.
    """
    symbols = {*host.elements, *settings.defects.dopants}
    return resolve_potential(settings.potential.name, symbols, trust=settings.potential.trust)


@_timed("host")
def host_stage(folder: RunFolder) -> Counts:
    """Read and standardise the host; write its Wyckoff table and its standardised CIF."""
    from pymatgen.io.cif import CifWriter

    source = folder.settings.host.read_bytes()
    write_atomically(folder.file(*INPUT), source)
    host = read_host(folder.file(*INPUT))
    folder.write_json("host/host.json", host.to_dict())
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
    """Check what the settings ask for, then claim the run folder and finish its first two stages.

    Nothing is written before everything that can be checked without long work has been.

    Raises:
        DefectgenError: something asked for is not possible, or the folder belongs to another run.
    """
    defects = build_defects(settings)
    check_conditions(settings, defects)
    folder = RunFolder.claim(settings)
    with folder.locked():
        for stage, function in (("host", host_stage), ("defects", defects_stage)):
            if not folder.finished(stage):
                function(folder)
    return folder


def check_conditions(settings: Settings, defects: Sequence[Defect]) -> None:
    """Check the settings of the later stages.

    Raises:
        DefectgenError: names what is not possible.
    """
    from defectgen.sample import load_model
    from md.environment import Environment

    for temperature in settings.md.temperatures:
        for pressure in settings.md.pressures:
            Environment(temperature, pressure, settings.md.ensemble)
    if defects:
        find_potential(settings, defects[0].host)
        _chosen(settings, [d.name for d in defects])
    load_model(settings.generate.model)


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
    from defectgen.sample import generate, load_model

    folder.require("defects")
    settings = folder.settings
    host, cells = _host_and_cells(folder)
    bulk = relaxed_bulk(folder, host, cells[0])
    model = load_model(settings.generate.model)
    names = set(_chosen(settings, [c.name for c in cells[1:]]))
    chosen = [c for c in cells[1:] if c.name in names]
    proposals: list[DefectCell] = []
    with progress("generate", "structures") as report:
        for done, cell in enumerate(chosen):
            report(done, len(chosen), cell.name)
            proposals += _propose(folder, host, onto_relaxed_host(cell, cells[0], bulk.cell), model, generate)
        report(len(chosen), len(chosen), "done")
    write_cells(folder.file("generate", "cells.npz"), proposals)
    return {"proposals": len(proposals), "defects": len(chosen)}


def _propose(folder: RunFolder, host: Host, ideal: DefectCell, model: Any, generate: Any) -> list[DefectCell]:
    """Proposals for one defect under every subgroup asked for that it has."""
    asked = folder.settings.generate
    return list(
        generate(
            Defect.from_key(host, ideal.key),
            ideal=ideal,
            model=model,
            subgroups=asked.subgroups,
            temperature=asked.temperature,
            pressure=asked.pressure,
            n=asked.samples,
            steps=asked.steps,
            seed=folder.settings.seed,
        )
    )


def relaxed_bulk(folder: RunFolder, host: Host, bulk: DefectCell) -> Record:
    """The pristine supercell relaxed in positions and lattice: the reference of every displacement."""
    path = folder.file("generate", "bulk.npz")
    if path.is_file():
        return read_records(path)[0]
    potential = find_potential(folder.settings, host)
    found = relax(bulk, potential, fmax=HOST_FORCE, max_steps=HOST_RELAXATION_STEPS, relax_cell=True)
    if found.status == "diverged":
        raise DataError(f"{host.formula}: relaxing the host with {potential.name} diverged ({found.reason})")
    write_records(path, [found.record])
    return found.record


def _host_and_cells(folder: RunFolder) -> tuple[Host, list[DefectCell]]:
    """The host and the ideal cells of the defects stage, the pristine one first."""
    host = read_host(folder.file(*INPUT))
    cells = read_cells(folder.file("defects", "cells.npz"))
    if not cells or cells[0].name != BULK:
        raise DataError(f"{folder.path}: the defect cells do not start with the pristine one; run defects again")
    return host, cells

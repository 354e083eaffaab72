"""Run folders of MgO made by the real stages, with labels of a Morse crystal where a potential would be slow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from augment import DefectCell
from augment.storage.archive import read_cells, write_cells
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import start_folder
from defectgen.run.folder import RunFolder
from defectgen.run.settings import Settings
from md.conditions.environment import Environment
from md.dynamics import MdPoint, Response, Series
from md.labels.frames import Frames
from md.labels.record import Record, write_records
from md.observables import curves
from md.potentials import Potential
from tests.support.places import HOSTS

MGO = HOSTS / "MgO.cif"
LABELS = {"potential": "morse-test", "potential_sha256": "ab" * 32}


def start_run(folder: Path, dopants: tuple[str, ...] = ("Al",)) -> RunFolder:
    """A run folder whose host and defects stages have finished."""
    settings = Settings(host=MGO, output=folder, seed=7).replaced({"defects.dopants": list(dopants)})
    return start_folder(PreparedRun.of(settings))


def labelled(cell: DefectCell, energy: float, **info: object) -> Record:
    """A record with small forces."""
    rng = np.random.default_rng(len(cell))
    forces = rng.normal(scale=0.005, size=(len(cell), 3))
    moved = cell.with_geometry(cell.positions, **LABELS, status="converged", **info)
    return Record(moved, energy, forces - forces.mean(axis=0), np.full(6, 1e-4), "relaxed")


def breathing(cell: DefectCell, site: np.ndarray, size: float) -> np.ndarray:
    """Positions with the atoms around a point pushed outwards, falling off with distance."""
    apart = (cell.positions - site) @ np.linalg.inv(cell.cell)
    away = (apart - np.rint(apart)) @ cell.cell
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    push = np.where(distance > 0.1, away / np.maximum(distance, 0.1) * size * np.exp(-(distance - 2.1) / 1.5), 0)
    return np.asarray(cell.positions + push)


def relax_run(run: RunFolder) -> None:
    """Fill the generate and relax stages with plausible geometries and energies."""
    cells = read_cells(run.file("defects", "cells.npz"))
    bulk = labelled(cells[0].with_geometry(1.005 * cells[0].positions, 1.005 * cells[0].cell), -6.0 * len(cells[0]))
    write_records(run.file("generate", "bulk.npz"), [bulk])
    # A crystal that breathes alike everywhere: sites scale with the lattice.
    placed = [cell.with_geometry(1.005 * cell.positions, 1.005 * cell.cell) for cell in cells]
    write_cells(run.file("generate", "ideal.npz"), placed)
    proposals, records, rows = [], [], []
    for index, cell in enumerate(cells[1:]):
        ideal = placed[index + 1]
        missing = np.setdiff1d(cells[0].sites, cell.sites)
        site = cells[0].positions[missing[0]] if len(missing) else ideal.positions[-1]
        final = breathing(ideal, site, max(0.02, 0.12 - 0.02 * index))
        proposal = ideal.with_geometry(
            0.8 * final + 0.2 * ideal.positions, subgroup="m-3m", sample=0, seed=7, start="generated m-3m #0"
        )
        proposals.append(proposal)
        energy = -6.0 * len(cell) + 5.0 + 0.4 * index
        records.append(labelled(ideal.with_geometry(final), energy, start="generated m-3m #0"))
        for start, steps, height in (("ideal", 14, 1.2), ("generated m-3m #0", 6, 0.15)):
            energies = energy + height * np.exp(-np.arange(steps + 1) / 2.5)
            energies[-1] = energy
            rows.append(
                {
                    "name": cell.name,
                    "key": cell.key,
                    "start": start,
                    "status": "converged" if index != 3 else "not_converged",
                    "reason": "" if index != 3 else "the largest force is 0.120 eV/Å after 200 steps",
                    "energies": energies.tolist(),
                    "steps": steps,
                    "fmax": 0.018,
                    "volume": ideal.volume,
                }
            )
    write_cells(run.file("generate", "cells.npz"), proposals)
    write_records(run.file("relax", "records.npz"), records)
    run.write_lines("relax/summary.jsonl", rows)
    run.finish("generate", 21.4, {"proposals": len(proposals), "defects": len(proposals)})
    run.finish("relax", 184.2, {"relaxations": len(rows)})


LOWER = -0.7
"""eV; of the lowest minimum of `search_run`, against the end of the ideal sites."""


def search_run(run: RunFolder, names: Sequence[str] = ("v_O",), unfinished: int = 0) -> None:
    """Add searches of some defects, whose lowest minima the ideal sites do not lead to."""
    records, rows = [], []
    for cell in [c for c in read_cells(run.file("defects", "cells.npz")) if c.name in names]:
        low, energy = breathing(cell, cell.positions[0], 0.3), -6.0 * len(cell) + 5.0
        shared = {"subgroup": "mm2", "degeneracy": 4, "source": "dimer"}
        minima = [
            {**shared, "energy": energy + LOWER, "above": 0.0, "found_by": ["dimer"], "words": "Mg-Mg 2.41 Å"},
            {**shared, "energy": energy, "above": -LOWER, "found_by": ["ideal"], "words": "ideal sites"},
        ]
        for positions, m in zip((low, cell.positions), minima, strict=True):
            told = {name: m[name] for name in ("words", "above", "subgroup")}
            records.append(labelled(cell.with_geometry(positions), m["energy"], **told))
        row = {"name": cell.name, "key": cell.key, "potential": LABELS["potential"], "evaluations": 120}
        rows.append({**row, "unfinished": unfinished, "minima": minima, "sources": []})
    run.file("search").mkdir()
    write_records(run.file("search", "minima.npz"), records)
    run.write_lines("search/summary.jsonl", rows)
    run.finish("search", 3.0, {"defects": len(rows)})


def md_run(run: RunFolder) -> None:
    """Fill the md stage with volumes that grow with T and shrink with P."""
    rows, drawn = [], []
    rng = np.random.default_rng(1)
    r = np.linspace(0.5, 6, 111)
    for cell in ("bulk", "v_O", "v_Mg"):
        for engine in ("ase", "lammps"):
            for temperature in (300.0, 900.0):
                for pressure in (0.0, 10.0):
                    diverged = (cell, engine, temperature, pressure) == ("v_Mg", "ase", 900.0, 10.0)
                    volume = 9.4 * (1 + 3.6e-5 * temperature - pressure / 165) + rng.normal(scale=0.01)
                    g = sum(
                        6 * np.exp(-((r - d) ** 2) / (0.01 + temperature / 2e4)) / d for d in (2.1, 2.97, 3.64, 4.2)
                    )
                    strain = (volume / 9.4) ** (1 / 3) - 1
                    point = MdPoint(cell, cell, Environment(temperature, pressure), engine, 200, 2.0, 20, 7)
                    drawn.append(curves(respond(run, point, volume)))
                    rows.append(
                        {
                            **point.json,
                            "id": point.id,
                            "temperature_mean": temperature * (0.8 if engine == "ase" and pressure else 1.01),
                            "status": "diverged" if diverged else "finished",
                            "reason": "two atoms are 0.41 Å apart (step 83 of 200)" if diverged else "",
                            "volume": volume,
                            "volume_error": 0.02 if not diverged else None,
                            "strain": [strain, strain, strain, 0.0, 0.0, 0.0],
                            "msd": temperature * 2.2e-5,
                            "equilibrated": 60,
                            **course(temperature, cell),
                            "rdf": {"r": r.round(3).tolist(), "g": g.round(3).tolist()},
                        }
                    )
    run.write_lines("md/curves.jsonl", drawn)
    run.write_lines("md/summary.jsonl", rows)
    run.finish("md", 95.0, {"points": len(rows), "diverged": 1})


def course(temperature: float, cell: str) -> dict[str, object]:
    """What became of the defect of a point, as the stage tells it: hops where it is hot, displaced neighbours."""
    hot = temperature > 600
    coefficient = [1e-3 * temperature, 1e-2] if hot else None
    diffusion = {"coefficient": coefficient, "detected": hot, "upper_bound": 0.02}
    shell = {"atoms": 6, "distance": 2.1, "outward": [0.05, 0.01], "b_factor": [temperature / 600, 0.1]}
    return {
        "lattice": None,
        "heat_capacity": [3.0, 0.2],
        "diffusion": diffusion,
        "diffusion_of": {"Mg": diffusion},
        "fate": "hops" if hot else "stays",
        "survived": 0.9 if hot else 1.0,
        "hops": 3 if hot else 0,
        "rate": [7.5, 4.3] if hot else None,
        "rate_bound": 19.4 if hot else 7.5,
        "mean_point_group": None if cell == "bulk" else "Oh",
        "shells": [{**shell, "element": "Mg", "coordination": 5.0}] if cell != "bulk" else None,
        "frames_outside_domain": 4 if hot and cell == "v_Mg" else 0,
        "outside_domain": ["an environment of O is 1.4 limits away"] if hot and cell == "v_Mg" else [],
        "not_measurable": {"bulk_modulus": "201 values hold 3.0 independent samples; run longer"},
    }


def respond(run: RunFolder, point: MdPoint, volume: float) -> Response:
    """A trajectory of a point, its atoms vibrating, whose volume settles at `volume` per atom."""
    rng = np.random.default_rng(2)
    start = read_cells(run.file("defects", "cells.npz"))[0]
    scale = (volume * (1 + 0.02 * np.exp(-np.arange(201) / 30)) * len(start) / start.volume) ** (1 / 3)
    cells = scale[:, None, None] * start.cell
    temperatures = point.environment.temperature * (1 + rng.normal(scale=0.1, size=201))
    series = Series(np.zeros(201), np.zeros(201), temperatures, np.zeros(201), cells)
    steps = np.arange(0, 201, point.interval)
    k, n = len(steps), len(start)
    vibration = rng.normal(scale=0.05, size=(k, n, 3))
    positions = scale[steps, None, None] * start.positions + vibration
    frames = Frames(start, positions, cells[steps], np.zeros(k), np.zeros((k, n, 3)), np.zeros((k, 6)))
    potential = Potential("morse-test", "emt", frozenset({"Mg", "O"}), "float64", "ab" * 32, "a test")
    return Response(point, potential, "finished", "", series, frames, steps, 1.0)


def whole_run(folder: Path) -> RunFolder:
    """A run with every stage that the report shows."""
    run = start_run(folder)
    relax_run(run)
    md_run(run)
    return run


def rewrite_row(path: Path, index: int, **changes: object) -> None:
    """Change one row of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[index] |= changes
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

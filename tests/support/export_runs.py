"""Run folders with records of a known pair potential, written by the real store functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from augment.cell import DefectCell
from augment.storage.archive import write_arrays
from md.conditions.environment import Environment
from md.dynamics import MdPoint, Response, Series
from md.labels.frames import Frames
from md.labels.record import Record, write_records
from md.observables import summary
from md.potentials import Potential

WEIGHTS = "ab" * 32


def morse_labels(cell: np.ndarray, positions: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and Voigt stress of a Morse crystal by finite cell images; exact up to the cutoff's jump."""
    depth, stiffness, rest, cutoff = 0.3, 1.4, 2.1, 5.0
    grid = np.stack(np.meshgrid(*[range(-1, 2)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    vectors = positions[None, :, None] - positions[:, None, None] + grid[None, None]
    distance = np.linalg.norm(vectors, axis=-1)
    near = (distance > 1e-9) & (distance < cutoff)
    decay = np.where(near, np.exp(-stiffness * (distance - rest)), 0.0)
    energy = 0.5 * depth * (decay**2 - 2 * decay).sum()
    slope = depth * 2 * stiffness * (decay - decay**2)
    unit = np.where(near[..., None], vectors / np.where(near, distance, 1)[..., None], 0)
    forces = (slope[..., None] * unit).sum(axis=(1, 2))
    virial = 0.5 * np.einsum("ijk,ijka,ijkb->ab", slope, unit, vectors)
    stress = (virial / abs(np.linalg.det(cell))).ravel()[[0, 4, 8, 5, 2, 1]]
    return float(energy), forces, stress


def rock_salt(a: float, numbers: tuple[int, int], drop: int | None, seed: int) -> tuple[np.ndarray, ...]:
    """Cell, numbers, positions and sites of a rattled conventional cell, with one atom left out if asked."""
    corner = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    fractional = np.concatenate([corner, corner + 0.5])
    kinds = np.repeat(numbers, 4)
    rng = np.random.default_rng(seed)
    strain = np.eye(3) + rng.normal(scale=0.01, size=(3, 3))
    cell = a * (strain + strain.T) / 2
    positions = fractional @ cell + rng.normal(scale=0.05, size=(8, 3))
    keep = np.array([i for i in range(8) if i != drop])
    return cell, kinds[keep], positions[keep], keep


def make_record(host: str, formula: str, numbers: tuple[int, int], seed: int, **info: object) -> Record:
    drop = None if seed % 3 == 0 else 4
    cell, kinds, positions, sites = rock_salt(4.2, numbers, drop, seed)
    energy, forces, stress = morse_labels(cell, positions)
    provenance = {"host": host, "formula": formula, "potential": "morse", "potential_sha256": WEIGHTS}
    name = "bulk" if drop is None else "v_O"
    key = f"{host}/1.0.0.1.0.1/{'bulk' if drop is None else 'v4'}/q+0"
    structure = DefectCell(name, key, cell, kinds, positions, sites, 0, {**provenance, **info})
    return Record(structure, energy, forces, stress, "relaxed")


def make_response(start: Record, temperature: float, n: int) -> Response:
    """An MD point of `n` frames, rattled around its start and labelled by the same potential."""
    cell = start.cell
    point = MdPoint.of(cell, Environment(temperature), steps=10 * n, interval=10)
    rng = np.random.default_rng(int(temperature))
    positions = cell.positions + rng.normal(scale=temperature / 1e4, size=(n, *cell.positions.shape))
    labels = [morse_labels(cell.cell, p) for p in positions]
    energies, forces, stresses = (np.array([label[k] for label in labels]) for k in range(3))
    cells = np.repeat(cell.cell[None], n, axis=0)
    frames = Frames(cell, positions, cells, energies, forces, stresses)
    series = Series(energies, np.ones(n), np.full(n, temperature), np.zeros(n), cells)
    potential = Potential("morse", "emt", frozenset({"Mg", "O"}), "float64", WEIGHTS, "a test")
    return Response(point, potential, "finished", "", series, frames, 10 * np.arange(n), 1.0)


def make_run(folder: Path, host: str, formula: str, numbers: tuple[int, int], n: int = 6) -> Path:
    """A run folder with `n` relaxed cells and two MD points of `n` frames each."""
    records = [make_record(host, formula, numbers, s) for s in range(n)]
    write_records(folder / "relax/records.npz", records)
    responses = [make_response(records[0], temperature, n) for temperature in (600.0, 300.0)]
    for response in responses:
        write_arrays(folder / f"md/points/{response.point.id}.npz", response.to_arrays())
    rows = [json.dumps(summary(response)) for response in responses]
    (folder / "md/summary.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder

"""Which calculations a run folder asks for: geometries of its defects, each in the charge states that it may take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray
from augment.defect import Defect
from augment.errors import ConditionError, DataError
from augment.exchange.folder import UniqueNames
from augment.naming import unmarked
from augment.storage.archive import read_cells
from augment.storage.missing import did_you_mean
from defectgen.dataset.sources.run_folder import SEARCH_MINIMA
from defectgen.run.folder import RunFolder
from md.campaigns.relaxation_records import RELAXATION_ROWS, relaxation_records
from md.labels.record import Record, read_records

if TYPE_CHECKING:
    from defectgen.dataset.frame import Frame

StartChoice = Literal["auto", "relaxed", "proposed", "ideal"]
"""Which geometry a calculation starts from; `auto` is the best that the run has of each defect."""

Order = Literal["diverse", "lowest"]

SAME_MINIMUM = 1e-3
"""eV; ends of relaxations of one defect closer than this are one minimum."""

_DIGITS = 6


@dataclass(frozen=True, eq=False)
class CalculationJob:
    """One calculation.

    Attributes:
        folder: its name within the folder of all.
        cell: geometry and charge that it starts from; the key has the charge.
        start: what the geometry is: relaxed, proposed or ideal.
    """

    folder: str
    cell: DefectCell
    start: str

    @property
    def structure_sha256(self) -> str:
        """Hash of species, lattice and positions to 1e-6 Å."""
        return structure_hash(self.cell)


def structure_hash(cell: DefectCell) -> str:
    """SHA-256 of species, lattice and positions to 1e-6 Å, hexadecimal."""
    digest = hashlib.sha256(cell.numbers.astype("<i8").tobytes())
    for values in (cell.cell, cell.positions):
        digest.update((np.round(values, _DIGITS) + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()


def charged(cell: DefectCell, charge: int) -> DefectCell:
    """The cell with another charge, e, in its key as well."""
    return replace(cell, charge=charge, key=f"{cell.key.rpartition('/q')[0]}/q{charge:+d}")


def starting_cells(
    run: RunFolder, start: StartChoice = "auto", minima: int = 1
) -> dict[str, list[tuple[str, DefectCell]]]:
    """The geometries of every defect of a run by key, the pristine one first, each with what it is.

    Args:
        run: its folder.
        start: which of them; what the run has not got of a defect is left to the next best for `auto` only.
        minima: how many minima of the search of each defect, lowest first.

    Raises:
        DataError: the run knows no defects, or has no such geometry of one.
    """
    run.require("defects")
    ideal = {cell.key: cell for cell in read_cells(run.file("defects", "cells.npz"))}
    ideal |= {cell.key: cell for cell in _cells(run, "generate", "ideal.npz") if cell.key in ideal}
    best: dict[str, list[tuple[str, DefectCell]]] = {key: [("ideal", cell)] for key, cell in ideal.items()}
    proposed = {cell.key: cell for cell in reversed(_cells(run, "generate", "cells.npz"))}
    relaxed = _minima(run, minima)
    for kind, known in (("proposed", {k: [c] for k, c in proposed.items()}), ("relaxed", relaxed)):
        if start in ("auto", kind):
            best |= {key: [(kind, cell) for cell in cells] for key, cells in known.items() if key in best}
    missing = [ideal[key].name for key, cells in best.items() if start not in ("auto", cells[0][0])]
    missing = [name for name in missing if name != BULK]
    if missing:
        raise DataError(
            f"{run.path}: no {start} geometry of {', '.join(missing[:5])}; run `defectgen generate {run.path}` and "
            f"`defectgen relax {run.path}` first, or leave --start out"
        )
    return best


def _cells(run: RunFolder, *parts: str) -> list[DefectCell]:
    path = run.file(*parts)
    return read_cells(path) if path.is_file() else []


def _minima(run: RunFolder, count: int) -> dict[str, list[DefectCell]]:
    """Converged ends of the relaxations and searches of each defect, lowest first, each once; and the pristine cell."""
    records: list[Record] = []
    if run.file(*SEARCH_MINIMA.parts).is_file():
        records += read_records(run.file(*SEARCH_MINIMA.parts))
    if run.file(*RELAXATION_ROWS.parts).is_file():
        records += relaxation_records(run.path, 0)
    elif run.file("relax", "records.npz").is_file():
        records += read_records(run.file("relax", "records.npz"))
    if run.file("generate", "bulk.npz").is_file():
        records += read_records(run.file("generate", "bulk.npz"))
    ends = [r for r in records if r.cell.provenance.get("status", "converged") == "converged"]
    found: dict[str, list[Record]] = {}
    for record in sorted(ends, key=lambda r: r.energy):
        known = found.setdefault(record.cell.key, [])
        if all(abs(record.energy - other.energy) > SAME_MINIMUM for other in known):
            known.append(record)
    return {key: [r.cell for r in records[:count]] for key, records in found.items()}


def charge_states(defects: Sequence[Defect], given: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Charges, e, of each defect by key: those given for its name, else from neutral to full ionisation.

    Raises:
        ConditionError: charges are given for what is none of the defects.
    """
    wanted = {unmarked(name): name for name in given}
    known = {unmarked(defect.name) for defect in defects}
    for name in wanted.keys() - known:
        names = [defect.name for defect in defects]
        hint = did_you_mean(wanted[name], names)
        raise ConditionError(f"charges of {wanted[name]}: no such defect; {hint}the defects are {', '.join(names)}")
    return {
        defect.key: given[wanted[unmarked(defect.name)]] if unmarked(defect.name) in wanted else defect.charges
        for defect in defects
    }


def calculation_jobs(
    cells: Mapping[str, Sequence[tuple[str, DefectCell]]],
    charges: Mapping[str, tuple[int, ...]],
    *,
    select: int | None = None,
    order: Order = "diverse",
) -> list[CalculationJob]:
    """The calculations: the pristine cell, then each chosen geometry in its charge states.

    Args:
        cells: geometries by key, see `starting_cells`.
        charges: of each defect, by key.
        select: how many geometries besides the pristine one; None for all.
        order: which are chosen: those whose surroundings differ most, or the lowest minima of each defect in turn.
    """
    pristine = [pair for key, pairs in cells.items() for pair in pairs[:1] if pair[1].name == BULK]
    others = [pair for key, pairs in cells.items() for pair in pairs if key in charges]
    if select is not None and select < len(others):
        others = _diverse(others, select) if order == "diverse" else _in_turn(cells, charges, select)
    names = UniqueNames()
    return [
        CalculationJob(names.next(_folder(cell.name, charge)), charged(cell, charge), start)
        for start, cell in (*pristine, *others)
        for charge in ((0,) if cell.name == BULK else charges[cell.key])
    ]


def _folder(name: str, charge: int) -> str:
    """A name that every file system takes: `v_O_q+2`."""
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in unmarked(name).replace("+", "_and_"))
    return BULK if name == BULK else f"{plain}_q{charge:+d}"


def _in_turn(
    cells: Mapping[str, Sequence[tuple[str, DefectCell]]], charges: Mapping[str, tuple[int, ...]], count: int
) -> list[tuple[str, DefectCell]]:
    """The lowest minimum of each defect, then the second of each, until there are enough, in the order of defects."""
    ranked = [(rank, place, pair) for place, key in enumerate(charges) for rank, pair in enumerate(cells.get(key, ()))]
    chosen = sorted(ranked, key=lambda item: item[:2])[:count]
    return [pair for _, _, pair in sorted(chosen, key=lambda item: (item[1], item[0]))]


def _diverse(pairs: Sequence[tuple[str, DefectCell]], count: int) -> list[tuple[str, DefectCell]]:
    """So many geometries, each as far as can be from those chosen before, in the order in which they were given."""
    points = np.array(list(_fingerprints([cell for _, cell in pairs])))
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return [pairs[index] for index in sorted(chosen)]


def _fingerprints(cells: Sequence[DefectCell]) -> Iterator[FloatArray]:
    """Sum of the SOAP power spectra of the atoms of each element, one vector a cell."""
    from defectgen.dataset.leakage.soap import power_spectra

    elements = sorted({int(z) for cell in cells for z in cell.numbers})
    for cell in cells:
        spectra = power_spectra(_frame(cell), elements)
        yield np.concatenate([spectra[cell.numbers == z].sum(axis=0) for z in elements])


def _frame(cell: DefectCell) -> Frame:
    from defectgen.dataset.frame import Frame

    return Frame(cell.numbers, cell.positions, cell.cell)

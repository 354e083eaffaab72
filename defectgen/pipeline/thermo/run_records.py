"""The lowest geometries of the defects of a run, with the states above them: a search's minima, else relaxations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from augment.cell import BULK
from augment.defect import Defect
from augment.errors import DataError
from augment.groups.cell_symmetry import CellSymmetry
from defectgen.ground_states.copies import symmetry_in
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.search_stage import MINIMA, SUMMARY
from defectgen.run.folder import RunFolder
from defectgen.thermodynamics.diffusion import kept_symmetry
from md.campaigns.relaxation_records import PRISTINE_END, lowest_of_each, relaxation_rows
from md.labels.record import Record, read_records
from md.relaxation.relaxed_host import RelaxedHost

_RELAXED = ("relax", "records.npz")


@dataclass(frozen=True, eq=False)
class LowestGeometry:
    """A defect of a run at its lowest known minimum.

    Attributes:
        defect: on the relaxed host.
        record: its geometry and labels.
        states: energy above it (eV) and copies at a place of the defect, of each known minimum.
        found_by: `search` or `relax`.
    """

    defect: Defect
    record: Record
    states: tuple[tuple[float, float], ...]
    found_by: str

    def symmetry(self) -> CellSymmetry:
        """The operations of the stabilizer that the geometry has kept."""
        return kept_symmetry(self.defect.symmetry(), self.defect.cell().positions, self.record.cell.positions)


@dataclass(frozen=True, eq=False)
class RunRecords:
    """What a run has for its thermodynamics.

    Attributes:
        bulk: the pristine supercell at rest.
        lowest: the defects, in the order of the run.
        left_out: why others are not there, by name.
        unfinished: names of those whose relaxation ran out of steps, so that their energy is an upper bound.
    """

    bulk: Record
    lowest: tuple[LowestGeometry, ...]
    left_out: dict[str, str]
    unfinished: tuple[str, ...] = ()


def run_records(prepared: PreparedRun, folder: RunFolder, reference: RelaxedHost) -> RunRecords:
    """The pristine supercell and the lowest geometry of every defect that has one; charged ones are left out.

    Raises:
        DataError: there is none, or they are of different potentials.
    """
    relaxed = read_records(folder.file(*_RELAXED)) if folder.finished("relax") else []
    searched = _searched(folder)
    pristine = folder.file(*PRISTINE_END.parts)
    bulk = next((r for r in relaxed if r.cell.name == BULK), None)
    if bulk is None and pristine.is_file():
        bulk = next(iter(read_records(pristine)), None)
    if bulk is None and searched:
        bulk = reference.bulk(prepared.supercell).record
    mine = {r.cell.key: r for r in relaxed if r.cell.name != BULK}
    if bulk is None or not (mine or searched):
        raise DataError(
            f"{folder.path}: no relaxed defects; run `defectgen relax {folder.path}` or `defectgen search` first"
        )
    lowest, left_out = [], {}
    for defect in dict.fromkeys(prepared.defects):
        if defect.charge:
            left_out[defect.name] = f"charge {defect.charge:+d}: the potentials here know no charge"
            continue
        found = _lowest(reference.on(defect), mine.get(defect.key), searched.get(defect.key))
        if found is None:
            left_out[defect.name] = "neither relaxed nor searched"
        else:
            lowest.append(found)
    if not lowest:
        raise DataError(f"{folder.path}: none of its neutral defects is relaxed; run `defectgen relax {folder.path}`")
    _check_one_potential(prepared, bulk, lowest)
    ran_out = _ran_out(folder)
    unfinished = tuple(e.defect.name for e in lowest if e.found_by == "relax" and e.defect.key in ran_out)
    return RunRecords(bulk, tuple(lowest), left_out, unfinished)


def _ran_out(folder: RunFolder) -> set[str]:
    """Keys of the defects whose lowest relaxation did not converge."""
    if not folder.finished("relax"):
        return set()
    rows = relaxation_rows(folder.path)
    return {str(rows[k]["key"]) for k in lowest_of_each(rows) if rows[k]["status"] != "converged"}


_Minima = tuple[Record, list[dict[str, Any]]]


def _searched(folder: RunFolder) -> dict[str, _Minima]:
    """Lowest record and the rows of all minima of each defect that was searched, by key."""
    if not folder.finished("search"):
        return {}
    records: dict[str, Record] = {}
    for record in read_records(folder.file(*MINIMA)):
        records.setdefault(record.cell.key, record)
    rows = folder.read_lines(SUMMARY)
    return {row["key"]: (records[row["key"]], row["minima"]) for row in rows if row["key"] in records}


def _lowest(defect: Defect, relaxed: Record | None, searched: _Minima | None) -> LowestGeometry | None:
    """The lower of a search's minimum and a relaxation's end; copies of a minimum over those of the ideal defect."""
    if searched is not None and (relaxed is None or searched[0].energy <= relaxed.energy):
        record, rows = searched
        states = tuple((float(row["above"]), row["degeneracy"] / defect.degeneracy) for row in rows)
        return LowestGeometry(defect, record, states, "search")
    if relaxed is None:
        return None
    _, copies = symmetry_in(defect.supercell, defect.cell(), relaxed.cell.positions)
    return LowestGeometry(defect, relaxed, ((0.0, copies / defect.degeneracy),), "relax")


def _check_one_potential(prepared: PreparedRun, bulk: Record, lowest: list[LowestGeometry]) -> None:
    wanted = prepared.potential.sha256
    for record in (bulk, *(each.record for each in lowest)):
        has = record.cell.provenance.get("potential_sha256")
        if has != wanted:
            raise DataError(
                f"{record.cell.name} was evaluated by {record.cell.provenance.get('potential', 'another potential')}, "
                f"the run's is {prepared.potential.name} now; relax it again with --overwrite: energies of two "
                "potentials have no common zero"
            )

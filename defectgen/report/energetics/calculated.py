"""The section of calculations of electrons: what was read, against the pristine cell of the same level of theory."""

from __future__ import annotations

from augment.cell import BULK
from defectgen.report.blocks import Column, Fact, Section, Table, number
from defectgen.report.gather import RunData

_COLUMNS = (
    Column("Defect"),
    Column("Charge", "e", numeric=True),
    Column("Energy above pristine", "eV", numeric=True),
    Column("Largest force", "eV/Å", numeric=True),
    Column("Moment", "μB", numeric=True),
    Column("Level of theory", code=True),
    Column("Start"),
)

_NOTE = (
    "Energies of cells with another number of atoms or electrons need chemical potentials and corrections; levels of "
    "theory have different zeros and are not compared."
)


def calculated_sections(data: RunData) -> list[Section]:
    """The section, where the run has calculations; else none."""
    if not data.calculated:
        return []
    pristine = {
        (_form(r.cell.key), r.cell.provenance["potential"]): r.energy for r in data.calculated if r.cell.name == BULK
    }
    rows = []
    for record in data.calculated:
        level = str(record.cell.provenance["potential"])
        reference = pristine.get((_form(record.cell.key), level))
        force = None if record.forces is None else float((record.forces**2).sum(axis=1).max() ** 0.5)
        moment = None if record.moments is None else float(record.moments.sum())
        rows.append(
            (
                record.cell.name,
                f"{record.cell.charge:+d}",
                number(None if reference is None else record.energy - reference),
                number(force),
                number(moment, 2),
                level,
                str(record.cell.provenance.get("start") or ""),
            )
        )
    return [Section("calculations", "Calculations (DFT)", [Table("Labels of DFT", _COLUMNS, rows, _NOTE)])]


def calculated_facts(data: RunData) -> list[Fact]:
    """One entry of the summary, where the run has calculations."""
    if not data.calculated:
        return []
    levels = sorted({str(r.cell.provenance["potential"]) for r in data.calculated})
    return [Fact("DFT labels", str(len(data.calculated)), ", ".join(levels))]


def _form(key: str) -> str:
    return key.split("/")[1]

"""A study of charged defects in a run folder: what is read from where, what is assumed, and what is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import BULK, FloatArray
from augment.errors import DataError, SettingsError
from augment.host import Host
from augment.storage.archive import write_atomically
from defectgen.charge.images import dielectric_tensor
from defectgen.charge.neutrality import Bands, NeutralEquilibrium, neutral_equilibrium
from defectgen.charge.run_levels import NO_LIMIT, RunLevels, charged_defects, read_limits
from defectgen.run.folder import RunFolder
from md.labels.calculated import CALCULATED_RECORDS, CalculatedRecord, read_calculated

__all__ = ["LEVELS_FILE", "LevelStudy", "level_study"]

LEVELS_FILE = Path("levels/levels.json")
"""In a run folder."""

MIN_BAND_GAP = 0.1
"""eV; levels of a pristine cell that are nearer than this around the Fermi level are those of a metal."""

_PER_CM3 = 1e24
"""1/cm³ in 1/Å³."""


@dataclass(frozen=True, eq=False)
class LevelStudy:
    """Levels of a run.

    Attributes:
        folder: of the run.
        levels: what was found.
    """

    folder: RunFolder
    levels: RunLevels

    @property
    def path(self) -> Path:
        """Of the file that is written."""
        return self.folder.file(*LEVELS_FILE.parts)

    def equilibria(
        self, temperatures: Sequence[float], electrons: float = 1.0, holes: float = 1.0
    ) -> dict[str, list[NeutralEquilibrium]]:
        """The neutral crystal at each limit and temperature, K, with effective masses in electron masses.

        Raises:
            SettingsError: no chemical potentials are known, or a value is not possible.
            DataError: no Fermi level makes it neutral.
        """
        if not temperatures:
            return {}
        if NO_LIMIT in self.levels.limits:
            raise SettingsError("concentrations need chemical potentials: give them with --limits")
        bands = Bands(self.levels.gap, electrons, holes)
        sites = {defect.name: defect.sites * _PER_CM3 for defect in self.levels.defects}
        return {
            limit: [neutral_equilibrium(self.levels.states(limit), sites, bands, t) for t in temperatures]
            for limit in self.levels.limits
        }

    def write(self, equilibria: Mapping[str, Sequence[NeutralEquilibrium]]) -> dict[str, Any]:
        """Write `levels/levels.json`; its content."""
        content = self.levels.json()
        content["equilibria"] = [
            {
                "limit": limit,
                "temperature_K": one.temperature,
                "fermi_level_eV": one.fermi_level,
                "electrons_per_cm3": one.electrons,
                "holes_per_cm3": one.holes,
                "defects_per_cm3": [
                    {"name": name, "charge": charge, "concentration": amount}
                    for (name, charge), amount in one.concentrations.items()
                ],
            }
            for limit, found in equilibria.items()
            for one in found
        ]
        with self.folder.locked():
            self.path.parent.mkdir(exist_ok=True)
            write_atomically(self.path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
        return content


def level_study(
    run: RunFolder,
    host: Host,
    dielectric: Sequence[float] | None,
    vbm: float | None,
    gap: float | None,
    limits: Path | None,
    theory: str | None,
) -> LevelStudy:
    """The levels of a run's calculations.

    Args:
        run: its folder, which `defectgen label` has read calculations into.
        host: its crystal.
        dielectric: one, three or nine numbers, in the axes of the supercell; None leaves charged cells uncorrected.
        vbm: valence-band maximum, eV; that of the pristine cell's calculation without it.
        gap: eV; likewise.
        limits: file of chemical potentials.
        theory: name of the level of theory, where there are several.

    Raises:
        DataError: the run has no calculations, or they do not say what is needed.
        SettingsError: a value is not possible.
    """
    path = run.file(*CALCULATED_RECORDS.parts)
    if not path.is_file():
        raise DataError(
            f"{run.path}: no calculations were read into it; `defectgen label {run.path} --from FOLDER` does"
        )
    records = read_calculated(path)
    name = _theory(records, theory)
    tensor = None if dielectric is None else dielectric_tensor(_shaped(dielectric))
    defects, notes = charged_defects(records, host, tensor, name)
    top, width = _bands(records, name, vbm, gap)
    known = {NO_LIMIT: {}} if limits is None else read_limits(limits)
    _check_elements(known, {element for defect in defects for element in defect.added})
    return LevelStudy(run, RunLevels(name, tuple(defects), top, width, known, tuple(notes)))


def _shaped(values: Sequence[float]) -> FloatArray:
    given = np.asarray(values, dtype=float)
    return given.reshape(3, 3) if given.size == 9 else given if given.size > 1 else given.reshape(())  # noqa: PLR2004


def _theory(records: Sequence[CalculatedRecord], wanted: str | None) -> str:
    """The level of theory.

    Raises:
        SettingsError: it is not there, or there are several and none is named.
    """
    names = sorted({str(record.cell.provenance["potential"]) for record in records})
    if wanted in names or (wanted is None and len(names) == 1):
        return wanted or names[0]
    said = "none of them" if wanted else "several levels of theory"
    raise SettingsError(f"{said}: the run has {', '.join(names)}; name one with --theory")


def _bands(
    records: Sequence[CalculatedRecord], theory: str, vbm: float | None, gap: float | None
) -> tuple[float, float]:
    """Valence-band maximum and gap, eV.

    Raises:
        DataError: neither the user nor the pristine cell says them.
    """
    edges = next(
        (
            record.cell.provenance["dft"]["band_edges"]
            for record in records
            if record.cell.name == BULK
            and record.cell.provenance["potential"] == theory
            and record.cell.provenance["dft"].get("band_edges")
        ),
        None,
    )
    if vbm is not None and gap is not None:
        edges = (vbm, vbm + gap)
    if edges is None:
        raise DataError(
            "the calculation of the pristine cell does not say its band edges; give --vbm and --gap (eV), from a "
            "calculation of the primitive cell with the k-points of a band structure"
        )
    if gap is None and edges[1] - edges[0] < MIN_BAND_GAP:
        raise DataError(
            f"the levels of the pristine cell leave a gap of {edges[1] - edges[0]:.3f} eV, as in a metal; give --gap "
            "(eV) if it has one"
        )
    top = vbm if vbm is not None else float(edges[0])
    width = gap if gap is not None else float(edges[1]) - float(edges[0])
    if not width > 0:
        raise SettingsError(f"a gap of {width:g} eV; it is above 0")
    return top, width


def _check_elements(limits: Mapping[str, Mapping[str, float]], elements: set[str]) -> None:
    for name, values in limits.items():
        missing = sorted(elements - values.keys())
        if name != NO_LIMIT and missing:
            raise DataError(f"limit {name}: no chemical potential of {', '.join(missing)}")

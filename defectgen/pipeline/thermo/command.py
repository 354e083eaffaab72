"""How the stage is run in a folder that may have it, and a report, already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.thermo.requests import check_thermo
from defectgen.pipeline.thermo.stage import RESULT, thermo_stage
from defectgen.run.folder import RunFolder
from defectgen.run.progress import report_notes, report_stage_end
from defectgen.run.settings import differences

DEFAULT_TEMPERATURES = (300.0, 600.0, 900.0, 1200.0, 1500.0)
"""K; where neither the folder nor a request has some."""


def thermo(
    run: str | Path,
    *,
    temperatures: Sequence[float] = DEFAULT_TEMPERATURES,
    pressures: Sequence[float] = (0.0,),
    mu: Mapping[str, float] | None = None,
    phases: Sequence[str | Path] = (),
    gas: Mapping[str, float] | None = None,
    vibrations: bool = False,
    barriers: bool = False,
    metastable: bool = False,
) -> dict[str, Any]:
    """Formation energies and equilibria of the defects of a run folder: the contents of its `thermo/thermo.json`.

    Args:
        run: folder of a run with relaxed or searched defects.
        temperatures: K.
        pressures: on the crystal, GPa.
        mu: chemical potentials that are given, eV per atom, by element.
        phases: CIFs of more phases, or energies of formula units in eV as `Mg2SiO4=-50.1`.
        gas: partial pressures, bar, by formula (`O2`).
        vibrations: with free energies of normal modes.
        barriers: with migration barriers and diffusion coefficients.
        metastable: go on with a host that would decompose.

    Raises:
        DefectgenError: a request is not possible, or nothing is relaxed.
    """
    changes = {
        "thermo.temperatures": list(temperatures),
        "thermo.pressures": list(pressures),
        "thermo.mu": [f"{symbol}={value!r}" for symbol, value in (mu or {}).items()],
        "thermo.phases": [str(phase) for phase in phases],
        "thermo.gas": [f"{formula}={value!r}" for formula, value in (gas or {}).items()],
        "thermo.vibrations": vibrations,
        "thermo.barriers": barriers,
        "thermo.metastable": metastable,
    }
    return run_thermo(Path(run), changes)[0]


def run_thermo(path: Path, changes: dict[str, Any], *, overwrite: bool = False) -> tuple[dict[str, Any], bool]:
    """The thermodynamics of a run folder with some settings changed, and whether they were there already.

    Energies that were computed before are used again. A report that is there is written anew.

    Args:
        path: of the run folder.
        changes: settings by their dotted names; None leaves one as it is.
        overwrite: run again what has finished.

    Raises:
        DefectgenError: a request is not possible; the folder is as it was then, but for what was computed.
    """
    folder = RunFolder.open(path)
    if not folder.settings.thermo.temperatures and not changes.get("thermo.temperatures"):
        changes = {**changes, "thermo.temperatures": list(DEFAULT_TEMPERATURES)}
    settings = folder.settings.replaced(changes)
    check_thermo(settings.thermo)
    same = not differences(folder.settings, settings)
    if folder.finished("thermo") and same and not overwrite:
        return folder.read_json(RESULT), True
    prepared = PreparedRun.of_folder(RunFolder(path, settings))
    report_notes([*prepared.notes, *prepared.potential_notes])
    with folder.locked():
        had_report = folder.finished("report")
        thermo_stage(prepared, RunFolder(path, settings))
        folder.store(settings)
        report_stage_end("thermo", folder.times["thermo"])
        if had_report:
            from defectgen.report import write_report

            write_report(path)
    return folder.read_json(RESULT), False

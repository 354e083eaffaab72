"""The command that makes transition levels and Fermi levels of a run's calculations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augment.errors import SettingsError
from defectgen.cli.options import FolderArgument, JsonOption, say, show

if TYPE_CHECKING:
    from rich.table import Table

    from defectgen.charge.neutrality import NeutralEquilibrium
    from defectgen.charge.run_levels import RunLevels

DielectricOption = Annotated[
    str | None,
    typer.Option(
        "--dielectric",
        metavar="NUMBER,...",
        help="static dielectric constant, ions included; one number, three along the axes, or nine",
    ),
]
VbmOption = Annotated[
    float | None, typer.Option("--vbm", metavar="eV", help="valence-band maximum, in the zero of the calculations")
]
GapOption = Annotated[float | None, typer.Option("--gap", metavar="eV", help="band gap of the host")]
LimitsOption = Annotated[
    Path | None,
    typer.Option("--limits", metavar="FILE.json", help="chemical potentials by limit; as doped writes them"),
]
TheoryOption = Annotated[
    str | None, typer.Option("--theory", help="level of theory, where the run has calculations of several")
]
CarrierTemperatures = Annotated[
    str | None, typer.Option("--fermi", metavar="K,...", help="temperatures at which the neutral crystal is sought")
]
MassesOption = Annotated[
    str, typer.Option("--masses", metavar="e,h", help="effective masses of electrons and holes, electron masses")
]


def levels_command(
    folder: FolderArgument,
    dielectric: DielectricOption = None,
    vbm: VbmOption = None,
    gap: GapOption = None,
    limits: LimitsOption = None,
    theory: TheoryOption = None,
    fermi: CarrierTemperatures = None,
    masses: MassesOption = "1,1",
    as_json: JsonOption = False,
) -> None:
    """Make transition levels, corrected formation energies and the Fermi level of a run's charged calculations."""
    from defectgen.charge.study import level_study
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.run.folder import RunFolder
    from defectgen.run.progress import report_notes

    run = RunFolder.open(folder)
    run.require("defects")
    host = PreparedRun.of_folder(run).host
    study = level_study(run, host, _numbers(dielectric, "--dielectric", (1, 3, 9)), vbm, gap, limits, theory)
    electrons, holes = _numbers(masses, "--masses", (2,)) or [1.0, 1.0]
    temperatures = _numbers(fermi, "--fermi", None) or []
    report_notes(study.levels.notes)
    equilibria = study.equilibria(temperatures, electrons, holes)
    written = study.write(equilibria)
    if as_json:
        say(json.dumps(written))
        return
    show(*_tables(study.levels), *(_carriers(limit, found) for limit, found in equilibria.items()))
    say(f"{study.path}")


def _numbers(text: str | None, option: str, counts: tuple[int, ...] | None) -> list[float] | None:
    """Numbers of an option.

    Raises:
        SettingsError: there are others than numbers, or not as many as may be.
    """
    if text is None:
        return None
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"{option} {text}: numbers with commas between them are wanted") from None
    if counts is not None and len(found) not in counts:
        raise SettingsError(f"{option} {text}: {len(found)} numbers; give {' or '.join(map(str, counts))}")
    return found


def _tables(levels: RunLevels) -> list[Table]:
    """Formation energies at the valence-band maximum, and the levels in the gap."""
    from rich.table import Table

    from defectgen.charge.levels import transition_levels

    energies = Table(title="formation energies, Fermi level at the valence-band maximum (eV)", title_justify="left")
    for heading in (
        "defect",
        "charge",
        "correction",
        *(limit or "without chemical potentials" for limit in levels.limits),
    ):
        energies.add_column(heading, no_wrap=True)
    for defect in levels.defects:
        values = [f"{defect.state(levels.vbm, mu).energy:.3f}" for mu in levels.limits.values()]
        energies.add_row(defect.name, f"{defect.charge:+d}", f"{defect.correction.energy:.3f}", *values)
    table = Table(title=f"levels in the gap of {levels.gap:.2f} eV (eV)", title_justify="left")
    for heading in ("defect", "level", "above the valence band", "below the conduction band"):
        table.add_column(heading, no_wrap=True)
    for states in levels.by_name(next(iter(levels.limits))).values():
        for level in transition_levels(states, levels.gap):
            table.add_row(level.name, level.label, f"{level.level:.3f}", f"{levels.gap - level.level:.3f}")
    return [energies, table]


def _carriers(limit: str, found: list[NeutralEquilibrium]) -> Table:
    """Fermi levels and concentrations at one limit."""
    from rich.table import Table

    table = Table(title=f"neutral crystal, {limit}", title_justify="left")
    for heading in ("K", "Fermi level (eV)", "electrons (1/cm³)", "holes (1/cm³)", "defects (1/cm³)"):
        table.add_column(heading)
    for one in found:
        most = sorted(one.concentrations.items(), key=lambda item: -item[1])[:3]
        text = ", ".join(f"{name} {charge:+d} {amount:.2g}" for (name, charge), amount in most)
        table.add_row(
            f"{one.temperature:g}", f"{one.fermi_level:.3f}", f"{one.electrons:.2g}", f"{one.holes:.2g}", text
        )
    return table

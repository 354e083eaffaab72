"""The command that says what defects cost and how many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from defectgen.cli.options import FolderArgument, JsonOption, OverwriteOption, numbers, say, several, show

MuOption = Annotated[
    list[str] | None,
    typer.Option("--mu", metavar="ELEMENT=eV,...", help="chemical potentials that you give, on the potential's scale"),
]
PhaseOption = Annotated[
    list[str] | None,
    typer.Option("--phase", metavar="FILE.cif|FORMULA=eV,...", help="more phases to compare with"),
]
GasOption = Annotated[
    list[str] | None, typer.Option("--gas", metavar="GAS=bar,...", help="partial pressures; O2=0.2; 1 if not given")
]
EquilibriumTemperatures = Annotated[
    str | None, typer.Option("--temperature", metavar="K,...", help="temperature; of each equilibrium")
]
EquilibriumPressures = Annotated[
    str | None, typer.Option("--pressure", metavar="GPa,...", help="pressure; on the crystal")
]


def thermo_command(
    folder: FolderArgument,
    temperature: EquilibriumTemperatures = None,
    pressure: EquilibriumPressures = None,
    mu: MuOption = None,
    phase: PhaseOption = None,
    gas: GasOption = None,
    molecules: Annotated[
        bool, typer.Option("--molecules", help="molecules of gases as computed, not fitted to measured enthalpies")
    ] = False,
    metastable: Annotated[
        bool, typer.Option("--metastable", help="go on with a host that would decompose into known phases")
    ] = False,
    vibrations: Annotated[
        bool, typer.Option("--vibrations", help="free energies of normal modes of crystals and defects")
    ] = False,
    anharmonic: Annotated[
        int | None,
        typer.Option("--anharmonic", help="steps at each node of a thermodynamic integration; with --vibrations"),
    ] = None,
    barriers: Annotated[
        bool, typer.Option("--barriers", help="migration barriers of every distinct jump, and diffusion")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Formation energies of the defects of a run at the limits of its chemical potentials, and how many there are."""
    from defectgen.cli.thermo_tables import thermo_tables
    from defectgen.pipeline.thermo.command import run_thermo
    from defectgen.run.progress import report_notes

    changes: dict[str, Any] = {
        "thermo.temperatures": numbers(temperature, "--temperature"),
        "thermo.pressures": numbers(pressure, "--pressure"),
        "thermo.mu": several(mu),
        "thermo.phases": several(phase),
        "thermo.gas": several(gas),
        "thermo.molecules": molecules or None,
        "thermo.metastable": metastable or None,
        "thermo.vibrations": vibrations or None,
        "thermo.anharmonic": anharmonic,
        "thermo.barriers": barriers or None,
    }
    result, again = run_thermo(folder, changes, overwrite=overwrite)
    if again:
        report_notes(["thermo has finished with these settings already; --overwrite runs it again"])
    if as_json:
        import json

        say(json.dumps(result, ensure_ascii=False))
    else:
        show(*thermo_tables(result))
        say(f"{Path(folder) / 'thermo'}")

"""What `impurities --equilibrate` does: configurations as they occur at a temperature, under a potential."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augment.errors import ConditionError
from defectgen.cli.listing import Exports
from defectgen.cli.options import potential_changes, say, settings_of, show

if TYPE_CHECKING:
    from augment.solutions.solution import SolidSolution
    from md.campaigns.equilibrated import EquilibratedCells
    from md.potentials import Potential

EquilibrateOption = Annotated[
    float | None,
    typer.Option("--equilibrate", metavar="K", help="temperature at which configurations occur as they are drawn"),
]
EnthalpiesOption = Annotated[
    int | None,
    typer.Option("--enthalpies", help="configurations relaxed for the pair expansion; 60 by default"),
]
SolutionPressureOption = Annotated[
    float | None, typer.Option("--pressure", metavar="GPa", help="pressure; one, of --equilibrate")
]

POOR_ACCEPTANCE = 0.2
"""Share of draws accepted below which a chain of some tens of configurations stays where it began."""

MAX_ERROR = 2.0
"""k T; of the pair expansion, beyond which it may keep configurations from being drawn at all."""


@dataclass(frozen=True)
class EquilibriumRequest:
    """What the command line asks of an equilibrium.

    Attributes:
        temperature: K; None where configurations are not to be equilibrated.
        enthalpies: configurations relaxed for the pair expansion.
        pressure: GPa.
        potential: name of the potential.
        dispersion: on top of it.
        trust: a model that can run any code.
        workers: processes.
        folder: keeps the relaxations.
    """

    temperature: float | None
    enthalpies: int | None
    pressure: float | None
    potential: str | None
    dispersion: str | None
    trust: bool
    workers: int | None
    folder: Path | None

    def check(self, mode: str) -> None:
        """Refuse options that mean nothing together.

        Raises:
            ConditionError: says which.
        """
        alone = {
            "--enthalpies": self.enthalpies,
            "--pressure": self.pressure,
            "--potential": self.potential,
            "--dispersion": self.dispersion,
            "--workers": self.workers,
            "-o": self.folder,
        }
        given = [name for name, value in alone.items() if value is not None]
        if self.temperature is None and given:
            raise ConditionError(f"{given[0]} is for configurations in equilibrium; give --equilibrate 1200 too")
        if self.temperature is not None and mode != "random":
            raise ConditionError(f"--equilibrate draws by enthalpy, --mode {mode} does not; give one of them")


def draw_equilibrium(
    source: Path, solution: SolidSolution, request: EquilibriumRequest, temperature: float, samples: int, seed: int
) -> EquilibratedCells:
    """Equilibrate a solution, with progress; what is to be known of the result is said."""
    from augment.ordering import EquilibrateSettings
    from defectgen.run.progress import progress, report_notes
    from md.campaigns.equilibrated import equilibrated_cells

    wanted = EquilibrateSettings.evaluations if request.enthalpies is None else request.enthalpies
    settings = EquilibrateSettings(temperature, samples, wanted, seed)
    potential = _potential(source, solution, request)
    report_notes([f"enthalpies by {potential.name}, without those of vibrations"])
    with progress(f"equilibrium at {temperature:g} K", "") as report:

        def stage(what: str, done: int, total: int) -> None:
            report(done, total, what)

        made = equilibrated_cells(
            solution, potential, settings,
            pressure=request.pressure or 0.0, folder=request.folder, workers=request.workers or 1, progress=stage,
        )  # fmt: skip
    report_notes(equilibrium_notes(made))
    return made


def _potential(source: Path, solution: SolidSolution, request: EquilibriumRequest) -> Potential:
    from augment.elements import elements_of
    from md.potentials import resolve_potential

    spec = settings_of(source, potential_changes(request.potential, request.dispersion, request.trust)).potential
    space, pristine = solution.space, solution.supercell.bulk_cell()
    elements = set(elements_of(pristine.numbers)) | set(elements_of(space.number[space.number > 0]))
    return resolve_potential(spec.spec, elements, trust=spec.trust, like=pristine)


def equilibrium_notes(made: EquilibratedCells) -> list[str]:
    """What limits an equilibrium, in sentences."""
    from augment.ordering.replica_exchange import EV_PER_KELVIN

    ensemble, notes = made.ensemble, []
    if made.unfinished:
        notes.append(f"{made.unfinished} relaxations ran out of steps; their enthalpies are too high")
    if not ensemble.settled:
        notes.append("the chains of the Monte Carlo disagree: the order is not that of equilibrium; take a higher K")
    error, kt = ensemble.expansion_error, EV_PER_KELVIN * ensemble.temperature
    drawn = sum(member.drawn for member in ensemble.members)
    if error is not None and error > MAX_ERROR * kt:
        notes.append(
            f"the pair expansion is off by {error:.3f} eV per supercell, {error / kt:.1f} k T: configurations that it "
            "takes for costly may be missing; give more --enthalpies, or a smaller supercell"
        )
    elif ensemble.acceptance < POOR_ACCEPTANCE and len(ensemble.members) < drawn:
        notes.append(
            f"{ensemble.acceptance:.0%} of the draws are accepted: give more --enthalpies, or a smaller supercell"
        )
    return notes


def print_equilibrium(made: EquilibratedCells, exports: Exports, *, as_json: bool) -> None:
    """Write the relaxed cells where files are wanted, and print the ensemble."""
    ensemble = made.ensemble
    exports.write_cells(ensemble.solution.supercell, lambda: iter(made.cells))
    if as_json:
        about = {k: v for k, v in ensemble.to_dict().items() if k not in {"members", "supercell"}}
        for member in ensemble.members:
            own = {"enthalpy": member.enthalpy, "drawn": member.drawn, "probability": member.probability}
            say(json.dumps({**member.defect.to_dict(), **about, **own}))
        return
    from defectgen.cli.solution_tables import equilibrium_table, order_table

    show(*equilibrium_table(ensemble))
    show(order_table(ensemble))

"""The command that makes ensembles of a solid solution: dopants at a concentration, or a disordered crystal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer

from augment.errors import ConditionError
from augment.storage.missing import did_you_mean
from defectgen.cli.commands.defects import AnySupercellOption
from defectgen.cli.commands.solutions.equilibrium import (
    EnthalpiesOption,
    EquilibrateOption,
    EquilibriumRequest,
    SolutionPressureOption,
    draw_equilibrium,
    print_equilibrium,
)
from defectgen.cli.listing import CifFolderOption, Exports, ExtxyzOption, PoscarOption
from defectgen.cli.options import (
    BlockOption,
    BulkOption,
    DispersionOption,
    DistanceOption,
    JsonOption,
    MatrixOption,
    MaxAtomsOption,
    OutputOption,
    PotentialOption,
    SlabOption,
    TrustOption,
    WorkersOption,
    integers,
    layer_changes,
    say,
    settings_of,
    several,
    show,
)

if TYPE_CHECKING:
    from augment import Host
    from augment.solutions.configurations import ConfigurationEnsemble
    from augment.solutions.partial_occupancy import Disordered
    from augment.solutions.solution import SolidSolution

MAX_SEPARATION = 5.0
"""Å; atoms farther apart than this never exclude each other."""

Number = TypeVar("Number", int, float)

SourceArgument = Annotated[
    Path, typer.Argument(metavar="HOST.cif", help="CIF of the host crystal; its sites may be partly occupied")
]
ConcentrationsOption = Annotated[
    list[str] | None,
    typer.Option("--concentration", metavar="KIND=FRACTION,...", help="fraction of the sites of a kind; Al_Mg=0.05"),
]
NumbersOption = Annotated[
    list[str] | None, typer.Option("--number", metavar="KIND=N,...", help="number of edits of a kind; Al_Mg=2")
]
CompensateOption = Annotated[
    str | None, typer.Option("--compensate", help="kind of defect that balances the charge; v_Mg")
]
NeutralOption = Annotated[
    bool, typer.Option("--neutral", help="formal charges must balance; other compositions are refused")
]
StatesOption = Annotated[
    list[str] | None,
    typer.Option("--oxidation-state", metavar="ELEMENT=N,...", help="oxidation state of an element; Fe=3"),
]
ToleranceOption = Annotated[
    float | None, typer.Option("--tolerance", metavar="FRACTION", help="largest error of a fraction")
]
MinSeparationOption = Annotated[
    float | None,
    typer.Option(
        "--min-separation", metavar="Å", help="partly filled or edited sites closer than this hold one atom at most"
    ),
]
ModeOption = Annotated[str, typer.Option("--mode", help="how configurations are found; exact, random or sqs")]
MembersOption = Annotated[int, typer.Option("-n", "--samples", help="how many to make; configurations")]
SamplingWeightOption = Annotated[
    str, typer.Option("--weight", help="how they are drawn; evenly by degeneracy or orbit")
]


def impurities_command(
    source: SourceArgument,
    concentration: ConcentrationsOption = None,
    number: NumbersOption = None,
    compensate: CompensateOption = None,
    neutral: NeutralOption = False,
    oxidation_state: StatesOption = None,
    tolerance: ToleranceOption = None,
    min_separation: MinSeparationOption = None,
    mode: ModeOption = "random",
    samples: MembersOption = 10,
    weight: SamplingWeightOption = "degeneracy",
    equilibrate: EquilibrateOption = None,
    enthalpies: EnthalpiesOption = None,
    pressure: SolutionPressureOption = None,
    potential: PotentialOption = None,
    dispersion: DispersionOption = None,
    trust_model: TrustOption = False,
    workers: WorkersOption = None,
    output: OutputOption = None,
    supercell: MatrixOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    any_supercell: AnySupercellOption = False,
    poscar: PoscarOption = None,
    cif: CifFolderOption = None,
    extxyz: ExtxyzOption = None,
    bulk: BulkOption = False,
    slab: SlabOption = None,
    as_json: JsonOption = False,
    seed: Annotated[int, typer.Option("--seed", help="seed of everything random")] = 0,
    block: BlockOption = None,
) -> None:
    """Ordered configurations of a host with dopants at a concentration, or of a CIF with partly occupied sites."""
    from augment.charges import host_imbalance
    from augment.defects.sampling import SamplingWeight
    from augment.solutions.configurations import ensemble
    from defectgen.run.progress import report_notes

    request = EquilibriumRequest(equilibrate, enthalpies, pressure, potential, dispersion, trust_model, workers, output)
    request.check(mode)
    size = {"min_image_distance": min_image_distance, "max_atoms": max_atoms}
    if min_separation is not None and not 0 <= min_separation < MAX_SEPARATION:
        raise ConditionError(f"--min-separation {min_separation:g}; give a distance from 0 to {MAX_SEPARATION:g} Å")
    options: dict[str, Any] = {k: v for k, v in size.items() if v is not None} | {"keep_point_group": not any_supercell}
    states = _pairs(oxidation_state, "--oxidation-state", int)
    if concentration or number:
        asked = {
            "fractions": _pairs(concentration, "--concentration", float),
            "counts": _pairs(number, "--number", int),
            "compensate": compensate,
            "neutral": neutral,
            "states": states,
        }
        options["min_separation"] = min_separation or 0.0
        solution = _doped(_host(source, bulk, slab, block), asked, tolerance, integers(supercell), options)
    else:
        crystal = _disordered(source, bulk, slab, block, min_separation)
        chosen = _supercell(crystal.host, integers(supercell))
        solution = crystal.solution(
            supercell=chosen, tolerance=tolerance, neutral=neutral, states=states or None, **options
        )
    if weight not in get_args(SamplingWeight):
        ways = get_args(SamplingWeight)
        raise ConditionError(f"--weight {weight!r}; {did_you_mean(weight, ways)}give one of {', '.join(ways)}")
    unbalanced = host_imbalance(solution.supercell.host) if concentration or number else None
    report_notes([*solution.supercell.host.notes, *filter(None, [unbalanced])])
    exports = Exports(poscar, cif, extxyz)
    if equilibrate is not None:
        drawn = draw_equilibrium(source, solution, request, equilibrate, samples, seed)
        print_equilibrium(drawn, exports, as_json=as_json)
        return
    made = ensemble(solution, mode=mode, count=samples, seed=seed, weight=weight)  # type: ignore[arg-type]
    exports.write(solution.supercell, lambda: (member.defect for member in made.members))
    _print(made, as_json=as_json)


def _host(source: Path, bulk: bool, slab: str | None, block: str | None) -> Host:
    """The host of a CIF; what is taken for a layer is said."""
    from defectgen.run.host import host_notes, read_crystal
    from defectgen.run.progress import report_notes

    planar = settings_of(source, layer_changes(bulk, slab)).planar
    host, plane = read_crystal(source, planar, block)
    report_notes(host_notes(plane, planar))
    return host


def _disordered(
    source: Path, bulk: bool, slab: str | None, block: str | None, min_separation: float | None
) -> Disordered:
    """The disordered crystal of a CIF; what is taken for a layer is said."""
    from augment.solutions.partial_occupancy import read_disordered
    from defectgen.run.host import layer_note
    from defectgen.run.progress import report_notes

    planar = settings_of(source, layer_changes(bulk, slab)).planar
    crystal = read_disordered(source, min_separation=min_separation, block=block, layer=planar.slab or planar.layer)
    if crystal.vacuum is not None:
        report_notes([layer_note(crystal.formula, crystal.vacuum.width, crystal.vacuum.direction)])
    return crystal


def _doped(
    host: Host, asked: dict[str, Any], tolerance: float | None, matrix: list[int] | None, options: dict[str, Any]
) -> SolidSolution:
    """A host with so many edits of each kind."""
    from augment.solutions.concentration import Concentration, realise

    if tolerance is not None:
        asked["tolerance"] = tolerance
    return realise(host, Concentration(**asked), supercell=_supercell(host, matrix), **options)


def _supercell(host: Any, matrix: list[int] | None) -> Any:
    import numpy as np

    from defectgen.run.defects import given_supercell

    return None if matrix is None else given_supercell(host, np.array(matrix).reshape(3, 3))


def _pairs(texts: list[str] | None, option: str, number: Callable[[str], Number]) -> dict[str, Number]:
    """Values of an option given as NAME=VALUE."""
    found: dict[str, Number] = {}
    for text in several(texts) or []:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = number(value)
        except ValueError:
            raise ConditionError(f"{option} {text!r}: give a name and a number, such as Al_Mg=2") from None
    return found


def _print(made: ConfigurationEnsemble, *, as_json: bool) -> None:
    if as_json:
        about = {k: v for k, v in made.to_dict().items() if k not in {"members", "supercell"}}
        for member in made.members:
            say(json.dumps({**member.defect.to_dict(), **about, "objective": member.objective}))
    else:
        from defectgen.cli.solution_tables import ensemble_table

        show(*ensemble_table(made))

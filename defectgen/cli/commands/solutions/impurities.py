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
    request = EquilibriumRequest(equilibrate, enthalpies, pressure, potential, dispersion, trust_model, workers, output)
    request.check(mode)
    states = _pairs(oxidation_state, "--oxidation-state", int)
    doped = bool(concentration or number)
    contents: dict[str, Any] = {"neutral": neutral, "states": states or None, "tolerance": tolerance}
    if doped:
        fractions, counts = _pairs(concentration, "--concentration", float), _pairs(number, "--number", int)
        contents |= {"fractions": fractions, "counts": counts, "compensate": compensate, "states": states}
        if tolerance is None:
            del contents[
                "tolerance"
            ]  # A concentration has a default of its own; a disordered crystal takes the nearest.
    size = {"min_image_distance": min_image_distance, "max_atoms": max_atoms}
    options = {k: v for k, v in size.items() if v is not None} | {"keep_point_group": not any_supercell}
    crystal = _read(source, bulk, slab, block, _separation(min_separation), doped=doped)
    solution = _solution(crystal, contents, integers(supercell), options, min_separation or 0.0)
    exports = Exports(poscar, cif, extxyz)
    if equilibrate is not None:
        exports.require_new()
        drawn = draw_equilibrium(source, solution, request, equilibrate, samples, seed)
        print_equilibrium(drawn, exports, as_json=as_json)
    else:
        made = _ensemble(solution, mode, samples, seed, weight)
        exports.write(solution.supercell, lambda: (member.defect for member in made.members))
        _print(made, as_json=as_json)


def _separation(given: float | None) -> float | None:
    """The least separation that is given, checked."""
    if given is not None and not 0 <= given < MAX_SEPARATION:
        raise ConditionError(f"--min-separation {given:g}; give a distance from 0 to {MAX_SEPARATION:g} Å")
    return given


def _read(
    source: Path, bulk: bool, slab: str | None, block: str | None, min_separation: float | None, *, doped: bool
) -> Host | Disordered:
    """The host of a CIF that is doped, or its disordered crystal."""
    return _host(source, bulk, slab, block) if doped else _disordered(source, bulk, slab, block, min_separation)


def _solution(
    crystal: Host | Disordered,
    contents: dict[str, Any],
    matrix: list[int] | None,
    options: dict[str, Any],
    min_separation: float,
) -> SolidSolution:
    """So many edits in a supercell of a crystal; what its charges do is said."""
    from augment.charges import host_imbalance
    from augment.host import Host
    from augment.solutions.concentration import Concentration, realise
    from defectgen.run.progress import report_notes

    if isinstance(crystal, Host):
        chosen = _supercell(crystal, matrix)
        made = realise(crystal, Concentration(**contents), supercell=chosen, min_separation=min_separation, **options)
        unbalanced = host_imbalance(made.supercell.host)
    else:
        made = crystal.solution(supercell=_supercell(crystal.host, matrix), **contents, **options)
        unbalanced = None
    report_notes([*made.supercell.host.notes, *filter(None, [unbalanced])])
    return made


def _ensemble(solution: SolidSolution, mode: str, samples: int, seed: int, weight: str) -> ConfigurationEnsemble:
    """Configurations by the way that is asked for."""
    from augment.defects.sampling import SamplingWeight
    from augment.solutions.configurations import ensemble

    ways = get_args(SamplingWeight)
    if weight not in ways:
        raise ConditionError(f"--weight {weight!r}; {did_you_mean(weight, ways)}give one of {', '.join(ways)}")
    return ensemble(solution, mode=mode, count=samples, seed=seed, weight=weight)  # type: ignore[arg-type]


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

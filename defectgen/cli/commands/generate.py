"""The command that proposes relaxed or thermal geometries, and complexes, with the trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from augment.errors import ConditionError
from defectgen.cli.options import (
    BlockOption,
    BulkOption,
    ComplexOption,
    CutoffOption,
    DefectNamesOption,
    DispersionOption,
    DistanceOption,
    DopantsOption,
    MaxAtomsOption,
    MaxVoidsOption,
    ModelOption,
    OutputOption,
    OverwriteOption,
    PotentialOption,
    RunOrHostArgument,
    SeedOption,
    SizeOption,
    SlabOption,
    TrustOption,
    WorkersOption,
    defect_changes,
    layer_changes,
    potential_changes,
    say,
    settings_of,
    several,
)
from defectgen.cli.stage import run_stage

DEFAULT_SIZE = 2
"""Edits in a complex, as in the settings."""

ProposeOption = Annotated[
    int | None, typer.Option("--propose", help="let the model draw so many complexes of low energy")
]
DrawOption = Annotated[
    str | None, typer.Option("--weight", help="how they are drawn; by model, or by the energies of pairs")
]
LabelOption = Annotated[
    bool, typer.Option("--label", help="evaluate every proposal once with the potential; also those made before")
]


SubgroupOption = Annotated[
    list[str] | None,
    typer.Option("--subgroup", metavar="H,...", help="symmetry to keep; full, 1, a symbol, best or sample"),
]
SnapshotOption = Annotated[
    bool, typer.Option("--snapshot", help="instantaneous frames at that temperature, without symmetry")
]
ProposalsOption = Annotated[
    int | None, typer.Option("-n", "--samples", help="how many to make; per defect and subgroup")
]
PopulationOption = Annotated[
    int | None,
    typer.Option("--population", help="supercells to draw with the defects that a run's crystal holds"),
]
ConditionOption = Annotated[
    str | None,
    typer.Option("--condition", metavar="NAME", help="limit of the chemical potentials; as thermo lists it"),
]
ForcesOption = Annotated[
    str | None,
    typer.Option("--forces", help="whose forces are input features: potential (of the run), teacher, none, or a name"),
]


def generate_command(
    source: RunOrHostArgument,
    defect: DefectNamesOption = None,
    subgroup: SubgroupOption = None,
    temperature: Annotated[float | None, typer.Option("--temperature", metavar="K", help="temperature; one")] = None,
    pressure: Annotated[float | None, typer.Option("--pressure", metavar="GPa", help="pressure; one")] = None,
    snapshot: SnapshotOption = False,
    samples: ProposalsOption = None,
    complexes: ComplexOption = None,
    size: SizeOption = None,
    cutoff: CutoffOption = None,
    propose: ProposeOption = None,
    weight: DrawOption = None,
    dopant: DopantsOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    max_voids: MaxVoidsOption = None,
    bulk: BulkOption = False,
    slab: SlabOption = None,
    model: ModelOption = None,
    forces: ForcesOption = None,
    potential: PotentialOption = None,
    dispersion: DispersionOption = None,
    trust_model: TrustOption = False,
    label: LabelOption = False,
    population: PopulationOption = None,
    condition: ConditionOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    block: BlockOption = None,
) -> None:
    """Propose relaxed or thermal geometries with the diffusion model; or what a crystal holds in equilibrium."""
    asked = {
        "generate.only": several(defect),
        "generate.subgroups": several(subgroup) or (["1"] if snapshot else None),
        "generate.temperature": temperature,
        "generate.pressure": pressure,
        "generate.snapshot": snapshot or None,
        "generate.samples": samples,
        "generate.model": model,
        "generate.forces": forces,
        "generate.label": label or None,
        "workers": workers,
        **potential_changes(potential, dispersion, trust_model),
    }
    which = defect_changes(dopant, min_image_distance, max_atoms, max_voids, block) | layer_changes(bulk, slab)
    which |= _complex_changes(complexes, size, cutoff, propose, weight)
    if population is not None:
        _refuse_others(asked, which, output)
        draw_supercells_of(source, population, temperature, pressure, condition, seed)
    elif condition is not None:
        raise ConditionError("--condition names an equilibrium; give --population 10000 too")
    elif source.is_dir():
        _in_run(source, asked, which, overwrite=overwrite)
    elif output is None:
        raise ConditionError(f"{source}: a host needs a folder to write to; give it with -o")
    else:
        _from_host(source, {**asked, **which, "seed": seed}, output)


def _refuse_others(asked: dict[str, Any], which: dict[str, Any], output: Path | None) -> None:
    """A population has the defects, the potential and the folder of its run: what says otherwise is refused."""
    used = {"generate.temperature", "generate.pressure"}
    given = [name for name, value in (asked | which | {"-o": output}).items() if value is not None and name not in used]
    if given:
        raise ConditionError(f"a population follows from the energies of its run; {given[0]} has no part in it")


def draw_supercells_of(
    source: Path,
    supercells: int,
    temperature: float | None,
    pressure: float | None,
    condition: str | None,
    seed: int | None,
) -> None:
    """Supercells with the defects that the crystal of a run holds at a temperature."""
    from defectgen.cli.solution_tables import population_lines
    from defectgen.pipeline.thermo.population import POPULATION, PopulationRequest, draw_population

    if not source.is_dir():
        raise ConditionError(f"{source}: a population needs the energies of a run folder; relax or search first")
    if temperature is None:
        raise ConditionError("--population needs the temperature of the equilibrium; give --temperature 1200")
    request = PopulationRequest(supercells, temperature, pressure or 0.0, condition, seed or 0)
    for line in population_lines(draw_population(source, request)):
        say(line)
    say(f"{source / POPULATION}")


def _complex_changes(
    kinds: str | None, size: int | None, cutoff: float | None, propose: int | None, weight: str | None
) -> dict[str, Any]:
    """Changes of settings that ask for complexes of some kinds, by commas."""
    names = [part.strip() for part in kinds.split(",")] if kinds is not None else None
    if propose is not None and names is None:
        raise ConditionError("--propose draws complexes; name their kinds with --complex v_O,Fe_Ti")
    if weight is not None and propose is None:
        raise ConditionError("--weight says how complexes are drawn; say how many with --propose 10")
    return {
        "defects.kinds": [] if names else None,
        "complexes.names": names,
        "complexes.size": size,
        "defects.cutoff": cutoff,
        "complexes.min_size": (size or DEFAULT_SIZE) if names else None,
        "complexes.sample": propose,
        "complexes.weight": (weight or "model") if propose else None,
    }


def _in_run(source: Path, asked: dict[str, Any], which: dict[str, Any], *, overwrite: bool) -> None:
    """Propose for the defects of a run."""
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.pipeline.proposal_labels import label_proposals
    from defectgen.pipeline.stages import generate_stage

    given = [name for name, value in which.items() if value is not None]
    if given:
        raise ConditionError(f"{source}: its defects are there; {given[0]} can be given with a host only")
    folder = run_stage(source, "generate", generate_stage, asked, overwrite)
    with folder.locked():
        label_proposals(PreparedRun.of_folder(folder), folder)


def _from_host(source: Path, changes: dict[str, Any], output: Path) -> None:
    """Start a run and propose for its defects, or go on with it."""
    from defectgen.pipeline.checks import check_run
    from defectgen.pipeline.proposal_labels import label_proposals
    from defectgen.pipeline.run import prepare
    from defectgen.pipeline.stages import generate_stage, start_folder
    from defectgen.run.progress import report_notes, report_stage_end

    settings = settings_of(source, {**changes, "output": output})
    prepared = prepare(settings)
    check_run(prepared)
    report_notes([*prepared.notes, *prepared.potential_notes])
    folder = start_folder(prepared)
    with folder.locked():
        if not folder.finished("generate"):
            generate_stage(prepared, folder)
        label_proposals(prepared, folder)
        report_stage_end("generate", folder.times["generate"])
    say(f"{output / 'generate'}")

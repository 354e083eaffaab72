"""The command that lists, counts and draws the defects of a host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from augment.errors import ConditionError
from defectgen.cli.listing import CifFolderOption, Exports, ExtxyzOption, PoscarOption, list_defects
from defectgen.cli.options import (
    BlockOption,
    BulkOption,
    CifArgument,
    ComplexOption,
    CutoffOption,
    DistanceOption,
    DopantsOption,
    JsonOption,
    KindsOption,
    MatrixOption,
    MaxAtomsOption,
    MaxVoidsOption,
    OutputOption,
    SeedOption,
    SizeOption,
    SlabOption,
    defect_changes,
    integers,
    layer_changes,
    say,
    settings_of,
    several,
    show,
)

SetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SET,...",
        help="known sets; frenkel, schottky, dopant-vacancy, split-vacancy, split-interstitial; frenkel:O",
    ),
]
MinSizeOption = Annotated[int | None, typer.Option("--min-size", help="fewest edits in a complex")]
NeutralComplexesOption = Annotated[
    bool, typer.Option("--neutral", help="formal charges must balance; other complexes are left out")
]
SamplesOption = Annotated[
    int | None, typer.Option("-n", "--samples", help="how many to make; complexes, drawn at random")
]
WeightOption = Annotated[
    str | None,
    typer.Option("--weight", help="how they are drawn; evenly by orbit or degeneracy, or low ones by model or pairs"),
]
CountOption = Annotated[bool, typer.Option("--count", help="count the complexes of each size")]
LimitOption = Annotated[int | None, typer.Option("--limit", help="stop after so many; defects")]
AnySupercellOption = Annotated[
    bool, typer.Option("--any-supercell", help="also supercells that break the host's point group")
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", help="folder for pictures of the sites and of the choice of supercell")
]


def defects_command(
    host: CifArgument,
    output: OutputOption = None,
    dopant: DopantsOption = None,
    kind: KindsOption = None,
    named_set: SetsOption = None,
    complexes: ComplexOption = None,
    size: SizeOption = None,
    min_size: MinSizeOption = None,
    cutoff: CutoffOption = None,
    neutral: NeutralComplexesOption = False,
    samples: SamplesOption = None,
    weight: WeightOption = None,
    count: CountOption = False,
    limit: LimitOption = None,
    supercell: MatrixOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    any_supercell: AnySupercellOption = False,
    max_voids: MaxVoidsOption = None,
    poscar: PoscarOption = None,
    cif: CifFolderOption = None,
    extxyz: ExtxyzOption = None,
    plot: PlotOption = None,
    bulk: BulkOption = False,
    slab: SlabOption = None,
    as_json: JsonOption = False,
    seed: SeedOption = None,
    block: BlockOption = None,
) -> None:
    """List the symmetry-distinct defects of a host; with -o, start a run folder with them."""
    names = [part.strip() for part in complexes.split(",")] if complexes is not None else None
    if count and names is None:
        raise ConditionError("--count counts complexes; name their kinds with --complex")
    changes = {
        **defect_changes(dopant, min_image_distance, max_atoms, max_voids, block),
        **layer_changes(bulk, slab),
        "defects.kinds": several(kind) or ([] if names or named_set else None),
        "defects.sets": several(named_set),
        "defects.cutoff": cutoff,
        "defects.limit": limit,
        "defects.supercell": integers(supercell),
        "defects.keep_point_group": False if any_supercell else None,
        "complexes.names": names,
        "complexes.size": size,
        "complexes.min_size": min_size,
        "complexes.neutral": neutral or None,
        "complexes.sample": samples,
        "complexes.weight": weight,
        "output": output,
        "seed": seed,
    }
    settings = settings_of(host, changes)
    if count:
        _count(settings, as_json=as_json)
    else:
        _list(settings, Exports(poscar, cif, extxyz), plot, start=output is not None, as_json=as_json)


def _count(settings: Any, *, as_json: bool) -> None:
    """Orbits and complexes of each size, a line as soon as it is known."""
    from augment.defects.burnside import count_orbits
    from augment.defects.orderly import count_by_size
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.run.defects import complex_space
    from defectgen.run.progress import report_notes

    prepared = PreparedRun.of(settings)
    space, recipe = complex_space(settings, prepared.supercell)
    report_notes(prepared.notes)
    counted = (count_orbits if space.cutoff is None else count_by_size)(space, recipe)
    if as_json:
        for size, orbits, total in counted:
            say(json.dumps({"size": size, "orbits": orbits, "total": total}))
    else:
        from defectgen.cli.tables import count_table

        show(*count_table(space, counted))


def _list(settings: Any, exports: Exports, plot: Path | None, *, start: bool, as_json: bool) -> None:
    """Each defect as soon as it is found, or a table of the first ones, and the files requested."""
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.run.defects import each_defect
    from defectgen.run.progress import report_notes

    prepared = PreparedRun.of(settings)
    supercell = prepared.supercell
    report_notes(prepared.notes)
    if plot is not None:
        from augment.supercells.plots import plot_sites, plot_supercells

        plot_sites(supercell.host, plot / "sites.png")
        distance = settings.defects.min_image_distance
        plot_supercells(supercell.host, plot / "supercells.png", chosen=supercell, min_image_distance=distance)
    if start:
        from defectgen.pipeline.stages import start_folder

        start_folder(prepared)
    # Listed alone, defects are shown as they are found, in memory that does not grow; else they are found once.
    once = start or exports.wanted
    list_defects(
        supercell,
        lambda: iter(prepared.defects) if once else each_defect(settings, supercell),
        exports,
        as_json=as_json,
    )

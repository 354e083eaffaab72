"""The command that lists, counts and draws the defects of a host."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from augment.errors import ConditionError
from defectgen.cli.options import (
    Cif,
    Distance,
    Dopants,
    Json,
    MaxAtoms,
    MaxVoids,
    Output,
    Seed,
    defect_changes,
    say,
    settings_of,
    show,
)

_ROWS = 200
"""Defects shown in a table; a longer list is for --json."""


def defects(
    host: Cif,
    output: Output = None,
    dopant: Dopants = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="vacancy, antisite, substitution or interstitial; repeat")
    ] = None,
    named_set: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="frenkel, schottky, dopant-vacancy, split-vacancy or split-interstitial; frenkel:O for one element",
        ),
    ] = None,
    complexes: Annotated[
        str | None, typer.Option("--complex", help="kinds to combine, by commas: v_O,v_Sr,Fe_Ti")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", help="most edits in a complex")] = None,
    min_size: Annotated[int | None, typer.Option("--min-size", help="fewest edits in a complex")] = None,
    cutoff: Annotated[float | None, typer.Option("--cutoff", help="largest distance within a complex, Å")] = None,
    neutral: Annotated[bool, typer.Option("--neutral", help="only complexes whose formal charges balance")] = False,
    sample: Annotated[int | None, typer.Option("--sample", help="draw so many complexes at random")] = None,
    weight: Annotated[str | None, typer.Option("--weight", help="what is drawn evenly: orbit or degeneracy")] = None,
    count: Annotated[bool, typer.Option("--count", help="count the complexes of each size")] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="stop after so many defects")] = None,
    supercell: Annotated[
        str | None, typer.Option("--supercell", help="nine integers, rows, on the conventional cell")
    ] = None,
    min_image_distance: Distance = None,
    max_atoms: MaxAtoms = None,
    any_supercell: Annotated[
        bool, typer.Option("--any-supercell", help="also supercells that break the host's point group")
    ] = False,
    max_voids: MaxVoids = None,
    as_json: Json = False,
    seed: Seed = None,
) -> None:
    """List the symmetry-distinct defects of a host; with -o, start a run folder with them."""
    names = [part.strip() for part in complexes.split(",")] if complexes is not None else None
    if count and names is None:
        raise ConditionError("--count counts complexes; name their kinds with --complex")
    changes = {
        **defect_changes(dopant, min_image_distance, max_atoms, max_voids),
        "defects.kinds": kind or ([] if names or named_set else None),
        "defects.sets": named_set or None,
        "defects.cutoff": cutoff,
        "defects.limit": limit,
        "defects.supercell": _integers(supercell),
        "defects.keep_point_group": False if any_supercell else None,
        "complexes.names": names,
        "complexes.size": size,
        "complexes.min_size": min_size,
        "complexes.neutral": neutral or None,
        "complexes.sample": sample,
        "complexes.weight": weight,
        "output": output,
        "seed": seed,
    }
    settings = settings_of(host, changes)
    if count:
        _count(settings, as_json=as_json)
        return
    if output is not None:
        from defectgen.stages import start_folder

        start_folder(settings)
    _list(settings, as_json=as_json)


def _integers(text: str | None) -> list[int] | None:
    """Nine integers of a supercell matrix."""
    if text is None:
        return None
    try:
        found = [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        found = []
    if len(found) != 9:  # noqa: PLR2004  a matrix
        raise ConditionError(f'--supercell {text!r}: give nine integers, rows, such as "2 0 0 0 2 0 0 0 2"')
    return found


def _count(settings: Any, *, as_json: bool) -> None:
    """Orbits and complexes of each size, a line as soon as it is known."""
    from augment.burnside import count_orbits
    from augment.complexes import count_by_size
    from defectgen.selection import build_supercell, complex_space

    space, recipe = complex_space(settings, build_supercell(settings))
    counted = (count_orbits if space.cutoff is None else count_by_size)(space, recipe)
    if as_json:
        for size, orbits, total in counted:
            say(json.dumps({"size": size, "orbits": orbits, "total": total}))
    else:
        from defectgen.tables import count_table

        show(*count_table(space, counted))


def _list(settings: Any, *, as_json: bool) -> None:
    """Each defect as soon as it is found, or a table of the first ones."""
    from defectgen.selection import build_supercell, each_defect

    supercell = build_supercell(settings)
    found = each_defect(settings, supercell)
    if as_json:
        for defect in found:
            say(json.dumps(defect.to_dict()))
    else:
        from defectgen.tables import defect_table

        show(*defect_table(supercell, found, _ROWS))

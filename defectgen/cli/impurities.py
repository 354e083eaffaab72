"""The command that makes ensembles of a solid solution: dopants at a concentration, or a disordered crystal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer

from augment.errors import ConditionError
from defectgen.cli.listing import CifFolder, Exports, Extxyz, Poscar
from defectgen.cli.options import Distance, Json, Matrix, MaxAtoms, integers, say, show

if TYPE_CHECKING:
    from augment.solutions.configurations import Ensemble
    from augment.solutions.solution import SolidSolution

Number = TypeVar("Number", int, float)

Source = Annotated[Path, typer.Argument(metavar="CIF", help="a host crystal, or one with partly occupied sites")]
Concentrations = Annotated[
    list[str] | None,
    typer.Option("--concentration", help="fraction of the sites of a kind: Al_Mg=0.05; repeat for more"),
]
Numbers = Annotated[
    list[str] | None, typer.Option("--number", help="number of edits of a kind: Al_Mg=2; repeat for more")
]
Compensate = Annotated[str | None, typer.Option("--compensate", help="kind of defect that balances the charge: v_Mg")]
Neutral = Annotated[bool, typer.Option("--neutral", help="refuse a composition whose formal charges do not balance")]
States = Annotated[
    list[str] | None, typer.Option("--state", help="oxidation state of an element: Fe=3; repeat for more")
]
Tolerance = Annotated[float | None, typer.Option("--tolerance", help="largest error of a fraction")]
ModeName = Annotated[str, typer.Option("--mode", help="exact, random or sqs")]
Members = Annotated[int, typer.Option("-n", "--count", help="configurations to draw")]
WeightName = Annotated[str, typer.Option("--weight", help="what is drawn evenly: degeneracy or orbit")]
AnySupercell = Annotated[
    bool, typer.Option("--any-supercell", help="also supercells that break the host's point group")
]


def impurities(
    source: Source,
    concentration: Concentrations = None,
    number: Numbers = None,
    compensate: Compensate = None,
    neutral: Neutral = False,
    state: States = None,
    tolerance: Tolerance = None,
    mode: ModeName = "random",
    count: Members = 10,
    weight: WeightName = "degeneracy",
    supercell: Matrix = None,
    min_image_distance: Distance = None,
    max_atoms: MaxAtoms = None,
    any_supercell: AnySupercell = False,
    poscar: Poscar = None,
    cif: CifFolder = None,
    extxyz: Extxyz = None,
    as_json: Json = False,
    seed: Annotated[int, typer.Option("--seed", help="of the random configurations")] = 0,
) -> None:
    """Ordered configurations of a host with dopants at a concentration, or of a CIF with partly occupied sites."""
    from augment.defects.sampling import Weight
    from augment.solutions.configurations import ensemble

    size = {"min_image_distance": min_image_distance, "max_atoms": max_atoms}
    options = {k: v for k, v in size.items() if v is not None} | {"keep_point_group": not any_supercell}
    states = _pairs(state, "--state", int)
    if concentration or number:
        asked = {
            "fractions": _pairs(concentration, "--concentration", float),
            "counts": _pairs(number, "--number", int),
            "compensate": compensate,
            "neutral": neutral,
            "states": states,
        }
        solution = _doped(source, asked, tolerance, integers(supercell), options)
    else:
        solution = _disordered(source, states, tolerance, integers(supercell), options, neutral=neutral)
    if weight not in get_args(Weight):
        raise ConditionError(f"--weight {weight!r}; give one of {', '.join(get_args(Weight))}")
    how: dict[str, Any] = {"mode": mode, "count": count, "seed": seed, "weight": weight}
    made = ensemble(solution, **how)
    Exports(poscar, cif, extxyz).write(solution.supercell, lambda: (member.defect for member in made.members))
    _print(made, as_json=as_json)


def _doped(
    source: Path, asked: dict[str, Any], tolerance: float | None, matrix: list[int] | None, options: dict[str, Any]
) -> SolidSolution:
    """A host with so many edits of each kind."""
    from augment import read_host
    from augment.solutions.concentration import Concentration, realise

    host = read_host(source)
    if tolerance is not None:
        asked["tolerance"] = tolerance
    return realise(host, Concentration(**asked), supercell=_supercell(host, matrix), **options)


def _disordered(
    source: Path,
    states: dict[str, int],
    tolerance: float | None,
    matrix: list[int] | None,
    options: dict[str, Any],
    *,
    neutral: bool,
) -> SolidSolution:
    """The ordered approximants of a disordered crystal."""
    from augment.solutions.partial_occupancy import read_disordered

    crystal = read_disordered(source)
    supercell = _supercell(crystal.host, matrix)
    return crystal.solution(supercell=supercell, tolerance=tolerance, neutral=neutral, states=states or None, **options)


def _supercell(host: Any, matrix: list[int] | None) -> Any:
    import numpy as np

    from augment import conventional_supercell

    return None if matrix is None else conventional_supercell(host, np.array(matrix).reshape(3, 3))


def _pairs(texts: list[str] | None, option: str, number: Callable[[str], Number]) -> dict[str, Number]:
    """Values of an option given as NAME=VALUE."""
    found: dict[str, Number] = {}
    for text in texts or []:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = number(value)
        except ValueError:
            raise ConditionError(f"{option} {text!r}: give a name and a number, such as Al_Mg=2") from None
    return found


def _print(made: Ensemble, *, as_json: bool) -> None:
    if as_json:
        about = {k: v for k, v in made.to_dict().items() if k not in {"members", "supercell"}}
        for member in made.members:
            say(json.dumps({**member.defect.to_dict(), **about, "objective": member.objective}))
    else:
        from defectgen.cli.tables import ensemble_table

        show(*ensemble_table(made))

"""The commands that add, test and remove potentials of other environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augment.errors import PotentialError
from defectgen.cli.options import JsonOption, say

if TYPE_CHECKING:
    from md.potentials.external import ExternalPotential

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="what it is called here")]


def add_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="TensorNet-..., nequix-..., 7net-..., mace_mp:MODEL, mattersim, orb-..., uma-..., GRACE-..., gpaw:XC; "
            "any other with --calculator or --package",
        ),
    ],
    python: Annotated[Path, typer.Option("--python", help="interpreter of the environment where its package is")],
    weights: Annotated[Path | None, typer.Option("--weights", help="file or folder of its weights")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, for its adapter or class; repeat for more")
    ] = None,
    calculator: Annotated[
        str | None, typer.Option("--calculator", help="module:Class of an ASE calculator, for any name")
    ] = None,
    package: Annotated[
        str | None,
        typer.Option(
            "--package",
            help="matgl, nequix, sevennet, mace_mp, mattersim, orb, fairchem, grace or gpaw, for a name of your own",
        ),
    ] = None,
    elements: Annotated[
        str | None, typer.Option("--elements", help="that it covers, by commas, where it does not say so itself")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a potential of another environment, once it has passed a physical self-test; its code runs from then on."""
    from md.potentials.external import add_external
    from md.potentials.resolve import is_own_name

    if is_own_name(name):
        raise PotentialError(f"{name}: a potential of this name is there already; choose another name")
    symbols = [symbol.strip() for symbol in (elements or "").split(",") if symbol.strip()]
    added = add_external(
        name,
        python,
        weights=weights,
        calculator=calculator,
        package=package,
        settings=dict(map(_setting, setting or ())),
        elements=symbols,
    )
    _tell(added, as_json=as_json)


def retest_command(name: NameArgument, as_json: JsonOption = False) -> None:
    """Test an added potential again, as it is now; where it passes, its new version counts from then on."""
    from md.potentials.external import retest_external

    _tell(retest_external(name), as_json=as_json)


def remove_command(name: NameArgument) -> None:
    """Remove a potential that was added; its environment and its weights stay."""
    from md.potentials.external import forget_added

    forget_added(name)
    say(f"{name}: removed")


def _setting(text: str) -> tuple[str, Any]:
    """Key and value of `key=value`; the value is JSON where it reads as such, else a text."""
    key, equals, value = text.partition("=")
    if not (equals and key.isidentifier()):
        raise PotentialError(f"--set {text!r}: write key=value, such as cutoff=600")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _tell(potential: ExternalPotential, *, as_json: bool) -> None:
    """What passed, and by how much."""
    from md.potentials.external.laws import outcome_of

    checks = (outcome_of(json.loads(potential.about_json)["sha256"]) or {"checks": []})["checks"]
    if as_json:
        say(json.dumps({"name": potential.name, **potential.provenance, "checks": checks}))
        return
    for check in checks:
        say(f"  {check['law']}: {check['deviation']:.2g} of {check['limit']:.2g} {check['unit']}")
    say(f"{potential.name}: {potential.coverage}, {potential.source}; passes its self-test")

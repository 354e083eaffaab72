"""What the commands share: options with their help, settings from them, and lines printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from augment.errors import ConditionError

CifArgument = Annotated[Path, typer.Argument(metavar="HOST.cif", help="CIF of the host crystal")]
FolderArgument = Annotated[Path, typer.Argument(metavar="RUN", help="run folder")]
SourcesArgument = Annotated[
    list[Path], typer.Argument(metavar="RUN|CELLS...", help="run folder, or structures; CIF and extended XYZ files")
]

# An option has one meaning, value and unit in every command, and the same help up to a semicolon; what a command adds
# comes after it. Units are shown in the place of the value.
BlockOption = Annotated[
    str | None, typer.Option("--block", help="data block of the CIF; where it holds several crystals")
]
OutputOption = Annotated[Path | None, typer.Option("-o", "--output", help="where to write; a folder")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON; one object a line")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="seed of everything random")]
WorkersOption = Annotated[int | None, typer.Option("--workers", help="processes; results do not depend on it")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="replace this stage; drops those after it")]
DopantsOption = Annotated[
    list[str] | None, typer.Option("--dopant", metavar="ELEMENT,...", help="elements to substitute and insert")
]
DistanceOption = Annotated[
    float | None, typer.Option("--min-image-distance", metavar="Å", help="least distance of a defect from its image")
]
MaxAtomsOption = Annotated[int | None, typer.Option("--max-atoms", help="most atoms in the supercell")]
MaxVoidsOption = Annotated[int | None, typer.Option("--max-voids", help="interstitial sites to fill; widest first")]
RunOrHostArgument = Annotated[
    Path, typer.Argument(metavar="RUN|HOST.cif", help="run folder, or CIF of the host crystal to start one")
]
PotentialOption = Annotated[
    str | None,
    typer.Option(
        "--potential",
        help="potential that evaluates; auto, a name that `defectgen potentials` lists, a MACE .model file, "
        "'lammps:STYLE FILE', or module:Class of an ASE calculator",
    ),
]
DispersionOption = Annotated[
    str | None,
    typer.Option("--dispersion", help="on top of the potential: d3bj or d4; d3bj:pbe where its functional is unknown"),
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="where networks run; auto, cpu or cuda, of MACE networks in a run")
]
StepsOption = Annotated[
    int | None, typer.Option("--steps", help="exactly so many steps; per point of dynamics, or of training")
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="name of the weights, or the folder or .safetensors file of a trained model"),
]
TrustOption = Annotated[
    bool, typer.Option("--trust-model", help="a .model file, and module:Class, can run any code: trust this one")
]


KindsOption = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND,...", help="which kinds; vacancy, antisite, substitution or interstitial"),
]
ComplexOption = Annotated[
    str | None, typer.Option("--complex", metavar="KIND,...", help="kinds of edits to combine; v_O,v_Sr,Fe_Ti")
]
SizeOption = Annotated[int | None, typer.Option("--size", help="most edits in a complex")]
CutoffOption = Annotated[
    float | None, typer.Option("--cutoff", metavar="Å", help="largest distance within a complex or set")
]
MatrixOption = Annotated[
    str | None, typer.Option("--supercell", metavar="MATRIX", help="nine integers, rows, on the conventional cell")
]
NearOption = Annotated[
    float | None, typer.Option("--near", metavar="Å", help="distance of near-duplicates; 0 keeps all")
]
MaxForceOption = Annotated[float | None, typer.Option("--max-force", metavar="eV/Å", help="longest force of a frame")]
DefectNamesOption = Annotated[
    list[str] | None, typer.Option("--defect", metavar="NAME,...", help="only these defects; names as listed")
]


BulkOption = Annotated[
    bool, typer.Option("--bulk", help="treat a layer with vacuum as a bulk crystal; else it is recognised")
]
SlabOption = Annotated[
    str | None,
    typer.Option("--slab", metavar="H,K,L", help="normal of a layer or slab in its cell; says that the CIF holds one"),
]


def several(given: list[str] | None) -> list[str] | None:
    """The values of an option that may be repeated, and takes several by commas; None where it is not given."""
    return [part.strip() for text in given for part in text.split(",") if part.strip()] if given else None


def layer_changes(bulk: bool, slab: str | None) -> dict[str, Any]:
    """Settings that say whether a CIF holds a layer, where the command line does."""
    if bulk and slab is not None:
        raise ConditionError("--bulk and --slab say opposite things of the host; give one")
    return {"planar.layer": "bulk" if bulk else None, "planar.slab": slab and whole_numbers(slab, "--slab")}


def potential_changes(name: str | None, dispersion: str | None, trust: bool) -> dict[str, Any]:
    """Settings of the potential that the command line gives."""
    return {"potential.name": name, "potential.dispersion": dispersion, "potential.trust": trust or None}


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Three integers, or four of a hexagonal crystal, of an option."""
    try:
        return tuple(int(part) for part in text.replace(" ", ",").split(",") if part)
    except ValueError:
        raise ConditionError(f"{option} {text!r}: give integers by commas, such as 1,0,0") from None


def defect_changes(
    dopants: list[str] | None,
    distance: float | None,
    max_atoms: int | None,
    max_voids: int | None,
    block: str | None = None,
) -> dict[str, Any]:
    """Settings of the host and of the defects stage that the command line gives."""
    return {
        "host_block": block,
        "defects.dopants": several(dopants),
        "defects.min_image_distance": distance,
        "defects.max_atoms": max_atoms,
        "defects.max_voids": max_voids,
    }


def settings_of(what: Path, changes: dict[str, Any]) -> Any:
    """Settings of a YAML file or of a CIF with defaults, with the command line's changes."""
    from defectgen.run.settings import Settings, read_settings

    if what.suffix.lower() in {".yaml", ".yml"}:
        settings = read_settings(what)
    else:
        settings = Settings(host=what, output=Path("out") / what.stem)
    return settings.replaced(changes)


def numbers(text: str | None, option: str) -> list[float] | None:
    """Numbers of an option, separated by commas."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConditionError(f"{option} {text!r}: give numbers separated by commas, such as 300,900") from None


def integers(text: str | None) -> list[int] | None:
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


def say(*lines: str) -> None:
    """Lines on the standard output."""
    sys.stdout.writelines(line + "\n" for line in lines)


def say_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line on the standard output."""
    say(*(json.dumps(dict(row), ensure_ascii=False) for row in rows))


def show(*renderables: Any) -> None:
    """Tables and lines on the terminal."""
    from rich.console import Console

    console = Console()
    for renderable in renderables:
        console.print(renderable)

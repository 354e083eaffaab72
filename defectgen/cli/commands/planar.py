"""The command that makes surfaces, stacking faults and grain boundaries, and the defects in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from defectgen.cli.listing import CifFolderOption, Exports, ExtxyzOption, PoscarOption
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
    MaxAtomsOption,
    SizeOption,
    SlabOption,
    layer_changes,
    say,
    several,
    show,
    whole_numbers,
)

if TYPE_CHECKING:
    from augment import Defect, Supercell
    from augment.planar import PlanarHost

SurfaceOption = Annotated[
    str | None, typer.Option("--surface", metavar="H,K,L", help="Miller indices of a free surface")
]
ThicknessOption = Annotated[float, typer.Option("--thickness", metavar="Å", help="thickness of the slab; at least")]
VacuumOption = Annotated[float, typer.Option("--vacuum", metavar="Å", help="height of the vacuum above the slab")]
SymmetricOption = Annotated[
    bool, typer.Option("--symmetric", help="slabs with two equivalent sides; whatever their formula")
]
TerminationOption = Annotated[
    int, typer.Option("--termination", help="which of the distinct ends; from 0, non-polar ones first")
]
FaultOption = Annotated[
    str | None, typer.Option("--fault", metavar="H,K,L", help="Miller indices of the plane of a stacking fault")
]
VectorOption = Annotated[
    str | None, typer.Option("--vector", metavar="X,Y,Z", help="fault vector in the conventional cell; 1/6,1/6,-1/3")
]
ScanOption = Annotated[
    int | None, typer.Option("--scan", help="list the distinct fault vectors; on a grid of so many steps")
]
CutOption = Annotated[int, typer.Option("--cut", help="between which layers the fault lies; 0, 1, ...")]
BoundaryOption = Annotated[
    int | None, typer.Option("--grain-boundary", metavar="Σ", help="coincidence-site grain boundary; 5")
]
AxisOption = Annotated[str, typer.Option("--axis", metavar="H,K,L", help="rotation axis of the grains")]
BoundaryPlaneOption = Annotated[
    str | None, typer.Option("--plane", metavar="H,K,L", help="Miller indices of the boundary; 3,1,0")
]
ShiftOption = Annotated[
    str, typer.Option("--shift", metavar="X,Y", help="of one grain along the plane; fractions of its cell")
]
SeparationOption = Annotated[
    float, typer.Option("--separation", metavar="Å", help="least distance between faults or boundaries")
]


def planar_command(
    host: CifArgument,
    bulk: BulkOption = False,
    slab: SlabOption = None,
    surface: SurfaceOption = None,
    thickness: ThicknessOption = 10.0,
    vacuum: VacuumOption = 15.0,
    symmetric: SymmetricOption = False,
    termination: TerminationOption = 0,
    fault: FaultOption = None,
    vector: VectorOption = None,
    scan: ScanOption = None,
    cut: CutOption = 0,
    grain_boundary: BoundaryOption = None,
    axis: AxisOption = "0,0,1",
    plane: BoundaryPlaneOption = None,
    shift: ShiftOption = "0,0",
    separation: SeparationOption = 15.0,
    dopant: DopantsOption = None,
    kind: KindsOption = None,
    complexes: ComplexOption = None,
    size: SizeOption = None,
    cutoff: CutoffOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    poscar: PoscarOption = None,
    cif: CifFolderOption = None,
    extxyz: ExtxyzOption = None,
    as_json: JsonOption = False,
    block: BlockOption = None,
) -> None:
    """A free surface, a stacking fault or a grain boundary of a host, and every distinct defect in it by depth."""
    layer = _layer(bulk, slab)
    if fault is not None and scan is not None:
        _scan(host, layer, block, whole_numbers(fault, "--fault"), scan, cut, as_json=as_json)
        return
    asked = {
        **layer,
        "surface": surface and whole_numbers(surface, "--surface"),
        "thickness": thickness,
        "vacuum": vacuum,
        "symmetric": symmetric,
        "termination": termination,
        "fault": fault and whole_numbers(fault, "--fault"),
        "vector": vector and vector.split(","),
        "cut": cut,
        "grain_boundary": grain_boundary,
        "axis": whole_numbers(axis, "--axis"),
        "plane": plane and whole_numbers(plane, "--plane"),
        "shift": shift.split(","),
        "separation": separation,
    }
    made = _plane(host, block, asked)
    supercell = _supercell(made, min_image_distance=min_image_distance, max_atoms=max_atoms)
    edits = (several(dopant) or (), several(kind), complexes and several([complexes]), size or 2, cutoff)
    found = sorted(_defects(supercell, *edits), key=lambda d: (d.type, float(made.depths(d).min())))
    Exports(poscar, cif, extxyz).write(supercell, lambda: iter(found))
    _print(made, supercell, found, as_json=as_json)


def _plane(host: Path, block: str | None, asked: dict[str, Any]) -> PlanarHost:
    """The plane that is requested; what was dropped or assumed of its file is said."""
    from defectgen.run.host import planar_crystal
    from defectgen.run.progress import report_notes
    from defectgen.run.settings import validated

    made = planar_crystal(host, validated({"host": host, "planar": asked}, "command line").planar, block)
    report_notes(made.host.notes)
    return made


def _supercell(made: PlanarHost, **width: float | None) -> Supercell:
    """The supercell in the plane of a host, as wide as the command line says."""
    from augment.planar import find_layer_supercell

    given: dict[str, Any] = {name: value for name, value in width.items() if value is not None}
    return find_layer_supercell(made.host, **given)


def _layer(bulk: bool, slab: str | None) -> dict[str, Any]:
    """Settings of the plane that say whether the CIF holds a layer."""
    return {key.removeprefix("planar."): value for key, value in layer_changes(bulk, slab).items() if value}


def _scan(
    host: Path,
    layer: dict[str, Any],
    block: str | None,
    miller: tuple[int, ...],
    divisions: int,
    cut: int,
    *,
    as_json: bool,
) -> None:
    """The distinct fault vectors of a plane."""
    from augment.planar import fault_vectors
    from defectgen.run.host import bulk_crystal
    from defectgen.run.progress import report_notes
    from defectgen.run.settings import PlanarSettings

    crystal = bulk_crystal(host, PlanarSettings(**layer), "faults are made of", block)
    report_notes(crystal.notes)
    found = fault_vectors(crystal, miller, divisions, cut=cut)
    if as_json:
        for each in found:
            say(json.dumps({"vector": list(each.vector), "multiplicity": each.multiplicity}))
    else:
        from defectgen.cli.tables import fault_table

        show(fault_table(miller, found))


def _defects(
    supercell: Supercell,
    dopants: Sequence[str],
    kinds: Sequence[str] | None,
    names: Sequence[str] | None,
    size: int,
    cutoff: float | None,
) -> Iterator[Defect]:
    """Point defects, or complexes where their kinds are named."""
    from augment import point_defects
    from augment.defects.editspace import EditSpace
    from augment.defects.orderly import complexes
    from augment.defects.point_defects import POINT_DEFECT_KINDS
    from augment.defects.recipe import Recipe

    if names is None:
        yield from point_defects(supercell, dopants=dopants, kinds=kinds or POINT_DEFECT_KINDS)
    else:
        yield from complexes(EditSpace.of(supercell, names, cutoff), Recipe(1, size))


def _print(made: PlanarHost, supercell: Supercell, found: list[Defect], *, as_json: bool) -> None:
    if as_json:
        about = {k: v for k, v in made.to_dict().items() if k != "sites"}
        for defect in found:
            depths = [round(float(x), 4) for x in made.depths(defect)]
            say(json.dumps({**defect.to_dict(), "depths": depths, "planar": about}))
    else:
        from defectgen.cli.tables import planar_table

        show(*planar_table(made, supercell, found))

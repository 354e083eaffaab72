"""The crystal that defects are put into: that of a CIF, a layer, or a surface, fault or grain boundary of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from augment.crystal.cif import read_crystal_file
from augment.errors import ConditionError
from augment.host import Host
from augment.planar import PlanarHost, grain_boundary, host_or_layer, layer_host, stacking_fault, surfaces
from augment.planar.recognition import host_of_file
from augment.supercells.search import refuse_large
from defectgen.run.settings import PlanarSettings

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_crystal(
    cif: Path, settings: PlanarSettings, block: str | None = None, *, max_atoms: int | None = None
) -> tuple[Host, PlanarHost | None]:
    """The host of a CIF, read once: bulk, a layer, or with the plane that is requested; and that plane.

    Args:
        cif: file of the crystal.
        settings: of the plane.
        block: of the file, where it holds several crystals.
        max_atoms: of its supercell: what cannot fit is refused before it is analysed any further; None for any.

    Raises:
        CifError: the file holds no usable ideal crystal.
        SupercellError: there is no such plane, or the primitive cell has more atoms than that.
        ConditionError: several planes are requested, or one of a layer.
    """
    if settings.kinds:
        plane = planar_crystal(cif, settings, block)
        return plane.host, plane
    crystal = read_crystal_file(cif, block)
    if max_atoms is not None:
        refuse_large(crystal.structure, max_atoms, str(cif))
    host, layer = host_or_layer(crystal.structure, str(cif), layer=settings.layer)
    host = host_of_file(host, crystal)
    return host, None if layer is None else replace(layer, host=host)


def planar_crystal(cif: Path, settings: PlanarSettings, block: str | None = None) -> PlanarHost:
    """The planar host that is requested; a layer needs no request. Arguments as for `read_crystal`.

    Raises:
        CifError: the file holds no usable ideal crystal.
        SupercellError: there is no such plane.
        ConditionError: not exactly one kind of plane is requested, or what a kind needs is missing.
    """
    if not settings.kinds:
        layer = read_crystal(cif, settings, block)[1]
        if layer is not None:
            return layer
    if len(settings.kinds) != 1:
        raise ConditionError(
            f"planar: {' and '.join(settings.kinds) or 'nothing'} asked for; give one of slab, surface, fault "
            "and grain_boundary"
        )
    crystal = read_crystal_file(cif, block)
    plane = _plane(crystal.structure, cif, settings)
    return replace(plane, host=host_of_file(plane.host, crystal))


def _plane(structure: Structure, cif: Path, settings: PlanarSettings) -> PlanarHost:
    if settings.slab is not None:
        return layer_host(structure, settings.slab, str(cif))
    bulk = _bulk(structure, cif, settings, "surfaces, faults and boundaries are made of")
    if settings.surface is not None:
        return _surface(bulk, settings, settings.surface)
    if settings.fault is not None:
        return _fault(bulk, settings, settings.fault)
    return _boundary(bulk, settings, settings.grain_boundary or 0)


def bulk_crystal(cif: Path, settings: PlanarSettings, purpose: str, block: str | None = None) -> Host:
    """The crystal of a CIF where a layer will not do.

    Args:
        cif: the file.
        settings: whether a layer is recognised.
        purpose: what the crystal is needed for, for the error.
        block: of the file, where it holds several crystals.

    Raises:
        CifError: the file holds no usable ideal crystal.
        ConditionError: it holds a layer.
    """
    crystal = read_crystal_file(cif, block)
    return host_of_file(_bulk(crystal.structure, cif, settings, purpose), crystal)


def _bulk(structure: Structure, cif: Path, settings: PlanarSettings, purpose: str) -> Host:
    host, layer = host_or_layer(structure, str(cif), layer=settings.layer)
    if layer is not None:
        raise ConditionError(
            f"{cif}: a layer with {layer.info['vacuum']:.1f} Å of vacuum {layer.info['direction']}; {purpose} a bulk "
            "crystal (--bulk treats it as one)"
        )
    return host


def _surface(bulk: Host, settings: PlanarSettings, miller: tuple[int, ...]) -> PlanarHost:
    slabs = surfaces(
        bulk, miller, min_thickness=settings.thickness, vacuum=settings.vacuum, symmetric=settings.symmetric
    )
    if settings.termination >= len(slabs):
        raise ConditionError(f"termination {settings.termination}; this surface has {len(slabs)}, numbered from 0")
    return slabs[settings.termination]


def _fault(bulk: Host, settings: PlanarSettings, miller: tuple[int, ...]) -> PlanarHost:
    if settings.vector is None:
        raise ConditionError(
            "a stacking fault needs its vector: give planar.vector or --vector; "
            "`defectgen planar` with --scan lists the distinct ones"
        )
    vector = fractions_of(settings.vector, 3)
    return stacking_fault(bulk, miller, vector, min_separation=settings.separation, cut=settings.cut)


def _boundary(bulk: Host, settings: PlanarSettings, sigma: int) -> PlanarHost:
    if settings.plane is None:
        raise ConditionError("a grain boundary needs its plane: give planar.plane or --plane, such as 3,1,0")
    shift = fractions_of(settings.shift, 2)
    return grain_boundary(bulk, sigma, settings.axis, settings.plane, min_separation=settings.separation, shift=shift)


def fractions_of(parts: tuple[float | str, ...], count: int) -> tuple[float, ...]:
    """So many fractions, given as numbers or as texts such as 1/6.

    Raises:
        ConditionError: they are others.
    """
    try:
        found = tuple(float(Fraction(part)) for part in parts)
    except (ValueError, ZeroDivisionError, OverflowError):
        found = ()
    if len(found) != count:
        raise ConditionError(f"{','.join(map(str, parts))}: give {count} fractions by commas, such as 1/6,1/6,-1/3")
    return found


def layer_note(label: str, vacuum: float, direction: str) -> str:
    """One line that says that a structure is taken for a layer, by its vacuum (Å), and what that means."""
    return (
        f"{label} is a layer with {vacuum:.1f} Å of vacuum {direction}: in-plane supercells, no interstitials in "
        "the vacuum, relaxed in its plane, NVT (or npt-plane); --bulk treats it as a bulk crystal"
    )


def host_notes(plane: PlanarHost | None, settings: PlanarSettings) -> tuple[str, ...]:
    """What is taken for granted of the plane of a host that the settings do not say, a line each."""
    if plane is None or not plane.host.has_vacuum:
        return ()
    if not settings.kinds:
        return (layer_note(plane.label, plane.info["vacuum"], plane.info["direction"]),)
    lattice = "lattice kept" if plane.kind == "surface" else "relaxed in its plane"
    return (f"{plane.label} has {plane.info['vacuum']:.1f} Å of vacuum: {lattice}, NVT",)

"""The crystal that defects are put into: that of a CIF, or a surface, a stacking fault or a grain boundary of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augment.crystal.cif import CrystalFile, read_crystal_file
from augment.errors import ConditionError
from augment.host import Host, host_from_structure
from augment.planar import PlanarHost, grain_boundary, planar_host, stacking_fault, surfaces
from augment.planar.layered import MIN_VACUUM
from defectgen.run.settings import PlanarSettings

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_crystal(cif: Path, settings: PlanarSettings, block: str | None = None) -> tuple[Host, PlanarHost | None]:
    """The host of a CIF, read once: bulk, or with the plane that is asked for, and that plane.

    Args:
        cif: file of the crystal.
        settings: of the plane.
        block: of the file, where it holds several crystals.

    Raises:
        CifError: the file holds no usable ideal crystal.
        SupercellError: there is no such plane.
        ConditionError: several planes are asked for, or the file holds a slab and none is.
    """
    if settings.kinds:
        plane = planar_crystal(cif, settings, block)
        return plane.host, plane
    crystal = read_crystal_file(cif, block)
    _refuse_slab(crystal.structure, cif)
    return _with_file(host_from_structure(crystal.structure, where=str(cif)), crystal), None


def _with_file(host: Host, crystal: CrystalFile) -> Host:
    """The host with what its file says beyond the structure."""
    return replace(host, notes=crystal.notes, oxidation=crystal.oxidation_states)


def planar_crystal(cif: Path, settings: PlanarSettings, block: str | None = None) -> PlanarHost:
    """The planar host that is asked for; arguments as for `read_crystal`.

    Raises:
        CifError: the file holds no usable ideal crystal.
        SupercellError: there is no such plane.
        ConditionError: not exactly one kind of plane is asked for, or what a kind needs is missing.
    """
    if len(settings.kinds) != 1:
        raise ConditionError(
            f"planar: {' and '.join(settings.kinds) or 'nothing'} asked for; give one of slab, surface, fault "
            "and grain_boundary"
        )
    crystal = read_crystal_file(cif, block)
    plane = _plane(crystal.structure, cif, settings)
    return replace(plane, host=_with_file(plane.host, crystal))


def _plane(structure: Structure, cif: Path, settings: PlanarSettings) -> PlanarHost:
    if settings.slab is not None:
        return planar_host(structure, label=cif.stem, normal=settings.slab)
    bulk = host_from_structure(structure, where=str(cif))
    if settings.surface is not None:
        return _surface(bulk, settings, settings.surface)
    if settings.fault is not None:
        return _fault(bulk, settings, settings.fault)
    return _boundary(bulk, settings, settings.grain_boundary or 0)


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


def _refuse_slab(structure: Structure, cif: Path) -> None:
    """Refuse a slab in place of a bulk crystal: its supercells and its relaxation would not spare the vacuum."""
    normal, gap = _widest_gap(structure)
    if gap >= MIN_VACUUM:
        raise ConditionError(
            f"{cif}: a slab, not a bulk crystal ({gap:.1f} Å without atoms along the normal {list(normal)} of its "
            f"cell); say `planar: {{slab: {list(normal)}}}` in the settings, which `defectgen init` writes"
        )


def _widest_gap(structure: Structure) -> tuple[tuple[int, ...], float]:
    """The widest distance between neighbouring atomic planes (Å), and the normal of these, of the lowest indices."""
    reciprocal = structure.lattice.reciprocal_lattice_crystallographic.matrix
    found = []
    for normal in sorted(product((0, 1, -1), repeat=3), key=np.count_nonzero)[1:]:
        heights = np.sort(np.mod(structure.frac_coords @ normal, 1))
        gap = np.diff(heights, append=heights[0] + 1).max() / np.linalg.norm(normal @ reciprocal)
        found.append((normal, float(gap)))
    return max(found, key=lambda each: round(each[1], 6))

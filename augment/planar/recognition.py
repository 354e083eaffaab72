"""Reading a host: the bulk crystal of a CIF or, where there is a vacuum in its cell, the layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.cif import CrystalFile, read_crystal_file
from augment.crystal.vacuum import MIN_VACUUM, Vacuum, find_vacuum, upright, widest_gap
from augment.errors import CifError, SupercellError
from augment.host import Host, host_from_structure
from augment.planar.layered import PlanarHost, planar_host

if TYPE_CHECKING:
    from pymatgen.core import Structure

LayerChoice = Literal["auto", "bulk"] | Sequence[int]
"""Whether a structure is a layer: recognised by its vacuum, never, or always with this normal in its own cell."""


def read_host(path: str | Path, block: str | None = None, *, layer: LayerChoice = "auto") -> Host:
    """Host of a CIF, standardised, with its void sites; those of a layer lie between its atoms or are adatom sites.

    Args:
        path: of the CIF.
        block: name of the data block, for a file with several crystals.
        layer: `auto` takes a structure with 6 Å of vacuum or more in one direction for a layer (its `normal` is set,
            and supercells repeat it in its plane), `bulk` takes none, and three integers are the normal of one.

    Raises:
        CifError: the file holds no usable ideal crystal, or vacuum in two directions or three.
        SupercellError: there is no layer with the normal given.
    """
    crystal = read_crystal_file(path, block)
    host, _ = host_or_layer(crystal.structure, str(path), layer=layer)
    return host_of_file(host, crystal)


def host_of_file(host: Host, crystal: CrystalFile) -> Host:
    """A host with what its file says beyond the structure: charges, and what was dropped or assumed."""
    return replace(host, notes=(*crystal.notes, *host.notes), oxidation=crystal.oxidation_states)


def host_or_layer(
    structure: Structure, where: str = "structure", *, layer: LayerChoice = "auto"
) -> tuple[Host, PlanarHost | None]:
    """Host of an ordered pymatgen Structure in any cell and setting and, where it is a layer, its plane.

    Args:
        structure: the ideal crystal, or one layer, slab or stack of layers with vacuum above it.
        where: what to call the source in errors.
        layer: as for `read_host`.

    Raises:
        CifError: no usable crystal, or vacuum in two directions or three.
        SupercellError: there is no layer with the normal given.
    """
    vacuum = vacuum_of(np.asarray(structure.lattice.matrix), np.asarray(structure.frac_coords), where, layer)
    if vacuum is None:
        return host_from_structure(structure, where), None
    made = layer_host(structure, vacuum.normal.tolist(), where)
    return made.host, made


def layer_host(structure: Structure, normal: Sequence[int], where: str = "structure") -> PlanarHost:
    """The layer of a structure with vacuum; its image across the vacuum is set straight above it.

    Args:
        structure: ordered, in any cell.
        normal: (3,) integers h: the layer is parallel to h · x = constant in the structure's fractional coordinates.
        where: what to call the source in errors.

    Raises:
        CifError: atoms overlap, no space group can be found, or there are several layers with vacuum between them.
        SupercellError: the normal is none, or there is no vacuum across it.
    """
    lattice, points = np.asarray(structure.lattice.matrix), np.asarray(structure.frac_coords)
    vacuum = _across(lattice, points, where, normal)
    lattice, points = upright(lattice, points, vacuum.normal)
    structure = type(structure)(lattice, structure.species, points)
    info = {
        "normal": vacuum.normal.tolist(),
        "direction": vacuum.direction,
        "thickness": round(float(np.linalg.norm(lattice[2])) - vacuum.width, 4),
        "vacuum": round(vacuum.width, 4),
    }
    made = planar_host(structure, kind="layer", label=where, info=info)
    return replace(made, label=made.host.formula)


def vacuum_of(lattice: FloatArray, points: FloatArray, where: str, layer: LayerChoice) -> Vacuum | None:
    """The vacuum of a structure that is taken for a layer; None of one that is taken for a bulk crystal.

    Args:
        lattice: (3, 3) rows, Å.
        points: (n, 3) fractional coordinates.
        where: what to call the source in errors.
        layer: as for `read_host`.

    Raises:
        CifError: vacuum in two directions or three.
        SupercellError: there is no layer with the normal given.
    """
    if layer == "bulk":
        return None
    if not isinstance(layer, str):
        return _across(lattice, points, where, layer)
    try:
        return find_vacuum(lattice, points)
    except CifError as error:
        raise CifError(f"{where}: {error}") from None


def _across(lattice: FloatArray, points: FloatArray, where: str, normal: Sequence[int]) -> Vacuum:
    """The vacuum across the planes of a normal, which must be there."""
    across = np.array(normal, dtype=np.int64)
    if not across.any():
        raise SupercellError(f"{where}: {across.tolist()} is no normal; give three integers, not all zero")
    across //= np.gcd.reduce(across)
    vacuum = Vacuum(across, widest_gap(points @ across)[1] * _period(lattice, across))
    if vacuum.width < MIN_VACUUM:
        raise SupercellError(
            f"{where}: the widest gap {vacuum.direction} is {vacuum.width:.2f} Å; a layer or slab needs a vacuum of "
            f"{MIN_VACUUM:g} Å or more"
        )
    return vacuum


def _period(lattice: FloatArray, normal: IntArray) -> float:
    """Distance of lattice planes, Å."""
    return float(1 / np.linalg.norm(np.linalg.solve(lattice, normal.astype(float))))

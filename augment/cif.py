"""Reading a host crystal from a CIF: bounded in time and memory, and refused clearly when it is not usable."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.errors import CifError

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifBlock

MAX_BYTES = 5_000_000
MAX_SITE_OPERATIONS = 8_000
"""Asymmetric sites x symmetry operations; expanding costs pymatgen the square of it (some 5 s here)."""

MAX_ATOMS = 1_000
OCCUPANCY_TOLERANCE = 1e-3
OVERLAP_FRACTION = 0.5
"""Atoms closer than this fraction of the sum of their covalent radii cannot both be there."""

_SYMOPS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
_FORMULAS = ("_chemical_formula_sum", "_chemical_formula_structural")
_MOST_OPERATIONS = 192


def read_structure(path: str | Path) -> Structure:
    """Ordered periodic structure of a CIF, as a pymatgen Structure in the cell that the file gives.

    Raises:
        CifError: the file is missing, is no CIF, is too large, has partial occupancy, overlapping or missing
            atoms, or an unknown element.
    """
    path = Path(path)
    block = _atom_block(_read_text(path), path)
    _check_bounds(block, path)
    _check_occupancy(block, path)
    structure = _expand(block, path)
    _check_composition(block, structure, path)
    check_overlap(structure, str(path))
    return structure


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise CifError(f"{path}: a folder, not a CIF; name the file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CifError(f"{path}: larger than {MAX_BYTES // 1_000_000} MB; give the CIF of one host crystal")
        content = path.read_bytes()
    except FileNotFoundError:
        raise CifError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise CifError(f"{path}: cannot be read ({error.strerror})") from None
    if b"\0" in content:
        raise CifError(f"{path}: a binary file, not a CIF")
    return content.decode("utf-8", errors="replace")


def _atom_block(text: str, path: Path) -> CifBlock:
    """The first data block that holds atoms."""
    from pymatgen.io.cif import CifFile

    if not re.search(r"^\s*data_", text, flags=re.MULTILINE | re.IGNORECASE):
        raise CifError(f"{path}: not a CIF (no data_ block); give a crystallographic information file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blocks = CifFile.from_str(text).data.values()
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise CifError(f"{path}: not a readable CIF ({type(error).__name__}: {error})") from None
    for block in blocks:
        if "_atom_site_fract_x" in block.data or "_atom_site_Cartn_x" in block.data:
            return block
    raise CifError(f"{path}: holds no atoms (no _atom_site_fract_x loop); give a CIF with atomic positions")


def _column(block: CifBlock, *names: str) -> list[str]:
    for name in names:
        if name in block.data:
            value: Any = block.data[name]
            return [str(v) for v in value] if isinstance(value, list) else [str(value)]
    return []


def _check_bounds(block: CifBlock, path: Path) -> None:
    sites = len(_column(block, "_atom_site_fract_x", "_atom_site_Cartn_x"))
    operations = len(_column(block, *_SYMOPS)) or _MOST_OPERATIONS
    if sites * operations > MAX_SITE_OPERATIONS:
        raise CifError(
            f"{path}: {sites} sites x {operations} operations exceed {MAX_SITE_OPERATIONS}; "
            "give the operations of its space group, or a smaller or primitive cell"
        )


def _check_occupancy(block: CifBlock, path: Path) -> None:
    labels = _column(block, "_atom_site_label", "_atom_site_type_symbol")
    for i, text in enumerate(_column(block, "_atom_site_occupancy")):
        label = labels[i] if i < len(labels) else f"number {i + 1}"
        try:
            value = float(text.split("(")[0])
        except ValueError:
            if text in {".", "?"}:
                continue
            raise CifError(f"{path}: site {label} has occupancy {text!r}, not a number") from None
        if abs(value - 1) > OCCUPANCY_TOLERANCE:
            raise CifError(
                f"{path}: site {label} has occupancy {value:g}; a host must be ordered: "
                "give an ordered approximant and add the disorder as defects"
            )


def _expand(block: CifBlock, path: Path) -> Structure:
    from pymatgen.io.cif import CifParser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = CifParser.from_str(str(block), occupancy_tolerance=1.0)
            structures = parser.parse_structures(primitive=False, on_error="raise")
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        reason = str(error).split("\n")[0] or type(error).__name__
        raise CifError(f"{path}: not a usable crystal structure ({reason})") from None
    if not structures or len(structures[0]) == 0:
        raise CifError(f"{path}: holds no atoms; give a CIF with atomic positions")
    structure = structures[0]
    if len(structure) > MAX_ATOMS:
        raise CifError(f"{path}: {len(structure)} atoms in the cell, more than {MAX_ATOMS}; give a smaller cell")
    if not structure.is_ordered:
        raise CifError(f"{path}: several species share one site; a host must be ordered")
    return structure


def _check_composition(block: CifBlock, structure: Structure, path: Path) -> None:
    """Compare what the file says its formula is with the atoms that it lists."""
    from pymatgen.core import Composition

    text = " ".join(_column(block, _FORMULAS[0])).strip("'\" ")
    if not text or text in {"?", "."}:
        return
    try:
        said = Composition(text).element_composition.reduced_formula
    except (ValueError, KeyError):
        return
    found = structure.composition.element_composition.reduced_formula
    if said != found:
        raise CifError(
            f"{path}: its formula says {said}, its sites give {found}; "
            "atoms are missing or doubled: complete the atom list or correct _chemical_formula_sum"
        )


def check_overlap(structure: Structure, where: str) -> None:
    """Refuse a structure in which two atoms are closer than half the sum of their covalent radii.

    Raises:
        CifError: names the closest pair.
    """
    from ase.data import covalent_radii

    if structure.volume < len(structure):
        raise CifError(f"{where}: a cell of {structure.volume:.3g} Å³ cannot hold {len(structure)} atoms")
    first, second, _, distance = structure.get_neighbor_list(r=2.5, exclude_self=True)
    if len(distance) == 0:
        return
    radius = np.array([covalent_radii[z] for z in structure.atomic_numbers])
    ratio = distance / (radius[first] + radius[second])
    worst = int(np.argmin(ratio))
    if ratio[worst] < OVERLAP_FRACTION:
        a, b = int(first[worst]), int(second[worst])
        raise CifError(
            f"{where}: atoms {structure[a].specie}{a + 1} and {structure[b].specie}{b + 1} overlap "
            f"({distance[worst]:.2f} Å apart); remove one or correct the coordinates"
        )

"""Reading a host crystal from a CIF: bounded in time and memory, and refused clearly when it is not usable."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.operations import Operations, check_metric, expand, parse_operations
from augment.elements import element_number, reduced_formula
from augment.errors import CifError

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifBlock

MAX_BYTES = 2_000_000
MAX_SITE_OPERATIONS = 20_000
"""Asymmetric sites x symmetry operations; far above any crystal of `MAX_ATOMS` atoms."""

MAX_ATOMS = 1_000
OCCUPANCY_TOLERANCE = 1e-3
OVERLAP_FRACTION = 0.5
"""Atoms closer than this fraction of the sum of their covalent radii cannot both be there."""

_SYMOPS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
_GROUP_NAMES = (
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_alt",
    "_space_group_name_Hall",
    "_symmetry_space_group_name_Hall",
    "_space_group_IT_number",
    "_symmetry_Int_Tables_number",
)
_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
_COORDINATES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_ABSENT = {"", "?", "."}
_MIN_FLAT = 1e-3
"""Volume over the product of the edges; a flatter cell is a typing error."""


@dataclass(frozen=True, eq=False)
class CifAtoms:
    """What a CIF lists, expanded by its symmetry operations.

    Attributes:
        lattice: (3, 3) rows, Å.
        labels: of the site of the asymmetric unit that each atom comes from (m,).
        numbers: (m,) atomic numbers.
        points: (m, 3) fractional coordinates.
        occupancies: (m,) fraction of the cells in which each is there.
        oxidation: (m,) oxidation state of each, None where the file states none.
        assemblies: (m,) disorder assembly of each, empty where there is none.
        groups: (m,) disorder group of each within its assembly, empty where there is none.
    """

    lattice: FloatArray
    labels: tuple[str, ...]
    numbers: IntArray
    points: FloatArray
    occupancies: FloatArray
    oxidation: tuple[float | None, ...] = ()
    assemblies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def read_structure(path: str | Path) -> Structure:
    """Ordered periodic structure of a CIF, as a pymatgen Structure in the cell that the file gives.

    Raises:
        CifError: the file is missing, is no CIF, is too large, has partial occupancy, overlapping or missing
            atoms, an unknown element, or symmetry operations that form no group.
    """
    from pymatgen.core import Element, Lattice, Structure

    path = Path(path)
    block = _atom_block(_read_text(path), path)
    try:
        atoms = _atoms(block, ordered=True)
        structure = Structure(Lattice(atoms.lattice), [Element.from_Z(int(z)) for z in atoms.numbers], atoms.points)
        _check_composition(block, structure)
    except CifError as error:
        raise CifError(f"{path}: {error}") from None
    check_overlap(structure, str(path))
    return structure


def read_atoms(path: str | Path) -> CifAtoms:
    """Atoms of a CIF, which may be there in a fraction of the cells only.

    Raises:
        CifError: as for `read_structure`, except that atoms may be partial and overlap.
    """
    path = Path(path)
    try:
        return _atoms(_atom_block(_read_text(path), path), ordered=False)
    except CifError as error:
        raise CifError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


def _atoms(block: CifBlock, *, ordered: bool) -> CifAtoms:
    from pymatgen.core import Lattice

    lattice = np.asarray(Lattice.from_parameters(*_cell_parameters(block)).matrix)
    labels, numbers, points, occupancies = _sites(block, ordered=ordered)
    operations = _operations(block)
    _check_bounds(len(points), operations)
    check_metric(operations, lattice)
    points, owner = expand(points, operations, lattice)
    _check_size(len(points))
    return CifAtoms(lattice, tuple(labels[k] for k in owner), numbers[owner], points, occupancies[owner])


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise CifError(f"{path}: a folder, not a CIF; name the file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CifError(
                f"{path}: larger than {MAX_BYTES // 1_000_000} MB; give the CIF of one crystal, without reflections"
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise CifError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise CifError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if b"\0" in content:
        raise CifError(f"{path}: a binary file, not a CIF")
    return content.decode("utf-8", errors="replace")


def _atom_block(text: str, path: Path) -> CifBlock:
    """The one data block that holds atoms."""
    from pymatgen.io.cif import CifFile

    if not re.search(r"^\s*data_", text, flags=re.MULTILINE | re.IGNORECASE):
        raise CifError(f"{path}: not a CIF (no data_ block); give a crystallographic information file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blocks = CifFile.from_str(text).data
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise CifError(
            f"{path}: not a readable CIF: a loop or a quotation is damaged ({type(error).__name__}: {error})"
        ) from None
    holders = {name: block for name, block in blocks.items() if any(c in block.data for c in _COORDINATES)}
    if not holders:
        raise CifError(f"{path}: holds no atoms (no _atom_site_fract_x loop); give a CIF with fractional coordinates")
    if len(holders) > 1:
        raise CifError(f"{path}: holds {len(holders)} structures ({', '.join(holders)}); give a CIF of one of them")
    return next(iter(holders.values()))


def _column(block: CifBlock, *names: str) -> list[str]:
    """Values of the first of the names that the block has; none where it has none."""
    for name in names:
        if name in block.data:
            value: Any = block.data[name]
            return [str(v).strip() for v in value] if isinstance(value, list) else [str(value).strip()]
    return []


def _number(text: str, what: str) -> float:
    """A CIF number, without its uncertainty in parentheses."""
    try:
        value = float(re.sub(r"\(\d*\)$", "", text))
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise CifError(f"{what} is {text!r}, not a number; correct it")
    return value


def _cell_parameters(block: CifBlock) -> tuple[float, ...]:
    """Lengths, Å, and angles, degrees."""
    metric = []
    for name in (*_LENGTHS, *_ANGLES):
        values = _column(block, name)
        if len(values) != 1 or values[0] in _ABSENT:
            raise CifError(f"{name} is missing; complete the cell")
        metric.append(_number(values[0], name))
    lengths, cosines = metric[:3], np.cos(np.radians(metric[3:]))
    flatness = 1 + 2 * float(np.prod(cosines)) - float((cosines**2).sum())
    if min(lengths) <= 0 or max(lengths) > 1000 or not all(0 < x < 180 for x in metric[3:]) or flatness < _MIN_FLAT**2:  # noqa: PLR2004  degrees, and Å no crystal reaches
        raise CifError(f"a cell of lengths {lengths} Å and angles {metric[3:]}° cannot be; correct it")
    return tuple(metric)


def _sites(block: CifBlock, *, ordered: bool) -> tuple[list[str], IntArray, FloatArray, FloatArray]:
    """Labels, atomic numbers (n,), fractional coordinates (n, 3) and occupancies (n,) of the asymmetric unit."""
    labels = _column(block, "_atom_site_label", "_atom_site_type_symbol")
    symbols = _column(block, "_atom_site_type_symbol", "_atom_site_label")
    columns = [_column(block, name) for name in _COORDINATES]
    occupancies = _column(block, "_atom_site_occupancy") or ["1"] * len(labels)
    if not labels or {len(c) for c in (symbols, occupancies, *columns)} != {len(labels)}:
        raise CifError(
            "its atom list is incomplete; each site needs a label or symbol and three fractional coordinates"
        )
    strict = "_atom_site_type_symbol" in block.data
    numbers, points, shares = [], [], []
    for label, symbol, occupancy, *coordinates in zip(labels, symbols, occupancies, *columns, strict=True):
        shares.append(_occupancy(label, occupancy, ordered=ordered))
        numbers.append(_atomic_number(symbol, label, strict=strict))
        points.append([_number(text, f"a coordinate of site {label}") for text in coordinates])
    return labels, np.array(numbers, dtype=np.int64), np.array(points), np.array(shares)


def _occupancy(label: str, text: str, *, ordered: bool) -> float:
    value = 1.0 if text in _ABSENT else _number(text, f"the occupancy of site {label}")
    if ordered and abs(value - 1) > OCCUPANCY_TOLERANCE:
        raise CifError(
            f"site {label} has occupancy {value:g}; a host must be ordered: "
            "`defectgen impurities` derives ordered ones from it, or give one"
        )
    if not 0 <= value <= 1 + OCCUPANCY_TOLERANCE:
        raise CifError(f"site {label} has occupancy {value:g}, which is no fraction from 0 to 1; correct it")
    return value


def _atomic_number(symbol: str, label: str, *, strict: bool) -> int:
    """Atomic number of a type symbol (`Mg`, `Mg2+`) or, not strictly, of a label (`Mg1`, `OW2`); deuterium is H."""
    ending = r"(?:\d*\+?-?|[+-]?\d+)" if strict else r"[^a-z].*|.*"
    for pattern in (rf"([A-Za-z]{{2}})({ending})", rf"([A-Za-z])({ending})"):
        match = re.fullmatch(pattern, symbol)
        name = match[1].capitalize() if match else ""
        number = element_number("H" if name in {"D", "T"} else name)
        if number is not None:
            return number
    raise CifError(f"site {label}: {symbol!r} is not an element up to fermium; give an element symbol such as Mg")


def _operations(block: CifBlock) -> Operations:
    """Operations that the block lists or, failing that, those of the space group that it names."""
    listed = _column(block, *_SYMOPS)
    return parse_operations(listed or _operations_by_name(block))


def _operations_by_name(block: CifBlock) -> list[str]:
    """Operations of the space group that the block names, as pymatgen knows them; P1 where it names none."""
    from pymatgen.io.cif import CifBlock, CifParser

    named = {k: v for k in _GROUP_NAMES for v in _column(block, k)[:1] if v not in _ABSENT}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            names: Any = CifBlock(dict(named), [], "names")
            parser = CifParser.from_str(str(CifBlock(dict(named), [[k] for k in named], "names")))
            operations = [operation.as_xyz_str() for operation in parser.get_symops(names)]
        except Exception:  # noqa: BLE001  the parser raises whatever its input provokes
            operations = []
    first_name = re.sub(r"[\s_]", "", next(iter(named.values()), "P1"))
    if not operations or (len(operations) == 1 and first_name.upper() not in {"P1", "1"}):
        raise CifError(f"space group {first_name} is not known; list its operations (_symmetry_equiv_pos_as_xyz)")
    return operations


def _check_bounds(sites: int, operations: Operations) -> None:
    count = len(operations.rotations)
    if sites * count > MAX_SITE_OPERATIONS:
        raise CifError(
            f"{sites} sites x {count} operations exceed {MAX_SITE_OPERATIONS}; "
            "give only the asymmetric unit, or a smaller or primitive cell"
        )


def _check_size(atoms: int) -> None:
    if atoms > MAX_ATOMS:
        raise CifError(f"{atoms} atoms in the cell, more than {MAX_ATOMS}; give a smaller cell")


def _check_composition(block: CifBlock, structure: Structure) -> None:
    """Compare what the file says its formula is with the atoms that it lists."""
    from pymatgen.core import Composition

    text = " ".join(_column(block, "_chemical_formula_sum")).strip("'\" ")
    if text in _ABSENT:
        return
    try:
        amounts = Composition(text).get_el_amt_dict()
    except Exception:  # noqa: BLE001  a formula in words is no formula to compare with
        return
    amounts["H"] = sum(amounts.pop(isotope, 0) for isotope in ("H", "D", "T"))
    said = reduced_formula({k: v for k, v in amounts.items() if v})
    listed = reduced_formula(structure.composition.get_el_amt_dict())
    if said != listed:
        raise CifError(
            f"its formula says {said}, its sites give {listed}; "
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
    numbers: Sequence[int] = structure.atomic_numbers
    radius = np.array([covalent_radii[z] for z in numbers])
    first, second, _, distance = structure.get_neighbor_list(r=float(radius.max()) + 0.1, exclude_self=True)
    if len(distance) == 0:
        return
    ratio = distance / (radius[first] + radius[second])
    worst = int(np.argmin(ratio))
    if ratio[worst] < OVERLAP_FRACTION:
        a, b = int(first[worst]), int(second[worst])
        raise CifError(
            f"{where}: atoms {structure[a].specie}{a + 1} and {structure[b].specie}{b + 1} overlap "
            f"({distance[worst]:.2f} Å apart); remove one or correct the coordinates"
        )

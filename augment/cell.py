"""The defect cell: a host supercell with a defect in it, the one structure type that every stage takes and gives."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BULK = "bulk"
"""Name of the defect cell without any edit: the pristine host supercell."""


class Provenance(Mapping[str, Any]):
    """Where a structure came from: JSON values that nobody can change, with a hash.

    Args:
        values: JSON values by name; what is given is copied.

    Raises:
        DataError: a value has no JSON form.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        try:
            self._text = json.dumps(dict(values), sort_keys=True)
        except TypeError as error:
            raise DataError(f"a provenance of values that JSON does not know ({error})") from None

    @cached_property
    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self._text)
        return values

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        return copy.deepcopy(value) if isinstance(value, list | dict) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def sha256(self) -> str:
        """Hash of the values, hexadecimal."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Provenance({self._text})"


@dataclass(frozen=True, eq=False)
class DefectCell:
    """Species, positions and cell of a host supercell with a defect, with what it is and where it came from.

    Attributes:
        name: doped-style name of the defect (`v_O`, `Al_Mg`, `O_i_Td`); `bulk` for the pristine supercell.
        key: canonical defect key, equal for symmetry-equivalent defects.
        cell: (3, 3) lattice vectors as rows, Å.
        numbers: (n,) atomic numbers.
        positions: (n, 3) Cartesian positions, Å; not wrapped, so that displacements stay continuous.
        sites: (n,) index of the supercell site that each atom belongs to (lattice sites first, then voids).
        charge: charge of the cell, e.
        provenance: where it came from (host hash, supercell, subgroup, seed, potential, ...), frozen JSON values.
        seconds: wall time that making it took, s, where it is known; nothing depends on it.
    """

    name: str
    key: str
    cell: FloatArray
    numbers: IntArray
    positions: FloatArray
    sites: IntArray
    charge: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.provenance, Provenance):
            object.__setattr__(self, "provenance", Provenance(self.provenance))
        n = len(self.numbers)
        shapes = (self.cell.shape, self.positions.shape, self.sites.shape)
        if shapes != ((3, 3), (n, 3), (n,)):
            raise DataError(f"defect cell {self.name}: shapes {shapes} do not fit {n} atoms")
        if not (np.isfinite(self.cell).all() and np.isfinite(self.positions).all()):
            raise DataError(f"defect cell {self.name}: positions or cell are not finite")

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        geometry = self.provenance.get("geometry", "unknown")
        return f"DefectCell({self.name}, {len(self)} atoms, charge {self.charge:+d}, {geometry}, {self.key})"

    @property
    def volume(self) -> float:
        """Volume of the cell, Å³."""
        return float(abs(np.linalg.det(self.cell)))

    def with_geometry(self, positions: FloatArray, cell: FloatArray | None = None, **provenance: object) -> DefectCell:
        """The same defect with other positions (n, 3) and, if given, cell (3, 3), in Å; `provenance` is added to."""
        return replace(
            self,
            positions=np.asarray(positions, dtype=float),
            cell=self.cell if cell is None else np.asarray(cell, dtype=float),
            provenance=Provenance({**self.provenance, **provenance}) if provenance else self.provenance,
        )

    def to_ase(self) -> Atoms:
        """ASE Atoms, periodic in three directions, with `name`, `defect_key` and `charge` in `info`."""
        from ase import Atoms

        info = {"name": self.name, "defect_key": self.key, "charge": self.charge}
        return Atoms(numbers=self.numbers, positions=self.positions, cell=self.cell, pbc=True, info=info)

    def to_pymatgen(self) -> Structure:
        """Pymatgen Structure with the total charge set and `site_index` as a site property."""
        from pymatgen.core import Element, Lattice, Structure

        species = [Element.from_Z(int(z)) for z in self.numbers]
        return Structure(
            Lattice(self.cell),
            species,
            self.positions,
            charge=self.charge,
            coords_are_cartesian=True,
            site_properties={"site_index": self.sites.tolist()},
        )

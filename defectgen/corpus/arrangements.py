"""Arrangements of edits in one supercell with their energies, from which the generator learns site occupation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import EditSpace
from augment.cell import FloatArray, IntArray
from augment.charges import formal_charges
from augment.errors import DataError
from augment.storage.archive import read_arrays
from augment.storage.columns import from_columns, to_columns
from defectgen.corpus.cases import (
    ARRANGEMENTS,
    TEMPLATE_INTS,
    template_from_columns,
)
from defectgen.representation.template import WYCKOFF_LETTERS, Marker, Template
from md.labels.split import SPLITS


def edit_charges(space: EditSpace) -> IntArray:
    """(c,) formal charge of each edit of a space, e, the least where several are common; 0 where none is known."""
    by_label = []
    for label in range(len(space.names)):
        first = int(np.argmax(space.label == label))
        orbit = int(space.supercell.sites.orbit[space.site[first]])
        charges = formal_charges(space.supercell.host, orbit, int(space.number[first]))
        by_label.append(min(charges, key=abs, default=0))
    return np.array(by_label, dtype=np.int64)[space.label]


@dataclass(frozen=True, eq=False)
class Arrangements:
    """Complexes of one composition in one supercell of a host, or impurities at a concentration.

    Attributes:
        material_id, formula, prototype, split: of the host.
        names: kinds of edit (`v_O`, `Fe_Ti`).
        template: the pristine supercell; the void sites that may be filled are its last nodes.
        node: (c,) node of each edit that is possible.
        number: (c,) atomic number that each puts there, 0 for none.
        label: (c,) index into `names`.
        charge: (c,) likely formal charge of each, e.
        members: (a, k) the edits of each arrangement, as indices into these, ascending.
        energies: (a,) energy after a few steps of relaxation, eV per cell.
    """

    material_id: str
    formula: str
    prototype: str
    split: str
    names: tuple[str, ...]
    template: Template
    node: IntArray
    number: IntArray
    label: IntArray
    charge: IntArray
    members: IntArray
    energies: FloatArray

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise DataError(f"{self.material_id}: split {self.split!r} is not one of {', '.join(SPLITS)}")
        if self.members.ndim != 2 or len(self.members) != len(self.energies):  # noqa: PLR2004
            raise DataError(f"{self.material_id}: {len(self.energies)} energies for members {self.members.shape}")

    @property
    def excess(self) -> FloatArray:
        """(a,) energies above the lowest, eV."""
        return np.asarray(self.energies - self.energies.min())


def pristine_template(space: EditSpace) -> tuple[Template, IntArray]:
    """The pristine supercell of an edit space as a template, and the node of each of its edits.

    Nodes are the lattice sites, then the void sites that the edits can fill.
    """
    sites = space.supercell.sites
    lattice = np.flatnonzero(~sites.void)
    filled = np.unique(space.site[sites.void[space.site]])
    index = np.concatenate([lattice, filled])
    template = Template(
        key=f"{space.supercell.host.hash} {','.join(space.names)}",
        cell=space.supercell.cell,
        positions=sites.positions[index],
        numbers=sites.numbers[index],
        host_numbers=sites.numbers[index],
        markers=np.where(sites.void[index], int(Marker.VOID), int(Marker.HOST)),
        wyckoff=np.array([WYCKOFF_LETTERS.index(sites.wyckoff[k]) for k in index], dtype=np.int64),
        site_order=sites.site_symmetry_order[index],
        multiplicity=sites.multiplicity[index],
    )
    return template, np.searchsorted(index, space.site)


def arrangements_to_arrays(items: Sequence[Arrangements]) -> dict[str, NDArray[Any]]:
    """Columns of the arrangements, each name with the prefix `arrangements.`."""
    meta = [[a.material_id, a.formula, a.prototype, a.split, list(a.names), a.template.key] for a in items]
    return to_columns(meta, [_columns(a) for a in items], ARRANGEMENTS)


def arrangements_from_arrays(arrays: Mapping[str, NDArray[Any]], where: str) -> list[Arrangements]:
    """Inverse of `arrangements_to_arrays`; none where the archive holds none.

    Raises:
        DataError: a column is missing or damaged.
    """
    return from_columns(arrays, _arrangements, where, "arrangements", ARRANGEMENTS)


def read_arrangements(path: Path) -> list[Arrangements]:
    """Arrangements of an archive, or of all shards of a corpus folder.

    Raises:
        DataError: a file is missing or damaged.
    """
    paths = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    return [arrangements for part in paths for arrangements in arrangements_from_arrays(read_arrays(part), str(part))]


def _columns(item: Arrangements) -> dict[str, NDArray[Any]]:
    template = item.template
    return {
        **{name: getattr(template, name).astype(np.int32) for name in TEMPLATE_INTS},
        "cell": template.cell,
        "positions": template.positions,
        "edits": np.stack([item.node, item.number, item.label, item.charge]).astype(np.int32),
        "members": item.members.astype(np.int32),
        "energies": item.energies,
    }


def _arrangements(row: list[Any], columns: Mapping[str, NDArray[Any]]) -> Arrangements:
    material_id, formula, kind, split, names, key = row
    edits = columns["edits"].astype(np.int64)
    template = template_from_columns(key, columns)
    members = columns["members"].astype(np.int64)
    node, number, label, charge = edits
    who = (material_id, formula, kind, split, tuple(names))
    return Arrangements(*who, template, node, number, label, charge, members, columns["energies"])

"""VASP input structures in doped's layout: one folder `NAME_CHARGE/POSCAR` per defect, and `FORMULA_bulk/POSCAR`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from augment.cell import BULK, DefectCell
from augment.defects.notation import charged_name
from augment.exchange.folder import UniqueNames, atomic_folder


def poscar_text(cell: DefectCell) -> str:
    """POSCAR of a cell: atoms grouped by element, in IUPAC's order with cations first.

    The comment holds the name, the total charge, which VASP reads from NELECT, and the defect key.
    """
    from pymatgen.core import Element

    elements = sorted((Element.from_Z(int(z)) for z in np.unique(cell.numbers)), key=lambda e: e.iupac_ordering)
    order = np.concatenate([np.flatnonzero(cell.numbers == e.Z) for e in elements])
    fractional = (cell.positions @ np.linalg.inv(cell.cell))[order]
    counts = [str(int((cell.numbers == e.Z).sum())) for e in elements]
    return "\n".join(
        [
            f"{cell.name} charge={cell.charge:+d} key={cell.key}",
            "1.0",
            *(" ".join(f"{x:21.16f}" for x in vector) for vector in cell.cell.tolist()),
            " ".join(e.symbol for e in elements),
            " ".join(counts),
            "Direct",
            *(" ".join(f"{x:19.16f}" for x in point) for point in (fractional - np.floor(fractional)).tolist()),
            "",
        ]
    )


def write_poscars(folder: Path, cells: Iterable[DefectCell]) -> list[str]:
    """Write one folder with a POSCAR for each cell; the whole folder appears at the end or not at all.

    Args:
        folder: new or empty.
        cells: any number, taken one by one; put `supercell.bulk_cell()` among them for the pristine supercell.

    Returns:
        Names of the folders, in the order of the cells. A second cell of one name and charge gets `-2`.

    Raises:
        DataError: the folder has other content or cannot be written.
    """
    names, written = UniqueNames(), []
    with atomic_folder(folder) as draft:
        for cell in cells:
            name = names.next(
                f"{cell.provenance['formula']}_bulk" if cell.name == BULK else charged_name(cell.name, cell.charge)
            )
            (draft / name).mkdir()
            (draft / name / "POSCAR").write_text(poscar_text(cell), encoding="ascii")
            written.append(name)
    return written

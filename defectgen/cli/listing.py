"""How a command shows the defects it finds, and the files that it writes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from defectgen.cli.options import say, show

if TYPE_CHECKING:
    from augment import Defect, DefectCell, Supercell

_ROWS = 200
"""Defects shown in a table; a longer list is for --json."""

PoscarOption = Annotated[Path | None, typer.Option("--poscar", help="folder for VASP; one folder a defect")]
CifFolderOption = Annotated[Path | None, typer.Option("--cif", help="folder for CIFs; one file a defect")]
ExtxyzOption = Annotated[Path | None, typer.Option("--extxyz", help="extended XYZ file; all ideal cells")]


@dataclass(frozen=True)
class Exports:
    """Where cells are written, None for nowhere.

    Attributes:
        poscar: folder of VASP folders.
        cif: folder of CIFs.
        extxyz: one extended XYZ file.
    """

    poscar: Path | None = None
    cif: Path | None = None
    extxyz: Path | None = None

    @property
    def wanted(self) -> bool:
        """Whether any file is."""
        return any(path is not None for path in (self.poscar, self.cif, self.extxyz))

    def require_new(self) -> None:
        """Check that nothing is there yet.

        Raises:
            DataError: a file exists, or a folder that is not empty.
        """
        from augment.exchange.folder import require_new_file, require_new_folder

        for folder in filter(None, (self.poscar, self.cif)):
            require_new_folder(folder)
        if self.extxyz is not None:
            require_new_file(self.extxyz)

    def write(self, supercell: Supercell, defects: Callable[[], Iterator[Defect]]) -> None:
        """Write the ideal cells of the defects, and the pristine one where the format has a place for it."""
        self.write_cells(supercell, lambda: (defect.cell() for defect in defects()))

    def write_cells(self, supercell: Supercell, cells: Callable[[], Iterator[DefectCell]]) -> None:
        """Write cells of any geometry, and the pristine one where the format has a place for it."""
        from augment.exchange import write_cifs, write_extxyz, write_poscars

        if self.poscar is not None:
            write_poscars(self.poscar, chain([supercell.bulk_cell()], cells()))
        if self.cif is not None:
            write_cifs(self.cif, cells())
        if self.extxyz is not None:
            write_extxyz(self.extxyz, cells())


def list_defects(
    supercell: Supercell, defects: Callable[[], Iterator[Defect]], exports: Exports, *, as_json: bool
) -> None:
    """Write the files requested, then print each defect as it is found, or a table of the first ones."""
    exports.write(supercell, defects)
    if as_json:
        for defect in defects():
            say(json.dumps(defect.to_dict()))
    else:
        from defectgen.cli.tables import defect_table

        show(*defect_table(supercell, defects(), _ROWS))

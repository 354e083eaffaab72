"""JSON in the form of MatPES, which matgl and the tools around pymatgen read: VASP's stress, in kbar.

https://matpes.ai: each document has a pymatgen structure, energy (eV), forces (eV/Å) and stress (kbar, positive under
compression, the opposite of ASE's sign).
"""

from __future__ import annotations

import gzip
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson

from augment.elements import element_symbol
from augment.errors import DataError
from defectgen.dataset.formats.writer import Contents, SplitWriter, split_writer
from defectgen.dataset.frame import NINE_OF_SIX, Frame
from defectgen.dataset.survey import EV_PER_CUBIC_ANGSTROM_IN_GPA

KBAR = 10 * EV_PER_CUBIC_ANGSTROM_IN_GPA
"""1 eV/Å³ in kbar."""


class MatpesPart:
    """The file of one split: a list of documents, one a line.

    Args:
        folder: of the dataset in this format.
        split: its name.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self._split = split
        self._raw = (folder / f"{split}.json.gz").open("wb")
        self._stream = gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._raw, mtime=0)
        self._frames = self._stresses = 0

    def write(self, frame: Frame) -> None:
        """Append the document of a frame."""
        self._stream.write(b",\n" if self._frames else b"[\n")
        document = matpes_document(frame, f"{self._split}-{self._frames}")
        self._stream.write(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY))
        self._frames += 1
        self._stresses += frame.stress is not None

    def finish(self) -> None:
        """End the list.

        Raises:
            DataError: some frames have a stress and some have none, which matgl refuses.
        """
        if 0 < self._stresses < self._frames:
            raise DataError(
                f"{self._frames - self._stresses} of {self._frames} frames of {self._split} have no stress; matgl takes"
                " a stress of every frame or of none: export those with a stress alone, or leave matpes out"
            )
        self._stream.write(b"\n]\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._raw.close()


def matpes_document(frame: Frame, name: str) -> dict[str, Any]:
    """The document of a frame under a name that is its own."""
    from pymatgen.core import Lattice, Structure

    symbols = [element_symbol(int(z)) for z in frame.numbers]
    first, second, third = frame.pbc.tolist()
    lattice = Lattice(frame.cell, pbc=(first, second, third))
    structure = Structure(lattice, symbols, frame.positions, coords_are_cartesian=True)
    elements = sorted(set(symbols))
    document = {
        "matpes_id": f"defectgen-{name}",
        "structure": {**structure.as_dict(), "charge": frame.charge},
        "energy": frame.energy,
        "forces": frame.forces,
        "formula_pretty": structure.composition.reduced_formula,
        "chemsys": "-".join(elements),
        "elements": elements,
        "nelements": len(elements),
        "nsites": len(frame),
        "functional": frame.text("potential"),
        "provenance": dict(frame.facts),
    }
    if frame.stress is not None:
        document["stress"] = -KBAR * frame.stress[NINE_OF_SIX].reshape(3, 3)
    return document


def open_matpes(folder: Path, contents: Contents) -> AbstractContextManager[SplitWriter]:
    """A writer of `train.json.gz` and so on."""
    return split_writer(contents, lambda split: MatpesPart(folder, split))

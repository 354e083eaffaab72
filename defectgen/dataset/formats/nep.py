"""train.xyz and test.xyz for neuroevolution potentials (NEP), as GPUMD and calorine read them.

https://gpumd.org/nep/input_files/train_test_xyz.html: cells are periodic, energies are total ones in eV, a stress has
nine components in eV/Å³ and is positive under tension, and numbers are read in single precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from augment.errors import DataError
from defectgen.dataset.extxyz import atom_lines, vector_text
from defectgen.dataset.formats.writer import Contents
from defectgen.dataset.frame import NINE_OF_SIX, Frame

MAX_ATOM_ENERGY = 100.0
"""eV an atom; beyond it single precision has too few digits left for differences of energies."""

FILES = {"train": "train.xyz", "valid": "test.xyz", "test": "test.xyz"}
"""NEP knows two sets, and only reports its errors on the second one: both held-out splits are in it."""


class NepWriter:
    """The two files of NEP.

    Args:
        streams: by the name of the file.
    """

    def __init__(self, streams: dict[str, TextIO]) -> None:
        self._streams = streams

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame.

        Raises:
            DataError: NEP cannot take it.
        """
        self._streams[FILES[split]].write(nep_text(frame))

    def finish(self) -> None:
        """Nothing is left to do."""


@contextmanager
def open_nep(folder: Path, contents: Contents) -> Iterator[NepWriter]:
    """A writer of `train.xyz`, and of `test.xyz` where frames are held out."""
    names = dict.fromkeys(FILES[split] for split in contents.frames)
    with ExitStack() as stack:
        yield NepWriter({n: stack.enter_context((folder / n).open("w", encoding="utf-8", newline="\n")) for n in names})


def nep_text(frame: Frame) -> str:
    """A frame in the dialect of NEP.

    Raises:
        DataError: it is not periodic, has no energy or forces, or has an energy without digits in single precision.
    """
    if frame.energy is None or frame.forces is None or not frame.pbc.all():
        raise DataError(f"frame {frame.text('name')}: NEP takes periodic frames with energy and forces; leave nep out")
    if abs(frame.energy) > MAX_ATOM_ENERGY * len(frame):
        raise DataError(
            f"frame {frame.text('name')}: {frame.energy / len(frame):.0f} eV an atom; NEP reads single precision and "
            f"needs less than {MAX_ATOM_ENERGY:g}: subtract the energies of isolated atoms, or leave nep out"
        )
    head = f'Lattice={vector_text(frame.cell)} pbc="T T T" energy={frame.energy!r}'
    if frame.stress is not None:
        head += f" stress={vector_text(frame.stress[NINE_OF_SIX])}"
    head += f" weight={frame.facts.get('config_weight', 1.0)} Properties=species:S:1:pos:R:3:forces:R:3"
    return "\n".join([str(len(frame)), head, *atom_lines(frame.numbers, [frame.positions, frame.forces])]) + "\n"

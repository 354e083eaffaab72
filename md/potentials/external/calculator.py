"""An ASE calculator whose work is done in another interpreter, one structure or a batch of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from augment.cell import FloatArray, IntArray
from augment.errors import PotentialError, UnconvergedError
from md.potentials.external.process import WorkerProcess
from md.potentials.external.worker import UNCONVERGED

__all__ = ["RemoteCalculator", "Structure"]

Structure = tuple[FloatArray, IntArray, FloatArray]
"""Cell (3, 3) in Å, atomic numbers (n,), positions (n, 3) in Å."""

_Labels = tuple[float, FloatArray, FloatArray, str, str]


class RemoteCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """A calculator in another interpreter, whose process lives as long as this object.

    Attributes:
        about: what the calculator is (`md.potentials.external.worker.describe`).
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, process: WorkerProcess, name: str) -> None:
        super().__init__()
        self._process, self._name = process, name
        self._forget = True
        self._ahead: dict[bytes, _Labels] = {}

    @property
    def about(self) -> dict[str, Any]:
        """What the worker said of its calculator when it started."""
        return self._process.about

    def reset(self) -> None:
        """Forget results, and the electrons of the last structure, so that the next one depends on itself alone."""
        super().reset()
        self._forget = True

    def evaluate_ahead(self, structures: Sequence[Structure]) -> None:
        """Evaluate structures in one message; each is then at hand for one call of `calculate`.

        Errors wait until their structure is requested.

        Raises:
            PotentialError: the process ended twice over them.
        """
        self._forget = True
        self._ahead = dict(zip(map(_key, structures), self._ask(structures), strict=True))

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate `atoms` there.

        Raises:
            PotentialError: the calculator fails, or its process ended twice over them.
            UnconvergedError: the calculation came to no end.
        """
        super().calculate(atoms, properties, system_changes)
        structure = (np.asarray(atoms.cell), atoms.numbers, atoms.positions)
        labels = self._ahead.pop(_key(structure), None) or self._ask([structure])[0]
        energy, forces, stress, error, kind = labels
        if error:
            failure = UnconvergedError if kind == UNCONVERGED else PotentialError
            raise failure(f"{self._name}: {error}")
        self.results = {"energy": energy, "free_energy": energy, "forces": forces, "stress": stress}

    def _ask(self, structures: Sequence[Structure]) -> list[_Labels]:
        cells, numbers, positions = zip(*structures, strict=True)
        sizes = [len(one) for one in numbers]
        answer = self._process.ask(
            forget=self._forget,
            sizes=sizes,
            numbers=np.concatenate(numbers),
            positions=np.concatenate(positions),
            cells=np.array(cells),
        )
        self._forget = False
        forces = np.split(answer["forces"], np.cumsum(sizes)[:-1])
        columns = (answer["energies"].tolist(), forces, answer["stresses"], answer["errors"].tolist())
        return list(zip(*columns, answer["kinds"].tolist(), strict=True))


def _key(structure: Structure) -> bytes:
    return b"".join(np.ascontiguousarray(array).tobytes() for array in structure)

"""Calculators with a fault each, for interpreters that find this file by its import path."""

import os
import sys
from pathlib import Path
from typing import Any

from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.units import GPa


class KohnShamConvergenceError(RuntimeError):
    """Named as that of GPAW."""


class OddEmt(EMT):
    """EMT that is wrong, stops or ends its process on purpose.

    Args:
        fault: `stress sign`, `stress unit`, `force`, `turned`; `die once` and `die` end the process over cells of
            more than 31 atoms; `unconverged` does not converge for them.
        marker: file that says that it has died once.
    """

    def __init__(self, fault: str = "", marker: str = "") -> None:
        super().__init__()
        self._fault, self._marker = fault, marker

    def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes) -> None:
        """Labels of EMT with the fault in them."""
        if len(atoms) > 31:
            self._stop()
        super().calculate(atoms, list(properties), system_changes)
        if self._fault == "stress sign":
            self.results["stress"] = -self.results["stress"]
        elif self._fault == "stress unit":
            self.results["stress"] = self.results["stress"] / GPa
        elif self._fault == "force":
            self.results["forces"] = 1.2 * self.results["forces"]
        elif self._fault == "turned":
            self.results["energy"] += 0.01 * atoms.cell[0, 0]
            self.results["free_energy"] = self.results["energy"]

    def _stop(self) -> None:
        if self._fault == "unconverged":
            raise KohnShamConvergenceError("Did not converge!")
        if self._fault == "die" or (self._fault == "die once" and not Path(self._marker).exists()):
            if self._marker:
                Path(self._marker).touch()
            sys.stderr.write("no memory is left\n")
            sys.stderr.flush()
            os._exit(3)

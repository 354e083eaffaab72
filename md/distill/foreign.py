"""An ASE calculator of another environment as a potential.

Libraries whose dependencies clash cannot be imported together; a worker process of the other environment evaluates
for this one. What comes back is arrays and text, never pickles.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import weakref
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from augment.errors import PotentialError
from md.distill import foreign_worker
from md.distill.foreign_worker import read_message, write_message
from md.potentials import Potential

__all__ = ["ALIASES", "ForeignPotential", "foreign_potential"]

ALIASES = {
    name: f"sevenn.calculator:SevenNetCalculator{json.dumps(settings)}"
    for name, settings in {
        "7net-0": {"model": "7net-0", "device": "cpu"},
        "7net-l3i5": {"model": "7net-l3i5", "device": "cpu"},
        "7net-mf": {"model": "7net-mf-0", "modal": "R2SCAN", "device": "cpu"},
        "7net-mf-ompa": {"model": "7net-mf-ompa", "modal": "mpa", "device": "cpu"},
    }.items()
}
"""Names of teachers that are known to need another environment."""


@dataclass(frozen=True)
class ForeignPotential(Potential):
    """An ASE calculator of any package in another environment.

    Attributes:
        path: `module:Name` of the calculator's class or of a function that makes it.
        settings: what it is called with, as JSON.
        python: interpreter of the other environment.
    """

    path: str = ""
    settings: str = "{}"
    python: str = ""

    @property
    def uses_torch(self) -> bool:
        """Not in this process."""
        return False

    @property
    def provenance(self) -> dict[str, str]:
        """JSON values that say who made a label; the version is part of the source."""
        return {
            "potential": self.name,
            "potential_sha256": self.sha256,
            "potential_precision": self.precision,
            "potential_source": self.source,
        }

    def load(self) -> Any:
        """ASE calculator; one worker process for each process here.

        Raises:
            PotentialError: it cannot be made, or is not the one that was described.
        """
        calculator = _load(self.python, self.path, self.settings)
        if calculator.about["sha256"] != self.sha256:
            raise PotentialError(f"{self.name}: the weights or the version changed since it was chosen; start again")
        return calculator


def foreign_potential(spec: str, python: Path) -> ForeignPotential:
    """The potential of `module:Name`, with JSON settings behind it if any, or of an alias such as `7net-0`.

    It is taken to know every element: what it does not know shows as an error when it is asked.

    Raises:
        PotentialError: the interpreter does not start, or the calculator cannot be made there.
    """
    from ase.data import chemical_symbols

    path, settings = _parse(spec)
    about = _load(str(python), path, settings).about
    return ForeignPotential(
        name=spec if spec in ALIASES else path.partition(":")[2],
        kind="ase",
        elements=frozenset(chemical_symbols[1:]),
        precision="float32",
        sha256=about["sha256"],
        source=f"{about['package']} {about['version']}, {path}{settings}",
        path=path,
        settings=settings,
        python=str(python),
    )


def _parse(spec: str) -> tuple[str, str]:
    path, brace, rest = ALIASES.get(spec, spec).partition("{")
    try:
        settings = json.loads(brace + rest or "{}")
    except ValueError:
        settings = None
    module, _, name = path.partition(":")
    if not (isinstance(settings, dict) and name.isidentifier() and all(p.isidentifier() for p in module.split("."))):
        raise PotentialError(
            f'{spec}: with --teacher-python write module:Class, with settings as module:Class{{"key": "value"}}, '
            f"or one of {', '.join(ALIASES)}"
        )
    return path, json.dumps(settings, sort_keys=True)


@lru_cache(maxsize=4)
def _load(python: str, path: str, settings: str) -> RemoteCalculator:
    return RemoteCalculator(python, path, settings)


class RemoteCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """A calculator in another interpreter, whose process lives as long as this one.

    Attributes:
        about: package, version and sha256 of the calculator.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, python: str, path: str, settings: str) -> None:
        super().__init__()
        self._where = f"{path} in {python}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the process
        self._process = self._started([python, "-I", str(Path(foreign_worker.__file__)), path, settings])
        # Both ends of the pipes are there, because they were asked for.
        self._to, self._from = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        weakref.finalize(self, _end, self._process, self._log)
        self.about: dict[str, str] = json.loads(str(self._answer()["about"]))

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate `atoms` there.

        Raises:
            PotentialError: the calculator fails, or its process has ended.
        """
        super().calculate(atoms, properties, system_changes)
        cell = np.asarray(atoms.cell)
        try:
            write_message(self._to, numbers=atoms.numbers, positions=atoms.positions, cell=cell)
        except OSError:
            raise self._ended() from None
        found = self._answer()
        energy = float(found["energy"])
        labels = {"forces": found["forces"], "stress": found["stress"]}
        self.results = {"energy": energy, "free_energy": energy, **labels}

    def _started(self, command: list[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603  the interpreter that the user named
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env={"OMP_NUM_THREADS": "1", **os.environ},  # labels are made by many processes of one thread
            )
        except OSError as error:
            self._log.close()
            raise PotentialError(f"{command[0]}: no interpreter that starts ({error.strerror})") from None

    def _answer(self) -> dict[str, Any]:
        found = read_message(self._from)
        if found is None:
            raise self._ended()
        if "error" in found:
            raise PotentialError(f"{self._where}: {found['error']}")
        return found

    def _ended(self) -> PotentialError:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return PotentialError(f"{self._where}: the process ended{f': {lines[-1]}' if lines else ''}")


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """End the worker with its calculator, and leave nothing open."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, log):
        if stream is not None:
            with suppress(OSError):  # a pipe that broke while something was still to be written
                stream.close()

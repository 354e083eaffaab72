"""A worker process in another interpreter: started when it is needed, and once more where it died.

The protocol is our own, of `md.potentials.external.worker`. Rootstock (1.6.4 on PyPI) keeps environments for the
machines that a maintainer has set up, and speaks i-PI over a socket: one structure a message, in atomic units, which
changes the last digits of coordinates and labels; zeros where a calculator has no stress; no word that a calculation
did not converge; and a worker that does not fit its release. What is here needs NumPy and ASE there, and 200 lines.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from augment.errors import PotentialError
from md.potentials.external import worker
from md.potentials.external.worker import read_message, write_message

__all__ = ["WorkerProcess"]

_PATIENCE = 2.0
"""s; how long a process that closed its pipes may take to end."""
_TAIL = 4096
"""Bytes of its last words."""


class WorkerProcess:
    """One calculator in one process of another interpreter, which ends with this object.

    Attributes:
        about: what the calculator is (`md.potentials.external.worker.describe`).
    """

    def __init__(self, python: str, task: dict[str, Any]) -> None:
        """Start it.

        Args:
            python: the interpreter.
            task: `adapter`, `name`, `weights` and `settings` of the calculator.

        Raises:
            PotentialError: the interpreter does not start, or the calculator cannot be made there.
        """
        self._where = f"{task['name']} in {python}"
        self._command = [python, "-I", str(Path(worker.__file__)), json.dumps(task)]
        self._start()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request; a process that ends over it is started again, once.

        Raises:
            PotentialError: it ended twice over the same request.
        """
        for _ in range(2):
            answer = self._try(request)
            if answer is not None:
                return answer
            reason = self._last_line()
            self._end()
            self._start()
        raise PotentialError(f"{self._where}: the process ended twice over the same structures{reason}")

    def _try(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the process has ended."""
        try:
            write_message(self._to, **request)
        except OSError:
            return None
        return read_message(self._from)

    def _start(self) -> None:
        log = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the process
        try:
            process = subprocess.Popen(  # noqa: S603  the interpreter that the user named
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={"OMP_NUM_THREADS": "1", **os.environ},  # labels are made by many processes of one thread
            )
        except OSError as error:
            log.close()
            raise PotentialError(f"{self._command[0]}: no interpreter that starts ({error.strerror})") from None
        self._process, self._log = process, log
        # Both ends of the pipes are there, because `Popen` opened both.
        self._to, self._from = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        self._end = weakref.finalize(self, _end, process, log)
        first = read_message(self._from)
        if first is None or "error" in first:
            reason = self._last_line() if first is None else f": {first['error']}"
            self._end()
            raise PotentialError(f"{self._where}: {'the process ended' if first is None else 'cannot be made'}{reason}")
        self.about: dict[str, Any] = json.loads(str(first["about"]))

    def _last_line(self) -> str:
        """What the process said last on its standard error stream."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _TAIL))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """End the worker with its calculator, and leave nothing open."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, log):
        if stream is not None:
            with suppress(OSError):  # a pipe that broke while something was still to be written
                stream.close()

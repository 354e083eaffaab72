"""Single-thread worker processes: a fresh interpreter each, fed one call at a time over a socket.

They are started as `python -c` and not by `multiprocessing`, so that the thread settings are in their environment
before anything is imported, and a script that uses them needs no `if __name__ == "__main__"`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

from augment import errors
from augment.errors import DefectgenError

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_START = """
import json, sys
descriptor, starter, sys.path[:] = json.loads(sys.argv[1])
from md.jobs.workers import serve
serve(descriptor, starter)
"""
_ORPHAN_CHECK = 0.5
"""s; how often a worker looks whether the process that started it is still there."""


@dataclass(frozen=True)
class Failure:
    """A call that raised: the name of the error's class, its message, and the traceback as text."""

    kind: str
    message: str
    trace: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that `error` is; call it where the error is handled."""
        return cls(type(error).__name__, str(error), traceback.format_exc())

    def error(self, where: str) -> DefectgenError:
        """The error to raise here: of the same class if it is one of the project's, with the traceback as a note."""
        kind = getattr(errors, self.kind, None)
        if isinstance(kind, type) and issubclass(kind, DefectgenError):
            return kind(f"{where}: {self.message}")
        error = DefectgenError(f"{where}: {self.kind}: {self.message}")
        if self.trace:
            error.add_note(self.trace)
        return error


def call_all(
    function: Callable[[Any], Any], payloads: Sequence[Any], workers: int
) -> Iterator[tuple[int, Any | Failure]]:
    """Call `function` on every payload and yield (index, result or failure) as each one ends.

    With one worker the calls run in this process and in order; with more, in as many single-thread processes, to
    which the function goes by name and the payloads as pickles. The processes end with the iterator.
    """
    if workers <= 1 or len(payloads) <= 1:
        for index, payload in enumerate(payloads):
            yield index, _call(function, payload)
    else:
        yield from _call_in_processes(function, payloads, workers)


def call_through(
    executor: Executor, function: Callable[[Any], Any], payloads: Sequence[Any]
) -> Iterator[tuple[int, Any | Failure]]:
    """Call `function` on every payload through an executor and yield (index, result or failure) as each one ends.

    What has not begun is cancelled when the iterator ends early; the executor stays open.
    """
    futures = {executor.submit(_call, function, payload): index for index, payload in enumerate(payloads)}
    try:
        for future in as_completed(futures):
            yield futures[future], _outcome(future)
    finally:
        for future in futures:
            with suppress(NotImplementedError):  # Parsl's cannot be cancelled
                future.cancel()


def _outcome(future: Future[Any]) -> Any | Failure:
    """What a call gave; a worker or an executor that broke down is a failure of its call."""
    try:
        return future.result()
    except (Exception, CancelledError) as error:  # noqa: BLE001  handed to the caller as a value
        return Failure.of(error)


def _call(function: Callable[[Any], Any], payload: Any) -> Any | Failure:
    try:
        return function(payload)
    except Exception as error:  # noqa: BLE001  handed to the caller as a value
        return Failure.of(error)


def _call_in_processes(
    function: Callable[[Any], Any], payloads: Sequence[Any], workers: int
) -> Iterator[tuple[int, Any | Failure]]:
    waiting = iter(enumerate(payloads))
    team = [_Worker() for _ in range(min(workers, len(payloads)))]
    try:
        for place in range(len(team)):
            team[place].call(function, *next(waiting))
        while any(worker.index is not None for worker in team):
            ready = wait([worker.connection for worker in team if worker.index is not None])
            for place, worker in enumerate(team):
                if worker.connection not in ready or worker.index is None:
                    continue
                yield worker.result()
                if not worker.alive:
                    worker.stop()
                    team[place] = _Worker()
                task = next(waiting, None)
                if task is not None:
                    team[place].call(function, *task)
    finally:
        for worker in team:
            worker.stop()


class _Worker:
    """A worker process as its starter sees it."""

    def __init__(self) -> None:
        self.index: int | None = None
        self.connection, far_end = Pipe()
        settings = json.dumps([far_end.fileno(), os.getpid(), sys.path])
        command = [sys.executable, "-P", "-c", _START, settings]
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and code
            command,
            pass_fds=[far_end.fileno()],
            env={**os.environ, **dict.fromkeys(_THREAD_SETTINGS, "1")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        far_end.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def call(self, function: Callable[[Any], Any], index: int, payload: Any) -> None:
        self.index = index
        self.connection.send((function, payload))

    def result(self) -> tuple[int, Any | Failure]:
        """The index and result of the call under way; waits for it."""
        if self.index is None:
            raise RuntimeError("the worker was not called")
        index, self.index = self.index, None
        try:
            return index, self.connection.recv()
        except (EOFError, OSError):
            self._process.wait()
            return index, Failure("WorkerDied", _describe_end(self._process.returncode))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self.connection.close()


def _describe_end(code: int) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory; use fewer workers or a smaller cell"
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"


def serve(descriptor: int, starter: int) -> None:
    """What a worker process does: answer calls from the socket until it closes or the starting process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the starter decides what Ctrl-C means
    threading.Thread(target=_leave_with, args=(starter,), daemon=True).start()
    connection: Connection[Any, Any] = Connection(descriptor)
    while True:
        try:
            function, payload = connection.recv()
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001  a payload or function that cannot be found here
            connection.send(Failure.of(error))
            continue
        connection.send(_call(function, payload))


def _leave_with(starter: int) -> None:
    while os.getppid() == starter:
        time.sleep(_ORPHAN_CHECK)
    os._exit(1)

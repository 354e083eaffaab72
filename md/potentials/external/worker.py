"""Evaluate an ASE calculator in whichever Python runs this file; needs NumPy and ASE there, nothing of this package.

    python -I worker.py '{"adapter": "adapters/matgl.py", "name": "TensorNet", "weights": "FOLDER", "settings": {}}'

Messages go over the standard streams: eight bytes of length, then a NumPy archive without pickles. The first message
says what the calculator is. After it every request, a batch of structures one after another (`sizes`, `numbers`,
`positions`, `cells`, and whether to `forget` the electrons of the last one), has one answer: `energies`, `forces`,
`stresses`, and for each structure the text of an error, or none, and its `kinds`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np

UNCONVERGED = "unconverged"
"""Kind of an error that says that the calculation was right and came to no end."""

_ORPHAN_CHECK = 0.5
"""s; how often a worker looks whether the process that started it is still there."""


def read_message(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message, or None where the stream has ended."""
    head = stream.read(8)
    if len(head) < 8:  # noqa: PLR2004  the length of the length
        return None
    length = int.from_bytes(head, "big")
    content = stream.read(length)
    if len(content) < length:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_message(stream: IO[bytes], **arrays: Any) -> None:
    """Send one message."""
    buffer = io.BytesIO()
    columns: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez(buffer, **columns)
    content = buffer.getvalue()
    stream.write(len(content).to_bytes(8, "big") + content)
    stream.flush()


def build(task: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The calculator that an adapter makes, and what it says of it.

    An adapter has one function that ends in `_calculator`. It takes the name of the potential, the path of its
    weights or None, and settings, and returns the ASE calculator and facts: `libraries` (names on PyPI of what changes
    the labels), and where they are known `elements`, `settings` with the defaults, `state` (a module of torch with the
    weights), `weights` (their path where the package knows it) and `files` (a path for each element).
    """
    spec = importlib.util.spec_from_file_location("adapter", task["adapter"])
    if spec is None or spec.loader is None:
        raise ImportError(f"{task['adapter']} is no Python file")
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    name = next(name for name in vars(adapter) if name.endswith("_calculator") and not name.startswith("_"))
    made: tuple[Any, dict[str, Any]] = getattr(adapter, name)(task["name"], task.get("weights"), task["settings"])
    return made


def describe(task: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """What a calculator is, as JSON values: libraries, hash of the weights, of the files by element, and of all."""
    libraries = {name: _version(name) for name in facts["libraries"]}
    settings = facts.get("settings", task["settings"])
    weights = _weights_hash(task.get("weights") or facts.get("weights"), facts.get("state"))
    identity = json.dumps([Path(task["adapter"]).stem, task["name"], settings, libraries, weights], sort_keys=True)
    return {
        "libraries": libraries,
        "settings": settings,
        "weights_sha256": weights,
        "sha256": hashlib.sha256(identity.encode()).hexdigest(),
        "elements": facts.get("elements"),
        "files": {element: path_hash(Path(path)) for element, path in facts.get("files", {}).items()},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _weights_hash(path: str | None, state: Any) -> str:
    if path:
        return path_hash(Path(path))
    if state is None:
        return ""
    digest = hashlib.sha256()
    for key, value in sorted(state.state_dict().items()):
        if hasattr(value, "detach"):
            digest.update(key.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def path_hash(path: Path) -> str:
    """The sha256 of a file, or of the names and contents of the files in a folder."""
    digest = hashlib.sha256()
    folder = path.is_dir()
    for part in sorted(p for p in path.rglob("*") if p.is_file()) if folder else [path]:
        if folder:
            digest.update(part.relative_to(path).as_posix().encode() + b"\0")
        with part.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def answer(calculator: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Labels of the structures of one request."""
    if bool(request["forget"]) and hasattr(calculator, "reset"):
        calculator.reset()
    ends = np.cumsum(request["sizes"])[:-1]
    parts = zip(np.split(request["numbers"], ends), np.split(request["positions"], ends), request["cells"])  # noqa: B905  older Pythons
    found = [_labels(calculator, *part) for part in parts]
    return {
        "energies": [one[0] for one in found],
        "forces": np.concatenate([one[1] for one in found]),
        "stresses": [one[2] for one in found],
        "errors": [one[3] for one in found],
        "kinds": [one[4] for one in found],
    }


def _labels(calculator: Any, numbers: Any, positions: Any, cell: Any) -> tuple[float, Any, Any, str, str]:
    """Energy, forces, stress, error and its kind; the energy is the one that the forces are the gradient of."""
    from ase import Atoms
    from ase.calculators.calculator import PropertyNotImplementedError

    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True)
    atoms.calc = calculator
    try:
        try:
            energy = atoms.get_potential_energy(force_consistent=True)
        except PropertyNotImplementedError:
            energy = atoms.get_potential_energy()
        forces, stress = atoms.get_forces(), atoms.get_stress()
        return float(energy), np.asarray(forces, float), np.asarray(stress, float), "", ""
    except Exception as error:  # noqa: BLE001  reported to the other side
        kind = UNCONVERGED if "Convergence" in type(error).__name__ else "failed"
        return np.nan, np.full((len(numbers), 3), np.nan), np.full(6, np.nan), _text(error), kind


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def serve_requests() -> None:
    """Serve until the requests end, or the process that makes them."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the starter decides what Ctrl-C means
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the messages
    task = json.loads(sys.argv[1])
    try:
        calculator, facts = build(task)
        about = describe(task, facts)
    except Exception as error:  # noqa: BLE001  reported to the other side
        write_message(out, error=_text(error))
        return
    write_message(out, about=json.dumps(about))
    while (request := read_message(sys.stdin.buffer)) is not None:
        write_message(out, **answer(calculator, request))


def _leave_with(starter: int) -> None:
    while os.getppid() == starter:
        time.sleep(_ORPHAN_CHECK)
    os._exit(1)


if __name__ == "__main__":
    serve_requests()

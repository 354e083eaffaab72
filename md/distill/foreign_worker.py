"""Evaluate an ASE calculator in whichever Python runs this file; needs NumPy and ASE there, nothing of this package.

    python foreign_worker.py sevenn.calculator:SevenNetCalculator '{"model": "7net-0"}'

Messages go over the standard streams: eight bytes of length, then a NumPy archive without pickles. The first message
says what the calculator is; after it every request (numbers, positions, cell) has one answer (energy, forces, stress).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import io
import json
import os
import sys
import warnings
from typing import IO, Any

import numpy as np


def read_message(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message, or None where the stream has ended."""
    head = stream.read(8)
    if len(head) < 8:  # noqa: PLR2004  the length of the length
        return None
    content = stream.read(int.from_bytes(head, "big"))
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


def build(path: str, settings: dict[str, Any]) -> Any:
    """The calculator that `module:Name` makes with these settings."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)(**settings)


def describe(calculator: Any, path: str, settings: dict[str, Any]) -> dict[str, str]:
    """Package and version of a calculator, and the hash of its weights (of its settings where it shows none)."""
    package = path.partition(":")[0].partition(".")[0]
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    digest = hashlib.sha256(json.dumps([path, settings, package, version], sort_keys=True).encode())
    state: dict[str, Any] = getattr(getattr(calculator, "model", None), "state_dict", dict)()
    for key, value in sorted(state.items()):
        if hasattr(value, "detach"):
            digest.update(key.encode() + value.detach().cpu().numpy().tobytes())
    return {"package": package, "version": version, "sha256": digest.hexdigest()}


def answer(calculator: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Labels of one request; a text under `error` where the calculator fails."""
    from ase import Atoms

    atoms = Atoms(numbers=request["numbers"], positions=request["positions"], cell=request["cell"], pbc=True)
    atoms.calc = calculator
    try:
        energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    except Exception as error:  # noqa: BLE001  reported to the other side
        return {"error": f"{type(error).__name__}: {error}"}
    return {"energy": float(energy), "forces": np.asarray(forces, float), "stress": np.asarray(stress, float)}


def serve_requests() -> None:
    """Serve until the requests end."""
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the messages
    path, settings = sys.argv[1], json.loads(sys.argv[2])
    try:
        calculator = build(path, settings)
        about = describe(calculator, path, settings)
    except Exception as error:  # noqa: BLE001  reported to the other side
        write_message(out, error=f"{type(error).__name__}: {error}")
        return
    write_message(out, about=json.dumps(about))
    while (request := read_message(sys.stdin.buffer)) is not None:
        write_message(out, **answer(calculator, request))


if __name__ == "__main__":
    serve_requests()

"""What a consumer read, as JSON for the suite; runs in every environment, so it needs NumPy alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(sys.argv[1])
"""The dataset."""

WORK = Path(sys.argv[2])
"""Where a consumer may write; `report.json` is looked for in it."""

VOIGT_TO_FULL = [0, 5, 4, 5, 1, 3, 4, 3, 2]

_found: dict[str, Any] = {"read": {}, "done": []}


def read(what: str, rows: Iterable[tuple[Any, Any, Any]]) -> None:
    """Note energies (eV), forces (eV/Å) and stresses (eV/Å³, positive under tension) as a consumer has them.

    Args:
        what: file or folder that it read.
        rows: a frame each; None instead of a stress that the consumer does not take.
    """
    _found["read"][what] = [
        {
            "energy": float(np.asarray(energy).ravel()[0]),
            "forces": np.asarray(forces, dtype=float).reshape(-1, 3).tolist(),
            "stress": None if stress is None else full(stress),
        }
        for energy, forces, stress in rows
    ]


def full(stress: Any) -> list[float]:
    """The nine components of a stress of six (xx, yy, zz, yz, xz, xy) or nine."""
    values = np.asarray(stress, dtype=float).ravel()
    return (values[VOIGT_TO_FULL] if values.size == 6 else values).tolist()


def done(what: str) -> None:
    """Note something else that went well: an epoch, a command."""
    _found["done"].append(what)


def publish(package: str) -> None:
    """Write what was noted, with the version of a package."""
    _found["version"] = version(package)
    (WORK / "report.json").write_text(json.dumps(_found))

"""Any ASE calculator by its import path: `ase.calculators.lj:LennardJones`, with JSON settings behind it if any.

An import path names code that runs, so it needs the user's trust; its hash is that of the source file and settings.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from md.labels.third_party import silent_loading
from md.potentials.potential import Potential

NEEDED = ("energy", "forces", "stress")


def is_import_path(spec: str) -> bool:
    """Whether a text reads `module:Class` or `module:Class{...}` with JSON settings."""
    module, colon, rest = spec.partition(":")
    name = rest.partition("{")[0]
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def describe_imported(spec: str) -> Potential:
    """The calculator at an import path as a `Potential`; imports its module, which runs it.

    Raises:
        PotentialError: it cannot be imported, lacks energy, forces or stress, or its settings are no JSON object.
    """
    from ase.data import chemical_symbols

    _make(spec)
    name = spec.partition(":")[2].partition("{")[0]
    return ImportedPotential(name, "ase", frozenset(chemical_symbols[1:]), "float64", _digest(spec), spec, "ase")


@dataclass(frozen=True)
class ImportedPotential(Potential):
    """An ASE calculator that a user names by `module:Name`; `source` is that name."""

    def load(self) -> Any:
        """A fresh calculator.

        Raises:
            PotentialError: the source file is not the one with this hash any more, or as for `describe_imported`.
        """
        if _digest(self.source) != self.sha256:
            raise PotentialError(
                f"{self.source}: its source file changed since it was chosen; start again with it as it is"
            )
        return _make(self.source)


def _make(spec: str) -> Any:
    kind, settings = _class_of(spec), _settings_of(spec)
    try:
        with silent_loading():
            calculator = kind(**settings)
    except Exception as error:
        raise PotentialError(f"{spec}: cannot be made with these settings ({type(error).__name__}: {error})") from error
    missing = [name for name in NEEDED if name not in getattr(calculator, "implemented_properties", ())]
    if missing:
        raise PotentialError(f"{spec}: computes no {' and no '.join(missing)}, which relaxation and dynamics need")
    return calculator


def _class_of(spec: str) -> Any:
    module, _, rest = spec.partition(":")
    name = rest.partition("{")[0]
    try:
        with silent_loading():
            return getattr(import_module(module), name)
    except Exception as error:
        raise PotentialError(
            f"{spec}: no calculator can be imported from there ({type(error).__name__}: {error}); "
            "write module:Class, such as ase.calculators.lj:LennardJones"
        ) from error


def _settings_of(spec: str) -> dict[str, Any]:
    _, brace, rest = spec.partition("{")
    if not brace:
        return {}
    try:
        settings: dict[str, Any] = json.loads(brace + rest)
    except ValueError as error:
        raise PotentialError(f"{spec}: the settings are no JSON object ({error})") from None
    return settings


def _digest(spec: str) -> str:
    """Hash of the source file and of the settings."""
    path = getattr(import_module(_class_of(spec).__module__), "__file__", None)
    content = Path(path).read_bytes() if path else b""
    settings = json.dumps(_settings_of(spec), sort_keys=True).encode()
    return hashlib.sha256(content + b"\0" + settings).hexdigest()

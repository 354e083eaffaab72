"""The user's own potentials: one JSON file each in the user's configuration, written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from augment.errors import PotentialError
from augment.storage.archive import write_atomically
from md.potentials.external.places import CONFIGURATION_VARIABLE, configuration_folder
from md.potentials.external.spec import ExternalSpec

__all__ = ["AddedPotential", "added_names", "forget_added", "read_added", "write_added"]

_FORMAT = 1


@dataclass(frozen=True)
class AddedPotential:
    """A potential that the user added.

    Attributes:
        spec: how it is made.
        about: what its worker said of it when it passed its self-test.
    """

    spec: ExternalSpec
    about: dict[str, Any]


def added_names() -> list[str]:
    """Names of all that were added, sorted; files that cannot be read among them."""
    return sorted(unquote(path.stem) for path in _folder().glob("[!.]*.json"))


def read_added(name: str) -> AddedPotential | None:
    """What was added under a name; None where nothing was.

    Raises:
        PotentialError: its file is damaged or of a newer version.
    """
    path = _path(name)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
        version = content["format"]
        if version == _FORMAT:
            return _added(name, content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PotentialError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); add the potential again, or remove the file"
        ) from None
    raise PotentialError(f"{path}: format {version}, where this version knows {_FORMAT}; update defectgen")


def write_added(added: AddedPotential) -> Path:
    """Write a potential down under its name, in the place of an older one.

    Raises:
        PotentialError: the folder cannot be written.
    """
    spec = added.spec
    content = {
        "format": _FORMAT,
        "package": spec.package_name,
        "python": spec.python,
        "weights": spec.weights,
        "settings": spec.settings,
        "about": added.about,
    }
    path = _path(spec.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(content, indent=1, sort_keys=True).encode())
    except OSError as error:
        raise PotentialError(
            f"{path}: cannot be written ({error.strerror}); name another folder in ${CONFIGURATION_VARIABLE}"
        ) from None
    return path


def forget_added(name: str) -> None:
    """Remove a potential from the list; its environment and weights stay.

    Raises:
        PotentialError: none was added under this name.
    """
    path = _path(name)
    if not path.is_file():
        known = ", ".join(added_names()) or "none"
        raise PotentialError(f"no potential was added as {name!r}; added are: {known}")
    path.unlink()


def _added(name: str, content: dict[str, Any]) -> AddedPotential:
    settings, about = content["settings"], content["about"]
    if not isinstance(settings, dict) or {"sha256", "libraries", "settings", "weights_sha256", "elements", "files"} - {
        *about
    }:
        raise ValueError("values are missing")
    texts = [content[key] for key in ("package", "python", "weights")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a path is no text")
    package, python, weights = texts
    spec = ExternalSpec(name, package, python, weights, json.dumps(settings, sort_keys=True))
    _ = spec.package  # a package that there is
    return AddedPotential(spec, about)


def _folder() -> Path:
    return configuration_folder() / "potentials"


def _path(name: str) -> Path:
    return _folder() / f"{quote(name, safe='')}.json"

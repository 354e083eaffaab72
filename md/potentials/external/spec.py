"""What a potential of another package is: the interpreter, the package, the weights and the settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from md.potentials.external.packages import KnownPackage, package_named
from md.potentials.imported import is_import_path

__all__ = ["ExternalSpec", "import_path_spec"]


@dataclass(frozen=True)
class ExternalSpec:
    """How a potential of another package is made.

    Attributes:
        name: what it is called here, and, where the package goes by names, there.
        package_name: of its line in `md.potentials.external.packages`.
        python: interpreter of the other environment.
        weights: file or folder of the weights; empty where the package finds them by the name.
        settings_json: a JSON object with sorted keys.
    """

    name: str
    package_name: str
    python: str
    weights: str = ""
    settings_json: str = "{}"

    @cached_property
    def package(self) -> KnownPackage:
        """How its package makes calculators."""
        return package_named(self.package_name)

    @property
    def settings(self) -> dict[str, Any]:
        """Values for the adapter."""
        values: dict[str, Any] = json.loads(self.settings_json)
        return values

    @property
    def task(self) -> dict[str, Any]:
        """Values for the worker."""
        return {
            "adapter": str(self.package.file),
            "name": self.name,
            "weights": self.weights or None,
            "settings": self.settings,
        }

    @property
    def identifying_text(self) -> str:
        """Everything that may say which data it has learnt: name, file of the weights, settings."""
        return f"{self.name} {Path(self.weights).name} {self.settings_json}"

    def check_files(self) -> None:
        """Check that interpreter and weights are there.

        Raises:
            PotentialError: one is not.
        """
        if not Path(self.python).is_file():
            raise PotentialError(f"{self.name}: there is no interpreter {self.python}; add it again with --python PATH")
        if self.weights and not Path(self.weights).exists():
            raise PotentialError(f"{self.name}: there are no weights {self.weights}; add it again with --weights FILE")


def import_path_spec(text: str, python: str, name: str | None = None) -> ExternalSpec:
    """The calculator of `module:Class`, with JSON settings behind it if any.

    Raises:
        PotentialError: the text is no import path, or the settings are no JSON object.
    """
    path, brace, rest = text.partition("{")
    try:
        settings = json.loads(brace + rest or "{}")
    except ValueError:
        settings = None
    if not (isinstance(settings, dict) and is_import_path(path)):
        raise PotentialError(f'{text}: write module:Class, with settings as module:Class{{"key": "value"}}')
    settings_json = json.dumps({**settings, "calculator": path}, sort_keys=True)
    return ExternalSpec(name or path.partition(":")[2], "import_path", python, "", settings_json)

"""Adding a potential of another package to one's own, and testing it again after its environment changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from md.potentials.external.packages import IMPORT_PATH, KNOWN_PACKAGES, package_named, package_of
from md.potentials.external.potential import ExternalPotential, about_external, external_potential
from md.potentials.external.registry import AddedPotential, read_added, write_added
from md.potentials.external.spec import ExternalSpec, import_path_spec

__all__ = ["add_external", "added_potential", "retest_external", "unnamed_external"]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._:-]*"


def add_external(
    name: str,
    python: str | Path,
    *,
    weights: str | Path | None = None,
    calculator: str | None = None,
    package: str | None = None,
    settings: Mapping[str, Any] | None = None,
    elements: Sequence[str] = (),
) -> ExternalPotential:
    """Add a potential of another environment under a name that then works wherever a potential is named.

    Args:
        name: one of a known package (`TensorNet-...`, `nequix-...`, `7net-...`, `mace_mp:...`, `mattersim`, `orb-...`,
            `uma-...`, `GRACE-...`, `gpaw:XC`); any other with `calculator` or `package`.
        python: interpreter of the environment where the package is.
        weights: file or folder of the weights, where the package does not find them by the name.
        calculator: `module:Class` of an ASE calculator, or of a function that makes one; JSON settings may follow.
        package: which adapter makes it, for a name that does not say it.
        settings: for the adapter or the calculator.
        elements: symbols that it covers, where it does not say them itself.

    Raises:
        PotentialError: the name or a path is wrong, the calculator cannot be made, or fails its self-test.
    """
    if not re.fullmatch(_NAME, name):
        raise PotentialError(f"{name!r} is no name for a potential; use letters, digits, and any of . _ : -")
    interpreter = _interpreter(python)
    spec = _spec(name, interpreter, "" if weights is None else _weights(weights), calculator, package, settings or {})
    about = about_external(spec, again=True)
    if elements:
        about = {**about, "elements": sorted(set(elements))}
    write_added(AddedPotential(spec, about))
    return external_potential(spec, about)


def retest_external(name: str) -> ExternalPotential:
    """Test an added potential as it is now; where it passes, it is from now on what it has become.

    Raises:
        PotentialError: none was added under this name, it cannot be made, or fails its self-test.
    """
    added = read_added(name)
    if added is None:
        raise PotentialError(f"no potential was added as {name!r}; `defectgen potentials add {name} --python PATH`")
    about = about_external(added.spec, again=True)
    if about["elements"] is None:
        about = {**about, "elements": added.about["elements"]}
    write_added(AddedPotential(added.spec, about))
    return external_potential(added.spec, about)


def added_potential(name: str) -> ExternalPotential | None:
    """The potential that was added under a name, without starting its worker; None where there is none.

    Raises:
        PotentialError: its file is damaged.
    """
    added = read_added(name)
    return None if added is None else external_potential(added.spec, added.about)


def unnamed_external(text: str, python: str | Path) -> ExternalPotential:
    """A potential of another environment for this once: a name of a known package, or `module:Class` with settings.

    Raises:
        PotentialError: the text is neither, the calculator cannot be made, or fails its self-test.
    """
    interpreter = _interpreter(python)
    if package_of(text) is None:
        spec = import_path_spec(text, interpreter)
    else:
        spec = _spec(text, interpreter, "", None, None, {})
    return external_potential(spec, about_external(spec))


def _interpreter(python: str | Path) -> str:
    """Its absolute path; links are kept, as an environment is known by that of its interpreter."""
    path = Path(os.path.abspath(Path(python).expanduser()))  # noqa: PTH100  resolve() would leave the environment
    if path.is_dir():
        path /= "bin/python"
    if not path.is_file():
        raise PotentialError(f"{path}: no interpreter there; name the Python of the environment with --python")
    return str(path)


def _weights(weights: str | Path) -> str:
    path = Path(weights).expanduser().absolute()
    if not path.exists():
        raise PotentialError(f"{path}: no weights there; name a file or folder with --weights")
    return str(path)


def _spec(
    name: str, python: str, weights: str, calculator: str | None, package: str | None, settings: Mapping[str, Any]
) -> ExternalSpec:
    if calculator is not None and package is not None:
        raise PotentialError("--calculator and --package say two things; give one")
    if calculator is not None:
        base = import_path_spec(calculator, python, name)
        return ExternalSpec(name, IMPORT_PATH.name, python, weights, _json({**base.settings, **settings}))
    chosen = package_of(name) if package is None else package_named(package)
    if chosen is None:
        examples = ", ".join(known.example for known in KNOWN_PACKAGES)
        raise PotentialError(
            f"{name!r}: no package is known for this name; names such as {examples} are known, another goes with "
            "--calculator module:Class or --package PACKAGE"
        )
    where = os.environ.get("GPAW_SETUP_PATH")
    found = {"setup_path": where} if chosen.electrons and where else {}
    return ExternalSpec(name, chosen.name, python, weights, _json({**found, **settings}))


def _json(settings: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(settings), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PotentialError(f"settings must be JSON values ({error})") from None

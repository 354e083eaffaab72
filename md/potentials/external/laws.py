"""The self-test of a potential of another package: once for each set of weights, versions and settings.

Who passed is remembered by hash in the user's folder; who fails is refused, whoever asks.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from augment.errors import PotentialError
from augment.storage.archive import write_atomically
from md.potentials.external.places import configuration_folder
from md.potentials.external.spec import ExternalSpec
from md.potentials.self_test import LawCheck, self_test

__all__ = ["ensure_lawful", "outcome_of"]


def ensure_lawful(calculator: Any, spec: ExternalSpec, *, again: bool = False) -> None:
    """Test a calculator that has not passed before.

    Args:
        calculator: with `about`.
        spec: how it was made.
        again: test it even where it has passed.

    Raises:
        PotentialError: it fails; the message says which law it breaks, and by how much.
    """
    about, path = calculator.about, configuration_folder() / "tested" / f"{calculator.about['sha256']}.json"
    if path.is_file() and not again:
        return
    checks = _checks(calculator, spec)
    failed = [check for check in checks if not check.passed]
    if failed:
        libraries = ", ".join(f"{name} {version}" for name, version in sorted(about["libraries"].items()))
        raise PotentialError(f"{spec.name} fails its self-test with {libraries}: {'; '.join(map(str, failed))}")
    outcome = {
        "name": spec.name,
        "libraries": about["libraries"],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "checks": [check.json for check in checks],
    }
    with suppress(OSError):  # a folder that cannot be written costs a test at the next load
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(outcome, indent=1).encode())


def outcome_of(sha256: str) -> dict[str, Any] | None:
    """What the self-test found of the potential with this hash; None where it has not passed one."""
    try:
        found: dict[str, Any] = json.loads((configuration_folder() / "tested" / f"{sha256}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found


def _checks(calculator: Any, spec: ExternalSpec) -> list[LawCheck]:
    from ase.data import chemical_symbols

    package = spec.package
    elements = calculator.about["elements"] or chemical_symbols[1:]
    try:
        return self_test(calculator, elements, package.known_crystals(spec.identifying_text), pulay=package.pulay)
    except PotentialError as error:
        raise PotentialError(f"{spec.name}: {error}") from None

"""A potential of another package, evaluated in an environment of its own: packages that clash serve one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from augment.errors import PotentialError
from md.potentials.external.calculator import RemoteCalculator
from md.potentials.external.laws import ensure_lawful
from md.potentials.external.process import WorkerProcess
from md.potentials.external.spec import ExternalSpec
from md.potentials.functionals import functional_in, names_dispersion
from md.potentials.potential import Potential

__all__ = ["ExternalPotential", "about_external", "external_potential"]

_NOBODY = ExternalSpec("", "import_path", "")


@dataclass(frozen=True)
class ExternalPotential(Potential):
    """An ASE calculator of any package in another environment.

    Attributes:
        spec: how it is made.
        about_json: what its worker said of it when it was described, as JSON.
        symbols: the elements whose files its hash is of, where it has a file for each.
    """

    spec: ExternalSpec = _NOBODY
    about_json: str = "{}"
    symbols: tuple[str, ...] = ()

    @property
    def uses_torch(self) -> bool:
        """Not in this process."""
        return False

    @property
    def provenance(self) -> dict[str, str]:
        """JSON values that say who made a label: hashes, versions and settings of the other environment."""
        about = json.loads(self.about_json)
        setups = ", ".join(f"{symbol} {about['files'][symbol]}" for symbol in self.symbols)
        if about["files"] and not setups:
            setups = f"all {_files_hash(about, about['files'])}"
        more = {
            "potential_settings": json.dumps(about["settings"], sort_keys=True) if about["settings"] else "",
            "potential_weights_sha256": about["weights_sha256"],
            "potential_setups_sha256": setups,
            "potential_functional": self.functional or "",
        }
        return {
            "potential": self.name,
            "potential_sha256": self.sha256,
            "potential_precision": self.precision,
            "potential_source": self.source,
            "potential_evaluator": _libraries(about),
            **{key: value for key, value in more.items() if value},
        }

    @property
    def functional(self) -> str | None:
        """The density functional that it imitates or is; None where nobody says."""
        return functional_in(self.spec.identifying_text)

    @property
    def holds_dispersion(self) -> bool:
        """By its name and settings."""
        return names_dispersion(self.spec.identifying_text)

    def narrowed(self, symbols: Iterable[str]) -> ExternalPotential:
        """The same for these elements only, where each has a file of its own: their files alone count in the hash."""
        about = json.loads(self.about_json)
        used = tuple(sorted(set(symbols) & set(about["files"])))
        return replace(self, symbols=used, sha256=_identity(about, used)) if used else self

    def require(self, symbols: Iterable[str]) -> None:
        """Check that the potential knows these element symbols.

        Raises:
            PotentialError: it does not; the message says what to do about it.
        """
        try:
            super().require(symbols)
        except PotentialError as error:
            note = self.spec.package.note
            raise PotentialError(f"{error}{note and f'; {note}'}") from None

    def atomic_energies(self, symbols: Iterable[str]) -> dict[str, float] | None:
        """As of every potential; none by electrons, for which a lone atom in a large box is a long calculation."""
        return None if self.spec.package.electrons else super().atomic_energies(symbols)

    def calculator(self) -> Any:
        """ASE calculator, one worker process for each process here; it starts without the electrons of the last job.

        Raises:
            PotentialError: it cannot be made, is not the one that was described, or fails its self-test.
        """
        calculator = super().calculator()
        calculator.reset()
        return calculator

    def load(self) -> Any:
        """A fresh worker process with its calculator, tested once for each set of weights and versions.

        Raises:
            PotentialError: see `calculator`.
        """
        self.spec.check_files()
        calculator = RemoteCalculator(WorkerProcess(self.spec.python, self.spec.task), self.name)
        found, expected = calculator.about, json.loads(self.about_json)
        if _identity(found, self.symbols) != self.sha256:
            raise PotentialError(f"{self.name}: {_change(expected, found)} since it was described; "
                                 f"`defectgen potentials test {self.name}` tests it as it is now")  # fmt: skip
        ensure_lawful(calculator, self.spec)
        return calculator


def about_external(spec: ExternalSpec, *, again: bool = False) -> dict[str, Any]:
    """What the worker says of a calculator that has passed its self-test.

    Args:
        spec: how it is made.
        again: test it even where it has passed before.

    Raises:
        PotentialError: it cannot be made, or fails its self-test.
    """
    spec.check_files()
    calculator = RemoteCalculator(WorkerProcess(spec.python, spec.task), spec.name)
    ensure_lawful(calculator, spec, again=again)
    return calculator.about


def external_potential(spec: ExternalSpec, about: dict[str, Any]) -> ExternalPotential:
    """The potential that a worker described; where it does not say its elements it is taken to know them all.

    What it does not know then shows as an error when it is asked.
    """
    from ase.data import chemical_symbols

    path = spec.settings.get("calculator", "")
    return ExternalPotential(
        name=spec.name,
        kind="ase",
        elements=frozenset(about["elements"] or chemical_symbols[1:]),
        precision=spec.package.precision,
        sha256=_identity(about, ()),
        source=f"{_libraries(about)}{path and f', {path}'}",
        spec=spec,
        about_json=json.dumps(about, sort_keys=True),
    )


def _identity(about: dict[str, Any], symbols: Iterable[str]) -> str:
    """Hash of weights, settings and versions, and of the files of these elements, of all where none is named."""
    if not about["files"]:
        return str(about["sha256"])
    return hashlib.sha256(
        f"{about['sha256']} {_files_hash(about, tuple(symbols) or about['files'])}".encode()
    ).hexdigest()


def _files_hash(about: dict[str, Any], symbols: Iterable[str]) -> str:
    files = [(symbol, about["files"].get(symbol, "")) for symbol in sorted(symbols)]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _libraries(about: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(about["libraries"].items()))


def _change(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What is not as it was."""
    if before["libraries"] != now["libraries"]:
        return f"{_libraries(before)} became {_libraries(now)}"
    if before["weights_sha256"] != now["weights_sha256"]:
        return "its weights changed"
    changed = sorted(e for e in before["files"] if before["files"][e] != now["files"].get(e))
    return f"the files of {', '.join(changed)} changed" if changed else "its settings changed"

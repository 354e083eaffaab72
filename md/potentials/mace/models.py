"""MACE potentials in float64: students, and a user's own model where it is trusted; native where that is right.

Batatia et al., NeurIPS 35 (2022), https://arxiv.org/abs/2206.07697.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from augment.elements import element_symbol
from augment.errors import PotentialError
from md.labels.third_party import silent_loading
from md.potentials.domain import Domain, domain_of
from md.potentials.functionals import functional_in, names_dispersion
from md.potentials.mace.native import NotNativeError, native_calculator
from md.potentials.mace.torch_calculator import torch_calculator
from md.potentials.potential import EvaluatorName, Potential

NETWORKS = frozenset({"student", "mace"})
"""Kinds of potential that are MACE networks."""


def describe_student(name: str) -> Potential:
    """A student as a `Potential`, from its card; needs no torch.

    Raises:
        PotentialError: no student has this name.
    """
    from md.students import student_card

    card = student_card(name)
    elements = frozenset(str(symbol) for symbol in card["elements"])
    digest, source = str(card["weights"]["sha256"]), f"defectgen student {name}"
    return StudentPotential(name, "student", elements, "float64", digest, source, "mace-torch")


@dataclass(frozen=True)
class StudentPotential(Potential):
    """A student: a small MACE network distilled from a larger teacher."""

    @property
    def domain(self) -> Domain | None:
        """Where it may be believed, by its card."""
        return _domain(self.name)

    @property
    def functional(self) -> str | None:
        """Of its teacher, by its card."""
        return functional_in(_teacher_text(self.name))

    @property
    def holds_dispersion(self) -> bool:
        """Whether its teacher did."""
        return names_dispersion(_teacher_text(self.name))

    def load(self) -> Any:
        """The calculator of the student, by its evaluator.

        Raises:
            PotentialError: its weights are damaged, fail their self-test or changed since the student was chosen.
        """
        from md.students import load_student, student_folders
        from md.students.folders import WEIGHTS

        content = _read_model(student_folders()[self.name] / WEIGHTS)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise PotentialError(
                f"the weights of {self.name} are not those of its card: altered, or chosen before a change"
            )
        return _calculator(self.sha256, self.evaluator, lambda: load_student(self.name)[0])


def _teacher_text(name: str) -> str:
    from md.students import student_card

    teacher = student_card(name).get("teacher", {})
    return f"{teacher.get('name', '')} {teacher.get('source', '')}"


@lru_cache(maxsize=8)
def _domain(name: str) -> Domain | None:
    from md.students import student_card

    return domain_of(student_card(name))


def describe_model(path: Path) -> Potential:
    """A user's MACE model file as a `Potential`.

    The file is a Python pickle and runs code when it is loaded: callers ask for the user's trust first.

    Raises:
        PotentialError: the file is missing, or is no MACE model.
    """
    content = _read_model(path)
    digest = hashlib.sha256(content).hexdigest()
    module = _unpickle(content, path)
    elements = frozenset(element_symbol(z) for z in module.atomic_numbers)
    return ModelPotential(path.name, "mace", elements, "float64", digest, str(path.resolve()), "mace-torch")


@dataclass(frozen=True)
class ModelPotential(Potential):
    """A user's trusted MACE model; `source` is its path."""

    @property
    def functional(self) -> str | None:
        """By the name of its file."""
        return functional_in(self.name)

    @property
    def holds_dispersion(self) -> bool:
        """By the name of its file."""
        return names_dispersion(self.name)

    def load(self) -> Any:
        """The calculator of the model, by its evaluator.

        Raises:
            PotentialError: the file is not the one with this hash any more, or is no MACE model.
        """
        path = Path(self.source)
        content = _read_model(path)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise PotentialError(f"{path}: the model changed since it was trusted; start again with the file as it is")
        return _calculator(self.sha256, self.evaluator, lambda: _unpickle(content, path))


def fastest(potential: Potential) -> Potential:
    """A MACE potential with the evaluator that runs it fastest here and agrees with mace-torch; others as they are.

    The first time for a set of weights this converts the network and compiles it, which takes some seconds.

    Raises:
        PotentialError: its weights are damaged.
    """
    if potential.kind not in NETWORKS:
        return potential
    native = replace(potential, evaluator="symmetrix-xl")
    try:
        native.calculator()
    except NotNativeError:
        return replace(potential, evaluator="mace-torch")
    return native


def through_torch(potential: Potential) -> Potential:
    """A MACE potential with the library that evaluates batches.

    Raises:
        PotentialError: it is no MACE network.
    """
    if potential.kind not in NETWORKS:
        raise PotentialError(
            f"potential {potential.name} cannot be evaluated in batches or on a GPU, which takes a MACE network; "
            "use engine ase or lammps on the CPU, or a MACE model"
        )
    return replace(potential, evaluator="mace-torch")


def _calculator(sha256: str, evaluator: EvaluatorName, load: Callable[[], Any]) -> Any:
    with silent_loading():
        return torch_calculator(load()) if evaluator == "mace-torch" else native_calculator(sha256, load)


def _read_model(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PotentialError(f"{path}: the MACE model cannot be read ({error.strerror})") from None


def _unpickle(content: bytes, path: Path) -> Any:
    with silent_loading():
        import mace.calculators  # noqa: F401  the classes that the pickle names
        import torch

        try:
            # The user trusted this file; it is loaded from the very bytes that were hashed.
            module = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)
        except Exception as error:
            raise PotentialError(_no_model(path, error)) from error
    if not (hasattr(module, "atomic_numbers") and hasattr(module, "r_max")):
        raise PotentialError(f"{path}: holds a {type(module).__name__}, which is no MACE model")
    return module


def _no_model(path: Path, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}"
    if "e3nn" in reason:
        return (
            f"{path}: saved under another e3nn than {version('e3nn')} installed here ({reason}); load it where it was "
            "saved and save it again with this version"
        )
    return f"{path}: not a MACE model that loads here ({reason}); save it again with mace-torch {version('mace-torch')}"

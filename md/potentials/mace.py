"""MACE potentials in float64: the shipped students, and a user's own model where it is trusted.

Batatia et al., NeurIPS 35 (2022), https://arxiv.org/abs/2206.07697.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from md.potentials.potential import Potential
from md.quiet import quiet_loading


def describe_student(name: str) -> Potential:
    """A shipped student as a `Potential`, from its card; needs no torch.

    Raises:
        PotentialError: no student has this name.
    """
    from md.students import student_card

    card = student_card(name)
    elements = frozenset(str(symbol) for symbol in card["elements"])
    return Potential(name, "student", elements, "float64", str(card["weights"]["sha256"]), f"defectgen student {name}")


def student_calculator(name: str) -> Any:
    """ASE calculator of a shipped student.

    Raises:
        PotentialError: its weights are damaged or fail their self-test.
    """
    from md.students import load_student

    with quiet_loading():
        module, _ = load_student(name)
    return _calculator(module)


def describe_model(path: Path) -> Potential:
    """A user's MACE model file as a `Potential`.

    The file is a Python pickle and runs code when it is loaded: callers ask for the user's trust first.

    Raises:
        PotentialError: the file is missing, or is no MACE model.
    """
    content = _read_model(path)
    digest = hashlib.sha256(content).hexdigest()
    module = _unpickle(content, path)
    from ase.data import chemical_symbols

    elements = frozenset(chemical_symbols[int(z)] for z in module.atomic_numbers)
    return Potential(path.name, "mace", elements, "float64", digest, str(path.resolve()))


def model_calculator(path: Path, sha256: str) -> Any:
    """ASE calculator of a user's trusted MACE model.

    Raises:
        PotentialError: the file is not the one with this hash any more, or is no MACE model.
    """
    content = _read_model(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PotentialError(f"{path}: the model changed since it was trusted; start again with the file as it is")
    return _calculator(_unpickle(content, path))


def _read_model(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PotentialError(f"{path}: the MACE model cannot be read ({error.strerror})") from None


def _unpickle(content: bytes, path: Path) -> Any:
    with quiet_loading():
        import mace.calculators  # noqa: F401  the classes that the pickle names
        import torch

        try:
            # The user trusted this file; it is loaded from the very bytes that were hashed.
            module = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)
        except Exception as error:
            raise PotentialError(
                f"{path}: not a MACE model that loads here ({type(error).__name__}: {error}); "
                "save it again with the versions of mace-torch and e3nn installed here"
            ) from error
    if not (hasattr(module, "atomic_numbers") and hasattr(module, "r_max")):
        raise PotentialError(f"{path}: holds a {type(module).__name__}, which is no MACE model")
    return module


def _calculator(module: Any) -> Any:
    with quiet_loading():
        from md.potentials.mace_calculator import QuietMace

        return QuietMace(module)

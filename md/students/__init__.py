"""Students: small MACE potentials distilled from a larger teacher and kept as safetensors and JSON.

A student is a folder with `weights.safetensors` (the state of a `ScaleShiftMACE`, float64), `card.json` (constructor
settings, hashes, data, held-out errors, domain) and `README.md` (the card to read). Some are shipped beside this file;
those that a user distils are in the folder of `user_folder()`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.errors import PotentialError
from augment.storage.archive import write_atomically
from augment.versions import versions
from md.students.folders import CARD, WEIGHTS, register_folder, remedy, student_folders, user_folder

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "load_student",
    "read_student",
    "register_folder",
    "save_student",
    "student_card",
    "student_folders",
    "student_names",
    "user_folder",
]

STUDENT_FORMAT = 1


def student_names() -> tuple[str, ...]:
    """Names of all students (`mace-mgo`, ...), the user's own before the shipped ones; needs no torch."""
    return tuple(student_folders())


def student_card(name: str) -> dict[str, Any]:
    """The card of a student: elements, teacher, data, errors, domain, versions; needs no torch.

    Raises:
        PotentialError: no student has this name, or its card cannot be read.
    """
    return _read_card(_folder(name))


def load_student(name: str) -> tuple[nn.Module, dict[str, Any]]:
    """A student as (`ScaleShiftMACE` in float64 on the CPU, its card), checked before it is returned.

    The weights must have the SHA-256 of the card, fit the network the card describes, and give the card's
    energy, largest force and stress on its reference cell. Global torch settings are left as they were.

    Raises:
        PotentialError: no student has this name, or any of these checks fails.
    """
    return read_student(_folder(name))


def read_student(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """As `load_student`, from the folder that `save_student` wrote.

    Raises:
        PotentialError: a file is missing, damaged or altered, or the loaded network fails its self-test.
    """
    from md.students.network import build_network
    from md.students.selftest import check_reference

    card = _read_card(folder)
    state = _read_weights(folder / WEIGHTS, card["weights"]["sha256"])
    network = build_network(card["config"], state, where=str(folder))
    check_reference(network, card["reference"], where=str(folder))
    return network, card


def save_student(network: nn.Module, folder: Path, card: Mapping[str, Any]) -> None:
    """Write a trained `ScaleShiftMACE` and its card to `folder`, then read them back as a check.

    Args:
        network: the trained network; it is stored in float64.
        folder: where to write `weights.safetensors` and `card.json`.
        card: what the recipe knows (name, elements, teacher, data, errors, domain). The constructor settings,
            the hash of the weights, the versions and the reference cell's values are added here.

    Raises:
        PotentialError: the network is of another kind, or what was written does not give it back.
    """
    from safetensors.torch import save

    from md.students.network import LIBRARIES, config_of
    from md.students.selftest import reference_of

    config = config_of(network)
    state = {key: value.detach().cpu().contiguous().clone() for key, value in network.state_dict().items()}
    content = save(state)
    full = {
        **card,
        "format": STUDENT_FORMAT,
        "config": config,
        "weights": {"file": WEIGHTS, "sha256": hashlib.sha256(content).hexdigest()},
        "reference": reference_of(network, config["atomic_numbers"]),
        "versions": versions(*LIBRARIES),
    }
    write_atomically(folder / WEIGHTS, content)
    write_atomically(folder / CARD, (json.dumps(full, indent=1, sort_keys=True) + "\n").encode())
    read_student(folder)


def _folder(name: str) -> Path:
    folders = student_folders()
    if name not in folders:
        raise PotentialError(f"no student is called {name!r}; there are: {', '.join(folders) or 'none'}")
    return folders[name]


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PotentialError(f"{path}: unreadable student card ({error}); {remedy(path.parent)}") from None
    needed = {"format", "name", "elements", "config", "weights", "reference"}
    if not isinstance(card, dict) or not needed <= card.keys() or card["format"] != STUDENT_FORMAT:
        raise PotentialError(f"{path}: not a student's card of format {STUDENT_FORMAT}; {remedy(path.parent)}")
    return card


def _read_weights(path: Path, expected: str) -> dict[str, Tensor]:
    """Tensors of a safetensors file whose SHA-256 is `expected`."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = path.read_bytes()
    except OSError as error:
        raise PotentialError(f"{path}: weights cannot be read ({error}); {remedy(path.parent)}") from None
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise PotentialError(
            f"{path}: SHA-256 is {actual[:12]}..., the card says {expected[:12]}...; the weights were "
            f"altered, {remedy(path.parent)}"
        )
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise PotentialError(f"{path}: not a safetensors file ({error}); {remedy(path.parent)}") from None

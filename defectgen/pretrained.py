"""Weights of the generative model: safetensors beside a JSON card that holds their hash, sizes and origin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.errors import DataError, SettingsError
from augment.store import write_atomically

if TYPE_CHECKING:
    from defectgen.diffusion import Bridge
    from defectgen.network import DisplacementNetwork

FOLDER = Path(__file__).parent / "weights"
"""Where the shipped weights are."""

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network with what is needed to sample from it.

    Attributes:
        name: shipped name, or the path it was loaded from.
        network: the network, float32.
        bridge: the noise it was trained with.
        card: where it comes from: corpus, teacher, settings, elements, curves, versions.
        sha256: of the weights file.
    """

    name: str
    network: DisplacementNetwork
    bridge: Bridge
    card: Mapping[str, Any]
    sha256: str

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements it has learnt from."""
        return frozenset(self.card["elements"])


def model_names() -> list[str]:
    """Names of the shipped models."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def save_model(path: Path, network: DisplacementNetwork, bridge: Bridge, card: Mapping[str, Any]) -> None:
    """Write `path` (.safetensors) and the JSON card beside it, each atomically.

    Raises:
        SettingsError: the card lacks the list of elements.
    """
    from safetensors.torch import save

    if "elements" not in card:
        raise SettingsError("a model card must list the elements that were learnt from")
    content = save({name: value.contiguous() for name, value in network.state_dict().items()})
    head = {
        "format": FORMAT,
        "sha256": hashlib.sha256(content).hexdigest(),
        "network": asdict(network.config),
        "bridge": asdict(bridge),
    }
    write_atomically(path, content)
    write_atomically(path.with_suffix(".json"), (json.dumps({**head, **card}, indent=1) + "\n").encode())


def load_model(name: str = "default") -> Model:
    """A shipped model by name, or one from the path of its .safetensors file; loaded once in a process.

    Raises:
        DataError: it does not exist, its hash is not that of its card, or it is of another format.
    """
    path = Path(name) if name.endswith(".safetensors") else FOLDER / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(model_names()) or "none"
        raise DataError(f"no model {name!r}; shipped are {known}, or give the path of a .safetensors file")
    return _load(name, path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load(name: str, path: Path, _changed: int) -> Model:
    from safetensors.torch import load

    from defectgen.diffusion import Bridge
    from defectgen.network import NetworkConfig, network_from_state

    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        card = json.loads(path.with_suffix(".json").read_text())
        if card["format"] != FORMAT:
            raise DataError(f"{path}: format {card['format']} is not {FORMAT}; get weights of this version")
        if card["sha256"] != digest:
            raise DataError(
                f"{path}: SHA-256 {digest[:12]} is not {card['sha256'][:12]} as its card says; get it again"
            )
        config, bridge = NetworkConfig(**card["network"]), Bridge(**card["bridge"])
        elements = list(card["elements"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: its JSON card is missing or damaged ({error!r})") from None
    return Model(name, network_from_state(config, load(content)), bridge, {**card, "elements": elements}, digest)

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
from augment.storage.archive import file_hash, write_atomically
from augment.storage.missing import did_you_mean, no_such_file

if TYPE_CHECKING:
    from defectgen.model.bridge import Bridge
    from defectgen.model.network import DisplacementNetwork, OccupationNetwork, SubgroupNetwork

FOLDER = Path(__file__).parents[1] / "weights"
"""Where the shipped weights are."""

WEIGHTS_FORMAT = 2

MODEL_FILE = "model"
"""Name of the weights in the folder of a model, without suffix."""

PARTS = ("displacements", "subgroups", "occupation")
"""What a model is made of. The first has the name of the model, the others are beside it as `NAME-PART`."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network with what is needed to sample from it.

    Attributes:
        name: shipped name, or the path it was loaded from.
        network: the network, float32.
        bridge: the noise it was trained with.
        card: where it comes from: corpus, teacher, settings, elements, curves, versions.
        sha256: of the weights file.
        path: of the weights file, beside which the other parts are; None where there are none.
    """

    name: str
    network: DisplacementNetwork
    bridge: Bridge
    card: Mapping[str, Any]
    sha256: str
    path: Path | None = None

    def has(self, part: str) -> bool:
        """Whether it has a part besides the network of displacements."""
        return self.path is not None and part_path(self.path, part).is_file()

    @property
    def subgroups(self) -> SubgroupNetwork:
        """The network of which symmetry survives.

        Raises:
            DataError: the model has none, or its file is damaged.
        """
        network: SubgroupNetwork = self._part("subgroups")
        return network

    @property
    def occupation(self) -> OccupationNetwork:
        """The network of site occupation in a complex.

        Raises:
            DataError: the model has none, or its file is damaged.
        """
        network: OccupationNetwork = self._part("occupation")
        return network

    def _part(self, part: str) -> Any:
        if self.path is None or not self.has(part):
            raise DataError(
                f"model {self.name} has no network of {part}; `defectgen train` makes one where the data say it"
            )
        path = part_path(self.path, part)
        network, card, _ = _load_network(path, path.stat().st_mtime_ns)
        if card["part"] != part:
            raise DataError(f"{path}: holds {card['part']}, not {part}")
        return network

    @property
    def hashes(self) -> str:
        """SHA-256 of the weights and, after it, of those of each other part."""
        others = [] if self.path is None else [part_path(self.path, part) for part in PARTS[1:] if self.has(part)]
        return " ".join([self.sha256, *(file_hash(path) for path in others)])

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements it has learnt from."""
        return frozenset(self.card["elements"])


def model_names(*parts: str) -> list[str]:
    """Names of the shipped weights that hold one of some parts, by default of the models of displacements."""
    wanted = parts or PARTS[:1]
    cards = {path: path.with_suffix(".json") for path in FOLDER.glob("*.safetensors")}
    return sorted(path.stem for path, card in cards.items() if card.is_file() and _part_of(card) in wanted)


def weights_path(name: str) -> Path:
    """File of shipped weights by their name, or of others by their .safetensors file or the folder of a model."""
    if name.endswith(".safetensors"):
        return Path(name)
    shipped = FOLDER / f"{name}.safetensors"
    return Path(name) / f"{MODEL_FILE}.safetensors" if not shipped.is_file() and Path(name).is_dir() else shipped


def save_model(path: Path, network: Any, bridge: Bridge | None, card: Mapping[str, Any]) -> None:
    """Write `path` (.safetensors) and the JSON card beside it, each atomically; the card says which part it is.

    Raises:
        SettingsError: the card lacks the list of elements.
    """
    from safetensors.torch import save

    if "elements" not in card:
        raise SettingsError("a model card must list the elements that were learnt from")
    content = save({name: value.contiguous() for name, value in network.state_dict().items()})
    kinds = {kind: part for part, (kind, _) in _kinds().items()}
    head = {
        "format": WEIGHTS_FORMAT,
        "part": kinds[type(network)],
        "sha256": hashlib.sha256(content).hexdigest(),
        "network": asdict(network.config),
        "bridge": None if bridge is None else asdict(bridge),
    }
    write_atomically(path, content)
    write_atomically(path.with_suffix(".json"), (json.dumps({**head, **card}, indent=1) + "\n").encode())


def load_model(name: str = "default") -> Model:
    """A shipped model by name, or one from its folder or its .safetensors file; loaded once in a process.

    Raises:
        DataError: it does not exist, its hash is not that of its card, or it is of another format.
    """
    from defectgen.model.bridge import Bridge

    path = weights_path(name)
    if not path.is_file():
        if Path(name).is_dir():
            raise DataError(f"{name}: no trained model in it; `defectgen train RUN -o {name}` makes one, or goes on")
        names = model_names()
        raise DataError(
            f"no model {name!r}; {did_you_mean(str(name), names)}shipped are {', '.join(names) or 'none'}, or give the "
            "folder of a trained model or a .safetensors file"
        )
    network, card, digest = _load_network(path.resolve(), path.stat().st_mtime_ns)
    if card["part"] != "displacements" or card["bridge"] is None:
        raise DataError(f"{path}: holds a network of {card['part']}; give that of displacements")
    return Model(name, network, Bridge(**card["bridge"]), card, digest, path.resolve())


def load_trained(path: Path) -> tuple[Any, Mapping[str, Any]]:
    """Any trained network from its .safetensors file, with its card.

    Raises:
        DataError: see `load_model`.
    """
    if not path.is_file():
        raise DataError(f"{path}: {no_such_file(path)}")
    network, card, _ = _load_network(path.resolve(), path.stat().st_mtime_ns)
    return network, card


def part_path(path: Path, part: str) -> Path:
    """The weights of another part of the model whose displacements are at a path."""
    return path.with_name(f"{path.stem}-{part}.safetensors")


def _kinds() -> dict[str, tuple[type[Any], type[Any]]]:
    """Class of the network of each part and of its sizes: of a model, then of the baselines."""
    from defectgen.model.network import DisplacementNetwork, NetworkConfig, OccupationNetwork, SubgroupNetwork
    from defectgen.model.network.keys import KeyConfig, KeyNetwork
    from defectgen.model.network.latent import FAMILIES

    parts = zip(PARTS, (DisplacementNetwork, SubgroupNetwork, OccupationNetwork), strict=True)
    graphs: dict[str, type[Any]] = {**dict(parts), **FAMILIES}
    return {**{part: (kind, NetworkConfig) for part, kind in graphs.items()}, "keys": (KeyNetwork, KeyConfig)}


def _part_of(card: Path) -> str:
    """The part that a card says it describes."""
    try:
        return str(json.loads(card.read_text())["part"])
    except (ValueError, KeyError):
        return "damaged"


@lru_cache(maxsize=16)
def _load_network(path: Path, _changed: int) -> tuple[Any, dict[str, Any], str]:
    from safetensors.torch import load

    from defectgen.model.network import restored

    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        card = json.loads(path.with_suffix(".json").read_text())
        if card["format"] != WEIGHTS_FORMAT:
            raise DataError(f"{path}: format {card['format']} is not {WEIGHTS_FORMAT}; get weights of this version")
        if card["sha256"] != digest:
            raise DataError(
                f"{path}: SHA-256 {digest[:12]} is not {card['sha256'][:12]} as its card says; get it again"
            )
        card = {**card, "elements": list(card["elements"])}
        kind, sizes = _kinds()[card["part"]]
        config = sizes(**card["network"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: its JSON card is missing or damaged ({error!r})") from None
    return restored(kind, config, load(content)), card, digest

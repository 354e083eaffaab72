"""CHGNet with the weights that its wheel carries: potentials for any host.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023), https://doi.org/10.1038/s42256-023-00716-3; the r2SCAN weights:
Huang et al., "Cross-functional transferability in foundation machine learning interatomic potentials" (2025).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from augment.storage.archive import file_hash
from md.labels.third_party import silent_loading
from md.potentials.potential import Potential
from md.potentials.reference import LabelTolerance, check_cells, read_reference_cells


@dataclass(frozen=True)
class WeightSet:
    """A set of weights in the wheel of chgnet.

    Attributes:
        version: what chgnet calls it.
        file: its path in the package.
        functional: what its labels were computed with.
        output_bias: whether the last layer of its network has a bias.
    """

    version: str
    file: str
    functional: str
    output_bias: bool = False


CHGNET = "chgnet"
"""The set that CHGNet is known by."""

DEFAULT = "chgnet-r2scan"
"""The set for hosts without a student. On 13 solids its lattice constants are 0.4 % off (0.3.0: 1.0 %, 0.2.0: 1.1 %)
and its bulk moduli 14 % (18 %, 17 %); on seven relaxed defects of SrTiO3 it is as near to DFT as 0.3.0, 0.09 Å."""

WEIGHT_SETS = {
    CHGNET: WeightSet("0.3.0", "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar", "PBE and PBE+U"),
    "chgnet-r2scan": WeightSet(
        "r2scan", "pretrained/r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar", "r2SCAN"
    ),
    "chgnet-0.2.0": WeightSet(
        "0.2.0", "pretrained/0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar", "PBE and PBE+U", output_bias=True
    ),
}

_REFERENCE = Path(__file__).with_name("chgnet_reference.json")
_TOLERANCE = LabelTolerance(energy=1e-4, forces=2e-3, stress=2e-5)
"""float32 sums in another order differ by 1e-6 eV per atom, 2e-5 eV/Å and 1e-7 eV/Å³ on these cells."""

_MAX_ATOMIC_NUMBER = 94
_NOT_IN_TRAINING = frozenset({"Po", "At", "Rn", "Fr", "Ra"})
"""Elements up to Pu that MPtrj lacks: the network accepts them, with weights that never saw data."""


def _weights_path(weights: WeightSet) -> Path:
    spec = find_spec("chgnet")
    if spec is None or not spec.submodule_search_locations:
        raise PotentialError("chgnet is not installed; run `pip install chgnet`")
    path = Path(spec.submodule_search_locations[0]) / weights.file
    if not path.is_file():
        raise PotentialError(f"{path}: the weights of chgnet are missing; install chgnet 0.4.2 again")
    return path


def describe_chgnet(name: str = DEFAULT) -> Potential:
    """CHGNet with one of its `WEIGHT_SETS` as a `Potential`, without loading torch.

    Raises:
        PotentialError: chgnet is not installed or lacks these weights.
    """
    from ase.data import chemical_symbols

    weights = WEIGHT_SETS[name]
    digest = file_hash(_weights_path(weights))
    elements = frozenset(chemical_symbols[1 : _MAX_ATOMIC_NUMBER + 1]) - _NOT_IN_TRAINING
    source = f"chgnet {version('chgnet')}, weights {weights.version}"
    return ChgnetPotential(name, "chgnet", elements, "float32", digest, source, "chgnet")


@dataclass(frozen=True)
class ChgnetPotential(Potential):
    """One of CHGNet's sets of weights."""

    @property
    def functional(self) -> str:
        """By its set of weights."""
        return "r2scan" if WEIGHT_SETS[self.name].functional == "r2SCAN" else "pbe"

    def atomic_energies(self, symbols: Iterable[str]) -> dict[str, float] | None:
        """None: its reference energies (`AtomRef`) are a linear fit to compounds, and no energies of lone atoms."""
        self.require(symbols)
        return None

    def load(self) -> Any:
        """The calculator on the CPU, self-tested on three cells.

        Raises:
            PotentialError: the weights are not the ones with this hash, or give other labels than they should.
        """
        weights = WEIGHT_SETS[self.name]
        content = _weights_path(weights).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise PotentialError("the weights of chgnet changed since the potential was chosen; start again")
        calculator = _calculator(weights, content)
        cells = read_reference_cells(_REFERENCE, self.name)
        check_cells(calculator, cells, _TOLERANCE, f"{self.name} (chgnet {version('chgnet')})")
        return calculator


def _calculator(weights: WeightSet, content: bytes) -> Any:
    with silent_loading():
        import torch
        from chgnet.model.model import CHGNet

        from md.potentials.chgnet.calculator import ChgnetCalculator

        # Not by CHGNet.load, which unpickles: tensors and plain values are all that is in there.
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        model = CHGNet.from_dict(state["model"], mlp_out_bias=weights.output_bias, version=weights.version)
        return ChgnetCalculator(model.to("cpu"))

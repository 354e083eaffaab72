"""CHGNet with the weights that its wheel carries: the default potential for any host.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023), https://doi.org/10.1038/s42256-023-00716-3.
"""

from __future__ import annotations

import hashlib
import io
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from md.potentials.potential import Potential
from md.quiet import quiet_evaluation, quiet_loading

WEIGHTS = "0.3.0"
"""The set of weights: trained on MPtrj (PBE and PBE+U)."""

_WEIGHTS_FILE = "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar"
_LAST_ATOMIC_NUMBER = 94
_NOT_IN_TRAINING = frozenset({"Po", "At", "Rn", "Fr", "Ra"})
"""Elements up to Pu that MPtrj lacks: the network accepts them, with weights that never saw data."""

_SELF_TEST_ENERGY = -6.3102
_SELF_TEST_TOLERANCE = 1e-3
"""Energy of rock-salt MgO at a = 4.21 Å, eV per atom, and how far a healthy build may be from it: other
libraries round float32 differently in the sixth digit, while weights read wrongly are off by far more."""


def _weights_path() -> Path:
    spec = find_spec("chgnet")
    if spec is None or not spec.submodule_search_locations:
        raise PotentialError("chgnet is not installed; run `pip install chgnet`")
    path = Path(spec.submodule_search_locations[0]) / _WEIGHTS_FILE
    if not path.is_file():
        raise PotentialError(f"{path}: the weights of chgnet are missing; install chgnet 0.4.2 again")
    return path


def describe_chgnet() -> Potential:
    """CHGNet as a `Potential`, without loading torch.

    Raises:
        PotentialError: chgnet is not installed or carries no weights.
    """
    from ase.data import chemical_symbols

    digest = hashlib.sha256(_weights_path().read_bytes()).hexdigest()
    elements = frozenset(chemical_symbols[1 : _LAST_ATOMIC_NUMBER + 1]) - _NOT_IN_TRAINING
    source = f"chgnet {version('chgnet')}, weights {WEIGHTS}"
    return Potential("chgnet", "chgnet", elements, "float32", digest, source)


def load_chgnet(sha256: str) -> Any:
    """The calculator on the CPU, self-tested on MgO.

    Raises:
        PotentialError: the weights are not the ones with this hash, or they give a wrong energy for MgO.
    """
    content = _weights_path().read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PotentialError("the weights of chgnet changed since the potential was chosen; start again")
    with quiet_loading():
        import torch
        from chgnet.model.model import CHGNet

        from md.potentials.chgnet_calculator import QuietChgnet

        # Not by CHGNet.load, which unpickles: tensors and plain values are all that is in there.
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        model = CHGNet.from_dict(state["model"], mlp_out_bias=False, version=WEIGHTS)
        calculator = QuietChgnet(model.to("cpu"))
    _self_test(calculator)
    return calculator


def _self_test(calculator: Any) -> None:
    from ase.build import bulk

    atoms = bulk("MgO", "rocksalt", 4.21)
    with quiet_evaluation():
        energy = calculator.get_potential_energy(atoms) / len(atoms)
    if abs(energy - _SELF_TEST_ENERGY) > _SELF_TEST_TOLERANCE:
        raise PotentialError(
            f"chgnet gives {energy:.4f} eV per atom for MgO where {_SELF_TEST_ENERGY} is right: its weights "
            "are not read correctly here; check the versions of chgnet and torch"
        )

"""A MACE network from JSON settings and tensors, and back; no pickle is read on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from augment.errors import PotentialError
from augment.versions import versions
from md.labels.third_party import silent_loading

if TYPE_CHECKING:
    from torch import Tensor, nn

_FREE_LOAD = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
_PLAIN = (
    "r_max",
    "num_bessel",
    "num_polynomial_cutoff",
    "max_ell",
    "num_interactions",
    "num_elements",
    "use_reduced_cg",
    "use_so3",
    "use_edge_irreps_first",
    "use_agnostic_product",
    "use_last_readout_only",
    "avg_num_neighbors",
    "correlation",
    "radial_type",
    "apply_cutoff",
    "radial_MLP",
    "pair_repulsion",
    "distance_transform",
    "heads",
)
"""Constructor settings that JSON holds as they are."""

_IRREPS = ("hidden_irreps", "MLP_irreps")
_BLOCKS = ("interaction_cls", "interaction_cls_first")
_UNSUPPORTED = ("edge_irreps", "cueq_config", "embedding_specs", "use_embedding_readout")
_ARRAYS = ("atomic_energies", "atomic_numbers", "atomic_inter_scale", "atomic_inter_shift")


LIBRARIES = ("mace-torch", "e3nn", "torch")
"""What a network is built with."""

_COUPLING = "U_matrix"
_SINGLE = 1e-5
"""Rounding of coefficients of order one in float32, with a margin."""


@contextmanager
def silent_mace() -> Iterator[None]:
    """Import or call MACE inside, silently and without its lasting changes of global settings.

    e3nn unpickles a table of its own when it is first imported, which torch must be made to allow; mace sets
    it so when *it* is first imported, which may have been earlier.
    """
    with silent_loading():
        os.environ[_FREE_LOAD] = "1"
        yield


@contextmanager
def double_precision() -> Iterator[None]:
    """Make float64 torch's default dtype inside: e3nn builds its constants in the default dtype."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def config_of(network: nn.Module) -> dict[str, Any]:
    """Constructor settings of a `ScaleShiftMACE` as JSON values.

    Raises:
        PotentialError: the network is of another kind, or uses a part that the settings cannot describe.
    """
    with silent_mace():
        from mace.tools.scripts_utils import extract_config_mace_model

        config = extract_config_mace_model(network)
    if "error" in config:
        raise PotentialError(f"cannot store a {type(network).__name__}: only ScaleShiftMACE is supported")
    strange = [key for key in ("edge_irreps", "cueq_config", "embedding_specs", "use_embedding_readout") if config[key]]
    if strange or config["readout_cls"].__name__ != "NonLinearReadoutBlock":
        raise PotentialError(f"cannot store this MACE network: unsupported {', '.join(strange) or 'readout'}")
    if config["gate"].__name__ != "silu":
        raise PotentialError(f"cannot store this MACE network: gate {config['gate'].__name__} is not silu")
    plain = {key: config[key] for key in _PLAIN}
    irreps = {key: str(config[key]) for key in _IRREPS}
    blocks = {key: config[key].__name__ for key in _BLOCKS}
    return {**plain, **irreps, **blocks, **{key: config[key].tolist() for key in _ARRAYS}}


def build_network(config: Mapping[str, Any], state: Mapping[str, Tensor], where: str) -> nn.Module:
    """A `ScaleShiftMACE` in float64 with the settings of `config_of` and the tensors `state`, ready for use.

    Every tensor is loaded, the coupling coefficients too: their basis is a convention of the linear algebra
    library that computed them, and the weights refer to it.

    Raises:
        PotentialError: the settings are not those of this MACE, or the tensors do not fit them.
    """
    try:
        network = construct(config)
        network.load_state_dict(dict(state), strict=True)
    except (KeyError, TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise PotentialError(
            f"{where}: the student does not fit the installed {versions(*LIBRARIES)} ({error}); reinstall the package"
        ) from None
    return network.eval().requires_grad_(requires_grad=False)


def doubled(network: nn.Module) -> nn.Module:
    """A float64 copy of a `ScaleShiftMACE` that was trained in float32.

    Learnt numbers are copied as they are; coupling coefficients are computed again in float64, or rotations would
    change the energy by the rounding of float32.

    Raises:
        PotentialError: the network is of another kind, or its coefficients are in another basis than those here.
    """
    config, trained = config_of(network), network.state_dict()
    exact = construct(config).state_dict()
    for name, value in trained.items():
        close = (value.double() - exact[name].double()).abs().max() < _SINGLE if value.numel() else True
        if _COUPLING not in name:
            exact[name] = value.to(exact[name].dtype)
        elif not close:
            installed = versions(*LIBRARIES)
            raise PotentialError(f"{name} is in another basis than here; train with the installed {installed}")
    return build_network(config, exact, where="network in double precision")


def construct(config: Mapping[str, Any]) -> nn.Module:
    """An untrained `ScaleShiftMACE` in float64 with the settings of `config_of`."""
    with silent_mace(), double_precision():
        import numpy as np
        from e3nn.o3 import Irreps
        from mace.modules import ScaleShiftMACE, interaction_classes
        from torch.nn.functional import silu

        network: nn.Module = ScaleShiftMACE(
            **{key: config[key] for key in _PLAIN},
            **{key: Irreps(config[key]) for key in _IRREPS},
            **{key: interaction_classes[config[key]] for key in _BLOCKS},
            **{key: np.array(config[key]) for key in _ARRAYS if key != "atomic_numbers"},
            atomic_numbers=list(config["atomic_numbers"]),
            gate=silu,
        )
    return network

"""A MACE network with angular momenta up to 2 as the same function in a network with angular momenta up to 3.

symmetrix-xl evaluates networks of the larger kind only. The added spherical harmonics get weights of zero, and the
product basis is expressed in the larger one: a polynomial that is invariant in the smaller space is invariant in the
larger, where it ignores the added components, so its coefficients there follow from linear equations with an exact
solution.
"""

from __future__ import annotations

import re
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

NATIVE_ELL = 3
EXACT = 1e-10
"""Largest residual of the equations, relative to coefficients of order one: rounding in float64, nothing else."""

_WEIGHTS = {"weights_max": 0, "weights.0": 1, "weights.1": 2}
"""Weights of a contraction, and by how much the order of their monomials is below the highest."""


def lifted(network: Any) -> Any:
    """The network (a MACE module) itself where its angular momenta go up to 3, else its equal that has them.

    Raises:
        ValueError: its features carry directions, or a coefficient has no exact equal.
    """
    from md.students.network import build_network, config_of, construct

    if network.spherical_harmonics.irreps_out.lmax >= NATIVE_ELL:
        return network
    config = config_of(network)
    if not re.fullmatch(r"\d+x0e", config["hidden_irreps"]):
        raise ValueError(f"it has features {config['hidden_irreps']} and angular momenta below {NATIVE_ELL}")
    wider = {**config, "max_ell": NATIVE_ELL}
    larger = construct(wider)
    state, target = network.state_dict(), larger.state_dict()
    learnt = {name for name, _ in larger.named_parameters()}
    new = {name: _place(name, state, target, config["correlation"]) for name in learnt}
    kept = {name: state[name] for name in target.keys() - learnt if state[name].shape == target[name].shape}
    return build_network(wider, {**target, **kept, **new}, where="wider network")


def _place(name: str, state: dict[str, Tensor], target: dict[str, Tensor], correlation: int) -> Tensor:
    """A learnt tensor as it is in the wider network."""
    if "symmetric_contractions" in name:
        return _in_wider_basis(name, state, target, correlation)
    return state[name] if state[name].shape == target[name].shape else _padded(state[name], target[name].shape)


def _padded(tensor: Tensor, shape: Any) -> Tensor:
    """The tensor with zeros behind it in its last dimension: weights of the added angular momentum come last."""
    import torch

    if tensor.shape[:-1] != shape[:-1] or tensor.shape[-1] > shape[-1]:
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)} has no place in {tuple(shape)}")
    return torch.nn.functional.pad(tensor, (0, shape[-1] - tensor.shape[-1]))


def _in_wider_basis(name: str, state: dict[str, Tensor], target: dict[str, Tensor], correlation: int) -> Tensor:
    """Weights (elements, paths, channels) of a contraction for the paths of the wider network."""
    import torch

    prefix, weights = next((name.removesuffix(w), w) for w in _WEIGHTS if name.endswith(w))
    order = correlation - _WEIGHTS[weights]
    narrow, wide = (_monomials(s[f"{prefix}U_matrix_{order}"].numpy(), order) for s in (state, target))
    side, wider_side = (round(m.shape[0] ** (1 / order)) for m in (narrow, wide))
    padded = np.zeros((wider_side,) * order + narrow.shape[1:])
    padded[(slice(side),) * order] = narrow.reshape((side,) * order + narrow.shape[1:])
    padded = padded.reshape(-1, narrow.shape[1])
    coefficients, *_ = np.linalg.lstsq(wide, padded, rcond=None)
    residual = float(np.abs(wide @ coefficients - padded).max())
    if residual > EXACT:
        raise ValueError(f"its coupling of order {order} has no equal at angular momentum 3 (off by {residual:.0e})")
    return torch.einsum("kp,epc->ekc", torch.as_tensor(coefficients), state[name])


def _monomials(coupling: FloatArray, order: int) -> FloatArray:
    """Coefficients (d^order, paths) of symmetric monomials: only they matter, since the same features multiply."""
    places = range(order)
    summed = sum(np.transpose(coupling, (*p, order)) for p in permutations(places))
    return np.asarray(summed / len(list(permutations(places)))).reshape(-1, coupling.shape[-1])

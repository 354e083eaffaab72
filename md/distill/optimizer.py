"""Adam in the eigenbasis of each weight matrix's gradients (SOAP: Vyas et al., 2024, https://arxiv.org/abs/2409.11321).

The matrices of a small student are 8 to 64 wide: turning their gradients costs nothing beside a step of the network,
and the directions along which the error is flat are walked as fast as the steep ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["RotatedAdam"]

_FIRST, _SECOND, _FACTOR = 0.9, 0.99, 0.95
"""Memories of the mean gradient, of its square, and of the matrices whose eigenbasis is used."""

_EVERY = 10
"""Steps between two looks at the eigenbasis."""

_FLAT = 1e-3
"""Of the largest gradient: directions with less are noise, and must not be walked as if they were slopes."""

_TINY = 1e-12
_TINIEST_FLOAT = torch.finfo(torch.float32).tiny


class RotatedAdam(Optimizer):
    """Adam whose second moments are taken in the eigenbases of G Gᵀ and Gᵀ G of every weight matrix G.

    Args:
        weights: the parameters; those of one dimension are cut into square matrices of `width` where they fit.
        lr: learning rate.
        width: number of channels.
    """

    def __init__(self, weights: Iterable[Tensor], lr: float, width: int) -> None:
        super().__init__(weights, {"lr": lr, "width": width})

    @torch.no_grad()
    def step(self, _closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients that are there."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, _as_matrices(weight.grad, group["width"]), group["lr"])

    def _move(self, weight: Tensor, gradient: Tensor, rate: float) -> None:
        """Move a weight against its gradient, which comes as matrices (..., m, n)."""
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
            for name, size in (("left", gradient.shape[-2]), ("right", gradient.shape[-1])):
                state[name] = torch.zeros(*gradient.shape[:-2], size, size)
                state[f"{name}_basis"] = torch.eye(size).expand_as(state[name]).clone()
        state["left"].lerp_(gradient @ gradient.mT, 1 - _FACTOR)
        state["right"].lerp_(gradient.mT @ gradient, 1 - _FACTOR)
        if int(state["step"]) % _EVERY == 0:
            self._turn(state)
        state["step"] += 1
        left, right = state["left_basis"], state["right_basis"]
        state["mean"].lerp_(gradient, 1 - _FIRST)
        turned = left.mT @ gradient @ right
        state["square"].lerp_(turned**2, 1 - _SECOND)
        count = float(state["step"])
        mean = left.mT @ state["mean"] @ right / (1 - _FIRST**count)
        size = (state["square"] / (1 - _SECOND**count)).sqrt()
        change = mean / (size + _FLAT * size.amax((-2, -1), keepdim=True) + _TINY)
        weight.sub_(rate * (left @ change @ right.mT).reshape(weight.shape))

    @staticmethod
    def _turn(state: dict[str, Tensor]) -> None:
        """Follow the eigenbases by one step of the power iteration with QR; exactly at first."""
        for name in ("left", "right"):
            basis = state[f"{name}_basis"]
            # Squares of small gradients fall below the smallest normal float32, where LAPACK finds no eigenvectors.
            matrix = state[name] / state[name].amax((-2, -1), keepdim=True).clamp_min(_TINIEST_FLOAT)
            if float(state["step"]) == 0:
                state[f"{name}_basis"] = torch.linalg.eigh(matrix)[1].flip(-1)
            else:
                # Largest first, so that the columns keep their places and the squares their meaning.
                order = (basis * (matrix @ basis)).sum(-2).argsort(dim=-1, descending=True)
                basis = torch.take_along_dim(basis, order[..., None, :], dim=-1)
                square = state["square"]
                dim = -2 if name == "left" else -1
                index = order[..., :, None] if name == "left" else order[..., None, :]
                state["square"] = torch.take_along_dim(square, index.expand_as(square), dim=dim)
                state[f"{name}_basis"] = torch.linalg.qr(matrix @ basis)[0]


def _as_matrices(gradient: Tensor, width: int) -> Tensor:
    """The gradient as one matrix or a stack of them."""
    if gradient.dim() > 1:
        return gradient
    if gradient.numel() % (width * width) == 0:
        return gradient.reshape(-1, width, width)
    return (
        gradient.reshape(1, -1) if gradient.numel() < width or gradient.numel() % width else gradient.reshape(-1, width)
    )

"""The processes that train one network together, and where its weights are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Processes", "device_of"]


@dataclass(frozen=True)
class Processes:
    """The processes that train together; one by default.

    Attributes:
        rank: of this process.
        count: of all.
        device: of its tensors.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @classmethod
    def of_environment(cls, device: str | None = None) -> Processes:
        """The processes that torchrun started, joined; or this one alone.

        Args:
            device: `cpu` or `cuda`; by default a GPU if there is one.
        """
        kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if kind == "cuda":
            # Sums in another order would make a resumed run end with other bits.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(mode=True)
        if count == 1:
            return cls(device=kind)
        torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if kind == "cuda":
            torch.cuda.set_device(local)
        return cls(torch.distributed.get_rank(), count, f"cuda:{local}" if kind == "cuda" else "cpu")

    def mean(self, values: Sequence[Tensor]) -> None:
        """Replace tensors by their means over the processes."""
        if self.count == 1 or not values:
            return
        flat = torch.cat([value.reshape(-1) for value in values])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        for value, mean in zip(values, torch.split(flat, [value.numel() for value in values]), strict=True):
            value.copy_(mean.view_as(value))


def device_of(network: nn.Module) -> torch.device:
    """Where the weights of a network are."""
    return next(network.parameters()).device

"""Where a network is evaluated: the CPU, or the CUDA device that torch finds."""

from __future__ import annotations

from typing import Literal, get_args

from augment.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(device: Device) -> Literal["cpu", "cuda"]:
    """The device that `device` means here; `auto` is CUDA where torch finds it.

    Raises:
        SettingsError: no device has this name, or torch finds no CUDA.
    """
    if device not in get_args(Device):
        raise SettingsError(f"no device is called {device!r}; use one of {', '.join(get_args(Device))}")
    if device == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise SettingsError("torch finds no CUDA device; use device cpu, or a torch with CUDA where the device is")
    return "cpu"

"""The calculator of mace-torch for a network."""

from __future__ import annotations

from typing import Any

from md.labels.third_party import silent_loading


def torch_calculator(network: Any) -> Any:
    """ASE calculator of a MACE network through mace-torch."""
    with silent_loading():
        from md.potentials.mace.calculator import SilentMace

        return SilentMace(network)

"""The calculator of mace-torch for a network."""

from __future__ import annotations

from typing import Any

from md.labels.third_party import quiet_loading


def torch_calculator(network: Any) -> Any:
    """ASE calculator of a MACE network through mace-torch."""
    with quiet_loading():
        from md.potentials.mace.calculator import QuietMace

        return QuietMace(network)

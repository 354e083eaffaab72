"""Interatomic potentials: CHGNet for any host, shipped MACE students, a user's MACE model, EMT for tests."""

from md.potentials.potential import Potential
from md.potentials.resolve import PotentialStatus, list_potentials, resolve_potential

__all__ = ["Potential", "PotentialStatus", "list_potentials", "resolve_potential"]

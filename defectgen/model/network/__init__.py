"""E(3)-equivariant networks on scalars and polar vectors: one trunk, and a head for each question."""

from defectgen.model.network.batch import Batch, BatchItem, collate, node_freedom
from defectgen.model.network.blocks import NetworkConfig
from defectgen.model.network.displacement import DisplacementNetwork, fresh_network, network_from_state
from defectgen.model.network.occupation import OccupationNetwork
from defectgen.model.network.subgroup import ClassFeatures, SubgroupNetwork
from defectgen.model.network.trunk import DISPLACEMENT_SCALE, STRAIN_SCALE, Trunk, fresh, restored

__all__ = [
    "DISPLACEMENT_SCALE",
    "STRAIN_SCALE",
    "Batch",
    "BatchItem",
    "ClassFeatures",
    "DisplacementNetwork",
    "NetworkConfig",
    "OccupationNetwork",
    "SubgroupNetwork",
    "Trunk",
    "collate",
    "fresh",
    "fresh_network",
    "network_from_state",
    "node_freedom",
    "restored",
]

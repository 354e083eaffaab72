"""Planar hosts: layers with vacuum, surfaces, stacking faults and grain boundaries, for every defect to be put into."""

from augment.planar.grain_boundary import grain_boundary
from augment.planar.layered import PlanarHost, planar_host
from augment.planar.recognition import LayerChoice, host_or_layer, layer_host, read_host
from augment.planar.stacking_fault import FaultVector, fault_vectors, stacking_fault
from augment.planar.surface import surfaces
from augment.supercells.in_plane import find_layer_supercell

__all__ = [
    "FaultVector",
    "LayerChoice",
    "PlanarHost",
    "fault_vectors",
    "find_layer_supercell",
    "grain_boundary",
    "host_or_layer",
    "layer_host",
    "planar_host",
    "read_host",
    "stacking_fault",
    "surfaces",
]

"""Planar defects as hosts: free surfaces, stacking faults and grain boundaries, for every defect to be put into."""

from augment.planar.grain_boundary import grain_boundary
from augment.planar.layered import PlanarHost, planar_host
from augment.planar.stacking_fault import FaultVector, fault_vectors, stacking_fault
from augment.planar.supercell import find_layer_supercell
from augment.planar.surface import surfaces

__all__ = [
    "FaultVector",
    "PlanarHost",
    "fault_vectors",
    "find_layer_supercell",
    "grain_boundary",
    "planar_host",
    "stacking_fault",
    "surfaces",
]

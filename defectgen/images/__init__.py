"""Defect cells as pixels: dark-field STEM images, powder patterns, pair distribution functions, and voxel grids."""

from defectgen.images.files import read_voxels, write_stem, write_voxels
from defectgen.images.mean_cell import MeanCellFrames
from defectgen.images.pair_distribution import PairDistribution, PairSettings, pair_distribution
from defectgen.images.places import on_sites
from defectgen.images.powder import PowderPattern, PowderSettings, powder_pattern
from defectgen.images.stem import StemImage, StemSettings, stem_image
from defectgen.images.voxel_decoding import decode_voxels
from defectgen.images.voxels import VoxelGrid, VoxelSettings, encode_voxels
from defectgen.images.zone import conventional_lattice

__all__ = [
    "MeanCellFrames",
    "PairDistribution",
    "PairSettings",
    "PowderPattern",
    "PowderSettings",
    "StemImage",
    "StemSettings",
    "VoxelGrid",
    "VoxelSettings",
    "conventional_lattice",
    "decode_voxels",
    "encode_voxels",
    "on_sites",
    "pair_distribution",
    "powder_pattern",
    "read_voxels",
    "stem_image",
    "write_stem",
    "write_voxels",
]

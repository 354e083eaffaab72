"""Datasets of runs as extended XYZ that existing trainers read unchanged, and trajectories for other programs."""

from defectgen.dataset.card import DatasetManifest
from defectgen.dataset.dataset import export_dataset
from defectgen.dataset.trajectory import Trajectory, read_trajectory, write_trajectories, write_trajectory
from md.labels.split import check_split, split_hosts

__all__ = [
    "DatasetManifest",
    "Trajectory",
    "check_split",
    "export_dataset",
    "read_trajectory",
    "split_hosts",
    "write_trajectories",
    "write_trajectory",
]

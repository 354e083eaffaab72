"""Datasets that existing trainers read unchanged, made of runs and of other datasets; trajectories."""

from defectgen.dataset.card import DatasetManifest
from defectgen.dataset.dataset import export_dataset, export_records
from defectgen.dataset.settings import DatasetSettings
from defectgen.dataset.trajectory import Trajectory, read_trajectory, write_trajectories, write_trajectory
from md.labels.split import check_split

__all__ = [
    "DatasetManifest",
    "DatasetSettings",
    "Trajectory",
    "check_split",
    "export_dataset",
    "export_records",
    "read_trajectory",
    "write_trajectories",
    "write_trajectory",
]

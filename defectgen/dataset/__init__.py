"""Datasets that existing trainers read unchanged, made of runs and of other datasets; trajectories."""

from typing import TYPE_CHECKING

from augment.lazy import lazy_names

if TYPE_CHECKING:
    from defectgen.dataset.card import DatasetManifest as DatasetManifest
    from defectgen.dataset.dataset import export_dataset as export_dataset
    from defectgen.dataset.dataset import export_records as export_records
    from defectgen.dataset.settings import DatasetSettings as DatasetSettings
    from defectgen.dataset.trajectory import Trajectory as Trajectory
    from defectgen.dataset.trajectory import read_trajectory as read_trajectory
    from defectgen.dataset.trajectory import write_trajectories as write_trajectories
    from defectgen.dataset.trajectory import write_trajectory as write_trajectory
    from md.labels.split import check_split as check_split

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "defectgen.dataset.card": ("DatasetManifest",),
        "defectgen.dataset.dataset": ("export_dataset", "export_records"),
        "defectgen.dataset.settings": ("DatasetSettings",),
        "defectgen.dataset.trajectory": ("Trajectory", "read_trajectory", "write_trajectories", "write_trajectory"),
        "md.labels.split": ("check_split",),
    },
)

"""Datasets: the records of one or more runs as extended XYZ that existing trainers read unchanged."""

from defectgen.export.dataset import DatasetManifest, export_dataset
from defectgen.export.split import check_split, split_hosts

__all__ = ["DatasetManifest", "check_split", "export_dataset", "split_hosts"]

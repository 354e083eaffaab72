"""The dataset card: what the dataset holds, who made its labels, and how to train on it."""

from defectgen.dataset.card.labellers import labeller_of
from defectgen.dataset.card.manifest import DatasetManifest
from defectgen.dataset.card.statistics import statistics_of
from defectgen.dataset.card.text import write_card, write_pictures

__all__ = ["DatasetManifest", "labeller_of", "statistics_of", "write_card", "write_pictures"]

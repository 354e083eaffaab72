"""The diffusion model trained further on the defects of a user's own runs, some of which are held out first."""

from defectgen.fine_tuning.run import TrainedModel, train_on_runs
from defectgen.fine_tuning.settings import FineTuneSettings

__all__ = ["FineTuneSettings", "TrainedModel", "train_on_runs"]

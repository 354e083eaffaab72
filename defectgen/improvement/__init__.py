"""A student improved on the defects of a run: what students dispute is labelled and learnt, until it stops helping."""

from defectgen.improvement.run import Improved, improve
from defectgen.improvement.settings import ImproveSettings

__all__ = ["ImproveSettings", "Improved", "improve"]

"""What a run found, in a few lines at the top of its report; each leads to its evidence."""

from defectgen.report.answers.opening import answers_section

__all__ = ["answers_section"]

"""The report of a run: one self-contained HTML page, readable offline."""

from defectgen.report.page import write_report

__all__ = ["write_report"]

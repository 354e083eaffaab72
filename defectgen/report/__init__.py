"""The report of a run: one self-contained HTML page, readable offline."""

from defectgen.report.page import write_report
from defectgen.report.pdf import write_pdf

__all__ = ["write_pdf", "write_report"]

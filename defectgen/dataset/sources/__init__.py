"""Where frames come from: run folders, records in memory, and datasets of whatever program."""

from defectgen.dataset.sources.opening import Source, open_sources
from defectgen.dataset.sources.run_folder import RecordSource, RunSource, record_facts

__all__ = ["RecordSource", "RunSource", "Source", "open_sources", "record_facts"]

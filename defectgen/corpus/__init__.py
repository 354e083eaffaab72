"""The training corpus: labelled defects of many hosts, built by one resumable function."""

from defectgen.corpus.build import CorpusPlan, HostEntry, build_corpus, read_hosts
from defectgen.corpus.case import Case, Label, read_cases, write_cases

__all__ = [
    "Case",
    "CorpusPlan",
    "HostEntry",
    "Label",
    "build_corpus",
    "read_cases",
    "read_hosts",
    "write_cases",
]

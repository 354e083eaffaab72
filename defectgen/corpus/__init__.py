"""The training corpus: labelled defects of many hosts, built by one resumable function."""

from defectgen.corpus.arrangements import Arrangements, read_arrangements
from defectgen.corpus.build import Corpus, CorpusPlan, HostEntry, build_corpus, read_hosts, write_corpus
from defectgen.corpus.cases import Case, Label, read_cases, write_cases
from defectgen.corpus.settings import LabelSettings

__all__ = [
    "Arrangements",
    "Case",
    "Corpus",
    "CorpusPlan",
    "HostEntry",
    "Label",
    "LabelSettings",
    "build_corpus",
    "read_arrangements",
    "read_cases",
    "read_hosts",
    "write_cases",
    "write_corpus",
]

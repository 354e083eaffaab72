"""Low-lying minima of a defect: many starts, few evaluations for most of them, and what is left of symmetry."""

from defectgen.search.minima import Minimum, SearchResult, SourceCount
from defectgen.search.search import SearchSettings, search

__all__ = ["Minimum", "SearchResult", "SearchSettings", "SourceCount", "search"]

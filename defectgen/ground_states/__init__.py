"""Low-lying minima of a defect: many starts, few evaluations for most of them, and what is left of symmetry."""

from defectgen.ground_states.minima import Minimum, PathFromIdeal, SearchResult, SourceCount
from defectgen.ground_states.search import SearchSettings, search

__all__ = ["Minimum", "PathFromIdeal", "SearchResult", "SearchSettings", "SourceCount", "search"]

"""Where frames come from: run folders, records in memory, and datasets of whatever program."""

from defectgen.dataset.sources.lone_atoms import ISOLATED_ATOMS, lone_atom_energies_of, lone_atom_frames
from defectgen.dataset.sources.opening import Source, open_sources
from defectgen.dataset.sources.run_folder import RecordSource, RunSource, record_facts

__all__ = [
    "ISOLATED_ATOMS",
    "RecordSource",
    "RunSource",
    "Source",
    "lone_atom_energies_of",
    "lone_atom_frames",
    "open_sources",
    "record_facts",
]

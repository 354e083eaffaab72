"""The stages of a run, from CIF to report."""

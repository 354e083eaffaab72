"""The stage of thermodynamics: what a run's energies say of how many defects there are."""

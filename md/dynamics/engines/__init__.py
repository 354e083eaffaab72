"""The engines of dynamics: ASE, LAMMPS, and batches of a MACE network."""

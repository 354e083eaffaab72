"""LAMMPS as a library: its session, its commands, its calculator."""

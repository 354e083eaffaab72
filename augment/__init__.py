"""Symmetry, sites, defects and supercells of a host crystal, as exact algebra on site permutations."""

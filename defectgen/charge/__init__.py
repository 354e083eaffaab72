"""Charged defects from calculations of electrons: finite-size corrections, transition levels, the Fermi level."""

"""Tests of chemical potentials, species and equilibria."""

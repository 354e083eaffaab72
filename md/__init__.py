"""Potentials, relaxation and dynamics of defect cells in an environment."""

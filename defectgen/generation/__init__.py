"""Proposals of geometries, subgroups and complexes."""

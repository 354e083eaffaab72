"""Structures and tables to look at, to share and to generate from: csv, CIF, Parquet, OPTIMADE, Croissant."""

"""Relaxation of cells, one by one and in batches."""

"""Relaxations, dynamics and labels of many cells in a folder."""

"""The search for supercells, and its pictures."""

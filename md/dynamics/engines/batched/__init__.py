"""Many points of a MACE model in one forward pass."""

"""The network of a student, and the same function on dense neighbour lists for training."""

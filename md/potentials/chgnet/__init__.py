"""CHGNet: its sets of weights, and a calculator of one backward pass."""

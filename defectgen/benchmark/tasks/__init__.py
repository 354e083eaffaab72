"""The tasks of the benchmark, and how they are built."""

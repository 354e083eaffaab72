"""A run's settings, its folder, its host and defects, and its progress."""

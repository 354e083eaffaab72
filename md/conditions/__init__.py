"""Temperature, pressure and strain in time, and the points of a sweep."""

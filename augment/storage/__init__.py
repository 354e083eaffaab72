"""Files of cells, and the lock of a folder."""

"""Files of cells, and whose a folder is: its lock and the identity it belongs to."""

"""From a supercell to its defects: point defects, named sets, complexes, random draws and their notation."""

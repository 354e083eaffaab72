"""A crystal read and described: CIF, operations, standard setting, normaliser, space group, lattice, voids."""

"""Other families of generators on the same representation, to compare with."""

"""What a CIF says, statement by statement, and what follows from it: blocks, sites, symmetry, evidence."""

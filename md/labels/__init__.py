"""What a potential says of a cell: evaluations behind guards, frames, records with provenance, the reference of displacements."""

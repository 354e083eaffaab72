"""What a potential says of a cell: evaluations behind guards, frames, and records with their provenance."""

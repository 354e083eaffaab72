"""The commands that make answers of energies."""

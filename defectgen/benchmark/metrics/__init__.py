"""How generated structures are measured."""

"""Calculations with codes for electronic structure: their inputs written, their results read back as labels."""

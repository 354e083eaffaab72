"""The part of the report on heat and pressure."""

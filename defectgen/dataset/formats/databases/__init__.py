"""Databases that ASE opens: LMDB as fairchem lays it out, SQLite as Orb reads it."""

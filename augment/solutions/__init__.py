"""Solid solutions: composition and charge, exact, random and quasirandom configurations."""

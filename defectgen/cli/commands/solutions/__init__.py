"""Commands for solid solutions and disordered crystals."""

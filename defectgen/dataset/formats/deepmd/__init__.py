"""Systems of DeePMD-kit as NumPy arrays."""

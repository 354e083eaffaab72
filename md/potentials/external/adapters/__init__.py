"""How other packages make their calculators: one file a package, run in the Python where that package is.

A file needs nothing but that package, ASE and NumPy, and imports nothing of ours. What the function of an adapter takes
and gives back says `md.potentials.external.worker.build`.
"""

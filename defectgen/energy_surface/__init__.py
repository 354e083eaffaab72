"""The energy of a defect around its ideal cell: descents, curvatures, harmonic ensembles, energies of pairs."""

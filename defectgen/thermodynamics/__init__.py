"""From energies to numbers of defects: chemical potentials, free energies of formation, equilibrium, diffusion."""

"""Latent generators of geometries: a variational autoencoder and a generative adversarial network.

Both decode a latent vector z and H-invariant noise into displacements with the network of the bridge, in one step.
The autoencoder (Kingma and Welling, 2014, doi:10.48550/arXiv.1312.6114) learns z from the geometry; the adversarial
network (Goodfellow et al., 2014, doi:10.48550/arXiv.1406.2661) draws it and learns from a critic of geometries.
"""

from __future__ import annotations

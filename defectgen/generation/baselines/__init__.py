"""Other families of generators on the same representation and training loop, so that a benchmark can compare them.

The one-shot regressor and the diffusion of DDPM's schedule are the network of displacements trained with another
`Bridge.schedule`; rattles and bond distortions need no training and are among the generators of the benchmark. Here are
the older ways: a variational autoencoder, an adversarial network, and a Transformer over the key.
"""

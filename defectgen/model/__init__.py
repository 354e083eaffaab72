"""The diffusion model: the bridge from noise to geometry, its predictor, its weights."""

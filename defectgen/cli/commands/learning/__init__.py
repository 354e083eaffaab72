"""Commands that teach the diffusion model and students by a user's own runs."""

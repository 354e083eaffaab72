"""MACE networks: students and users' models, by mace-torch or natively."""

"""Commands to and from codes for electronic structure."""

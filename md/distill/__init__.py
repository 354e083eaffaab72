"""Distillation of a small student from a large teacher."""

"""Wyckoff-aware generation of defective crystals: model, pipeline, report and command line."""

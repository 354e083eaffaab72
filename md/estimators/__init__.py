"""Estimators of series: where equilibrium begins, correlation times, errors, fits."""

"""Weighted least squares through measured means: a polynomial with the covariance of its coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError
from md.estimators.statistics import Mean


@dataclass(frozen=True, eq=False)
class Fit:
    """A polynomial sum over k of c_k (x - origin)^k.

    Attributes:
        coefficients: (d + 1,) c_0 first.
        covariance: (d + 1, d + 1) of the coefficients, from the errors of the points.
        origin: weighted mean of the abscissas, about which constant and slope are least correlated.
        chi_squared: sum of squared residuals over errors; near the number of points less d + 1 for a good fit.
    """

    coefficients: FloatArray
    covariance: FloatArray
    origin: float
    chi_squared: float

    def at(self, x: float) -> Mean:
        """Value at x and its standard error."""
        return self._combine(np.asarray((x - self.origin) ** np.arange(len(self.coefficients)), dtype=float))

    def slope(self, x: float) -> Mean:
        """Derivative at x and its standard error."""
        k = np.arange(len(self.coefficients))
        return self._combine(np.asarray(k * (x - self.origin) ** np.maximum(k - 1, 0), dtype=float))

    def _combine(self, weights: FloatArray) -> Mean:
        return Mean(float(weights @ self.coefficients), float(np.sqrt(weights @ self.covariance @ weights)))


def fit(x: Sequence[float], y: Sequence[Mean], degree: int = 1) -> Fit:
    """Polynomial of a degree through points x with means y, each weighted by its inverse variance.

    Raises:
        DataError: fewer different abscissas than coefficients, or an error that is not known and positive.
    """
    abscissas, values = np.asarray(x, dtype=float), np.array([m.value for m in y])
    errors = np.array([m.error for m in y])
    if len(np.unique(abscissas)) <= degree:
        raise DataError(f"{len(np.unique(abscissas))} different points for a fit of degree {degree}; measure more")
    if not (np.isfinite(values).all() and np.isfinite(errors).all() and (errors > 0).all()):
        raise DataError("a point of a fit has no finite value with a positive error; run longer, or leave it out")
    origin = float(np.average(abscissas, weights=errors**-2))
    design = (abscissas - origin)[:, None] ** np.arange(degree + 1)
    weighted = design / errors[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    coefficients = covariance @ weighted.T @ (values / errors)
    residuals = (values - design @ coefficients) / errors
    return Fit(coefficients, covariance, origin, float(residuals @ residuals))

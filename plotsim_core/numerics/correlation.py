"""Correlation: from what a config declares to factors that mix independent normal scores.

*NORTA inversion* (Cario and Nelson, 1997): the Pearson correlation of two margins under a Gaussian copula is a power
series in the latent correlation, whose coefficients are the products of the margins' Hermite coefficients. Inverting the
series gives the latent correlation that delivers the declared one.

*Growing matrix*: a correlation matrix is built a variable at a time, and no row depends on the rows after it.

Everything here runs once, at load. Results are rounded to ten decimals, so that another machine's linear algebra gives
the same factors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_hermitenorm, gammaln

Floats = NDArray[np.float64]

SCORES = np.linspace(-6.0, 6.0, 481)
"""Normal scores at which margins are sampled for `hermite_coefficients`."""
_WEIGHTS = np.exp(-0.5 * SCORES**2) / np.exp(-0.5 * SCORES**2).sum()
_DEGREE = 24
_POLYNOMIALS = np.stack([eval_hermitenorm(n, SCORES) / np.exp(0.5 * gammaln(n + 1)) for n in range(1, _DEGREE + 1)])
_FLOOR = 1e-6
"""Share of a variable's variance that the others never explain."""


def hermite_coefficients(margin: Floats) -> Floats:
    """Return the normalised Hermite coefficients 1.. of standardised margins.

    `margin` holds values at `SCORES` in its last axis; constant margins give zeros. The squares of the coefficients of
    one margin sum to 1, up to the degree kept.
    """
    mean = np.sum(margin * _WEIGHTS, axis=-1, keepdims=True)
    spread = np.sqrt(np.sum((margin - mean) ** 2 * _WEIGHTS, axis=-1, keepdims=True))
    standard = (margin - mean) / np.maximum(spread, 1e-300)
    return np.sum((standard * _WEIGHTS)[..., None, :] * _POLYNOMIALS, axis=-1)


def delivered(first: Floats, second: Floats, latent: float) -> float:
    """Return the correlation that two margins show under a latent one, averaged over the rows of their coefficients."""
    powers = latent ** np.arange(1, _DEGREE + 1)
    return float(np.mean(np.sum(first * second * powers, axis=-1)))


def latent(first: Floats, second: Floats, target: float) -> tuple[float, float]:
    """Return (latent correlation, what it delivers) for a declared `target`; the nearest reachable one if it is not."""
    low, high = -1.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if delivered(first, second, middle) < target:
            low = middle
        else:
            high = middle
    found = round(0.5 * (low + high), 10)
    return found, delivered(first, second, found)


def nearest_row(matrix: Floats, row: Floats) -> Floats:
    """Return the row nearest to `row` that a variable can add to a correlation matrix; `row` itself if it can.

    The others stay as they are: whatever the added variable asks for, only it gives way. With R the matrix, rows r that fit
    have r' inverse(R) r < 1; the nearest of them is (I + x inverse(R))^-1 r for the x that meets the bound.
    """
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, _FLOOR**2)
    turned = np.sum(vectors * row[:, None], axis=0)

    def explained(x: float) -> float:
        return float(np.sum(values * turned**2 / (values + x) ** 2))

    if explained(0.0) <= 1.0 - _FLOOR:
        return row
    low, high = 0.0, 1.0
    while explained(high) > 1.0 - _FLOOR:
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if explained(middle) > 1.0 - _FLOOR else (low, middle)
    return np.sum(vectors * (values * turned / (values + high))[None, :], axis=1)


def completed(matrix: Floats, near: NDArray[np.intp], wanted: Floats) -> Floats:
    """Return the row that a variable adds to a correlation matrix, of which only its entries at `near` are `wanted`.

    It depends on the other variables only through those it is declared with (a Gaussian Bayesian network in the order of
    the rows), so the wider matrix is one of correlations whenever the declared entries allow it.
    """
    slopes = np.linalg.lstsq(matrix[np.ix_(near, near)], wanted, rcond=None)[0]
    row: Floats = matrix[:, near] @ slopes
    row[near] = wanted
    return row


def factor(matrix: Floats) -> Floats:
    """Return the lower Cholesky factor by the textbook loop: leading rows never depend on the rows after them."""
    size = len(matrix)
    lower = np.zeros((size, size))
    for row in range(size):
        for column in range(row + 1):
            rest = matrix[row, column] - float(sum(lower[row, k] * lower[column, k] for k in range(column)))
            if row == column:
                lower[row, row] = np.sqrt(max(rest, 0.0))
            elif lower[column, column] > 0:
                lower[row, column] = rest / lower[column, column]
    return np.round(lower, 10)

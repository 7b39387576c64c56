"""Correlation: from what a config declares to factors that mix independent normal scores.

*NORTA inversion* (Cario and Nelson, 1997): the Pearson correlation of two margins under a Gaussian copula is a power
series in the latent correlation, whose coefficients are the products of the margins' Hermite coefficients. Inverting the
series gives the latent correlation that delivers the declared one.

*Growing matrix*: a correlation matrix is built a variable at a time, and no row depends on the rows after it.

*Covariance selection* (Dempster, 1972; iterative proportional fitting as in Speed and Kiiveri, 1986): of all matrices
with given entries, the one of largest entropy, in which variables without a given entry are independent given the rest.

Everything here runs before data is made. Results are rounded to ten decimals, so that another machine's linear algebra gives
the same factors.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_hermitenorm, gammaln

from plotsim_core.numerics.arrays import Floats

SCORES = np.linspace(-6.0, 6.0, 481)
"""Normal scores at which margins are sampled for `hermite_coefficients`."""
_WEIGHTS = np.exp(-0.5 * SCORES**2) / np.exp(-0.5 * SCORES**2).sum()
_DEGREE = 60
_POWERS = np.arange(1, _DEGREE + 1)
_POLYNOMIALS = np.stack([eval_hermitenorm(n, SCORES) / np.exp(0.5 * gammaln(n + 1)) for n in range(1, _DEGREE + 1)])
_FLOOR = 1e-6
"""Share of a variable's variance that the others never explain."""
_CLEAR_MARGIN = 1e-3
"""Margin above that share beyond which no closer look is taken."""
_ROUNDS, _PATIENCE = 2000, 100
_REST = 1e-11
"""Residual at which proportional fitting is at rest. It is given up after `_ROUNDS` rounds, or when `_PATIENCE` rounds do
not halve the residual."""
_FARTHEST = 0.4
"""Largest shift of an entry that is worth a search for the largest entropy."""
_SHRINKAGES = (1e-4, 1e-3, 1e-2, 3e-2)
"""Shares by which nearest entries are drawn towards zero, so that the matrix is not singular."""


def hermite_coefficients(margin: Floats) -> Floats:
    """Return the normalised Hermite coefficients 1.. of standardised margins.

    `margin` holds values at `SCORES` in its last axis; constant margins give zeros. The squares of the coefficients of
    one margin sum to 1, up to the degree kept.
    """
    mean = np.sum(margin * _WEIGHTS, axis=-1, keepdims=True)
    spread = np.sqrt(np.sum((margin - mean) ** 2 * _WEIGHTS, axis=-1, keepdims=True))
    standard = (margin - mean) / np.maximum(spread, 1e-300)
    coefficients: Floats = np.sum((standard * _WEIGHTS)[..., None, :] * _POLYNOMIALS, axis=-1)
    return coefficients


def shown_correlation(first: Floats, second: Floats, latent: float) -> float:
    """Return the correlation that two margins show under a latent one, averaged over the rows of their coefficients."""
    return _series(first * second, latent)


def _series(products: Floats, latent: float) -> float:
    return float(np.mean(np.sum(products * latent**_POWERS, axis=-1)))


def latent(first: Floats, second: Floats, target: float) -> tuple[float, float]:
    """Return (latent correlation, what it delivers) for a declared `target`; the nearest reachable one if it is not."""
    products = first * second
    low, high = -1.0, 1.0
    while round(low, 10) != round(high, 10) and low < (middle := 0.5 * (low + high)) < high:
        if _series(products, middle) < target:
            low = middle
        else:
            high = middle
    coefficient = round(0.5 * (low + high), 10)
    return coefficient, _series(products, coefficient)


def nearest_row(matrix: Floats, row: Floats) -> Floats:
    """Return the row nearest to `row` that a variable can add to a correlation matrix; `row` itself if it can.

    The others stay as they are: whatever the added variable asks for, only it gives way. With R the matrix, rows r that fit
    have r' inverse(R) r < 1; the nearest of them is (I + x inverse(R))^-1 r for the x that meets the bound.
    """
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, _FLOOR**2)
    rotated = np.sum(vectors * row[:, None], axis=0)

    def explained(x: float) -> float:
        return float(np.sum(values * rotated**2 / (values + x) ** 2))

    if explained(0.0) <= 1.0 - _FLOOR:
        return row
    low, high = 0.0, 1.0
    while explained(high) > 1.0 - _FLOOR:
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if explained(middle) > 1.0 - _FLOOR else (low, middle)
    nearest: Floats = np.sum(vectors * (values * rotated / (values + high))[None, :], axis=1)
    return nearest


def fits(matrix: Floats, indices: NDArray[np.intp], row: Floats) -> bool:
    """Return whether a variable can add `row` to a correlation matrix, where only its entries at `indices` are declared."""
    explained_share = float(
        np.sum(row[indices] * np.linalg.lstsq(matrix[np.ix_(indices, indices)], row[indices], rcond=None)[0])
    )
    return explained_share < 1.0 - _FLOOR - _CLEAR_MARGIN or np.array_equal(nearest_row(matrix, row), row)


def completed_row(matrix: Floats, indices: NDArray[np.intp], entries: Floats) -> Floats:
    """Return the row that a variable adds to a correlation matrix, of which only the `entries` at `indices` are declared.

    It depends on the other variables only through those it is declared with (a Gaussian Bayesian network in the order of
    the rows), so the wider matrix is one of correlations whenever the declared entries allow it.
    """
    slopes = np.linalg.lstsq(matrix[np.ix_(indices, indices)], entries, rcond=None)[0]
    row: Floats = matrix[:, indices] @ slopes
    row[indices] = entries
    return row


def completion(size: int, entries: Mapping[tuple[int, int], float]) -> Floats:
    """Return the correlation matrix of largest entropy with `entries` at their places, shape (size, size).

    Where no matrix has these entries, those nearest to them (by least squares) that one has are taken instead.
    """
    fitted = _fitted(size, entries)
    return fitted if fitted is not None else _fitted_nearest(size, entries)


def _fitted_nearest(size: int, entries: Mapping[tuple[int, int], float]) -> Floats:
    indices = tuple(np.array(list(entries)).T)
    nearest = np.round(_nearest(size, indices, np.array(list(entries.values()))), 6)
    if np.max(np.abs(nearest[indices] - np.array(list(entries.values())))) > _FARTHEST:
        return nearest
    for shrinkage in _SHRINKAGES:
        fitted = _fitted(size, dict(zip(entries, (nearest[indices] * (1.0 - shrinkage)).tolist(), strict=True)))
        if fitted is not None:
            return fitted
    return nearest + (np.eye(size) - nearest) * _SHRINKAGES[-1]


def _nearest(size: int, indices: tuple[NDArray[np.intp], ...], entries: Floats) -> Floats:
    """Return a correlation matrix whose entries at `indices` are nearest to `entries`: inner products of unit vectors."""
    rows, columns = indices

    def loss(flat: Floats) -> tuple[float, Floats]:
        vectors = flat.reshape(size, size)
        length = np.sqrt(np.sum(vectors**2, axis=1, keepdims=True))
        unit_vectors = vectors / length
        misses = np.sum(unit_vectors[rows] * unit_vectors[columns], axis=1) - entries
        gradient = np.zeros_like(unit_vectors)
        np.add.at(gradient, rows, 2.0 * misses[:, None] * unit_vectors[columns])
        np.add.at(gradient, columns, 2.0 * misses[:, None] * unit_vectors[rows])
        gradient = (gradient - unit_vectors * np.sum(gradient * unit_vectors, axis=1, keepdims=True)) / length
        return float(np.sum(misses**2)), gradient.ravel()

    from scipy.optimize import minimize  # slow to import, and few configs need it

    start = np.eye(size) + 0.1 * np.cos(np.arange(size * size)).reshape(size, size)
    result = minimize(
        loss,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-9},
    )
    vectors = result.x.reshape(size, size)
    unit_vectors = vectors / np.sqrt(np.sum(vectors**2, axis=1, keepdims=True))
    return np.asarray(unit_vectors @ unit_vectors.T, dtype=np.float64)


def _fitted(size: int, entries: Mapping[tuple[int, int], float]) -> Floats | None:
    """Return the matrix of largest entropy by iterative proportional fitting, or None if it does not come to rest."""
    matrix = np.eye(size)
    if len(entries) == size * (size - 1) // 2:
        for (a, b), target in entries.items():
            matrix[a, b] = matrix[b, a] = target
        return matrix if np.linalg.eigvalsh(matrix)[0] > _FLOOR else None
    earlier_worst = np.inf
    for step in range(_ROUNDS):
        worst = 0.0
        for (a, b), target in entries.items():
            worst = max(worst, abs(matrix[a, b] - target), abs(matrix[a, a] - 1.0), abs(matrix[b, b] - 1.0))
            pair = matrix[[[a], [b]], [a, b]]
            if pair[0, 0] * pair[1, 1] - pair[0, 1] ** 2 < _FLOOR:
                return None
            inverse = np.linalg.inv(pair)
            columns = matrix[:, [a, b]]
            matrix = matrix + columns @ (inverse @ (np.array([[1.0, target], [target, 1.0]]) - pair) @ inverse) @ columns.T
        if worst < _REST:
            return matrix if np.linalg.eigvalsh(matrix)[0] > _FLOOR else None
        if step % _PATIENCE == _PATIENCE - 1:
            if worst > 0.5 * earlier_worst:
                return None
            earlier_worst = worst
    return None


def factor(matrix: Floats) -> Floats:
    """Return the lower Cholesky factor, a column at a time: leading rows never depend on the rows after them. Sums are taken
    entry by entry in the order of the columns, so an entry has the same bits whatever there is beside it."""
    size = len(matrix)
    lower = np.zeros((size, size))
    sums = np.zeros((size, size))
    for column in range(size):
        remainder = matrix[column:, column] - sums[column:, column]
        lower[column, column] = np.sqrt(max(float(remainder[0]), 0.0))
        if lower[column, column] > 0:
            column_below = remainder[1:] / lower[column, column]
            lower[column + 1 :, column] = column_below
            sums[column + 1 :, column + 1 :] += column_below[:, None] * column_below[None, :]
    return np.round(lower, 10)

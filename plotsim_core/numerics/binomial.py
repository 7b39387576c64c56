"""Binomial counts by inversion, with nothing but IEEE + - * / and the square root: the same bits on every machine.

A count that was off by one would move every row after it. So no libm and no special function is called, and NumPy never
fuses a multiplication with an addition across two calls; a logarithm, needed in far tails only, is summed from its series.
Small means add up neighbouring probabilities. Means above 48 take the expansion of Cornish and Fisher ("Moments and
cumulants in the specification of distributions", 1938) at a normal score by Wichura ("Algorithm AS 241", 1988); it takes one
count in some thousands for its neighbour, which no mean or variance shows.
"""

from __future__ import annotations

import numpy as np

from plotsim_core.numerics.arrays import Floats, Integers

_SMALL_MEAN = 48.0
_LONGEST_SUM = 131
"""A mean of 48 and twelve standard deviations."""
_CENTRE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
"""Coefficients of AS 241, numerator and denominator, within 0.425 of one half."""
_TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
"""The same in the tails, up to 6.66 standard deviations."""
_LOG_SERIES = tuple(1.0 / power for power in range(1, 23, 2))


def binomial(trials: Integers, chance: Floats, level: Floats) -> Integers:
    """Return the number of successes among `trials` (0 to 2**53) at `chance` (0 to 1) that each level in (0, 1) stands for.

    All arrays have one shape, (n,). The result lies between 0 and `trials`.
    """
    is_flipped = chance > 0.5
    rarer = np.where(is_flipped, 1.0 - chance, chance)
    level = np.where(is_flipped, 1.0 - level, level)
    is_small = trials * rarer <= _SMALL_MEAN
    if is_small.all():
        counts = _summed(trials, rarer, level)
    elif not is_small.any():
        counts = _expanded(trials, rarer, level)
    else:
        counts = np.empty(len(trials), dtype=np.int64)
        for chosen, inverse in ((is_small, _summed), (~is_small, _expanded)):
            counts[chosen] = inverse(trials[chosen], rarer[chosen], level[chosen])
    return np.where(is_flipped, trials - counts, counts)


def _summed(trials: Integers, chance: Floats, level: Floats) -> Integers:
    """Return the inverse by adding up probabilities, each by its ratio to the one before."""
    counts, mass = np.zeros(len(trials), dtype=np.int64), _power(1.0 - chance, trials)
    missing, odds = level - mass, chance / (1.0 - chance)
    pending = np.flatnonzero((missing > 0) & (trials > 0))
    for count in range(_LONGEST_SUM):
        if not len(pending):
            break
        mass[pending] *= (trials[pending] - count) / (count + 1) * odds[pending]
        missing[pending] -= mass[pending]
        counts[pending] = count + 1
        pending = pending[(missing[pending] > 0) & (trials[pending] > count + 1)]
    return counts


def _expanded(trials: Integers, chance: Floats, level: Floats) -> Integers:
    """Return the inverse by the first four cumulants of the smooth law that rounds to the count (Sheppard: its variance is
    smaller by 1/12)."""
    mean = trials * chance
    variance = mean * (1.0 - chance)
    smooth_variance = variance - 1.0 / 12.0
    deviation = np.sqrt(smooth_variance)
    skewness = variance * (1.0 - 2.0 * chance) / (smooth_variance * deviation)
    excess = (variance * (1.0 - 6.0 * chance * (1.0 - chance)) + 1.0 / 120.0) / (smooth_variance * smooth_variance)
    score = normal_score(level)
    square = score * score
    score = (
        score
        + skewness * (square - 1.0) / 6.0
        + excess * (square - 3.0) * score / 24.0
        - skewness * skewness * (2.0 * square - 5.0) * score / 36.0
    )
    return np.clip(np.rint(mean + deviation * score), 0, trials).astype(np.int64)


def normal_score(level: Floats) -> Floats:
    """Return the standard normal quantile of each level in (0, 1), to 15 digits, within 6.66 standard deviations."""
    centred = level - 0.5
    rest = 0.180625 - centred * centred
    scores = centred * _polynomial(rest, _CENTRE[0]) / _polynomial(rest, _CENTRE[1])
    tail = np.flatnonzero(np.abs(centred) > 0.425)
    if len(tail):
        outer = np.minimum(level[tail], 1.0 - level[tail])
        rest = np.minimum(np.sqrt(-logarithm(outer)), 5.0) - 1.6
        scores[tail] = np.sign(centred[tail]) * _polynomial(rest, _TAIL[0]) / _polynomial(rest, _TAIL[1])
    return scores


def logarithm(x: Floats) -> Floats:
    """Return the natural logarithm of numbers above 0, to 15 digits, from the series of the inverse hyperbolic tangent."""
    mantissa, exponent = np.frexp(x)
    is_low = mantissa < 0.7071067811865476
    mantissa = np.where(is_low, mantissa * 2.0, mantissa)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    return (exponent - is_low) * 0.6931471805599453 + 2.0 * ratio * _polynomial(ratio * ratio, _LOG_SERIES)


def _polynomial(x: Floats, coefficients: tuple[float, ...]) -> Floats:
    """Return the polynomial with these coefficients, the constant one first, by Horner's rule."""
    values = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        values *= x
        values += coefficient
    return values


def _power(base: Floats, exponents: Integers) -> Floats:
    """Return powers with whole exponents, by squaring."""
    values, exponents = np.ones_like(base), exponents.copy()
    while exponents.any():
        values = np.where(exponents & 1, values * base, values)
        base, exponents = base * base, exponents >> 1
    return values

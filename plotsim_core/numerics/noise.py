"""Noise families: the quantile functions of measurement jitter, and the preset words for how dirty data is.

A member maps a uniform to a draw with centre zero. The scale of `gaussian` is its standard deviation; the heavier
families have the same interquartile range as a standard normal, so that one `gaussian_sigma` reads alike in all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri, stdtrit

from plotsim_core.families import Family
from plotsim_core.numerics.arrays import Floats

_NORMAL_QUARTILE = float(ndtri(0.75))


def _gaussian(u: Floats, degrees_of_freedom: float) -> Floats:
    draws: Floats = ndtri(u)
    return draws


def _student_t(u: Floats, degrees_of_freedom: float) -> Floats:
    draws = np.asarray(stdtrit(degrees_of_freedom, u), dtype=np.float64)
    return draws * (_NORMAL_QUARTILE / float(stdtrit(degrees_of_freedom, 0.75)))


def _laplace(u: Floats, degrees_of_freedom: float) -> Floats:
    tail = np.minimum(u, 1.0 - u)
    draws: Floats = np.copysign(-np.log(2.0 * tail), u - 0.5) * (_NORMAL_QUARTILE / np.log(2.0))
    return draws


NOISE: Family[Callable[[Floats, float], Floats]] = Family("noise family")
NOISE.add("gaussian", _gaussian)
NOISE.add("student_t", _student_t)
NOISE.add("laplace", _laplace)

PRESETS: Family[tuple[float, float, float]] = Family("noise preset")
"""Preset word to (gaussian_sigma, outlier_rate, mcar_rate)."""
for _name, _rates in {
    "perfectly_clean": (0.0, 0.0, 0.0),
    "clean": (0.0, 0.0, 0.0),
    "slightly_messy": (0.03, 0.01, 0.005),
    "realistic": (0.05, 0.02, 0.01),
    "messy": (0.05, 0.02, 0.01),
    "dirty": (0.10, 0.05, 0.03),
    "very_messy": (0.10, 0.05, 0.03),
}.items():
    PRESETS.add(_name, _rates)

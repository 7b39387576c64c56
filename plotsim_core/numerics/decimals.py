"""Decimal fractions: rounding by the accountants' rule.

A number is rounded to the nearest decimal, a half away from zero. Doubles cannot say a half of a cent, so what is nearer to
it than doubles can tell, by a part in 2**50, counts as the half.
"""

from __future__ import annotations

import numpy as np

from plotsim_core.numerics.arrays import Floats

PRECISION = 18
"""Digits of an exact number, decimals included."""
EXACT = 2.0**53
"""Doubles below it are exact for whole numbers."""
_TELL, _NEAREST = 2.0**-50, 2.0**-7


def units(values: Floats, digits: int) -> Floats:
    """Return numbers as whole units of their last of `digits` decimals (12.345 with 2 as 1235.0), halves away from zero; NaN
    stays, and so does the sign of what is rounded to zero."""
    scaled = np.abs(values) * 10.0**digits
    floor = np.floor(scaled)
    is_up = scaled - floor >= 0.5 - np.minimum(scaled * _TELL, _NEAREST)
    rounded: Floats = np.copysign(floor + is_up, values)
    return rounded


def half_up(values: Floats, digits: int) -> Floats:
    """Return numbers rounded to `digits` decimals, halves away from zero: 2.675 is 2.68, -0.125 is -0.13. What has no such
    decimals, from 2**52 units on, stays."""
    with np.errstate(invalid="ignore", over="ignore"):
        whole_units = units(values, digits)
        return np.where(np.abs(whole_units) < EXACT / 2, whole_units / 10.0**digits, values) + 0.0

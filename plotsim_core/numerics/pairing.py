"""Pairs of numbers as one number: a bijection that stays small where the product is small.

Pairs are ordered by the lengths of both numbers in binary: all pairs whose lengths add up to n come before those that add
up to n + 1. So (a, b) becomes a number of about a * b * log2(a * b), whatever the largest a and b are; a rectangle of
a fixed width would be left at a fixed place instead.
"""

from __future__ import annotations

import numpy as np

from plotsim_core.numerics.arrays import Integers


def pair_numbers(first: Integers, second: Integers) -> Integers:
    """Return one number for each pair of numbers from 0 on, no two the same. Products are below 2**52."""
    a, b = first + 1, second + 1
    long_a, long_b = _length(a), _length(b)
    total = long_a + long_b
    base = (total - 1 << total) + 1 + (long_a << total)
    numbers: Integers = base + (a - (1 << long_a) << long_b) + b - (1 << long_b)
    return numbers


def _length(numbers: Integers) -> Integers:
    """Return the largest n with 2**n <= number, for numbers from 1 to 2**53."""
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64) - 1

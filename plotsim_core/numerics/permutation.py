"""Keyed bijections: unique codes without drawing and without remembering.

A four-round Feistel network (Luby and Rackoff, 1988) over numbers of an even count of bits maps distinct numbers to
distinct, random-looking numbers. `code` writes such a number in Crockford's base 32, which has no I, L, O or U.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.random import Words, mix

_ROUNDS = 4
_DIGITS = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", dtype=np.uint8)


def permute(numbers: Words, bits: int, key: np.uint64) -> Words:
    """Return the keyed permutation of [0, 2**bits) applied to each number. `bits` is even, at most 62."""
    half = np.uint64(bits // 2)
    mask = np.uint64((1 << (bits // 2)) - 1)
    left, right = numbers >> half, numbers & mask
    for round_number in range(_ROUNDS):
        scrambled = mix((right + np.uint64(round_number) * (mask + np.uint64(1))) ^ key) & mask
        left, right = right, left ^ scrambled
    return (left << half) | right


def code(numbers: Words, length: int) -> NDArray[np.str_]:
    """Return each number as `length` base-32 digits, most significant first (numbers below 32**length)."""
    places = np.arange(length - 1, -1, -1, dtype=np.uint64) * np.uint64(5)
    digits = _DIGITS[((numbers[:, None] >> places) & np.uint64(31)).astype(np.intp)]
    return np.ascontiguousarray(digits).view(f"S{length}").ravel().astype(f"U{length}")

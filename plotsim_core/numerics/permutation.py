"""Keyed bijections: unique codes without drawing and without remembering.

A four-round Feistel network (Luby and Rackoff, 1988) over numbers of an even count of bits maps distinct numbers to
distinct, random-looking numbers. `code` writes such a number in Crockford's base 32, which has no I, L, O or U. Over any
other range the network is walked along its cycles until it is back inside (Black and Rogaway, "Ciphers with arbitrary finite
domains", 2002).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.random import Words, mix

_ROUNDS = 4
_WALKED_ROUNDS = 12
"""Small ranges need more rounds for all orders to be about as frequent."""
_DIGITS = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", dtype=np.uint8)


def permute(numbers: Words, bits: int, key: np.uint64) -> Words:
    """Return the keyed permutation of [0, 2**bits) applied to each number. `bits` is even, at most 62."""
    half = np.uint64(bits // 2)
    left, right = permute_pairs(numbers >> half, numbers & np.uint64((1 << (bits // 2)) - 1), bits // 2, key)
    return (left << half) | right


def permute_pairs(left: Words, right: Words, bits: int, key: np.uint64) -> tuple[Words, Words]:
    """Return the keyed permutation of all pairs of numbers of so many bits, at most 61, applied to each pair."""
    mask = np.uint64((1 << bits) - 1)
    for round_number in range(_ROUNDS):
        scrambled = mix((right + np.uint64(round_number) * (mask + np.uint64(1))) ^ key) & mask
        left, right = right, left ^ scrambled
    return left, right


def shuffled(numbers: NDArray[np.int64], sizes: NDArray[np.int64] | int, keys: Words) -> NDArray[np.int64]:
    """Return where each number of [0, size) lies in the order of its own key: for each key a permutation of [0, size).

    All arrays have one shape, or are broadcast to it; sizes are at most 2**60. So `shuffled(arange(k), n, key)` draws k of n
    without replacement, and a larger k keeps what was drawn.
    """
    return _walked(_network, numbers, sizes, keys)


def unshuffled(places: NDArray[np.int64], sizes: NDArray[np.int64] | int, keys: Words) -> NDArray[np.int64]:
    """Return which number of [0, size) lies at each place in the order of its own key: the inverse of `shuffled`."""
    return _walked(_inverse_network, places, sizes, keys)


def _walked(
    network: Callable[[Words, Words, Words], Words],
    numbers: NDArray[np.int64],
    sizes: NDArray[np.int64] | int,
    keys: Words,
) -> NDArray[np.int64]:
    """Return where a network takes each number, walked along its cycles until it is back in [0, size)."""
    numbers, sizes, keys = np.broadcast_arrays(numbers, np.asarray(sizes, dtype=np.int64), keys)
    images = numbers.ravel().astype(np.uint64)
    limit, flat_keys = sizes.ravel().astype(np.uint64), np.ascontiguousarray(keys).ravel()
    half = (np.ceil(np.log2(np.maximum(sizes.ravel(), 2))) + 1).astype(np.uint64) // np.uint64(2)
    pending = np.arange(len(images))
    while len(pending):
        next_images = network(images[pending], half[pending], flat_keys[pending])
        images[pending] = next_images
        pending = pending[next_images >= limit[pending]]
    return images.astype(np.int64).reshape(numbers.shape)


def _network(numbers: Words, half: Words, keys: Words) -> Words:
    """Return the keyed permutation of [0, 4**half), applied to each number."""
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = numbers >> half, numbers & mask
    for round_number in range(_WALKED_ROUNDS):
        scrambled = mix(keys + (right << np.uint64(4)) + np.uint64(round_number)) & mask
        left, right = right, left ^ scrambled
    return (left << half) | right


def _inverse_network(numbers: Words, half: Words, keys: Words) -> Words:
    """Return the number that the keyed permutation of [0, 4**half) takes to each number."""
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = numbers >> half, numbers & mask
    for round_number in reversed(range(_WALKED_ROUNDS)):
        scrambled = mix(keys + (left << np.uint64(4)) + np.uint64(round_number)) & mask
        left, right = np.bitwise_xor(right, scrambled), left
    return (left << half) | right


def code(numbers: Words, length: int) -> NDArray[np.str_]:
    """Return each number as `length` base-32 digits, most significant first (numbers below 32**length)."""
    shifts = np.arange(length - 1, -1, -1, dtype=np.uint64) * np.uint64(5)
    digits = _DIGITS[((numbers[:, None] >> shifts) & np.uint64(31)).astype(np.intp)]
    return np.ascontiguousarray(digits).view(f"S{length}").ravel().astype(f"U{length}")

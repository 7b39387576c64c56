"""Randomness by address: any draw of any cell, alone.

A draw is a pure function of a *key* (who draws: seed and stream name) and an *address* (for which cell: a word
for the unit folded with a word for the period, and further with an ordinal). No generator is ever advanced.

The bit function is the output function of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
generators" (OOPSLA 2014), with Stafford's variant 13 constants as in Vigna's reference code. It is applied once
per folded word and once per draw. Everything is element-wise on uint64 arrays, so a cell has the same bits in any
slice, shape, order or process.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from plotsim_core.numerics.arrays import Floats

Words = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_30, _SHIFT_27, _SHIFT_31, _SHIFT_12 = (np.uint64(n) for n in (30, 27, 31, 12))


def key(seed: int, *names: str | int) -> np.uint64:
    """Return the 64-bit key of the stream that `names` spell out, under `seed`.

    Names are hashed with their lengths, so ("ab", "c") and ("a", "bc") are different streams.
    """
    text = "".join(f"{len(str(part))}:{part};" for part in (seed, *names))
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def mix(words: Words) -> Words:
    """Return the SplitMix64 output function of `words` (uint64, any shape) as a new array."""
    z = np.array(words, dtype=np.uint64, copy=True)
    spare = z >> _SHIFT_30
    z ^= spare
    z *= _MULTIPLIER_1
    np.right_shift(z, _SHIFT_27, out=spare)
    z ^= spare
    z *= _MULTIPLIER_2
    np.right_shift(z, _SHIFT_31, out=spare)
    z ^= spare
    return z


def words(numbers: NDArray[np.integer] | int) -> Words:
    """Return well-mixed 64-bit words for integers (negative ones allowed)."""
    unsigned = np.asarray(numbers, dtype=np.int64).astype(np.uint64)
    return mix((unsigned + np.uint64(1)) * GOLDEN)


def fold(address: Words, word: Words) -> Words:
    """Return the address one level deeper: `address` and `word` are broadcast against each other.

    It is symmetric, and equal words all give one address. So two numbers are never folded with each other: a name is folded
    into the first of them before.
    """
    return mix(address ^ word)


def uniforms(stream: np.uint64 | Words, address: Words) -> Floats:
    """Return one uniform in the open interval (0, 1) for each address, 52 bits each, of one stream or a stream each."""
    bits = mix(address + stream)
    bits >>= _SHIFT_12
    draws = bits.astype(np.float64)
    draws += 0.5
    draws *= 2.0**-52
    return draws


def normals(stream: np.uint64, address: Words) -> Floats:
    """Return one standard normal score for each address, by inversion of the uniform (the inverse CDF, probit)."""
    scores: Floats = ndtri(uniforms(stream, address))
    return scores


def choose(stream: np.uint64, address: Words, count: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Return one integer in [0, count) for each address; `count` may differ from address to address."""
    return (uniforms(stream, address) * count).astype(np.int64)

"""Conversions of exact decimals: Arrow decimals, integers in units of the last decimal, and doubles."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, buffer_numbers, joined
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.decimals import PRECISION, units


def decimal_array(scaled: Integers, scale: int, is_missing: NDArray[np.bool_] | None = None) -> ArrowArray:
    """Return integers, in units of the last decimal, as decimals, null where missing.

    Raises OverflowError where one has too many digits.
    """
    if is_missing is not None:
        scaled = np.where(is_missing, 0, scaled)
    if np.any(np.abs(scaled) >= 10**PRECISION):
        raise OverflowError
    pairs = np.stack([scaled, scaled >> 63], axis=1).astype("<i8")  # decimals are 128 bits, two's complement
    validity = None if is_missing is None or not is_missing.any() else pa.array(~is_missing).buffers()[1]
    return pa.Array.from_buffers(pa.decimal128(PRECISION, scale), len(scaled), [validity, pa.py_buffer(pairs.tobytes())])


def widest(type_: pa.DataType) -> pa.DataType:
    """Return a type with all the digits that a decimal can have: what is computed of some has a precision of its own."""
    return pa.decimal128(PRECISION, type_.scale) if pa.types.is_decimal(type_) else type_


def as_decimals(values: ArrowArray, digits: int) -> ArrowArray:
    """Return numbers as decimals, rounded as `half_up` does. Raises OverflowError where one has too many digits."""
    scaled = units(values.to_numpy(zero_copy_only=False), digits)
    is_missing = np.isnan(scaled)
    if np.any(np.abs(scaled) >= 10.0**PRECISION):
        raise OverflowError
    return decimal_array(np.where(is_missing, 0.0, scaled).astype(np.int64), digits, is_missing)


def units_of(values: ArrowArray) -> Integers:
    """Return decimals as integers in units of their last decimal, 0 for a null."""
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    pairs: Integers = buffer_numbers(values, 1, "<i8", 2 * len(values), 16 * values.offset)
    return np.where(values.is_null().to_numpy(zero_copy_only=False), 0, pairs[::2])


def as_floats(values: ArrowArray) -> Floats:
    """Return decimals as the doubles nearest to them, NaN for a null. (Arrow's own cast is off in the last bit.)"""
    floats = units_of(values) / 10.0**values.type.scale
    return np.where(values.is_null().to_numpy(zero_copy_only=False), np.nan, floats)


_TEXT_DIGITS = 37
"""The most digits of a number as a text."""


def is_writable(numbers: Floats, digits: int) -> NDArray[np.bool_]:
    """Return which numbers can be written with so many decimals; NaN cannot."""
    return np.abs(numbers) < 10.0 ** (_TEXT_DIGITS - digits)


def decimal_texts(rounded: Floats, digits: int) -> ArrowArray:
    """Return numbers that are rounded to `digits` decimals as texts with all of them; null of what cannot be written."""
    is_null = ~is_writable(rounded, digits)
    array = pa.array(np.where(is_null, 0.0, rounded), mask=is_null)
    return fixed_texts(array.cast(pa.decimal128(_TEXT_DIGITS + 1, digits)))


def fixed_texts(values: ArrowArray) -> ArrowArray:
    """Return decimals as texts with all their digits. (Arrow writes those below a millionth with an exponent, zero too.)"""
    texts: ArrowArray = values.cast(pa.string())
    has_exponent: NDArray[np.bool_] = pc.match_substring(texts, "E").fill_null(False).to_numpy(zero_copy_only=False)
    if not has_exponent.any():
        return texts
    mask = pa.array(has_exponent)
    small_units = units_of(values.filter(mask))
    digits = pc.utf8_lpad(pa.array(np.abs(small_units)).cast(pa.string()), values.type.scale, "0")
    signs = pa.array(np.where(small_units < 0, "-0", "0"))
    fixed: ArrowArray = pc.replace_with_mask(texts, mask, joined(signs, digits, between="."))
    return fixed

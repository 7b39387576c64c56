"""Conversions of a column's values to the type that its `as` says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.decimals import as_decimals, as_floats, decimal_array, units_of
from plotsim_core.config.conversions import text_value
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.decimals import PRECISION, half_up


def converted(values: ArrowArray, type_: pa.DataType, listed: Sequence[str], text_decimals: int | None) -> ArrowArray:
    """Return values as values of a type. Numbers are rounded halves away from zero, and become texts with `text_decimals`
    (None: as many as they have); `listed` are all the texts that there may be, where the type needs to know them.

    Raises OverflowError where a decimal has too many digits.
    """
    if pa.types.is_dictionary(type_):
        indexes = pc.index_in(values.cast(pa.string()), pa.array(listed, pa.string()))
        return pa.DictionaryArray.from_arrays(indexes, pa.array(listed, pa.string()))
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return _read(values, type_, listed)
    if isinstance(type_, pa.Decimal128Type):
        return _decimals(values, type_)
    if pa.types.is_floating(type_):
        numbers = _floats(values)
        return pa.array(numbers, mask=np.isnan(numbers))
    if pa.types.is_integer(type_) and not pa.types.is_boolean(values.type):
        numbers = half_up(_floats(values), 0)
        is_missing = np.isnan(numbers)
        return pa.array(np.where(is_missing, 0.0, numbers).astype(np.int64), mask=is_missing)
    if pa.types.is_string(type_) and pa.types.is_floating(values.type) and text_decimals is not None:
        return as_decimals(values, text_decimals).cast(type_)
    return values.cast(type_)


def _read(values: ArrowArray, type_: pa.DataType, listed: Sequence[str]) -> ArrowArray:
    """Return texts, all of them among those that are `listed`, as values of a type."""
    if pa.types.is_string(type_):
        return values.cast(type_)
    indexes = pc.index_in(values.cast(pa.string()), pa.array(listed, pa.string()))
    is_missing = indexes.is_null().to_numpy(zero_copy_only=False)
    known_values: ArrowArray = pa.array([text_value(text, type_) for text in listed], type_)
    return taken(known_values, indexes.fill_null(0).to_numpy(), is_missing)


def _floats(values: ArrowArray) -> Floats:
    if pa.types.is_decimal(values.type):
        return as_floats(values)
    numbers: Floats = values.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    return numbers


def _decimals(values: ArrowArray, type_: pa.Decimal128Type) -> ArrowArray:
    """Return numbers as decimals of a type. Raises OverflowError where one has too many digits."""
    is_missing = values.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        decimals = as_decimals(values, type_.scale)
    elif pa.types.is_decimal(values.type):
        decimals = decimal_array(_rescaled(units_of(values), values.type.scale, type_.scale), type_.scale, is_missing)
    else:
        whole_numbers: Integers = values.fill_null(0).to_numpy(zero_copy_only=False)
        decimals = decimal_array(_rescaled(whole_numbers, 0, type_.scale), type_.scale, is_missing)
    if np.any(np.abs(units_of(decimals)) >= 10**type_.precision):
        raise OverflowError
    return decimals.cast(type_)


def _rescaled(units: Integers, scale: int, other_scale: int) -> Integers:
    """Return units of the last of `scale` decimals as units of the last of others, rounded halves away from zero. Raises
    OverflowError where there are too many digits."""
    if other_scale < scale:
        step = 10 ** (scale - other_scale)
        rounded: Integers = np.sign(units) * ((np.abs(units) + step // 2) // step)
        return rounded
    if np.any(np.abs(units) >= 10 ** (PRECISION - other_scale + scale)):
        raise OverflowError
    rescaled: Integers = units * 10 ** (other_scale - scale)
    return rescaled

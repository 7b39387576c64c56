"""`as`: the type that the values of a column are stored with, where it is not that of its source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BeforeValidator

from plotsim_core.errors import value_text
from plotsim_core.families import nearest
from plotsim_core.numerics.decimals import PRECISION

_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
MOST_DECIMALS = 9
"""The most decimals of an exact decimal."""
TYPES: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "enum": pa.dictionary(pa.int32(), pa.string()),
}
"""The words of `as`, beside decimal(p, s), to their types."""
_WORDS = (*TYPES, "decimal(8, 2)")


def _conversion(value: Any) -> Any:
    if isinstance(value, str) and value in TYPES:
        return value
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        word = nearest(str(value), list(_WORDS))
        hint = "" if word is None else f"; did you mean '{word}'?"
        raise ValueError(
            f"expected {', '.join(_WORDS[:-1])} or a decimal like {_WORDS[-1]}, found {value_text(value)}{hint}"
        )
    precision, scale = int(match[1]), int(match[2])
    if not scale <= MOST_DECIMALS or not max(scale, 1) <= precision <= PRECISION:
        limits = f"up to {PRECISION} digits, of which up to {MOST_DECIMALS} are decimals"
        raise ValueError(f"expected decimal(p, s) with {limits}, found {value_text(value)}")
    return f"decimal({precision}, {scale})"


Conversion = Annotated[str, BeforeValidator(_conversion)]


def conversion_type(conversion: str) -> pa.DataType:
    """Return the type that a word of `as` stands for."""
    match = _DECIMAL.fullmatch(conversion)
    return pa.decimal128(int(match[1]), int(match[2])) if match else TYPES[conversion]


def text_value(text: str, type_: pa.DataType) -> object:
    """Return a text as a value of a type. Raises ValueError for one that is none."""
    if pa.types.is_integer(type_):
        return int(text)
    if pa.types.is_floating(type_):
        return float(text)
    if pa.types.is_decimal(type_):
        quantum = Decimal(1).scaleb(-type_.scale)
        try:
            return Decimal(text).quantize(quantum, ROUND_HALF_UP, Context(type_.precision))
        except InvalidOperation:
            raise ValueError(text) from None
    if pa.types.is_date(type_):
        return date.fromisoformat(text)
    if pa.types.is_time(type_):
        return time.fromisoformat(text)
    if text in ("true", "false"):
        return text == "true"
    raise ValueError(text)


def unreadable(texts: Iterable[str], conversion: str) -> str | None:
    """Return the first text that cannot be read as a value of a type; None if all can."""
    for text in texts:
        try:
            text_value(text, conversion_type(conversion))
        except ValueError:
            return text
    return None


def converts(type_: pa.DataType, conversion: str) -> bool:
    """Return whether values of a type can become what a word of `as` says: texts, if they can be read as such."""
    target = conversion_type(conversion)
    is_decimal = pa.types.is_decimal(type_)
    if pa.types.is_string(type_) or pa.types.is_dictionary(type_):
        return not pa.types.is_string(target)
    if pa.types.is_string(target):
        return not pa.types.is_nested(type_)
    if pa.types.is_boolean(type_):
        return pa.types.is_integer(target)
    if pa.types.is_timestamp(type_):
        return pa.types.is_date(target) or pa.types.is_time(target)
    is_numeric = pa.types.is_integer(type_) or pa.types.is_floating(type_) or is_decimal
    if pa.types.is_boolean(target):
        return pa.types.is_integer(type_)
    return is_numeric and (pa.types.is_integer(target) or pa.types.is_floating(target) or pa.types.is_decimal(target))


def noun_of(type_: pa.DataType) -> str:
    """Return the noun for values of a type."""
    if pa.types.is_decimal(type_):
        return f"a decimal({type_.precision}, {type_.scale})"
    if pa.types.is_timestamp(type_):
        return "a moment"
    if pa.types.is_dictionary(type_):
        return "an enum"
    if pa.types.is_time(type_):
        return "a time of day"
    nouns = {
        pa.int64(): "a whole number",
        pa.float64(): "a number",
        pa.string(): "a text",
        pa.bool_(): "true or false",
        pa.date32(): "a date",
    }
    return nouns.get(type_, "not one value")

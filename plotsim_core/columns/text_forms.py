"""Forms that a text takes in a sentence, and formats of numbers and dates, on whole arrays.

The forms of words (`a`, `plural`) are English: rules of spelling with few exceptions. What other languages need, and what is
irregular, is a decision: `{ by: count, cases: { 1: child, else: children } }`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.decimals import decimal_texts
from plotsim_core.columns.formula_dates import day_input, moment_input, written
from plotsim_core.columns.formula_values import formula_input
from plotsim_core.config.text_rules import NumberFormat, number_format
from plotsim_core.numerics.decimals import half_up

_SOUNDS_LIKE_VOWEL = r"^(?i:[aeiou]|hour|honest|hono|heir|8|11(\D|$)|18(\D|$))"
_SOUNDS_LIKE_CONSONANT = r"^(?i:uni([^mn]|$)|us[eu]|uti|eu|ewe|one(\W|s|$)|once|ubi)"
_PLURALS = (
    (r"(?i)([^aeiou])y$", r"\1ies", r"(?i)[^aeiou]y$"),
    (r"$", "es", r"(?i)(s|x|z|ch|sh)$"),
)
"""Pattern, replacement, and which words it is for; of all others an s is added."""


_GROUP = 3
"""Digits between two commas."""


@dataclass(frozen=True)
class TextForm:
    """A form: what it makes of texts, given in which rows its column is not 1; whether it may name a column, and in words
    what it does."""

    apply: Callable[[ArrowArray, NDArray[np.bool_]], ArrowArray]
    takes_column: bool
    meaning: str


def _of_distinct(values: ArrowArray, apply: Callable[[ArrowArray], ArrowArray]) -> ArrowArray:
    """Return what a function makes of each value, asking it once for each distinct one where these are few."""
    distinct = pc.unique(values)
    if 2 * len(distinct) > len(values):
        return apply(values)
    return apply(distinct).take(pc.index_in(values, distinct))


def _with_article(texts: ArrowArray, is_many: NDArray[np.bool_]) -> ArrowArray:
    return _of_distinct(texts, _article)


def _article(texts: ArrowArray) -> ArrowArray:
    is_an = pc.and_not(
        pc.match_substring_regex(texts, _SOUNDS_LIKE_VOWEL), pc.match_substring_regex(texts, _SOUNDS_LIKE_CONSONANT)
    )
    return joined(pc.if_else(is_an, "an ", "a "), texts)


def _in_plural(texts: ArrowArray, is_many: NDArray[np.bool_]) -> ArrowArray:
    chosen: ArrowArray = pc.if_else(pa.array(is_many), _of_distinct(texts, _plural), texts)
    return chosen


def _plural(texts: ArrowArray) -> ArrowArray:
    plurals: ArrowArray = joined(texts, "s")
    for pattern, replacement, words in _PLURALS:
        changed = pc.replace_substring_regex(texts, pattern, replacement)
        plurals = pc.if_else(pc.match_substring_regex(texts, words), changed, plurals)
    return plurals


def _capital(texts: ArrowArray, is_many: NDArray[np.bool_]) -> ArrowArray:
    first, rest = pc.utf8_slice_codeunits(texts, 0, 1), pc.utf8_slice_codeunits(texts, 1)
    return joined(pc.utf8_upper(first), rest)


TEXT_FORMS: Mapping[str, TextForm] = {
    "a": TextForm(_with_article, False, "an English article before it: a box, an order, an hour"),
    "capital": TextForm(_capital, False, "its first letter as a capital"),
    "lower": TextForm(lambda texts, is_many: pc.utf8_lower(texts), False, "all in small letters"),
    "plural": TextForm(_in_plural, True, "the English plural of its last word, or with a column unless that is 1"),
    "upper": TextForm(lambda texts, is_many: pc.utf8_upper(texts), False, "all in capitals"),
}


def formatted(values: ArrowArray, format_: str) -> ArrowArray:
    """Return numbers, dates or moments as texts in a format; null of what is null, and of numbers of too many digits."""
    if pa.types.is_date(values.type):
        return _of_distinct(values, lambda days: written(day_input(days), True, format_))
    if pa.types.is_timestamp(values.type):
        return _of_distinct(values, lambda moments: written(moment_input(moments), False, format_))
    number = number_format(format_)
    if number is None:
        raise ValueError(f"no format of numbers: {format_}")
    if pa.types.is_integer(values.type) and not number.digits and not number.is_share:
        texts: ArrowArray = values.cast(pa.string())
    else:
        numbers = formula_input(values)
        if number.is_share:
            numbers = 100.0 * half_up(numbers, number.digits + 2)
        texts = decimal_texts(half_up(numbers, number.digits), number.digits)
    return _punctuated(texts, number)


def _punctuated(texts: Any, number: NumberFormat) -> ArrowArray:
    if number.has_commas:
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        for _ in range(longest // _GROUP):
            texts = pc.replace_substring_regex(texts, r"^(-?\d+)(\d{3})((,\d{3})*(\.\d+)?)$", r"\1,\2\3")
    if number.width:
        negative_texts = joined("-", pc.utf8_lpad(pc.utf8_ltrim(texts, "-"), number.width - 1, "0"))
        texts = pc.if_else(pc.starts_with(texts, "-"), negative_texts, pc.utf8_lpad(texts, number.width, "0"))
    written_texts: ArrowArray = joined(texts, "%") if number.is_share else texts
    return written_texts


def plain_text(values: ArrowArray, decimals: int | None) -> ArrowArray:
    """Return values as a sentence has them without a format: moments to the second, truths as yes and no, numbers with
    `decimals` (None: as they are, with four at most)."""
    if pa.types.is_timestamp(values.type):
        return written(moment_input(values), False, None)
    if pa.types.is_boolean(values.type):
        answers: ArrowArray = pc.if_else(values, "yes", "no")
        return answers
    if pa.types.is_floating(values.type) and decimals is not None:
        return decimal_texts(half_up(formula_input(values), decimals), decimals)
    if pa.types.is_floating(values.type):
        texts = decimal_texts(half_up(formula_input(values), _DECIMALS), _DECIMALS)
        short_texts: ArrowArray = pc.replace_substring_regex(texts, r"\.?0+$", "")
        return short_texts
    as_written: ArrowArray = values.cast(pa.string())
    return as_written


_DECIMALS = 4
"""Decimals of a number that no format says."""

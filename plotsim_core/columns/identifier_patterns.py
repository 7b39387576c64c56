"""Patterns of texts: maps from numbers to distinct texts.

A pattern is a sequence of fields, each a list of texts of one width; a number in mixed radix selects a text of each field.
`pattern_texts` maps the numbers below `text_count` to the texts of a set of patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.check_digits import Check, Letters
from plotsim_core.numerics.random import Words, choose, key

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIGNS: dict[str, str] = {"#": "0123456789", "%": "123456789", "$": "23456789", "?": _UPPER, "~": "012345678", "=": "="}
"""What a sign of a pattern stands for: digits, letters; `~` is a digit of which a check leaves one out, `=` one that a check
writes."""
_OPTIONAL = {"!": "#", "@": "%"}
"""Signs that may also stand for nothing."""
_CHECK_ALPHABETS = {
    frozenset(map(ord, SIGNS[sign])): frozenset(map(ord, letters))
    for sign, letters in (("~", "0123456789"), ("=", f"0123456789{_UPPER}"))
}
"""Final alphabet of a position that a check writes."""
_TOKEN = re.compile(r"\{\{(\w+)\}\}|(.)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Fields, each with its texts as code points, shape (texts, width); `check` writes the check digits. `most` bounds the
    numbers: fields beyond it are drawn for each row. The first `skip` letters are left out."""

    fields: tuple[Letters, ...]
    check: Check | None = None
    most: int = 1 << 60
    skip: int = 0

    @cached_property
    def head(self) -> tuple[int, ...]:
        """Number of texts of each field that the number selects."""
        sizes: list[int] = []
        for texts in self.fields:
            if prod(sizes) * len(texts) > self.most:
                break
            sizes.append(len(texts))
        return tuple(sizes)

    @cached_property
    def count(self) -> int:
        """Number of numbers that give distinct texts."""
        return prod(self.head)

    @cached_property
    def width(self) -> int:
        """Number of letters of a text, skipped ones included."""
        return sum(texts.shape[1] for texts in self.fields)

    @cached_property
    def alphabets(self) -> tuple[frozenset[int], ...]:
        """Possible letters at each position of a text."""
        columns = [frozenset(column.tolist()) for texts in self.fields for column in texts.T]
        return tuple(_CHECK_ALPHABETS.get(letters, letters) for letters in columns[self.skip :])


def field(texts: Iterable[str]) -> Letters:
    """Return texts of one width as a field."""
    rows = list(texts)
    return np.array([[ord(letter) for letter in text] for text in rows], dtype=np.uint32).reshape(len(rows), -1)


def pattern(
    form: str,
    texts: Mapping[str, Sequence[str]] | None = None,
    check: Check | None = None,
    most: int = 1 << 60,
    skip: int = 0,
) -> Pattern:
    """Return the pattern that a text spells: signs (`SIGNS`), {{names}} of `texts` of one width, the rest as it is."""
    fields = []
    for token in _TOKEN.finditer(form):
        name, sign = token.groups()
        fields.append(field((texts or {})[name] if name else SIGNS.get(sign, sign)))
    return Pattern(tuple(fields), check, most, skip)


def patterns(forms: Iterable[str], texts: Mapping[str, Sequence[str]] | None = None, most: int = 10**10) -> list[Pattern]:
    """Return the patterns of several forms, which may have signs that stand for nothing (! and @) and texts of several
    widths; those that could spell a text of an earlier one are left out."""
    candidates: list[Pattern] = []
    for form in dict.fromkeys(forms):
        signs = [(sign, "") if sign in _OPTIONAL else (sign,) for _, sign in _TOKEN.findall(form) if sign]
        names = [name for name, _ in _TOKEN.findall(form) if name]
        by_width = [_by_width((texts or {})[name]) for name in names]
        for combination in product(*signs):
            spelled = _spelled(form, combination)
            for field_texts in product(*by_width):
                candidates.append(pattern(spelled, dict(zip(names, field_texts, strict=True)), most=most))
    return disjoint(candidates)


def _spelled(form: str, signs: Sequence[str]) -> str:
    """Return a form with `signs` in the places of its own, one after the other."""
    remaining = iter(signs)
    return _TOKEN.sub(lambda match: match[0] if match[1] else _required_sign(next(remaining)), form)


def _required_sign(sign: str) -> str:
    return _OPTIONAL.get(sign, sign)


def _by_width(texts: Sequence[str]) -> list[list[str]]:
    return [[text for text in texts if len(text) == width] for width in sorted({len(text) for text in texts})]


def disjoint(candidates: Iterable[Pattern], reserved: Sequence[Pattern] = ()) -> list[Pattern]:
    """Return the candidates that share no text with an earlier one, nor with a `reserved` one."""
    result: list[Pattern] = []
    for candidate in candidates:
        if not any(_overlap(candidate, other) for other in (*reserved, *result)):
            result.append(candidate)
    return result


def _overlap(first: Pattern, second: Pattern) -> bool:
    pairs = zip(first.alphabets, second.alphabets, strict=False)
    return len(first.alphabets) == len(second.alphabets) and not any(a.isdisjoint(b) for a, b in pairs)


def text_count(pattern_set: Sequence[Pattern]) -> int:
    """Return the number of texts of a set of patterns."""
    return sum(pattern.count for pattern in pattern_set)


def pattern_texts(pattern_set: Sequence[Pattern], numbers: Integers, stream: np.uint64, address: Words) -> ArrowArray:
    """Return the text of each number in [0, `text_count`). Other fields are drawn from `stream` at the address."""
    edges = np.cumsum([pattern.count for pattern in pattern_set])
    pattern_indexes = np.searchsorted(edges, numbers, side="right")
    texts: list[ArrowArray] = []
    order: list[Integers] = []
    for index in np.unique(pattern_indexes).tolist():
        row_indexes = np.flatnonzero(pattern_indexes == index)
        remainders = numbers[row_indexes] - (edges[index] - pattern_set[index].count)
        order.append(row_indexes)
        texts.append(_texts(_letters(pattern_set[index], remainders, stream, address[row_indexes])))
    if not texts:
        return pa.array([], pa.string())
    inverse = np.empty(len(numbers), dtype=np.int64)
    inverse[np.concatenate(order)] = np.arange(len(numbers))
    return pa.concat_arrays(texts).take(inverse)


def _letters(template: Pattern, numbers: Integers, stream: np.uint64, address: Words) -> Letters:
    letters = np.empty((len(numbers), template.width), dtype=np.uint32)
    offset = 0
    for index, texts in enumerate(template.fields):
        count, width = texts.shape
        if count == 1:
            text_indexes: Any = np.zeros(len(numbers), dtype=np.int64)
        elif index < len(template.head):
            numbers, text_indexes = np.divmod(numbers, count)
        else:
            text_indexes = choose(key(int(stream), "field", index), address, count)
        letters[:, offset : offset + width] = texts[text_indexes]
        offset += width
    if template.check is not None:
        template.check(letters)
    return letters[:, template.skip :]


def ascii_texts(letters: NDArray[np.uint8]) -> ArrowArray:
    """Return rows of ASCII codes, shape (rows, width), as texts."""
    rows, width = letters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets.data), pa.py_buffer(np.ascontiguousarray(letters).data))


def _texts(letters: Letters) -> ArrowArray:
    """Return rows of code points as texts."""
    if int(letters.max(initial=0)) < 128:
        return ascii_texts(letters.astype(np.uint8))
    texts: ArrowArray = pa.array(np.ascontiguousarray(letters).view(f"<U{letters.shape[1]}").ravel())
    return texts

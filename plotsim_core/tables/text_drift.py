"""How one thing comes to be written in several ways: letters swapped, lost, doubled or mistyped, capitals, initials,
nicknames, abbreviations.

Texts are worked on as a matrix of code points, so no text is touched by itself; each way is element-wise, and a text that
one way leaves as it was gets a letter doubled, so that what is to drift does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.numerics.arrays import Floats

Letters = NDArray[np.uint32]
"""Texts as code points, shape (texts, length of the longest), zero where a text has ended."""

_NICKNAMES = {
    "Alexander": "Alex", "Andrew": "Andy", "Anthony": "Tony", "Barbara": "Barb", "Benjamin": "Ben", "Catherine": "Cathy",
    "Charles": "Charlie", "Christopher": "Chris", "Christina": "Tina", "Cynthia": "Cindy", "Daniel": "Dan", "David": "Dave",
    "Deborah": "Debbie", "Donald": "Don", "Edward": "Ed", "Elizabeth": "Liz", "Gregory": "Greg", "James": "Jim",
    "Jeffrey": "Jeff", "Jennifer": "Jen", "Jessica": "Jess", "Jonathan": "Jon", "Joseph": "Joe", "Joshua": "Josh",
    "Katherine": "Kate", "Kenneth": "Ken", "Kimberly": "Kim", "Margaret": "Peggy", "Matthew": "Matt", "Melissa": "Mel",
    "Michael": "Mike", "Nicholas": "Nick", "Pamela": "Pam", "Patricia": "Pat", "Patrick": "Pat", "Rebecca": "Becky",
    "Richard": "Rick", "Robert": "Bob", "Ronald": "Ron", "Samantha": "Sam", "Samuel": "Sam", "Stephanie": "Steph",
    "Stephen": "Steve", "Steven": "Steve", "Susan": "Sue", "Theodore": "Ted", "Thomas": "Tom", "Timothy": "Tim",
    "Victoria": "Vicky", "William": "Bill", "Zachary": "Zach",
}  # fmt: skip
_SHORTER = {
    r" and ": " & ", r"\bGroup\b": "Grp", r"\bInc\b": "Incorporated", r"\bLLC\b": "L.L.C.", r"\bLtd\b": "Limited",
    r"\bPLC\b": "plc", r"\bStreet\b": "St", r"\bAvenue\b": "Ave", r"\bRoad\b": "Rd", r"\bSaint\b": "St.",
}  # fmt: skip
_LETTERS = 26


def letters(texts: ArrowArray) -> Letters:
    """Return texts as code points."""
    array = np.array(texts.to_numpy(zero_copy_only=False), dtype=np.str_)
    width = max(1, array.dtype.itemsize // 4)
    return np.ascontiguousarray(array.astype(f"U{width}")).view(np.uint32).reshape(len(array), width)


def as_texts(matrix: Letters) -> ArrowArray:
    """Return code points as texts."""
    flat = np.ascontiguousarray(matrix).view(f"U{matrix.shape[1]}").ravel()
    return pa.array(flat, pa.string())


def _letter_index(matrix: Letters, u: Floats, margin: int = 0) -> NDArray[np.int64]:
    """Return the index of a random letter of each text, without the last `margin` letters."""
    length = np.count_nonzero(matrix, axis=1)
    indexes: NDArray[np.int64] = (u * np.maximum(length - margin, 1)).astype(np.int64)
    return indexes


def _swap_letters(texts: ArrowArray, u: Floats) -> ArrowArray:
    matrix = np.pad(letters(texts), ((0, 0), (0, 1)))
    rows, index = np.arange(len(matrix)), _letter_index(matrix, u, 1)
    first, second = matrix[rows, index], matrix[rows, index + 1]
    has_second = second != 0
    matrix[rows[has_second], index[has_second]], matrix[rows[has_second], index[has_second] + 1] = (
        second[has_second],
        first[has_second],
    )
    return as_texts(matrix)


def _drop_letter(texts: ArrowArray, u: Floats) -> ArrowArray:
    matrix = np.pad(letters(texts), ((0, 0), (0, 1)))
    index = np.where(np.count_nonzero(matrix, axis=1) > 1, _letter_index(matrix, u), matrix.shape[1])
    columns = np.arange(matrix.shape[1] - 1)
    return as_texts(np.take_along_axis(matrix, columns + (columns >= index[:, None]), axis=1))


def _double_letter(texts: ArrowArray, u: Floats) -> ArrowArray:
    matrix = np.pad(letters(texts), ((0, 0), (0, 1)))
    columns = np.arange(matrix.shape[1])
    letters_doubled = np.take_along_axis(matrix, columns - (columns > _letter_index(matrix, u)[:, None]), axis=1)
    letters_doubled[letters_doubled[:, 0] == 0, 0] = ord("?")
    return as_texts(letters_doubled)


def _mistype_letter(texts: ArrowArray, u: Floats) -> ArrowArray:
    matrix = letters(texts).copy()
    index = _letter_index(matrix, u)
    rows = np.flatnonzero(matrix[:, 0])
    replacement = ord("a") + (u[rows] * 7919.0 % 1.0 * _LETTERS).astype(np.uint32)
    matrix[rows, index[rows]] = replacement
    return as_texts(matrix)


def _change_case(texts: ArrowArray, u: Floats) -> ArrowArray:
    return _choose_text([pc.utf8_upper(texts), pc.utf8_lower(texts), pc.utf8_swapcase(texts)], u)


def _use_initial(texts: ArrowArray, u: Floats) -> ArrowArray:
    return pc.replace_substring_regex(texts, r"^(\S)\S*\s+", r"\1. ", max_replacements=1)


def _use_nickname(texts: ArrowArray, u: Floats) -> ArrowArray:
    first = pc.replace_substring_regex(texts, r"\s[\s\S]*$", "")
    rest = pc.replace_substring_regex(texts, r"^\S*", "", max_replacements=1)
    index = pc.index_in(first, pa.array(list(_NICKNAMES)))
    texts_named = joined(pc.coalesce(pa.array(list(_NICKNAMES.values())).take(index), first), rest)
    return _abbreviate(texts_named, u)


def _abbreviate(texts: ArrowArray, u: Floats) -> ArrowArray:
    for pattern, abbreviation in _SHORTER.items():
        texts = pc.replace_substring_regex(texts, pattern, abbreviation)
    return texts


def _cut_words(texts: ArrowArray, u: Floats) -> ArrowArray:
    return pc.replace_substring_regex(texts, r"^(\S{3})\S{2,}", r"\1.", max_replacements=1)


def _choose_text(choices: list[ArrowArray], u: Floats) -> ArrowArray:
    number = (u * len(choices)).astype(np.int64)
    texts: ArrowArray = pc.choose(pa.array(number), *choices)
    return texts


Way = Callable[[ArrowArray, Floats], ArrowArray]
NAME_WAYS: tuple[Way, ...] = (_swap_letters, _change_case, _use_initial, _use_nickname, _drop_letter, _mistype_letter)
"""Ways in which names drift; each is as likely as the others."""
ATTRIBUTE_WAYS: tuple[Way, ...] = (_swap_letters, _change_case, _cut_words, _abbreviate, _drop_letter, _mistype_letter)
"""Ways in which other texts drift, where they are not out of date."""


def drift_texts(texts: ArrowArray, ways: tuple[Way, ...], u: Floats, v: Floats) -> ArrowArray:
    """Return texts written otherwise: `u` in (0, 1) picks the way, `v` the letter. Every text that is not null changes."""
    filled = texts.fill_null("")
    result = filled
    way_number = (u * len(ways)).astype(np.int64)
    for number, way in enumerate(ways):
        rows = np.flatnonzero(way_number == number)
        if len(rows):
            result = pc.replace_with_mask(result, pa.array(way_number == number), way(filled.take(rows), v[rows]))
    is_same = np.asarray(pc.equal(result, filled))
    if is_same.any():
        rows = np.flatnonzero(is_same)
        result = pc.replace_with_mask(result, pa.array(is_same), _double_letter(filled.take(rows), v[rows]))
    drifted: ArrowArray = pc.if_else(pc.is_valid(texts), result, pa.scalar(None, pa.string()))
    return drifted

"""Forms of keys that write a number: `LN{n:04}`, `{parent}-{n}`.

The grammar is small: `{n}` is the number, `{n:04}` the number with zeros before it up to four digits (a longer one is not
cut), `{parent}` the key of the row that the row belongs to; all else stands as it is. There are no other braces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.errors import value_text
from plotsim_core.numerics.arrays import Integers

_FIELD = re.compile(r"\{n(?::0([1-9]|1[0-8]))?\}|\{parent\}")
_PARENT = "{parent}"
LONGEST_FORM = 100
"""The most signs that a form has."""


@dataclass(frozen=True)
class KeyFormat:
    """A form: the text `before` and `after` the number, which {parent} may be part of, and the least number of digits."""

    before: str
    after: str
    width: int

    @property
    def has_parent(self) -> bool:
        """Whether the key of the parent row is a part of it."""
        return _PARENT in self.before + self.after

    def is_ambiguous(self, greatest: int) -> bool:
        """Return whether two rows of different parents may have one key, for numbers up to `greatest`: where nothing but
        digits stands between {parent} and the number, and not all numbers have the same width."""
        if not self.has_parent or greatest < 10**self.width:
            return False
        between = self.before.rpartition(_PARENT)[2] if _PARENT in self.before else self.after.partition(_PARENT)[0]
        return re.fullmatch("[0-9]*", between) is not None

    def text(self, number: int) -> str:
        """Return the key of a number, of a form without a parent."""
        return f"{self.before}{number:0{max(1, self.width)}d}{self.after}"

    def texts(self, numbers: Integers, parent_keys: ArrowArray | None) -> ArrowArray:
        """Return the key of each number."""
        digits: ArrowArray = pc.cast(pa.array(numbers), pa.string())
        parts = [*_parts(self.before, parent_keys), pc.utf8_lpad(digits, max(1, self.width), "0")]
        return joined(*parts, *_parts(self.after, parent_keys))


def _parts(text: str, parent_keys: ArrowArray | None) -> list[ArrowArray | pa.StringScalar]:
    if _PARENT not in text or parent_keys is None:
        return [pa.scalar(text)]
    before, _, after = text.partition(_PARENT)
    return [pa.scalar(before), pc.cast(parent_keys, pa.string()), pa.scalar(after)]


@lru_cache(maxsize=256)
def read_format(text: str) -> KeyFormat:
    """Return the form that a text spells. Raises ValueError for a text that spells none."""
    expected = f"expected a text with {{n}}, or {{n:04}} for a number of four digits and more, found {value_text(text)}"
    fields = list(_FIELD.finditer(text))
    numbers = [field for field in fields if field[0] != _PARENT]
    if len(text) > LONGEST_FORM:
        raise ValueError(f"expected at most {LONGEST_FORM} signs, found {len(text)}")
    if re.search(r"[{}]", _FIELD.sub("", text)):
        raise ValueError(f"{expected}; braces hold {{n}}, {{n:04}} or {{parent}}")
    if len(numbers) != 1:
        raise ValueError(f"{expected}: {'no' if not numbers else 'more than one'} {{n}}")
    if len(fields) > 2:
        raise ValueError(f"{expected}: more than one {{parent}}")
    number = numbers[0]
    return KeyFormat(text[: number.start()], text[number.end() :], int(number[1] or 0))

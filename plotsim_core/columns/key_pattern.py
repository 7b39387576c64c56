"""Forms of keys that a small regular language describes: `[A-Z]{3}-[0-9]{6}`.

There are signs as they are, classes of signs (`[A-Z0-9_]`), and counts (`{6}`) after either; a backslash takes the sign
after it as it is. All texts of a pattern have one width, and each is spelt in one way only.
"""

from __future__ import annotations

import re
from functools import lru_cache

from plotsim_core.columns.identifier_patterns import Pattern, field
from plotsim_core.errors import value_text
from plotsim_core.numerics.check_digits import Letters

_TOKEN = re.compile(r"\[((?:\\.|[^\]\\])*)\](?:\{(\d+)\})?|(\\.|[^\\])(?:\{(\d+)\})?", re.DOTALL)
_SIGN = re.compile(r"\\(.)|(.)", re.DOTALL)
_FOREIGN = frozenset("[]{}()*+?|^$.\\")
"""Signs of larger languages, which stand for themselves only after a backslash."""
_WIDEST = 100


@lru_cache(maxsize=256)
def read_pattern(text: str) -> Pattern:
    """Return the pattern that a text spells. Raises ValueError for a text that spells none."""
    fields: list[Letters] = []
    end = 0
    for token in _TOKEN.finditer(text):
        signs, class_count, sign, count = token.groups()
        if token.start() != end or (sign is not None and sign in _FOREIGN):
            break
        end = token.end()
        repeats = int(class_count or count or 1)
        if not 1 <= repeats <= _WIDEST or sum(f.shape[1] for f in fields) + repeats > _WIDEST:
            raise ValueError(f"expected keys of 1 to {_WIDEST} signs, found {value_text(text)}")
        fields += [field(_class_signs(text, signs) if sign is None else [sign[-1]])] * repeats
    if end != len(text) or not fields:
        expected = "expected signs, classes like [A-Z0-9] and counts like {6}"
        where = f": '{text[end]}' has no place there, but after a backslash" if end < len(text) else ""
        raise ValueError(f"{expected}, found {value_text(text)}{where}")
    return Pattern(tuple(fields))


def _class_signs(text: str, signs: str) -> list[str]:
    """Return the signs of a class, each once."""
    if signs.startswith("^") or not signs:
        raise ValueError(f"a class lists the signs that there may be, [{signs}] in {value_text(text)} does not")
    tokens = [(escaped or plain, bool(escaped)) for escaped, plain in _SIGN.findall(signs)]
    result: list[str] = []
    while tokens:
        first, _ = tokens.pop(0)
        last = first
        if len(tokens) > 1 and tokens[0] == ("-", False):
            last = tokens[1][0]
            del tokens[:2]
        if last < first:
            raise ValueError(f"the range {first}-{last} in {value_text(text)} runs backwards")
        result += [chr(code) for code in range(ord(first), ord(last) + 1)]
    return list(dict.fromkeys(result))

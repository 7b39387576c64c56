"""What people write who come from SQL, a spreadsheet or another language, and what a formula has instead."""

from __future__ import annotations

import re

_SLIPS: tuple[tuple[str, str], ...] = (
    (r"^\s*=[^=]", "leave out the `=` before it, which is for columns: n > 3"),
    (r"<>", "not equal is !="),
    (r"&&", "write `and`"),
    (r"\|\|", "write `or`, or + between texts"),
    (r"\b(AND|OR|NOT)\b", "write `and`, `or`, `not` in small letters"),
    (r"\b(CASE|WHEN)\b|\bif\s*\(|\bIF\s*\(", "write where(n > 3, a, b), or a if n > 3 else b"),
    (r"(?<![=<>!])=(?!=)", "values are compared by ==: n == 3"),
    (r"\bif\b(?!.*\belse\b)", "say what it is otherwise: a if n > 3 else null"),
    (r"^[^']*'[^']*$|^[^\"]*\"[^\"]*$", "close every quote; a text with an apostrophe stands in double quotes"),
)
_DEFAULT = "write it like round(quantity * price, 2)"


def hint_for(text: str) -> str:
    """Return what to write instead of a formula that cannot be read."""
    if text.count("(") != text.count(")"):
        return "close every bracket; between braces { ... } a formula with a comma stands in quotes"
    return next((hint for pattern, hint in _SLIPS if re.search(pattern, text)), _DEFAULT)

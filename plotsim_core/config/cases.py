"""The keys of `cases`: values of the column that decides, and `else` for all others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from plotsim_core.errors import Problem, ProblemError, key_text, value_text
from plotsim_core.families import did_you_mean

ELSE = "else"
_FORMS: tuple[tuple[Any, str, str], ...] = (
    (pa.types.is_boolean, "true|false", "true or false"),
    (pa.types.is_integer, r"-?\d+", "a whole number, as in 3"),
    (pa.types.is_floating, r"-?(\d+(\.\d*[1-9])?|\d(\.\d+)?e[-+]\d+)", "a number, as in 2.5"),
    (pa.types.is_date, r"\d{4}-\d\d-\d\d", "a date, as in 2024-01-31"),
)
"""Which types of columns have values of which form, as a pattern and in words."""


def case_key(path: str, key: Any) -> str:
    """Return the key of a case as the text that values are compared with. Raises ProblemError for null, at `path`."""
    if key is None:
        raise ProblemError(Problem(path, "rows without a value have no case of their own", f"`{ELSE}` is for all others"))
    return key_text(key)


def unlisted_keys(path: str, name: str, keys: Iterable[str], values: Iterable[Any] | None) -> Iterator[Problem]:
    """Yield a problem for each case that the column `name` never has, of the values that it may have (None: any)."""
    texts = [key_text(value) for value in values or () if value is not None]
    for key in keys if values is not None else ():
        if key != ELSE and key not in texts:
            yield Problem(f"{path}.{key}", f"{name} is never {value_text(key)}", did_you_mean(key, texts))


def impossible_keys(
    path: str, name: str, keys: Iterable[str], type_: pa.DataType, bounds: tuple[float, float] | None
) -> Iterator[Problem]:
    """Yield a problem for each case that the column `name` never has, by its type and the range of its numbers."""
    form = next((form for is_type, *form in _FORMS if is_type(type_)), None)
    if pa.types.is_decimal(type_):  # compared as texts, with all their decimals
        decimals = rf"\.\d{{{type_.scale}}}" if type_.scale else ""
        form = [rf"-?\d+{decimals}", f"a text with {type_.scale} decimals, in quotes"]
    for key in keys:
        if key == ELSE or form is None:
            continue
        if re.fullmatch(form[0], key) is None:
            yield Problem(f"{path}.{key}", f"{name} is never {value_text(key)}", f"it is {form[1]}")
        elif bounds is not None and not bounds[0] <= float(key) <= bounds[1]:
            yield Problem(f"{path}.{key}", f"{name} is never {key}", f"it is from {bounds[0]:g} to {bounds[1]:g}")

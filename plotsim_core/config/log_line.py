"""Lines of logs: texts with columns in braces, `{at:%Y-%m-%d} {visit_id:>12} {price:.2f}`, laid out as Python does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter

import pyarrow as pa

DIRECTIVES = "YymdHIMSfpjaAbBuwUVGWFT%"
"""What may follow a % in the layout of a moment."""

_ALIGNMENT = r"(?:[ -z|~]?[<>^])?"
_SIGN = r"[+ ]?0?"
_WIDTH = r"\d{0,3}"
_TEXT = re.compile(rf"{_ALIGNMENT}{_WIDTH}(?:\.\d{{1,3}})?s?")
_WHOLE = re.compile(rf"{_ALIGNMENT}{_SIGN}{_WIDTH},?d?")
_NUMBER = re.compile(rf"{_ALIGNMENT}{_SIGN}{_WIDTH},?(?:\.\d{{1,2}})?[feg]?")
_MOMENT = re.compile(rf"(?:[^%{{}}]|%[{DIRECTIVES}])+")


@dataclass(frozen=True)
class LogPart:
    """A text, followed by the value of `column` (None: by nothing) as `layout` says (empty: as it is)."""

    text: str
    column: str | None = None
    layout: str = ""


def log_parts(format: str) -> list[LogPart]:
    """Return the parts of a log line. A conversion (`!r`) stays part of the column's name, so that it names none.

    Raises ValueError where braces do not match.
    """
    return [
        LogPart(text, None if column is None else f"{column}{f'!{conversion}' if conversion else ''}", layout or "")
        for text, column, layout, conversion in Formatter().parse(format)
    ]


def expected_layout(type_: pa.DataType, layout: str) -> str | None:
    """Return what a layout of values of a type looks like, in words, if `layout` does not; None if it does."""
    if pa.types.is_temporal(type_):
        is_valid = _MOMENT.fullmatch(layout) is not None and "%" in layout
        return None if is_valid else f"parts of a moment, such as %Y-%m-%d %H:%M, of the letters {DIRECTIVES}"
    if pa.types.is_integer(type_):
        return None if _WHOLE.fullmatch(layout) else "a width, such as >8, 08 or ,d"
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return None if _NUMBER.fullmatch(layout) else "a width and decimals, such as >10.2f or ,.2f"
    return None if _TEXT.fullmatch(layout) else "a width, such as >12, <12 or ^12, and at most so many letters, .12"

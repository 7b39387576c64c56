"""Values as people write them on one line of YAML: `[a, b]`, `{ name: x }`, and long lists over several lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plotsim_core.config.read import read_text
from plotsim_core.errors import ConfigError

_WIDTH = 120
"""Columns that a line has at most, where a list can be broken."""


def flow_text(value: Any, column: int = 0, indent: int = 0, newline: str = "\n") -> str:
    """Return a value as YAML, from a column of its line on; the rest of a list that is too long is indented by `indent`."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{flow_text(key)}: {flow_text(item)}' for key, item in value.items())} }}"
    if not isinstance(value, list | tuple):
        return _scalar_text(value)
    text = "["
    line_length = column + 1
    for index, item in enumerate(value):
        part = flow_text(item) + ("," if index < len(value) - 1 else "]")
        if index and line_length + len(part) + 1 > _WIDTH:
            text += f"{newline}{' ' * indent}{part}"
            line_length = indent + len(part)
        else:
            text += f" {part}" if index else part
            line_length += len(part) + bool(index)
    return text if value else "[]"


def _scalar_text(value: Any) -> str:
    """Return a scalar: a text without quotes where it reads as itself."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    return value if is_plain(value) else f'"{"".join(map(_escaped, value))}"'


def _escaped(letter: str) -> str:
    """Return a letter as it stands between double quotes."""
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def is_plain(text: str) -> bool:
    """Return whether a text reads as itself without quotes, as an item of a list and as a key."""
    if not text.isprintable():
        return False
    try:
        return bool(read_text(f"[{{ {text}: [{text}, {text}] }}]", "text") == [{text: [text, text]}])
    except (ConfigError, ValueError):
        return False

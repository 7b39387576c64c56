"""Changes of a text, and where its lines begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plotsim_core.config.yaml_values import comments


@dataclass(frozen=True)
class Edit:
    """What stands from `start` to before `end` becomes `text`."""

    start: int
    end: int
    text: str


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return a text with changes that do not overlap; of those at one place insertions come first."""
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end))[::-1]:
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def are_apart(edits: Sequence[Edit], others: Sequence[Edit]) -> bool:
    """Return whether no change of one list overlaps one of the other, or touches it."""
    return not any(edit.start <= other.end and other.start <= edit.end for edit in edits for other in others)


def has_comment(text: str, start: int, end: int) -> bool:
    """Return whether a part of a text has a comment."""
    return "#" in text[start:end] and any(start <= position < end for position, _ in comments(text))


def newline_of(text: str) -> str:
    """Return what the lines of a text end with."""
    return "\r\n" if "\r\n" in text else "\n"


def line_start(text: str, position: int) -> int:
    """Return where the line of a position begins."""
    return text.rfind("\n", 0, position) + 1


def line_end(text: str, position: int) -> int:
    """Return where the line of a position ends, before its break."""
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    return end - 1 if text[position:end].endswith("\r") else end


def column_of(text: str, position: int) -> int:
    """Return how many letters stand before a position in its line."""
    return position - line_start(text, position)


def indentation(text: str, position: int) -> int:
    """Return by how many spaces the line of a position is indented."""
    line = text[line_start(text, position) : position]
    return len(line) - len(line.lstrip(" "))

"""Several lists of a mapping under one key: those that do not follow each other are moved, and then keys taken away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from plotsim_core.config.rewrite.lines import Edit, column_of, has_comment, line_end, line_start, newline_of
from plotsim_core.config.rewrite.syntax import SourceNode


class JoinedLists(list[Any]):
    """What becomes of the items of the lists under `keys` of a mapping, one after the other, under one key."""

    def __init__(self, items: Iterable[Any], keys: Sequence[str]) -> None:
        super().__init__(items)
        self.keys = tuple(keys)


def gathering_edits(text: str, node: SourceNode, keys: Sequence[str]) -> list[Edit] | None:
    """Return the changes that put the lists under `keys` of a mapping by indentation one after the other, as lists by the
    same indentation; none where they are. None where an alias names one of them, or a comment would be lost."""
    entries = [entry for key in keys if (entry := node.entry(key)) is not None]
    if not node.is_block or len(entries) < len(keys) or any(not _can_move(text, values) for _, values in entries):
        return None
    edits: list[Edit] = []
    (first_key, first_list), *others = entries
    indent = column_of(text, _dash(text, first_list) if first_list.is_block else first_key.start)
    if not first_list.is_block:
        edits.append(Edit(first_key.end + 1, first_list.end, f"{newline_of(text)}{_items(text, first_list, indent)}"))
    order = [key for key, _ in node.entries]
    last_key, last_list = first_key, first_list
    moved_text = ""
    for key, values in others:
        is_next = not moved_text and order.index(key) == order.index(last_key) + 1
        if is_next and values.is_block and column_of(text, _dash(text, values)) == indent:
            last_key, last_list = key, values
            continue
        header_end = line_start(text, _dash(text, values)) if values.is_block else values.start
        end = line_end(text, values.end)
        header = text[line_start(text, key.start) : header_end].rstrip()
        moved_text += newline_of(text).join(["", header, _items(text, values, indent)]) + text[values.end : end]
        edits.append(Edit(line_start(text, key.start), min(len(text), end + len(newline_of(text))), ""))
    place = line_end(text, last_list.end)
    return [*edits, Edit(place, place, moved_text)] if moved_text else edits


def joining_edits(text: str, node: SourceNode, name: str, keys: Sequence[str]) -> list[Edit]:
    """Return the changes that put lists which follow each other under a key `name`. A comment behind a key that goes stays,
    on a line of its own."""
    (first_key, _), *others = [entry for key in keys if (entry := node.entry(key)) is not None]
    return [Edit(first_key.start, first_key.end, name), *(_without_header(text, key, values) for key, values in others)]


def _can_move(text: str, node: SourceNode) -> bool:
    if node.form != "list" or not node.items or node.anchor is not None:
        return False
    return node.is_block or not has_comment(text, node.start, node.end)


def _dash(text: str, node: SourceNode) -> int:
    """Return where the dash of the first item of a list by indentation stands."""
    return text.rfind("-", 0, node.items[0].start)


def _without_header(text: str, key: SourceNode, values: SourceNode) -> Edit:
    start = line_start(text, key.start)
    end = line_end(text, key.end)
    comment = text.find("#", key.end, end)
    if comment < 0:
        return Edit(start, end + len(newline_of(text)), "")
    return Edit(start, comment, " " * column_of(text, _dash(text, values)))


def _items(text: str, values: SourceNode, indent: int) -> str:
    """Return the items of a list as those of one by indentation, with other spaces before them."""
    if not values.is_block:
        items = (f"{' ' * indent}- {text[item.start : item.end]}" for item in values.items)
        return newline_of(text).join(items)
    dash = _dash(text, values)
    shift = indent - column_of(text, dash)
    lines = text[line_start(text, dash) : values.end].split("\n")
    return "\n".join(_shifted(line, shift) for line in lines)


def _shifted(line: str, shift: int) -> str:
    spaces = len(line) - len(line.lstrip(" "))
    return line if not line.strip() else " " * max(0, spaces + shift) + line[spaces:]

"""What to change of a text so that a part of it says something else: what differs, and nothing beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from plotsim_core.config.rewrite.flow import flow_text, is_plain
from plotsim_core.config.rewrite.joining import JoinedLists, gathering_edits, joining_edits
from plotsim_core.config.rewrite.lines import Edit, column_of, has_comment, indentation, line_end, line_start, newline_of
from plotsim_core.config.rewrite.syntax import SourceNode

_NESTED = 4
"""Spaces by which the rest of a broken line is indented more than its beginning."""


def value_edits(text: str, node: SourceNode, old: Any, new: Any) -> list[Edit] | None:
    """Return the changes that make the value `old` of a node a `new` one; None where they would lose a comment, or change
    what an alias or a merge key names too."""
    if node.form == "mapping" and isinstance(old, Mapping) and isinstance(new, Mapping):
        return _mapping_edits(text, node, old, new)
    if node.form == "list" and isinstance(new, list | tuple) and len(new) >= len(node.items) > 0:
        changes = [
            value_edits(text, item, old_item, new_item)
            for item, old_item, new_item in zip(node.items, old, new, strict=False)
            if new_item != old_item
        ]
        return _joined([*changes, _additions(text, node, new[len(node.items) :])])
    if node.anchor is not None or node.start == node.end or has_comment(text, node.start, node.end):
        return None
    quote = text[node.start]
    is_word = isinstance(old, str) and old.isidentifier() and isinstance(new, str) and is_plain(new)
    if quote in "\"'" and is_word:
        return [Edit(node.start, node.end, f"{quote}{new}{quote}")]
    return [Edit(node.start, node.end, _flow(text, node.start, new))]


def _additions(text: str, node: SourceNode, items: Sequence[Any]) -> list[Edit]:
    """Return the changes that put items at the end of a list."""
    if not items:
        return []
    if not node.is_block:
        return [Edit(node.items[-1].end, node.items[-1].end, "".join(f", {flow_text(item)}" for item in items))]
    indent = " " * column_of(text, text.rfind("-", 0, node.items[0].start))
    place = line_end(text, node.end)
    return [Edit(place, place, "".join(f"{newline_of(text)}{indent}- {flow_text(item)}" for item in items))]


def _joined(changes: Sequence[list[Edit] | None]) -> list[Edit] | None:
    """Return all changes; None where one of them has no way."""
    edits: list[Edit] = []
    for change in changes:
        if change is None:
            return None
        edits += change
    return edits


def _mapping_edits(text: str, node: SourceNode, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Edit] | None:
    joined = next((name for name, value in new.items() if isinstance(value, JoinedLists)), None)
    if joined is not None:
        return _list_edits(text, node, old, joined, new[joined])
    names = _new_names(old, new)
    entries = {str(key): entry for key in old if (entry := node.entry(key)) is not None}
    differing = [key for key in old if names.get(key) != key or new[key] != old[key]]
    if any(str(key) not in entries for key in differing):  # a merge key brings it
        return None
    changes: list[list[Edit] | None] = []
    for key in differing:
        if key not in names:
            continue
        key_node, value_node = entries[str(key)]
        if names[key] != key:
            changes.append([Edit(key_node.start, key_node.end, flow_text(names[key]))])
        if new[names[key]] != old[key]:
            changes.append(value_edits(text, value_node, old[key], new[names[key]]))
    removed_keys = {str(key) for key in old if key not in names}
    changes.append(_deletions(text, node, [entry for entry in node.entries if entry[0].word in removed_keys]))
    changes.append(_insertions(text, node, {names[key]: entries[str(key)] for key in names if str(key) in entries}, new))
    return _joined(changes)


def _list_edits(text: str, node: SourceNode, old: Mapping[str, Any], name: str, new: JoinedLists) -> list[Edit] | None:
    """Return the changes that put lists under one key: first those that bring them together, which change no value."""
    moves = gathering_edits(text, node, new.keys)
    if moves is None or moves:
        return moves
    lists = [entry[1] for key in new.keys if (entry := node.entry(key)) is not None]
    items = (item for values in lists for item in values.items)
    old_items = (item for key in new.keys for item in old[key])
    changes = [
        value_edits(text, item, old_item, new_item)
        for item, old_item, new_item in zip(items, old_items, new, strict=True)
        if new_item != old_item
    ]
    return _joined([joining_edits(text, node, name, new.keys), *changes])


def _new_names(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Return the key that takes the place of each key: the same, another one with its value, or the next new one."""
    names = {key: key for key in old if key in new}
    for has_value in (True, False):
        for name in new:
            free_keys = [key for key in old if key not in names and (not has_value or old[key] == new[name])]
            if name not in names.values() and free_keys:
                names[free_keys[0]] = name
    return names


def _deletions(text: str, node: SourceNode, removed_entries: Sequence[tuple[SourceNode, SourceNode]]) -> list[Edit] | None:
    """Return the changes that take entries out of a mapping."""
    if not removed_entries:
        return []
    entries = list(node.entries)
    rest = [entry for entry in entries if entry not in removed_entries]
    if not rest or any(
        value.anchor is not None or has_comment(text, key.start, value.end) for key, value in removed_entries
    ):
        return None
    edits: list[Edit] = []
    for index, (key, value) in enumerate(entries):
        if (key, value) not in removed_entries:
            continue
        end = max(key.end + 1, value.end)
        if node.is_block:
            edits.append(_line_deletion(text, key.start, end))
        elif entries[index + 1 :] and any(entry in rest for entry in entries[index + 1 :]):
            edits.append(Edit(key.start, entries[index + 1][0].start, ""))
        else:
            previous_key, previous_value = entries[index - 1]
            edits.append(Edit(max(previous_key.end + 1, previous_value.end), end, ""))
    return None if any(has_comment(text, edit.start, edit.end) for edit in edits) else edits


def _line_deletion(text: str, start: int, end: int) -> Edit:
    """Return the change that takes an entry out of a mapping by indentation: its lines, or what comes after the dash of an
    item. A comment behind it stays, on a line of its own."""
    last = line_end(text, end)
    if text[end:last].strip():
        return Edit(start, end + len(text[end:last]) - len(text[end:last].lstrip()), "")
    first = line_start(text, start)
    next_line = text.find("\n", last) + 1 or len(text)
    if not text[first:start].strip():
        return Edit(first, next_line, "")
    following = re.compile(r"\s*").match(text, end)
    return Edit(start, following.end() if following is not None else end, "")


def _insertions(
    text: str, node: SourceNode, entries: Mapping[str, tuple[SourceNode, SourceNode]], new: Mapping[str, Any]
) -> list[Edit]:
    """Return the changes that put new entries behind those after which they come, or before the first."""
    texts: dict[int, str] = {}
    newline = newline_of(text)
    first_key = node.entries[0][0]
    indent = " " * column_of(text, first_key.start)
    previous: tuple[SourceNode, SourceNode] | None = None
    for key, value in new.items():
        if key in entries:
            previous = entries[key]
            continue
        position = first_key.start if previous is None else max(previous[0].end + 1, previous[1].end)
        place = position if previous is None else previous[1].start
        if node.is_block:
            entry = f"{flow_text(key)}: {_flow(text, first_key.start, value)}"
            position = position if previous is None else line_end(text, position)
            addition = f"{entry}{newline}{indent}" if previous is None else f"{newline}{indent}{entry}"
        else:
            entry = f"{flow_text(key)}: {_flow(text, place, value)}"
            addition = f"{entry}, " if previous is None else f", {entry}"
        texts[position] = texts.get(position, "") + addition
    return [Edit(position, position, addition) for position, addition in texts.items()]


def _flow(text: str, start: int, value: Any) -> str:
    """Return a value as it is written at a place of a text."""
    return flow_text(value, column_of(text, start), indentation(text, start) + _NESTED, newline_of(text))

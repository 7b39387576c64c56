"""The text of a config in today's words: parts of it are replaced where rules say so, and the rest stays as it is.

So comments, order, blank lines, quotes and anchors are kept. What cannot be spelt anew without losing a comment, or without
giving two meanings to a part that an alias names, keeps its old spelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plotsim_core.config.read import read_text
from plotsim_core.config.rewrite.edits import value_edits
from plotsim_core.config.rewrite.lines import Edit, applied, are_apart
from plotsim_core.config.rewrite.places import places
from plotsim_core.config.rewrite.rules import canonical, todays_value
from plotsim_core.config.rewrite.syntax import source_tree

_MOST_PASSES = 8
"""So many times a text is gone through at most: what a rule has written, another one may have to spell otherwise."""


def rewritten(text: str, source: str) -> str:
    """Return the text of a config in today's words; of a text that is none, the same. Raises ConfigError, naming `source`,
    if it cannot be parsed."""
    for _ in range(_MOST_PASSES):
        passed = _with_edits(text, _edits(text, source), source)
        if passed == text:
            break
        text = passed
    return text


def _edits(text: str, source: str) -> list[list[Edit]]:
    """Return what to change of a text, by place; places that overlap another one are left for later."""
    raw = read_text(text, source)
    values: dict[int, list[tuple[Any, Any]]] = {}
    tree = source_tree(text) if isinstance(raw, dict) and raw else None
    if tree is None:
        return []
    nodes = {}
    for place in places(raw):
        node = tree.node(place.steps)
        if node is not None:
            nodes[id(node)] = node
            values.setdefault(id(node), []).append((place.value, todays_value(place)))
    groups: list[list[Edit]] = []
    for identity, pairs in values.items():
        old, new = pairs[0]
        if any(other != new for _, other in pairs) or new == old:
            continue
        edits = value_edits(text, nodes[identity], old, new)
        if edits and are_apart([edit for group in groups for edit in group], edits):
            groups.append(edits)
    return groups


def _with_edits(text: str, groups: Sequence[Sequence[Edit]], source: str) -> str:
    """Return a text with changes that leave its meaning: all, or else those of which each alone does."""
    meaning = canonical(read_text(text, source))
    whole = applied(text, [edit for group in groups for edit in group])
    if canonical(read_text(whole, source)) == meaning:
        return whole
    sound = [group for group in groups if canonical(read_text(applied(text, group), source)) == meaning]
    rest = applied(text, [edit for group in sound for edit in group])
    return rest if canonical(read_text(rest, source)) == meaning else text

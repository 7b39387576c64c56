"""The text of a YAML file as a tree of nodes that know where they begin and end, with aliases as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import yaml

from plotsim_core.config.document import Step
from plotsim_core.config.yaml_values import events

Form = Literal["scalar", "list", "mapping", "alias"]


@dataclass(frozen=True, eq=False)
class SourceNode:
    """A node of a text from `start` to before `end`, its anchor included.

    `word` is the value of a scalar as a text, or the name of an alias; `items` are those of a list, `entries` the keys and
    values of a mapping. `is_block` says that it is a list or a mapping by indentation.
    """

    form: Form
    start: int
    end: int
    anchor: str | None = None
    word: str = ""
    is_block: bool = False
    is_literal: bool = False
    items: tuple[SourceNode, ...] = ()
    entries: tuple[tuple[SourceNode, SourceNode], ...] = ()

    def entry(self, key: Step) -> tuple[SourceNode, SourceNode] | None:
        """Return the entry of a key, None where the mapping has none of its own."""
        return next((entry for entry in self.entries if entry[0].word == str(key)), None)


@dataclass(frozen=True, eq=False)
class SourceTree:
    """The nodes of a text, and those that have an anchor, by its name."""

    root: SourceNode
    anchors: dict[str, SourceNode]

    def node(self, steps: tuple[Step, ...]) -> SourceNode | None:
        """Return the node that steps lead to, also through aliases; None where a merge key brings a part of the way."""
        node = self.followed(self.root)
        for step in steps:
            if node.form == "list" and isinstance(step, int):
                node = self.followed(node.items[step])
            else:
                entry = node.entry(step)
                if entry is None:
                    return None
                node = self.followed(entry[1])
        return node

    def followed(self, node: SourceNode) -> SourceNode:
        """Return what an alias names; any other node itself."""
        return self.anchors[node.word] if node.form == "alias" else node


def source_tree(text: str) -> SourceTree:
    """Return the tree of a text that is one valid YAML document."""
    anchors: dict[str, SourceNode] = {}
    stream = iter(events(text))
    for event in stream:
        if isinstance(event, yaml.DocumentStartEvent):
            break
    return SourceTree(_node(next(stream), stream, text, anchors), anchors)


def _node(event: yaml.Event, stream: Iterator[yaml.Event], text: str, anchors: dict[str, SourceNode]) -> SourceNode:
    start, end = _span(event)
    if isinstance(event, yaml.AliasEvent):
        return SourceNode("alias", start, end, word=event.anchor or "")
    if isinstance(event, yaml.ScalarEvent):
        is_literal = event.style in ("|", ">")
        end = start + len(text[start:end].rstrip()) if is_literal else end
        node = SourceNode("scalar", start, end, event.anchor, event.value, is_literal=is_literal)
    elif isinstance(event, yaml.SequenceStartEvent):
        items: list[SourceNode] = []
        while not isinstance(item := next(stream), yaml.SequenceEndEvent):
            items.append(_node(item, stream, text, anchors))
        is_block = not event.flow_style
        end = items[-1].end if is_block else _span(item)[1]
        node = SourceNode("list", start, end, event.anchor, is_block=is_block, items=tuple(items))
    else:
        assert isinstance(event, yaml.MappingStartEvent)
        entries: list[tuple[SourceNode, SourceNode]] = []
        while not isinstance(key := next(stream), yaml.MappingEndEvent):
            key_node = _node(key, stream, text, anchors)
            entries.append((key_node, _node(next(stream), stream, text, anchors)))
        is_block = not event.flow_style
        end = max(entries[-1][1].end, entries[-1][0].end) if is_block else _span(key)[1]
        node = SourceNode("mapping", start, end, event.anchor, is_block=is_block, entries=tuple(entries))
    if node.anchor is not None:
        anchors[node.anchor] = node
    return node


def _span(event: yaml.Event) -> tuple[int, int]:
    """Return where an event begins and ends in its text."""
    start, end = event.start_mark, event.end_mark
    return (0, 0) if start is None or end is None else (start.index, end.index)

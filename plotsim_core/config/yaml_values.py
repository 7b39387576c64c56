"""YAML text to nodes with their marks, and nodes to values: texts, numbers, lists and mappings, and nothing else.

Nodes are composed by libyaml where it is there, which is ten times as fast, and by PyYAML alone where it is not. Scalars are
those of YAML 1.2 (`no` and `12:30` are texts, `1e5` is a number), dates are texts, no key stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import yaml

from plotsim_core.errors import ConfigError, Problem, value_text

BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)
INTEGER = re.compile(r"^[-+]?[0-9]+$")
_TAG = "tag:yaml.org,2002:"
MERGE = f"{_TAG}merge"
_TEXT, _MAPPING, _SEQUENCE = f"{_TAG}str", f"{_TAG}map", f"{_TAG}seq"
_Entry = tuple[yaml.Node, yaml.Node]
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_MOST_MERGED = 50_000
"""The most entries that merge keys may add to the mappings of a file: a few lines could add any number."""
_MOST_DEEP = 10_000
"""Nodes nested less deeply are composed by libyaml, whose stack is that of the process, without a look at their depth."""
_DEEPEST = 200
"""Nodes nested more deeply are refused."""


def _nulls_and_merges() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    return {
        first: [(tag, regexp) for tag, regexp in resolvers if tag in (f"{_TAG}null", MERGE)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _PlainLoader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = _nulls_and_merges()


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # there is none without libyaml
    yaml_implicit_resolvers: dict[str, Any] = _nulls_and_merges()


def add_scalars(reader: Any) -> None:
    """Make a loader or a dumper tell booleans and numbers from texts as YAML 1.2 does."""
    reader.add_implicit_resolver(f"{_TAG}bool", BOOLEAN, list("tTfF"))
    reader.add_implicit_resolver(f"{_TAG}int", INTEGER, list("-+0123456789"))
    reader.add_implicit_resolver(f"{_TAG}float", FLOAT, list("-+.0123456789"))


add_scalars(_PlainLoader)
add_scalars(_FastLoader)


@dataclass(frozen=True)
class Composed:
    """The value of YAML text, the node that it was made from (None where there is none), and the keys that stand twice in a
    mapping, as problems; of those the first counts."""

    value: Any
    root: yaml.Node | None
    repeated_keys: tuple[Problem, ...] = ()


def compose(text: str, source: str) -> Composed:
    """Return what YAML text says.

    Raises ConfigError, naming `source`, if the text cannot be parsed, and for tags, keys and numbers that are not allowed.
    """
    try:
        root = _root(text)
        values = _Values()
        value = None if root is None else values.value(root)
    except yaml.MarkedYAMLError as error:
        reason = "; ".join(part for part in (error.context, error.problem) if part)
        problem = _invalid(reason, error.problem_mark)
        hint = "write spaces, not tabs" if _is_at_tab(text, error.problem_mark) else ""
        raise ConfigError([replace(problem, hint=hint)], source) from None
    except yaml.YAMLError as error:
        raise ConfigError([_invalid(str(getattr(error, "reason", None) or error), None)], source) from None
    except RecursionError:
        raise ConfigError([_invalid("nested too deeply", None)], source) from None
    if values.problems:
        problems = [*values.problems, *values.repeated_keys]
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)), source)
    return Composed(value, root, tuple(values.repeated_keys))


def _root(text: str) -> yaml.Node | None:
    """Return the root of a text. PyYAML alone parses what libyaml cannot, or reads otherwise, so that all is read and
    told in the same way without libyaml."""
    if _is_deep(text):
        raise RecursionError
    if _reads_otherwise(text):
        return yaml.compose(text, Loader=_PlainLoader)
    try:
        return yaml.compose(text, Loader=_FastLoader)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=_PlainLoader)


def events(text: str) -> list[yaml.Event]:
    """Return what a text that can be composed consists of: the beginnings and ends of its nodes, with their marks."""
    try:
        return list(yaml.parse(text, Loader=_PlainLoader if _reads_otherwise(text) else _FastLoader))
    except yaml.YAMLError:
        return list(yaml.parse(text, Loader=_PlainLoader))


def comments(text: str) -> list[tuple[int, str]]:
    """Return the comments of a text that can be composed: where each begins, and what it is, without spaces at its end."""
    try:
        tokens = list(yaml.scan(text, Loader=_PlainLoader if _reads_otherwise(text) else _FastLoader))
    except yaml.YAMLError:
        tokens = list(yaml.scan(text, Loader=_PlainLoader))
    positions = [0, *(mark.index for token in tokens for mark in (token.start_mark, token.end_mark)), len(text)]
    gaps = zip(positions[::2], positions[1::2], strict=True)
    return [
        (start + match.start(), match[0].rstrip())
        for start, stop in gaps
        for match in re.finditer(r"#[^\r\n]*", text[start:stop])
    ]


_OPENING = r"(?<![^\s\[\]{},:])"
"""What stands before a quote that begins a text: in words it is an apostrophe."""
_QUOTED = re.compile(rf""" {_OPENING} (?: "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' ) """, re.VERBOSE)
"""A text in quotes that ends in its line."""
_OPEN_QUOTE = re.compile(rf"{_OPENING}[\"']")
_COMMENT = re.compile(r"(^|\s)#.*")


def _reads_otherwise(text: str) -> bool:
    """Return whether a text may have tabs, or question marks in brackets, where only libyaml allows them: those in quotes
    are allowed by both."""
    if "\t" in text:
        return True
    lines = text.splitlines() if "?" in text else ()
    if not any("?" in line and ("[" in line or "{" in line) for line in lines):
        return False
    bare_lines = [_COMMENT.sub("", _QUOTED.sub("", line)) for line in lines]
    return any(("?" in line and ("[" in line or "{" in line)) or _OPEN_QUOTE.search(line) for line in bare_lines)


def _is_deep(text: str) -> bool:
    """Return whether nodes are nested too deeply for a stack. Texts that could be are parsed event by event."""
    longest_line = max(map(len, text.splitlines()), default=0)
    if longest_line + text.count("[") + text.count("{") < _MOST_DEEP:
        return False
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_FastLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                return True
    except yaml.YAMLError:  # told when it is composed
        pass
    return False


def _is_at_tab(text: str, mark: yaml.Mark | None) -> bool:
    """Return whether a mark is at a tab, or in a line that a tab indents."""
    lines = [] if mark is None else _BREAK.split(text)
    if mark is None or mark.line >= len(lines):
        return False
    line = lines[mark.line]
    return line[mark.column : mark.column + 1] == "\t" or "\t" in line[: len(line) - len(line.lstrip())]


def _invalid(reason: str, mark: yaml.Mark | None) -> Problem:
    problem = Problem("", f"is not valid YAML: {reason}")
    return problem if mark is None else problem.at(mark.line + 1, mark.column + 1)


class _Values:
    """The values of nodes. A node that an alias names again is one value. What is not allowed is kept in `problems`, and its
    value is nothing. `repeated_keys` are keys that stand twice in a mapping."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.repeated_keys: list[Problem] = []
        self._values: dict[yaml.Node, Any] = {}
        self._entries: dict[yaml.Node, list[_Entry]] = {}
        self._open: set[yaml.Node] = set()
        self._merged = 0

    def value(self, node: yaml.Node) -> Any:
        """Return the value of a node."""
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == _TEXT and node.value.isascii() else self._scalar(node)
        if node in self._values:
            return self._values[node]
        self._refuse_open(node)
        self._open.add(node)
        value: Any = None
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            value = self._mapping(node)
        elif isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            value = [self.value(item) for item in node.value]
        else:
            self._refuse_tag(node)
        self._open.discard(node)
        self._values[node] = value
        return value

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag not in _SCALARS:
            return self._refuse_tag(node)
        try:
            return scalar(node)
        except ValueError as error:
            return self._refuse(str(error), node)

    def _mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        mapping = {self._key(key_node): self.value(value_node) for key_node, value_node in self._merged_entries(node)}
        first_nodes: dict[Any, yaml.Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                continue
            key = self._key(key_node)
            if key_node.tag not in _SCALARS:  # refused above
                continue
            if key in first_nodes:
                text, first_text = value_text(key), value_text(self._key(first_nodes[key]))
                first_line = first_nodes[key].start_mark.line + 1
                reason = f"the key {text} stands twice, first in line {first_line}"
                if text != first_text:
                    reason = f"the keys {first_text} (in line {first_line}) and {text} are the same"
                self.repeated_keys.append(_invalid(reason, key_node.start_mark))
                continue
            first_nodes[key] = key_node
            mapping[key] = self.value(value_node)
        return mapping

    def _key(self, node: yaml.Node) -> Hashable:
        if isinstance(node, yaml.ScalarNode):
            key: Hashable = self.value(node)
            return key
        self._refuse("a key must be a text", node)
        return None

    def _merged_entries(self, node: yaml.MappingNode) -> list[_Entry]:
        """Return the entries that merge keys bring into a mapping; of two of one name the last one counts."""
        merged: list[_Entry] = []
        for key_node, value_node in node.value:
            if key_node.tag != MERGE:
                continue
            for part in merged_parts(value_node)[::-1]:
                if not isinstance(part, yaml.MappingNode):
                    message = "expected a mapping or a list of mappings to merge"
                    raise yaml.MarkedYAMLError(problem=message, problem_mark=part.start_mark)
                self._refuse_open(part)
                part_entries = self._all_entries(part)
                self._merged += len(part_entries)
                if self._merged > _MOST_MERGED:
                    message = f"merge keys (<<) bring more than {_MOST_MERGED:,} entries into the file"
                    raise yaml.MarkedYAMLError(problem=message, problem_mark=key_node.start_mark)
                merged += part_entries
        return merged

    def _all_entries(self, node: yaml.MappingNode) -> list[_Entry]:
        if node not in self._entries:
            own_entries = [entry for entry in node.value if entry[0].tag != MERGE]
            self._entries[node] = [*self._merged_entries(node), *own_entries]
        return self._entries[node]

    def _refuse_open(self, node: yaml.Node) -> None:
        if node in self._open:
            raise yaml.MarkedYAMLError(problem="an alias stands in what it names", problem_mark=node.start_mark)

    def _refuse_tag(self, node: yaml.Node) -> None:
        self._refuse(f"the tag {node.tag.replace(_TAG, '!!')} is not allowed", node)

    def _refuse(self, reason: str, node: yaml.Node) -> None:
        self.problems.append(_invalid(reason, node.start_mark))


def scalar(node: yaml.Node) -> Any:
    """Return the value of a scalar node. Raises ValueError for a text that is none of its tag."""
    return _SCALARS[node.tag](node.value)


def merged_parts(node: yaml.Node) -> list[yaml.Node]:
    """Return what a merge key merges: the items of a list, or one mapping; the first that has a key counts."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _text(text: str) -> str:
    if not text.isascii() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise ValueError("half of a character that is written in two (\\ud800 to \\udfff)")
    return text


def _boolean(text: str) -> bool:
    if not BOOLEAN.match(text):
        raise ValueError(f"{value_text(text)} is neither true nor false")
    return text.lower() == "true"


def _integer(text: str) -> int:
    if len(text) > 40:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: dict[str, Callable[[str], Any]] = {
    f"{_TAG}null": lambda text: None,
    _TEXT: _text,
    f"{_TAG}bool": _boolean,
    f"{_TAG}int": _integer,
    f"{_TAG}float": _float,
}

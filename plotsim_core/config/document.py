"""A config as it was read, and where in its file each part stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from plotsim_core.config.dataset import ALIASES
from plotsim_core.config.yaml_values import MERGE, merged_parts, scalar
from plotsim_core.errors import ConfigError, Problem

Step = str | int
_COLUMN = re.compile(r"((?:units\[\d+\]\.)?dimensions\[\d+\])\.columns\[(\d+)\]")
_INDEX = re.compile(r"\[(\d+)\]\.?")


@dataclass(frozen=True)
class Document:
    """A config as read from `source`: its `value`, and the problems of the files that it names.

    `source_value` is the value before the rows of files were put in, `root` the node of it: None for a config that is no
    text. `file_columns` is how many columns a file puts before those of a table, by the table's path; `replaced` names the
    sections that a request says instead of the file.
    """

    value: Any
    source: str
    source_value: Any
    root: yaml.Node | None = None
    problems: tuple[Problem, ...] = ()
    file_columns: Mapping[str, int] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()

    def with_value(self, value: Any, *replaced: str) -> Document:
        """Return the document with another value, of which the sections `replaced` are not those of the file."""
        return replace(self, value=value, replaced=self.replaced | {*replaced})

    def readable(self) -> Document:
        """Return the document. Raises ConfigError if a file that it names is wrong."""
        if self.problems:
            raise ConfigError(self.located(()), self.source)
        return self

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems of the config, and those of its files, each once and with its line, in the order of the file.
        Where there is no file, they come in the order of keys and items. What is wrong with a value that aliases or merge
        keys name again is told once, with the first of its paths."""
        written_problems = dict.fromkeys(self._as_written(problem) for problem in (*self.problems, *problems))
        triples = sorted((self._located(problem) for problem in written_problems), key=lambda triple: triple[0])
        first_problems: dict[Problem, Problem] = {}
        for _, at_node, problem in triples:
            first_problems.setdefault(at_node, problem)
        return list(first_problems.values())

    def _as_written(self, problem: Problem) -> Problem:
        """Return a problem with the path that its column has in the config: those of a file do not stand there."""
        match = _COLUMN.match(problem.path)
        count = self.file_columns.get(match[1], 0) if match else 0
        if match is None or not count:
            return problem
        index, rest = int(match[2]) - count, problem.path[match.end() :]
        return replace(problem, path=f"{match[1]}.columns[{index}]{rest}" if index >= 0 else f"{match[1]}.rows.file")

    def _located(self, problem: Problem) -> tuple[tuple[int, ...], Problem, Problem]:
        """Return what a problem is sorted by, the problem with a path that begins at its place in the file, and with its own
        path, both with line and column."""
        if problem.line:
            return (problem.line, problem.column), problem, problem
        indices, steps, rest = _steps(self.source_value, problem.path)
        if self.root is None or (steps and steps[0] in self.replaced):
            return indices, problem, problem
        node = _node(self.root, steps, problem.is_of_key and not rest)
        position = node.start_mark.line + 1, node.start_mark.column + 1
        located = problem.at(*position)
        return (*position, *indices), replace(located, path=rest), located


def _steps(value: Any, path: str) -> tuple[tuple[int, ...], list[Step], str]:
    """Return the way that a path leads through a value, as numbers of entries and as keys and indices, and the rest of the
    path, which is not in the value. Keys may hold dots; sections have other names."""
    indices: list[int] = []
    steps: list[Step] = []
    while path:
        if isinstance(value, Mapping):
            keys = [key for key in value if _begins(path, str(key))]
            keys = keys or [key for key in value if (name := ALIASES.get(str(key))) and _begins(path, name)]
            if not keys:
                break
            step: Step = max(keys, key=lambda key: len(str(key)))
            name = str(step) if _begins(path, str(step)) else ALIASES[str(step)]
            indices.append(list(value).index(step))
            path = path[len(name) :].removeprefix(".")
        else:
            match = _INDEX.match(path)
            if match is None or not isinstance(value, list | tuple) or int(match[1]) >= len(value):
                break
            step = int(match[1])
            indices.append(step)
            path = path[match.end() :]
        steps.append(step)
        value = value[step]
    return tuple(indices), steps, path


def _begins(path: str, key: str) -> bool:
    """Return whether the first step of a path is a key."""
    return path.startswith(key) and path[len(key) : len(key) + 1] in ("", ".", "[")


def _node(root: yaml.Node, steps: Sequence[Step], is_of_key: bool) -> yaml.Node:
    """Return the node that steps lead to: the value, or its key."""
    node = key_node = root
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            key_node, node = _entry(node, step) or (node, node)
        else:
            key_node = node = node.value[step]
    return key_node if is_of_key else node


def _entry(node: yaml.MappingNode, key: Step) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the entry of a mapping that has a key, of its own or merged."""
    queue: list[yaml.Node] = [node]
    visited: set[yaml.Node] = set()
    while queue:
        mapping = queue.pop(0)
        if not isinstance(mapping, yaml.MappingNode) or mapping in visited:
            continue
        visited.add(mapping)
        merged: list[yaml.Node] = []
        for key_node, value_node in mapping.value:
            if key_node.tag == MERGE:
                merged += merged_parts(value_node)
            elif scalar(key_node) == key:
                return key_node, value_node
        queue = merged + queue
    return None

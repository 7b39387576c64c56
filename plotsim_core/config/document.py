"""A config as it was read, and where in its file each part stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from plotsim_core.config.dataset import ALIASES, LISTS, Dataset
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.yaml_values import MERGE, merged_parts, scalar
from plotsim_core.errors import ConfigError, Problem, key_text
from plotsim_core.families import nearest

Step = str | int
_COLUMN = re.compile(r"((?:units\[\d+\]\.)?\w+\[\d+\])\.columns\[(\d+)\]")
_INDEX = re.compile(r"\[(\d+)\]\.?")


@dataclass(frozen=True)
class ColumnPlace:
    """Where a column is written: at `path` in its table. Of those that a `pattern` makes (`r#`) it is `name`."""

    path: str
    name: str = ""
    pattern: str = ""

    def message(self, text: str) -> str:
        """Return a message about the column as one about its pattern, so that all of a pattern say the same."""
        return re.sub(rf"\b{self.name}\b", self.pattern, text) if self.pattern else text


FILE_PLACE = ColumnPlace("rows.file")
"""The place of a column that comes from a file."""


@dataclass(frozen=True)
class Document:
    """A config as read from `source`: its `value`, and the problems of its columns and of the files that it names.

    `source_value` is the value before columns were listed and the rows of files were put in, `root` the node of it: None for
    a config that is no text. `places` are those of a table's columns, by the table's path, where they are not written as the
    list that they are read from; `replaced` names the sections that a request says instead of the file.

    A file of another system has a value in the words of this language, `origins`, the paths of the file that paths of the
    value come from, and `notes` on what of it is not as it was.
    """

    value: Any
    source: str
    source_value: Any
    root: yaml.Node | None = None
    problems: tuple[Problem, ...] = ()
    places: Mapping[str, tuple[ColumnPlace, ...]] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()

    def with_value(self, value: Any, *replaced: str) -> Document:
        """Return the document with another value, of which the sections `replaced` are not those of the file."""
        return replace(self, value=value, replaced=self.replaced | {*replaced})

    def translated(self, value: Any, origins: Mapping[str, str], notes: tuple[Problem, ...]) -> Document:
        """Return the document with its value in the words of this language, and with notes at their places in the file."""
        return replace(self, value=value, origins=origins, notes=tuple(self.located(notes)))

    def readable(self) -> Document:
        """Return the document. Raises ConfigError if a file that it names is wrong."""
        if self.problems:
            raise ConfigError(self.located(()), self.source)
        return self

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems of the config, and those of its files, each once and with its line, in the order of the file.
        Where there is no file, they come in the order of keys and items. What is wrong with a value that aliases or merge
        keys name again is told once, with the first of its paths."""
        written_problems = self.as_written((*self.problems, *problems))
        triples = sorted((self._located(problem) for problem in written_problems), key=lambda triple: triple[0])
        first_problems: dict[Problem, Problem] = {}
        for _, at_node, problem in triples:
            first_problems.setdefault(at_node, problem)
        return list(first_problems.values())

    def as_written(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems of the config, each once, with the paths and the names that their columns have in it."""
        return list(dict.fromkeys(self._without_unwritten_keys(self._as_written(problem)) for problem in problems))

    def _without_unwritten_keys(self, problem: Problem) -> Problem:
        """Return a problem whose path leads on to a key of the long form of a value that is written in a short one."""
        _, steps, rest = _steps(self.source_value, problem.path)
        value = self.source_value
        for step in steps:
            value = value[step]
        is_short = bool(rest) and bool(steps) and isinstance(value, str | int | float)
        return replace(problem, path=problem.path.removesuffix(rest).rstrip(".")) if is_short else problem

    def _as_written(self, problem: Problem) -> Problem:
        """Return a problem with the paths that its columns have in the config, and with the names that they have there. Of a
        file of another system, the path is that of what the part was made of."""
        origin = max((path for path in self.origins if _begins(problem.path, path)), key=len, default=None)
        if origin is not None:
            tail, origin_path = problem.path[len(origin) :], self.origins[origin]
            _, _, unknown = _steps(self.source_value, origin_path + tail)
            if not unknown:
                return replace(problem, path=origin_path + tail)
            text = f"{tail.removeprefix('.')}: {problem.message}" if tail else problem.message
            return replace(problem, path=origin_path, message=text)
        match = _COLUMN.match(problem.path)
        message = _COLUMN.sub(self._column_path, problem.message)
        if match is None:
            return replace(problem, message=message)
        rest, place = problem.path[match.end() :], self._place(match)
        path = self._column_path(match)
        if place is None:
            return replace(problem, path=f"{path}{rest}", message=message)
        return replace(problem, path=path if place == FILE_PLACE else f"{path}{rest}", message=place.message(message))

    def _place(self, column: re.Match[str]) -> ColumnPlace | None:
        """Return the place of a column, by its path; None for one that stands where it is read, or comes by itself."""
        places, index = self.places.get(column[1], ()), int(column[2])
        return places[index] if index < len(places) else None

    def _column_path(self, column: re.Match[str]) -> str:
        """Return the path that a column has in the config."""
        place = self._place(column)
        if place is not None:
            return f"{column[1]}.{place.path}"
        return f"{column[1]}.columns[{int(column[2]) - self.places.get(column[1], ()).count(FILE_PLACE)}]"

    def _located(self, problem: Problem) -> tuple[tuple[int, ...], Problem, Problem]:
        """Return what a problem is sorted by, the problem with a path that begins at its place in the file, and with its own
        path, both with line and column."""
        if problem.line:
            return (problem.line, problem.column), problem, problem
        indices, steps, rest = _steps(self.source_value, problem.path)
        if self.root is None or {problem.path, *map(str, steps[:1])} & self.replaced:
            return indices, problem, problem
        node = _node(self.root, steps, problem.is_of_key and not rest)
        position = node.start_mark.line + 1, node.start_mark.column + 1
        located = problem.at(*position)
        return (*position, *indices), replace(located, path=rest), located


def likely_section(key: str, sections: Mapping[Any, Any]) -> str | None:
    """Return the list of a config that an unknown key is probably meant to be, which is not there; None for other keys."""
    if key in ALIASES or key in Dataset.model_fields:
        return None
    return nearest(key, [name for name in (*LISTS, *SECTIONS) if name not in sections])


def _steps(value: Any, path: str) -> tuple[tuple[int, ...], list[Step], str]:
    """Return the way that a path leads through a value, as numbers of entries and as keys and indices, and the rest of the
    path, which is not in the value. Keys may hold dots; sections have other names."""
    indices: list[int] = []
    steps: list[Step] = []
    while path:
        if isinstance(value, Mapping):
            keys = [key for key in value if _begins(path, key_text(key))]
            keys = keys or [key for key in value if (name := ALIASES.get(str(key))) and _begins(path, name)]
            if not keys and not steps:
                keys = [key for key in value if (name := likely_section(str(key), value)) and _begins(path, name)]
            if not keys:
                break
            step: Step = max(keys, key=lambda key: len(str(key)))
            name = key_text(step)
            if not _begins(path, name):
                name = ALIASES.get(str(step)) or likely_section(str(step), value) or name
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
    """Return whether a path begins with the steps of another one, or with a key."""
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

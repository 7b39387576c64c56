"""What can be wrong with a config: one record per problem, and the exception that carries all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

_OF_KEYS = ("unknown key", "has no effect", "have no effect", "says the same as", "is said once")
"""What messages begin with that are about a key rather than its value."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, or doubtful, at one place of a config.

    `path` is where it stands in the file (`segments[2].archetype`), `message` says what was found and what was
    expected, `hint` what to write instead (empty when there is nothing to suggest). `line` and `column`, from 1, are those
    of the config; 0 where there are none.
    """

    path: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0

    @property
    def is_of_key(self) -> bool:
        """Whether the problem is that a key is there, whatever its value."""
        return self.message.startswith(_OF_KEYS)

    def at(self, line: int, column: int) -> Problem:
        """Return the problem with the place in the config where it stands."""
        return replace(self, line=line, column=column)

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text}\n    {self.hint}" if self.hint else text

    def under(self, path: str) -> Problem:
        """Return the problem with its path continued from `path`."""
        separator = "." if path and self.path and not self.path.startswith("[") else ""
        return replace(self, path=f"{path}{separator}{self.path}")


class ProblemError(ValueError):
    """What a validator of the language raises: problems, with paths that begin at the part it looks at."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


def key_text(key: Any) -> str:
    """Return a key as a path has it: truths and null as YAML has them."""
    return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)


def value_text(value: Any) -> str:
    """Return a value as a person would write it, shortened when it is long."""
    text = _literal(value, 3)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _literal(value: Any, depth: int) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value[:80]}'"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a huge number"
    if isinstance(value, int | float):
        return f"{value:.15g}"
    if isinstance(value, Mapping | list | tuple) and depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_literal(item, depth - 1)}' for key, item in islice(value.items(), 20))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(item, depth - 1) for item in islice(value, 20))}]"
    return str(value)


class ConfigError(ValueError):
    """A config that cannot be used. `problems` holds everything that is wrong with it, in file order."""

    def __init__(self, problems: Iterable[Problem], source: str = "config") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{self.source}: {count} problem{'' if count == 1 else 's'}"
        lines = [line for problem in self.problems for line in f"{self.place(problem)}{problem}".splitlines()]
        return "\n".join([head, *(f"  {line}" for line in lines)])

    def place(self, problem: Problem) -> str:
        """Return where a problem stands, as compilers write it (`shop.yaml:12:9: `); empty where that is in no file."""
        if not problem.line:
            return ""
        return f"{self.source}:{problem.line}:{problem.column}: "


class SchemaError(RuntimeError):
    """Rows that are not what the schema of their table says: a fault of the generator, found where they are made."""


class UsageError(ValueError):
    """A request that makes no sense for a valid config (an unknown table, a period outside the window)."""

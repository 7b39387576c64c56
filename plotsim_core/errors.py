"""What can be wrong with a config: one record per problem, and the exception that carries all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, or doubtful, at one place of a config.

    `path` is where it stands in the file (`segments[2].archetype`), `message` says what was found and what was
    expected, `hint` what to write instead (empty when there is nothing to suggest).
    """

    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text}\n    {self.hint}" if self.hint else text


class ConfigError(ValueError):
    """A config that cannot be used. `problems` holds everything that is wrong with it, in file order."""

    def __init__(self, problems: Iterable[Problem], source: str = "config") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{self.source}: {count} problem{'' if count == 1 else 's'}"
        return "\n".join([head, *(f"  {line}" for p in self.problems for line in str(p).splitlines())])


class UsageError(ValueError):
    """A request that makes no sense for a valid config (an unknown table, a period outside the window)."""

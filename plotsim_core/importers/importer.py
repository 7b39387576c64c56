"""What an importer is: a reader of another system's files that writes them in the words of this language.

An importer is a class in a folder or file of its own, a member of `IMPORTERS`. It turns a document into a config, and says
of each item of the document what became of it. It reads no file and loads no config.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from plotsim_core.errors import Problem
from plotsim_core.families import Family

Fate = Literal["carried over", "approximated", "not carried over"]


@dataclass(frozen=True)
class Note:
    """What became of one item of a document: `path` is where it stands there, `reason` says why, or what it is now."""

    path: str
    fate: Fate
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"

    @property
    def problem(self) -> Problem:
        """The note as loading tells it."""
        return Problem(self.path, f"{self.fate}: {self.reason}")


@dataclass(frozen=True)
class Imported:
    """A document in the words of this language.

    `config` is what its YAML says. `notes` tell of each item of the document what became of it, `problems` what in it cannot
    be read; with problems the config is not whole. `origins` are the paths of the document that paths of the config come
    from.
    """

    config: dict[str, Any]
    notes: tuple[Note, ...]
    problems: tuple[Problem, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def losses(self) -> tuple[Note, ...]:
        """The notes on what is not as it was."""
        return tuple(note for note in self.notes if note.fate != "carried over")


class Importer(ABC):
    """A system whose files are read."""

    title: ClassVar[str]
    """What its files are, in texts."""
    signs: ClassVar[tuple[str, ...]] = ()
    """Keys of a document that no other file has: one of them tells whose it is. Such a file is loaded as it is, too."""
    keys: ClassVar[frozenset[str]] = frozenset()
    """All keys that a document may begin with."""

    @classmethod
    @abstractmethod
    def convert(cls, raw: Mapping[str, Any]) -> Imported:
        """Return a document, as its YAML says it, in the words of this language."""


IMPORTERS: Family[type[Importer]] = Family("importer", page="docs/importing.md")
"""All importers, by the name that `plotsim import` takes."""

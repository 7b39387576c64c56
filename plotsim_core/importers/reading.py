"""A document that is read key by key: what nobody asked for is known in the end, and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from plotsim_core.config.model import LARGEST
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import nearest
from plotsim_core.importers.importer import Fate, Note

_EMPTY: tuple[Any, ...] = (None, [], {}, ())


@dataclass(eq=False)
class Record:
    """What has been read of a document, and what is to be told of it.

    `known` are the keys that were asked for, by the path of the mapping that they stand in; `whole` the paths of values that
    were read with all that is in them. `origins` are paths of the document by those of the config.
    """

    notes: list[Note] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    known: dict[str, set[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    def unread(self, value: Any, path: str = "") -> Iterator[Note]:
        """Yield a note on each key of a value that nobody has asked for."""
        if path in self.whole:
            return
        if isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield from self.unread(item, f"{path}[{index}]")
        if not isinstance(value, Mapping):
            return
        known_keys = self.known.get(path, set())
        for key, item in value.items():
            key_path = f"{path}.{key}" if path else str(key)
            if str(key) in known_keys:
                yield from self.unread(item, key_path)
            else:
                name = nearest(str(key), sorted(known_keys))
                yield Note(key_path, "not carried over", f"there is no such key{f'; did you mean {name}?' if name else ''}")


@dataclass(frozen=True, eq=False)
class Part:
    """A mapping of a document, at its path. What is read of it is recorded; what is of the wrong type is a problem."""

    value: Mapping[str, Any]
    path: str
    record: Record

    def at(self, key: str) -> str:
        """Return the path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Return whether a key says something."""
        self._know(key)
        return self.value.get(key) is not None

    def text(self, key: str, default: str = "", is_required: bool = False) -> str:
        """Return a text."""
        value = self._said(key, "a text", is_required)
        if value is None or isinstance(value, str):
            return default if value is None else value
        self._refuse(key, "a text", value)
        return default

    def number(self, key: str, default: float = 0.0, is_required: bool = False) -> float:
        """Return a number."""
        value = self._said(key, "a number", is_required)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST):
            return default if value is None else value
        self._refuse(key, "a number", value)
        return default

    def integer(self, key: str, default: int = 0, is_required: bool = False) -> int:
        """Return a whole number."""
        value = self._said(key, "a whole number", is_required)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return default if value is None else value
        self._refuse(key, "a whole number", value)
        return default

    def flag(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        value = self._said(key, "true or false", False)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self._refuse(key, "true or false", value)
        return default

    def mapping(self, key: str) -> Part | None:
        """Return a mapping; None where there is none."""
        value = self._said(key, "keys and values", False)
        if isinstance(value, Mapping):
            return Part(value, self.at(key), self.record)
        if value is not None:
            self._refuse(key, "keys and values", value)
        return None

    def parts(self, key: str, is_required: bool = False) -> list[Part]:
        """Return the mappings of a list."""
        parts = []
        for path, item in self._items(key, is_required):
            if isinstance(item, Mapping):
                parts.append(Part(item, path, self.record))
            else:
                self.record.problems.append(Problem(path, f"expected keys and values, found {value_text(item)}"))
        if is_required and self.value.get(key) in ([], ()):
            self.problem(key, "expected at least one item, found none")
        return parts

    def texts(self, key: str) -> list[str]:
        """Return the texts of a list, or a text alone."""
        if isinstance(self.value.get(key), str):
            return [self.text(key)]
        return [item for item in self._typed_items(key, str, "a text") if isinstance(item, str)]

    def numbers(self, key: str) -> list[float]:
        """Return the numbers of a list."""
        return [item for item in self._typed_items(key, (int, float), "a number") if isinstance(item, int | float)]

    def anything(self, key: str) -> Any:
        """Return a value of any type, with all that is in it."""
        self._know(key)
        self.record.whole.add(self.at(key))
        return self.value.get(key)

    def settle(self, usual: Mapping[str, Any]) -> None:
        """Note which keys that nobody has read say something else than what is usual."""
        known_keys = self.record.known.get(self.path, set())
        for key in [key for key in usual if key in self.value and key not in known_keys]:
            value = self.anything(key)
            if value not in _EMPTY and value != usual[key]:
                self.dropped(key, "it has no effect here")

    def problem(self, key: str, message: str, hint: str = "") -> None:
        """Add a problem of a key."""
        self.record.problems.append(Problem(self.at(key), message, hint))

    def approximated(self, key: str, reason: str) -> None:
        """Note that a key, or the part if it is empty, is not quite what it was."""
        self._note(key, "approximated", reason)

    def dropped(self, key: str, reason: str) -> None:
        """Note that a key, or the part if it is empty, is not carried over."""
        self._note(key, "not carried over", reason)

    def carried(self, reason: str) -> None:
        """Note that the part is carried over, and what it is now."""
        self._note("", "carried over", reason)

    def became(self, target: str, reason: str) -> None:
        """Note that the part is carried over, to which path of the config, and what it is there."""
        self.record.origins[target] = self.path
        self.carried(reason)

    def _note(self, key: str, fate: Fate, reason: str) -> None:
        self.record.notes.append(Note(self.at(key) if key else self.path, fate, reason))

    def _know(self, key: str) -> None:
        self.record.known.setdefault(self.path, set()).add(key)

    def _said(self, key: str, noun: str, is_required: bool) -> Any:
        self._know(key)
        value = self.value.get(key)
        if value is None and is_required:
            self.problem(key, "is missing", f"plotsim needs {noun} here")
        return value

    def _refuse(self, key: str, noun: str, value: Any) -> None:
        self.record.whole.add(self.at(key))
        self.problem(key, f"expected {noun}, found {value_text(value)}")

    def _items(self, key: str, is_required: bool) -> list[tuple[str, Any]]:
        values = self._said(key, "a list", is_required)
        if isinstance(values, list | tuple):
            return [(f"{self.at(key)}[{index}]", item) for index, item in enumerate(values)]
        if values is not None:
            self._refuse(key, "a list", values)
        return []

    def _typed_items(self, key: str, types: Any, noun: str) -> Iterator[Any]:
        for path, item in self._items(key, False):
            if isinstance(item, types) and not isinstance(item, bool):
                yield item
            else:
                self.record.problems.append(Problem(path, f"expected {noun}, found {value_text(item)}"))

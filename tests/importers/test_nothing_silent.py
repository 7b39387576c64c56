"""Nothing in a file of another system is passed over: each key is read or listed, and each value leaves a trace."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plotsim_core.importers import EngineLayer, Imported
from tests.importers.files import OWN, THEIRS, Raw, document, leaves

FILES = [pytest.param(path, id=path.stem) for path in (*OWN, *THEIRS)]


class Tracked(dict[str, Any]):
    """A mapping that knows which of its keys were asked for."""

    def __init__(self, items: dict[str, Any], path: str, read_keys: set[str]) -> None:
        super().__init__({key: _tracked(item, f"{path}.{key}".lstrip("."), read_keys) for key, item in items.items()})
        self._path, self._read_keys = path, read_keys

    def __getitem__(self, key: str) -> Any:
        self._read_keys.add(f"{self._path}.{key}".lstrip("."))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._read_keys.add(f"{self._path}.{key}".lstrip("."))
        return super().get(key, default)

    def items(self) -> Any:
        self._read_keys |= {f"{self._path}.{key}".lstrip(".") for key in self}
        return super().items()

    def values(self) -> Any:
        self.items()
        return super().values()


def _tracked(value: Any, path: str, read_keys: set[str]) -> Any:
    if isinstance(value, dict):
        return Tracked(value, path, read_keys)
    return [_tracked(item, f"{path}[{n}]", read_keys) for n, item in enumerate(value)] if isinstance(value, list) else value


@pytest.mark.parametrize("path", FILES)
def test_each_key_is_read_or_listed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of unread keys is taken away, so that what stands in it is seen to be unread."""
    read_keys: set[str] = set()
    monkeypatch.setattr("plotsim_core.importers.reading.Record.unread", lambda self, value: iter(()))
    result = EngineLayer.convert(Tracked(document(path), "", read_keys))
    monkeypatch.undo()
    _ask_whole(result.config)
    listed = {note.path for note in EngineLayer.convert(document(path)).losses}
    keys = {key for leaf, _ in leaves(document(path)) for key in _keys(leaf)}
    assert [key for key in sorted(keys - read_keys) if not any(key.startswith(place) for place in listed)] == []


def _ask_whole(value: Any) -> None:
    """Ask for the keys of the mappings of a document that stand in a config as they are."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _ask_whole(item)
    if isinstance(value, Tracked):
        value.items()


def _keys(path: str) -> Iterator[str]:
    """Yield the path of each key that a path leads through."""
    steps = re.findall(r"[^.\[\]]+|\[\d+\]", path)
    text = ""
    for step in steps:
        text = text + step if step.startswith("[") else f"{text}.{step}".lstrip(".")
        if not step.startswith("["):
            yield text


@pytest.mark.slow
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in OWN])
def test_each_value_leaves_a_trace(path: Path) -> None:
    """With another value, a config or its notes are others, or the note on it says that it is not carried over."""
    raw = document(path)
    whole = EngineLayer.convert(raw)
    listed = {note.path for note in whole.losses}
    silent = []
    for leaf, value in leaves(raw):
        if any(leaf == place or leaf.startswith((f"{place}.", f"{place}[")) for place in listed):
            continue
        if not _differs(whole, EngineLayer.convert(_with(raw, leaf, _other(value)))):
            silent.append(leaf)
    assert silent == []


def _differs(first: Imported, second: Imported) -> bool:
    return (first.config, first.notes, first.problems) != (second.config, second.notes, second.problems)


def _other(value: Any) -> Any:
    """Return another value of the same type; of nothing and of an empty list, one that is there."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else "something" if value is None else [*value, "something"]


def _with(raw: Raw, path: str, value: Any) -> Raw:
    changed = copy.deepcopy(raw)
    steps = [int(step[1:-1]) if step.startswith("[") else step for step in re.findall(r"[^.\[\]]+|\[\d+\]", path)]
    part: Any = changed
    for step in steps[:-1]:
        part = part[step]
    part[steps[-1]] = value
    return changed


def test_a_key_that_plotsim_does_not_know_is_listed() -> None:
    raw = document(OWN[0])
    raw["metrics"][0]["polarty"] = "positive"
    raw["tables"][0]["columns"][0]["colour"] = "red"
    notes = {note.path: note.reason for note in EngineLayer.convert(raw).losses}
    assert notes["metrics[0].polarty"] == "there is no such key; did you mean polarity?"
    assert notes["tables[0].columns[0].colour"] == "there is no such key"

"""YAML files: reading and writing of texts, numbers, lists and mappings, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from plotsim_core.config.document import Document
from plotsim_core.config.files import with_files
from plotsim_core.config.written_columns import with_listed_columns
from plotsim_core.config.yaml_values import add_scalars, compose
from plotsim_core.errors import ConfigError, Problem


class _Dumper(yaml.SafeDumper):
    """The safe dumper; texts that either version of YAML reads as something else stand in quotes."""


class _FastDumper(getattr(yaml, "CSafeDumper", _Dumper)):  # type: ignore[misc] # there is none without libyaml
    """The same, twice to three times as fast; it folds and escapes some texts otherwise."""


_LETTER = r"[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
_KEY = re.compile(f"{_LETTER}{{1,60}}")
_TEXT = re.compile(f"{_LETTER}*|(?! )(?:{_LETTER}|(?<! )\n(?! ))*(?<! )")
"""Keys and texts that both dumpers write in the same way: of letters that need no escape, no space beside a break."""

for _dumper in (_Dumper, _FastDumper):
    add_scalars(_dumper)


def read(path: Path) -> Any:
    """Return the content of a YAML file, unchecked, with the rows of the files that it names. Raises ConfigError if it
    cannot be read or parsed, or such a file cannot."""
    return read_document(path).readable().value


def read_document(path: Path) -> Document:
    """Return a YAML file as read, with the rows of the files that it names. Raises ConfigError if it cannot be read or
    parsed."""
    if "\n" in str(path):
        raise ConfigError([Problem("", "expected the path of a file, found a text", "create_from_yaml reads one")], "config")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}")], str(path)) from None
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        problem = Problem("", f"is not UTF-8 text: byte {error.start + 1}", "save it as UTF-8", line, column)
        raise ConfigError([problem], str(path)) from None
    except ValueError:  # a NUL in the name
        raise ConfigError([Problem("", "cannot be read: its name is none that a file can have")], ascii(str(path))) from None
    return with_files(document_of(text, str(path)), path.parent)


def document_of(text: str, source: str) -> Document:
    """Return YAML text as read. Raises ConfigError, naming `source`, if it cannot be parsed."""
    composed = compose(text, source)
    value = composed.value
    return with_listed_columns(Document(value, source, value, composed.root, composed.repeated_keys))


def read_text(text: str, source: str) -> Any:
    """Return the content of YAML text, unchecked. Raises ConfigError, naming `source`, if it cannot be parsed."""
    composed = compose(text, source)
    if composed.repeated_keys:
        raise ConfigError(composed.repeated_keys, source)
    return composed.value


def yaml_text(raw: Any) -> str:
    """Return a config as YAML text that reads as the same; the same text with libyaml and without."""
    dumper = _FastDumper if isinstance(raw, Mapping) and _has_plain_texts(raw) else _Dumper
    text: str = yaml.dump(raw, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text


def _has_plain_texts(raw: Any) -> bool:
    """Return whether both dumpers write all keys and texts of a config in the same way."""
    if isinstance(raw, str):
        return _TEXT.fullmatch(raw) is not None
    if isinstance(raw, Mapping):
        return all(_KEY.fullmatch(str(key)) and _has_plain_texts(value) for key, value in raw.items())
    return not isinstance(raw, list | tuple) or all(map(_has_plain_texts, raw))

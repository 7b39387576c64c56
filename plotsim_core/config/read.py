"""YAML files: reading and writing of texts, numbers, lists and mappings, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from plotsim_core.config.files import with_files
from plotsim_core.errors import ConfigError, Problem, value_text

_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)
_INTEGER = re.compile(r"^[-+]?[0-9]+$")
_MERGE = "tag:yaml.org,2002:merge"
_MOST_MERGED = 50_000
"""The most entries that merge keys may add to the mappings of a file: a few lines could add any number."""


class _Loader(yaml.SafeLoader):
    """The safe loader, with the scalars of YAML 1.2 (`no` and `12:30` are texts, `1e5` is a number), dates left as text
    and no key that stands twice."""

    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 - as the base class declares it
        first: [(tag, regexp) for tag, regexp in resolvers if tag.rpartition(":")[2] in ("null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key_node, value_node in node.value:
            parts = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for part in (part for part in parts if key_node.tag == _MERGE and isinstance(part, yaml.MappingNode)):
                self.flatten_mapping(part)
                self.merged += len(part.value)
                if self.merged > _MOST_MERGED:
                    message = f"merge keys (<<) bring more than {_MOST_MERGED:,} entries into the file"
                    raise yaml.MarkedYAMLError(problem=message, problem_mark=key_node.start_mark)
        super().flatten_mapping(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    if not node.value.isascii() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in node.value):
        raise ValueError("half of a character that is written in two (\\ud800 to \\udfff)")
    return str(node.value)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    if len(node.value) > 40:
        raise ValueError(f"a number of {len(node.value)} digits")
    return int(node.value)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _refuse_tag(loader: _Loader, node: yaml.Node) -> Any:
    tag = node.tag.replace("tag:yaml.org,2002:", "!!")
    raise yaml.MarkedYAMLError(problem=f"the tag {tag} is not allowed", problem_mark=node.start_mark)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    first_lines: dict[Any, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        name = loader.construct_object(key_node, deep=True)
        if isinstance(name, list | dict):
            raise yaml.MarkedYAMLError(problem="a key must be a text", problem_mark=key_node.start_mark)
        if name in first_lines:
            message = f"the key {value_text(name)} stands twice, first in line {first_lines[name]}"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=key_node.start_mark)
        first_lines[name] = key_node.start_mark.line + 1
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


class _Dumper(yaml.SafeDumper):
    """The safe dumper; texts that either version of YAML reads as something else stand in quotes."""


class _FastDumper(getattr(yaml, "CSafeDumper", _Dumper)):  # type: ignore[misc] # there is none without libyaml
    """The same, twice to three times as fast; it folds and escapes some texts otherwise."""


_LETTER = r"[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
_KEY = re.compile(f"{_LETTER}{{1,60}}")
_TEXT = re.compile(f"{_LETTER}*|(?! )(?:{_LETTER}|(?<! )\n(?! ))*(?<! )")
"""Keys and texts that both dumpers write in the same way: of letters that need no escape, no space beside a break."""

for _reader in (_Loader, _Dumper, _FastDumper):
    _reader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))
    _reader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
    _reader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:str", _text)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
for _tag in (None, *(f"tag:yaml.org,2002:{name}" for name in ("binary", "timestamp", "omap", "pairs", "set"))):
    _Loader.add_constructor(_tag, _refuse_tag)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path) -> Any:
    """Return the content of a YAML file, unchecked, with the rows of the files that it names. Raises ConfigError if it
    cannot be read or parsed, or such a file cannot."""
    problems: list[Problem] = []
    if "\n" in str(path):
        raise ConfigError([Problem("", "expected the path of a file, found a text", "create_from_yaml reads one")], "config")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}")], str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("", f"is not UTF-8 text: byte {error.start + 1}")], str(path)) from None
    except ValueError:  # a NUL in the name
        raise ConfigError([Problem("", "cannot be read: its name is none that a file can have")], ascii(str(path))) from None
    raw = with_files(read_text(text, str(path)), path.parent, problems)
    if problems:
        raise ConfigError(problems, str(path))
    return raw


def read_text(text: str, source: str) -> Any:
    """Return the content of YAML text, unchecked. Raises ConfigError, naming `source`, if it cannot be parsed."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        position = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = "; ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError([Problem(position, f"is not valid YAML: {reason}")], source) from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or str(error)
        raise ConfigError([Problem("", f"is not valid YAML: {reason}")], source) from None
    except RecursionError:
        raise ConfigError([Problem("", "is not valid YAML: nested too deeply")], source) from None


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

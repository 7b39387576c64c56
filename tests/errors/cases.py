"""The cases of the themes, as the files that a user would have."""

from __future__ import annotations

import copy
import random
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from plotsim_core import ConfigError, load_config

THEMES = sorted(Path(__file__).parent.glob("*.yaml"))
_PART = re.compile(r"[^.\[\]]+|\[\d+\]")


@dataclass(frozen=True)
class Case:
    """A broken config: its name, the file that a user would have, and the text that the theme's file gives it.

    `line` is where the case begins in the theme's file, `text_line` where its text does, both from 0.
    """

    name: str
    config: bytes
    text: str
    theme: Path
    line: int
    text_line: int | None


def cases_of(theme: Path) -> list[Case]:
    """Return the cases of a theme, in the order of its file."""
    sections = _by_key(_composed(theme))
    return [_case(theme, name, case, sections.get("base")) for name, case in sections["cases"].value]


@lru_cache
def all_cases() -> tuple[Case, ...]:
    return tuple(case for theme in THEMES for case in cases_of(theme))


def combined(theme: Path, seed: int) -> bytes | None:
    """Return a config with the patches of some cases of a theme, chosen by a seed; None where they do not go together."""
    sections = _by_key(_composed(theme))
    parts = [_by_key(case) for _, case in sections["cases"].value]
    patches = [case["patch"].value for case in parts if "patch" in case]
    chosen = random.Random(f"{theme.stem} {seed}").sample(patches, min(len(patches), 2 + seed % 4))
    try:
        return _written(_patched(sections["base"], [], [(path.value, value) for patch in chosen for path, value in patch]))
    except (KeyError, ValueError, IndexError, AttributeError, TypeError):  # a path that another patch has taken away
        return None


def base_of(theme: Path) -> bytes | None:
    """Return the base of a theme as a file, if it has one."""
    base = _by_key(_composed(theme)).get("base")
    return None if base is None else _written(base)


def text_of(name: str, config: bytes, directory: Path) -> str | None:
    """Return the text of the ConfigError that loading a config raises, written into a directory; none if it is sound."""
    path = directory / f"{name}.yaml"
    path.write_bytes(config)
    try:
        load_config(path)
    except ConfigError as error:
        return str(ConfigError(error.problems, path.name)) + "\n"
    return None


def _composed(theme: Path) -> yaml.MappingNode:
    return yaml.compose(theme.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def _by_key(mapping: yaml.MappingNode) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in mapping.value}


def _case(theme: Path, name: yaml.ScalarNode, case: yaml.MappingNode, base: yaml.MappingNode | None) -> Case:
    parts = _by_key(case)
    lines = {key.value: key.start_mark.line for key, _ in case.value}
    if unknown := parts.keys() - {"without", "patch", "config", "encoding", "text"}:
        raise ValueError(f"{theme.name}: {name.value}: a case has no {', '.join(sorted(unknown))}")
    if "config" in parts:
        encoding = parts["encoding"].value if "encoding" in parts else "utf-8"
        config = parts["config"].value.encode(encoding)
    else:
        without = [path.value for path in parts["without"].value] if "without" in parts else []
        patch = parts["patch"].value if "patch" in parts else []
        config = _written(_patched(base, without, [(path.value, value) for path, value in patch]))
    text = parts["text"].value if "text" in parts else ""
    return Case(name.value, config, text, theme, name.start_mark.line, lines.get("text"))


def _patched(base: yaml.MappingNode, without: list[str], patch: list[tuple[str, yaml.Node]]) -> yaml.MappingNode:
    """Return a copy of a base without some paths, with others set: a key that is new comes last."""
    config = _copied(base)
    for path in without:
        parent, part = _parent(config, path)
        del parent.value[_index(parent, part)]
    for path, value in patch:
        parent, part = _parent(config, path)
        index = _index(parent, part)
        is_list = isinstance(parent, yaml.SequenceNode)
        item = value if is_list else (yaml.ScalarNode("tag:yaml.org,2002:str", part), value)
        parent.value[index : index + 1] = [item]
    return config


def _copied(node: yaml.Node) -> Any:
    """Return a node with lists of its own, so that patches of one case leave the base of the others alone."""
    result = copy.copy(node)
    if isinstance(node, yaml.MappingNode):
        result.value = [(key, _copied(value)) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        result.value = [_copied(value) for value in node.value]
    return result


def _parent(node: yaml.Node, path: str) -> tuple[yaml.CollectionNode, str]:
    """Return the mapping or list that a path ends in, and the last part of the path."""
    *parts, last = _PART.findall(path)
    for part in parts:
        value = node.value[_index(node, part)]
        node = value if isinstance(node, yaml.SequenceNode) else value[1]
    return node, last


def _index(parent: yaml.CollectionNode, part: str) -> int:
    """Return where a key or `[place]` is in a mapping or list, or the end of it."""
    if isinstance(parent, yaml.SequenceNode):
        return int(part.strip("[]"))
    keys = [key.value for key, _ in parent.value]
    return keys.index(part) if part in keys else len(keys)


def _written(config: yaml.MappingNode) -> bytes:
    """Return a config as a file: scalars and brackets as they stand in the theme's file, one item a line."""
    return yaml.serialize(config, Dumper=yaml.CSafeDumper, width=-1, allow_unicode=True).encode()

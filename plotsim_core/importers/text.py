"""A config as text that people read: a line for each item that fits into one."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

import yaml

import plotsim_core.tables  # noqa: F401 - and columns: the members whose words are today's
from plotsim_core.config.read import read_text
from plotsim_core.config.rewrite.text import rewritten
from plotsim_core.config.yaml_values import add_scalars

_WIDTH = 116
"""Letters of a line at most."""


class _Dumper(yaml.SafeDumper):
    """The safe dumper, with lists set in below their key as people do, and without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


add_scalars(_Dumper)


def config_text(config: Mapping[str, Any]) -> str:
    """Return a config as YAML text in today's words, which makes the same. What lies below a section stands in one line
    where it fits."""
    return _dumped(read_text(rewritten(_dumped(config), "the config"), "the config"))


def _dumped(config: Mapping[str, Any]) -> str:
    dumper = _Dumper(StringIO(), sort_keys=False)
    lines: list[str] = []
    for name, value in config.items():
        root = dumper.represent_data({name: value})
        _set_styles(root.value[0][1], 0)
        lines.append(yaml.serialize(root, Dumper=_Dumper, width=1_000_000, allow_unicode=True))
    return "".join(lines)


def _set_styles(node: yaml.Node, depth: int) -> None:
    """Let mappings and lists that fit into a line stand in one, and others below each other; a section of mappings always
    stands below its name."""
    if not isinstance(node, yaml.CollectionNode):
        return
    parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    for part in parts:
        _set_styles(part, depth + 1)
    is_list_of_mappings = depth == 0 and any(isinstance(part, yaml.MappingNode) for part in parts)
    node.flow_style = True
    text = yaml.serialize(node, Dumper=_Dumper, width=1_000_000, allow_unicode=True)
    node.flow_style = not is_list_of_mappings and len(text) + 4 * (depth + 1) <= _WIDTH

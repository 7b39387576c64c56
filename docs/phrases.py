"""A JSON Schema in words: what the reference of the language says of a key's type and default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

Schema = Mapping[str, Any]
NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"


def title(name: str) -> str:
    """`connection_phases` to Connection phases; ConnectionPhase to Connection phase."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()
    return spaced[:1].upper() + spaced[1:]


def link(name: str) -> str:
    """Return a link to the section of a model."""
    heading = title(name)
    return f"[{heading.lower()}](#{heading.lower().replace(' ', '-')})"


def type_of(part: Schema) -> str:
    """Return in words what a JSON Schema takes."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return link(name)
    for several in ("anyOf", "oneOf"):
        if several in part:
            types = [type_of(option) for option in part[several] if option.get("type") != "null"]
            return " or ".join(dict.fromkeys(types))
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return " or ".join(f"`{word}`" for word in part["enum"])
    kind = part.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(_plain(word) for word in kind if word != "null")
    return _SAYS[kind](part) if kind in _SAYS else _plain(kind)


def _plain(kind: str) -> str:
    return {"string": "text", "boolean": "true or false", "object": "keys and values", "null": "nothing"}.get(kind, kind)


def _number(part: Schema) -> str:
    noun = "whole number" if part["type"] == "integer" else "number"
    low, above = part.get("minimum"), part.get("exclusiveMinimum")
    high, below = part.get("maximum"), part.get("exclusiveMaximum")
    if low is not None and high is not None:
        return noun if abs(high) >= 1e12 and abs(low) >= 1e12 else f"{noun}, {low:,.15g} to {high:,.15g}"
    bounds = [f"above {above:g}" if above is not None else "", f"from {low:g}" if low is not None else ""]
    bounds += [f"up to {high:g}" if high is not None else "", f"below {below:g}" if below is not None else ""]
    return ", ".join([noun, " ".join(word for word in bounds if word)]).rstrip(", ")


def _text(part: Schema) -> str:
    return "name" if part.get("pattern") == NAME else "text"


def _list(part: Schema) -> str:
    if "prefixItems" in part:
        return "[" + ", ".join(type_of(item) for item in part["prefixItems"]) + "]"
    return f"list of {type_of(part.get('items', {}))}"


def _mapping(part: Schema) -> str:
    inside = part.get("additionalProperties") or next(iter(part.get("patternProperties", {}).values()), None)
    return f"name: {type_of(inside)}" if isinstance(inside, Mapping) else "keys and values"


_SAYS: dict[str, Callable[[Schema], str]] = {
    "integer": _number,
    "number": _number,
    "string": _text,
    "array": _list,
    "object": _mapping,
}


def default_of(part: Schema, required: bool) -> str:
    """Return what a key is when it is left out."""
    if required:
        return "**required**"
    options = [option for option in part.get("anyOf", ()) if "default" in option]
    value = part.get("default", options[0]["default"] if options else None)
    if value is None or value in ([], {}, ""):
        return "–"
    if isinstance(value, Mapping):
        return "its defaults"
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=1000).splitlines()[0].strip()}`"

"""Types of values in plotsim's engine layer: `dtype` is what a column should hold, which here follows from its source."""

from __future__ import annotations

from typing import Any

from plotsim_core.families import did_you_mean
from plotsim_core.importers.plotsim.schema import Schema
from plotsim_core.importers.reading import Part

Words = dict[str, Any]


def scalar(text: str) -> Any:
    """Return a text as the number or truth that it spells, or as it is."""
    for type_ in (int, float):
        try:
            return type_(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def number(value: Any, dtype: str) -> Any:
    """Return a value as a number of a dtype, where it spells one."""
    result = scalar(str(value))
    return float(result) if dtype == "float" and isinstance(result, int) else result


_TYPES = ("id", "int", "float", "string", "date", "boolean", "struct", "array")
_PAST = {"year": "int", "unix_time": "int", "iso8601": "string"}
_TYPES_OF = {
    "id": ("id",),
    "timestamp": ("date",),
    "flag": ("boolean",),
    "struct": ("struct",),
    "array": ("array",),
    "derived.date_key": ("int", "id"),
    "derived.period_index": ("int",),
    "derived.entity_id": ("string", "id"),
    "geo.latitude": ("float",),
    "geo.longitude": ("float",),
}
"""Types of columns to the dtypes that their values have, the usual one first; others have texts."""


def check_type(part: Part, words: Words, schema: Schema) -> None:
    """Note a dtype that the values of a column do not have here."""
    dtype = part.text("dtype", is_required=True)
    types = _types_of(str(words["type"]), words, schema)
    if dtype and dtype not in _TYPES:
        part.problem("dtype", f"plotsim has no type '{dtype}'", did_you_mean(dtype, list(_TYPES)))
    elif dtype and dtype not in types:
        part.approximated("dtype", f"the values are of the type {types[0]} rather than {dtype}, as those of its source are")


def _types_of(type_: str, words: Words, schema: Schema) -> tuple[str, ...]:
    word, _, argument = type_.partition(".")
    if word in ("metric", "lag"):
        metric = schema.metrics.get(argument)
        return ("int",) if metric is not None and metric.is_count else ("float",)
    if word == "ref":
        return ("id",)
    if word == "faker":
        return (_PAST.get(argument, "date") if argument in _PAST or argument.startswith("date") else "string",)
    if word in ("static", "pool", "range"):
        values = words.get("range") or words.get("values") or [scalar(value) for value in argument.split(",")]
        if word == "pool":
            pool = schema.pools.get(argument, {})
            values = [value for items in pool.values() for value in items]
        if words.get("value_type") == "text" or not all(isinstance(value, int | float) for value in values):
            return ("string",)
        return ("int",) if all(isinstance(value, int) for value in values) else ("float",)
    return _TYPES_OF.get(type_, ("string",))

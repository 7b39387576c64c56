"""The JSON Schema of the language, for editors: the models as pydantic tells them, with the short forms, the open
families of tables and columns, and the words of every other family filled in.

It knows the form of a config. What only makes sense between its parts (that a metric exists, that thresholds rise) is
what `plotsim validate` is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import AliasChoices

from plotsim_core.config.archetypes import CurvePiece
from plotsim_core.config.column_source import SOURCES, DeclaredSource
from plotsim_core.config.connections import RELATIONSHIPS, SCOPE_WORDS
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.metrics import ALIASES, METRIC_TYPES
from plotsim_core.config.model import Part
from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.config.table_kind import SECTIONS, declared_kinds
from plotsim_core.config.tables import Table
from plotsim_core.config.units import KIND_SECTIONS
from plotsim_core.numerics.calendar import ADVERBS, GRAINS
from plotsim_core.numerics.curves import CURVES, WORDS
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.noise import NOISE, PRESETS

Schema = dict[str, Any]

MODELS: dict[str, type[Part]] = {}
"""The models of the language, by name."""


def _add_models(model: type[Part]) -> None:
    for subclass in model.__subclasses__():
        if subclass.__module__.startswith("plotsim_core.config."):
            MODELS[subclass.__name__] = subclass
        _add_models(subclass)


_add_models(Part)

_NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}"
_REPLACED = ("Table", "Column", "DeclaredSource", "CurvePiece")
"""Models whose written form is put together here from the members of families."""
_NEUTRAL: Schema = {
    "reference": {"const": False, "description": "That its rows are not listed, as is seen anyway."},
    "count": {"const": 1, "description": "That a row is one row, as it is anyway."},
}
"""What a dimension may say that holds of it anyway."""
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a config."""
    models: Schema = Dataset.model_json_schema()["$defs"]
    root = models.pop(Dataset.__name__)
    definitions: Schema = {name: part for name, part in models.items() if name not in _REPLACED}
    for name, complete in _COMPLETED.items():
        definitions[name] = complete(definitions[name])
    definitions = {name: _nullable(part) for name, part in definitions.items()}
    for word, source in SOURCES.items():
        definitions[f"column.{word}"] = _column(source)
    for name, kind in declared_kinds().items():
        definitions[f"table.{name}"] = _table(kind)
    properties = root["properties"]
    for section in SECTIONS:
        kinds = [{"$ref": f"#/$defs/table.{kind}"} for kind in declared_kinds(section)]
        properties[section] = {"type": "array", "items": {"anyOf": kinds}}
    properties["units"] = {"type": "array", "items": _unit_kind(root, properties)}
    properties["entity_features"] = {"anyOf": [{"type": "boolean"}, properties["entity_features"]]}
    properties["locale"] = {"anyOf": [{"type": "string"}, properties["locale"]]}
    optional = {name: _or_null(part) if name not in root["required"] else part for name, part in properties.items()}
    optional["stages"] = optional["lifecycle"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "plotsim dataset",
        **{name: part for name, part in root.items() if name not in ("title", "properties")},
        "properties": optional,
        "not": {"required": ["lifecycle", "stages"]},
        "$defs": definitions,
    }


def _unit_kind(root: Schema, properties: Schema) -> Schema:
    """Return the schema of a further kind of unit: the sections that it has of its own."""
    return {
        "type": "object",
        "properties": {name: part for name, part in properties.items() if name in KIND_SECTIONS},
        "required": [name for name in root["required"] if name in KIND_SECTIONS],
        "additionalProperties": False,
    }


def _or_null(part: Schema) -> Schema:
    if "anyOf" not in part:
        return {"anyOf": [part, {"type": "null"}]}
    return part if {"type": "null"} in part["anyOf"] else {**part, "anyOf": [*part["anyOf"], {"type": "null"}]}


def _nullable(schema: Schema) -> Schema:
    """Return a model, alone or beside its short forms, whose optional fields may be null."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [_nullable(part) if "title" in part else part for part in schema["anyOf"]]}
    required = schema.get("required", ())
    properties = {name: part if name in required else _or_null(part) for name, part in schema.get("properties", {}).items()}
    return {**schema, **({"properties": properties} if properties else {})}


def _null_words(words: Iterable[str], known_words: Iterable[str]) -> Schema:
    """Return a schema in which the words of other kinds or sources may be null, and nothing else."""
    other_words = sorted(set(words) - set(known_words))
    return {"patternProperties": {f"^{_alternatives(other_words)}$": {"type": "null"}}} if other_words else {}


def _table(kind: type[Table]) -> Schema:
    """A table of one kind, with the columns that fit its rows."""
    schema = kind.model_json_schema(by_alias=True)
    schema.pop("$defs")
    properties = schema["properties"]
    columns = [{"$ref": f"#/$defs/column.{word}"} for word, source in SOURCES.items() if source.needs <= kind.knows]
    bounds = {name: bound for name, bound in properties["columns"].items() if name in ("minItems", "maxItems")}
    properties["columns"] = {"type": "array", **bounds, "items": {"anyOf": columns}}
    for field in kind.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            alias_schema = {**properties[str(field.alias)], "description": f"The same as `{field.alias}`."}
            properties |= {str(name): alias_schema for name in field.validation_alias.choices if name != field.alias}
    if kind.section == "dimensions":
        properties |= {name: part for name, part in _NEUTRAL.items() if name not in properties}
    siblings = declared_kinds(kind.section).values()
    return _nullable(schema) | _null_words((word for sibling in siblings for word in words_of(sibling)), properties)


def _column(source: type[DeclaredSource]) -> Schema:
    """A column of one source: its options stand beside name and type, the argument in the type."""
    schema, word = source.model_json_schema(), source.word
    options = _nullable(schema).get("properties", {})
    type_: Schema = {"const": word}
    if source.argument is not None:
        argument = options.pop(source.argument)
        type_ = {"type": "string", "pattern": rf"^{word}\.{_pattern(argument)}$"}
        if source.beside:
            options[source.argument] = argument
            type_ = {"type": "string", "pattern": rf"^{word}(\..+)?$"}
    required = [name for name in schema.get("required", ()) if name != source.argument]
    return {
        "type": "object",
        "description": source.__doc__ or "",
        "properties": {
            "name": {"type": "string", "pattern": f"^{_NAME}$"},
            "type": {**type_, "examples": [source.example]},
            "description": {"type": ["string", "null"]},
            "decimals": {"type": ["integer", "null"], "minimum": 0, "maximum": 9},
            "pii_note": {"type": ["string", "null"], "minLength": 1, "maxLength": 500},
            **options,
        },
        "required": ["name", "type", *required],
        "additionalProperties": False,
        **_null_words((word for _, other in SOURCES.items() for word in words_of(other)), options),
    }


def _pattern(argument: Schema) -> str:
    """Return the regular expression of the argument: what follows the dot of a column's type."""
    if "enum" in argument:
        return _alternatives(argument["enum"])
    return str(argument.get("pattern", "^.+$")).removeprefix("^").removesuffix("$")


def _alternatives(words: Iterable[str]) -> str:
    return f"({'|'.join(words)})"


def _with_choices(**families: Iterable[str]) -> Callable[[Schema], Schema]:
    """Return a function that lists the members of families in the fields that name one."""

    def complete(schema: Schema) -> Schema:
        properties = schema["properties"]
        for field, members in families.items():
            annotations = {key: properties[field][key] for key in ("default", "description") if key in properties[field]}
            words: Schema = {"enum": list(members)}
            properties[field] = {**annotations, **(_or_null(words) if "anyOf" in schema["properties"][field] else words)}
        return {**schema, "properties": properties}

    return complete


def _archetype(schema: Schema) -> Schema:
    words = _alternatives(WORDS)
    sentence = rf"^\s*{words}(\s*>\s*{words})*\s*(@\s*\d+\s*)*$"
    until = CurvePiece.model_json_schema()["properties"]["until"]
    curves = [
        {
            "type": "object",
            "properties": {
                "curve": {"const": name},
                "until": until,
                **{
                    parameter: {"type": "number", "minimum": bound.low, "maximum": bound.high, "default": bound.default}
                    for parameter, bound in curve.parameters.items()
                },
            },
            "required": ["curve", "until"],
            "additionalProperties": False,
        }
        for name, curve in CURVES.items()
    ]
    return {
        "description": schema["description"],
        "anyOf": [
            {"type": "string", "pattern": sentence, "examples": ["growth", "flat > growth @ 8"]},
            {"type": "array", "minItems": 1, "items": {"anyOf": curves}},
        ],
    }


def _connection(schema: Schema) -> Schema:
    name = {"type": "string", "pattern": f"^{_NAME}$"}
    word = {"enum": list(RELATIONSHIPS)}
    number = {"type": "number", "minimum": -1, "maximum": 1}
    middle = rf"({'|'.join(RELATIONSHIPS)}|{_NUMBER})"
    sentence = {"type": "string", "pattern": rf"^\s*{_NAME}\s+{middle}\s+{_NAME}(\s+{_alternatives(SCOPE_WORDS)})?\s*$"}
    parts = [name, {"anyOf": [word, number]}, name, {"enum": list(SCOPE_WORDS)}]
    return {
        "description": schema["description"],
        "anyOf": [
            {**sentence, "examples": ["revenue driven_by engagement", "revenue 0.4 engagement pooled"]},
            {"type": "array", "prefixItems": parts, "items": False, "minItems": 3},
            {
                "type": "object",
                "properties": {**schema["properties"], "coefficient": number, "relationship": word},
                "required": ["metric_a", "metric_b"],
                "oneOf": [{"required": ["coefficient"]}, {"required": ["relationship"]}],
                "additionalProperties": False,
            },
        ],
    }


def _window(schema: Schema) -> Schema:
    schema = _with_choices(every=[*GRAINS, *ADVERBS], partition=["day", "week", "month", "quarter", "year"])(schema)
    fields = [schema["properties"][name] for name in ("start", "end", "every")]
    list_form = {"type": "array", "prefixItems": fields, "items": False, "minItems": 2}
    return {"description": schema["description"], "anyOf": [schema, list_form]}


def _noise(schema: Schema) -> Schema:
    return {"anyOf": [_with_choices(noise_family=NOISE)(schema), {"enum": list(PRESETS)}]}


def _output(schema: Schema) -> Schema:
    words = schema["properties"]["format"]["enum"]
    format = {**schema["properties"]["format"], "enum": [*words, *(word.upper() for word in words)]}
    return {"description": schema["description"], "anyOf": [_with_fields(schema, format=format), format]}


def _with_fields(schema: Schema, **fields: Schema) -> Schema:
    return {**schema, "properties": {**schema["properties"], **fields}}


def _manifest(schema: Schema) -> Schema:
    return {"description": schema["description"], "anyOf": [schema, {"type": "boolean"}]}


def _variation(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"const": "none"}]}


def _stage(schema: Schema) -> Schema:
    short_form = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": {"minLength": 1},
        "additionalProperties": schema["properties"]["threshold"],
        "not": {"required": ["name"]},
    }
    fields = [schema["properties"][name] for name in ("name", "threshold")]
    list_form = {"type": "array", "prefixItems": fields, "items": False, "minItems": 2}
    return {"description": schema["description"], "anyOf": [schema, short_form, list_form]}


def _calendar(schema: Schema) -> Schema:
    lists = {name: schema["properties"][name] for name in ("weekend", "holidays")}
    single = {name: {"anyOf": [part["items"], part]} for name, part in lists.items()}
    return {**schema, "properties": {**schema["properties"], **single}}


def _holidays(schema: Schema) -> Schema:
    return {"description": schema["description"], "anyOf": [schema, {"type": "string", "examples": ["US", "US-CA"]}]}


def _segment(schema: Schema) -> Schema:
    scalar = {"type": ["string", "number", "boolean"]}
    values = {"anyOf": [scalar, {"type": "array", "minItems": 1, "items": scalar}]}
    attributes = {
        "type": "object",
        "patternProperties": {f"^{_NAME}$": values},
        "additionalProperties": False,
    }
    return {**schema, "properties": {**schema["properties"], "attributes": attributes}}


_COMPLETED: dict[str, Callable[[Schema], Schema]] = {
    "Archetype": _archetype,
    "Calendar": _calendar,
    "Connection": _connection,
    "Holidays": _holidays,
    "Manifest": _manifest,
    "Metric": _with_choices(type=METRIC_TYPES, distribution=[*DISTRIBUTIONS, *ALIASES]),
    "Noise": _noise,
    "Output": _output,
    "Segment": _segment,
    "Stage": _stage,
    "Variation": _variation,
    "Window": _window,
}
"""Models whose written form says more than their fields."""

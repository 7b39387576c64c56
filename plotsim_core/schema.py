"""The JSON Schema of the language, for editors: the models as pydantic tells them, with the short forms, the open
families of tables and columns, and the words of every other family filled in.

It knows the form of a config. What only makes sense between its parts (that a metric exists, that thresholds rise) is
what `plotsim validate` is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import AliasChoices

from plotsim_core.config import partial
from plotsim_core.config.archetypes import CurvePiece
from plotsim_core.config.column_source import SOURCES, DeclaredSource
from plotsim_core.config.connections import RELATIONSHIPS, SCOPE_WORDS
from plotsim_core.config.conversions import TYPES
from plotsim_core.config.data_rule import DATA_RULES
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.growth import TEXT
from plotsim_core.config.metrics import ALIASES, METRIC_TYPES
from plotsim_core.config.model import Part
from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.config.shape_words import PerForm, shape_words, shaped_kinds, words_of_shape
from plotsim_core.config.star_schema import UNIT_SECTIONS
from plotsim_core.config.table_kind import SECTIONS, TABLE_FORMS, declared_forms
from plotsim_core.config.table_shape import SHAPE_WORDS
from plotsim_core.config.tables import Column, Nulls, Table
from plotsim_core.config.units import KIND_SECTIONS
from plotsim_core.config.written_columns import MOST_COLUMNS
from plotsim_core.config.written_tables import WHEN
from plotsim_core.numerics.calendar import ADVERBS, GRAINS, YEAR
from plotsim_core.numerics.curves import CURVES, WORDS
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.noise import NOISE, PRESETS

Schema = dict[str, Any]


def models(model: type[Part] = Part) -> dict[str, type[Part]]:
    """Return the models of the language by name: those below a model in the modules that are imported by now."""
    result: dict[str, type[Part]] = {}
    for subclass in model.__subclasses__():
        if subclass.__module__.startswith("plotsim_core.config.") and subclass.__module__ != partial.__name__:
            result[subclass.__name__] = subclass
        result |= models(subclass)
    return result


_NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}"
_COLUMN_NAME = "^[A-Za-z_#][A-Za-z0-9_#]*$"
"""The name of a column, or the pattern of several."""
_REPLACED = ("Table", "Column", "DeclaredSource", "CurvePiece")
"""Models whose written form is put together here from the members of families."""
_TOGETHER = (*UNIT_SECTIONS, "window")
"""The sections that units need."""
_NEUTRAL: Schema = {
    "reference": {"const": False, "description": "That its rows are not listed, as is seen anyway."},
    "count": {"const": 1, "description": "That a row is one row, as it is anyway."},
}
"""What a dimension may say that holds of it anyway."""
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a config."""
    parts: Schema = Dataset.model_json_schema()["$defs"]
    root = parts.pop(Dataset.__name__)
    definitions: Schema = {name: part for name, part in parts.items() if name not in _REPLACED}
    for name, complete in _COMPLETED.items():
        definitions[name] = complete(definitions[name])
    definitions = {name: _nullable(part) for name, part in definitions.items()}
    common = _common_words()
    for word, source in SOURCES.items():
        definitions |= {name: _nullable(part) for name, part in source.model_json_schema().get("$defs", {}).items()}
        definitions[f"column.{word}"] = _column(source, common)
    definitions["column.="] = _formula_column(common)
    for name, kind in declared_forms().items():
        definitions[f"table.{name}"] = _table(kind)
    properties = root["properties"]
    definitions["table"] = _shaped_table()
    for section in SECTIONS[:-1]:
        kinds = [{"$ref": f"#/$defs/table.{kind}"} for kind in declared_forms(section)]
        properties[section] = {"type": "array", "items": {"anyOf": kinds}}
    properties["tables"] = {"type": "array", "items": {"$ref": "#/$defs/table"}}
    properties["units"] = {"type": "array", "items": _unit_kind(root, properties)}
    properties["entity_features"] = {"anyOf": [{"type": "boolean"}, properties["entity_features"]]}
    properties["locale"] = {"anyOf": [{"type": "string"}, properties["locale"]]}
    needed = {*root["required"], *_TOGETHER}
    optional = {name: part if name in needed else _or_null(part) for name, part in properties.items()}
    optional["stages"] = optional["lifecycle"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "plotsim dataset",
        **{name: part for name, part in root.items() if name not in ("title", "properties")},
        "properties": optional,
        "not": {"required": ["lifecycle", "stages"]},
        "dependentRequired": {section: [*_TOGETHER] for section in UNIT_SECTIONS},
        "$defs": definitions,
    }


def _unit_kind(root: Schema, properties: Schema) -> Schema:
    """Return the schema of a further kind of unit: the sections that it has of its own."""
    return {
        "type": "object",
        "properties": {name: part for name, part in properties.items() if name in KIND_SECTIONS},
        "required": [*UNIT_SECTIONS],
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
    words = [word for word, source in SOURCES.items() if source.needs <= kind.knows]
    bounds = {name: bound for name, bound in properties["columns"].items() if name in ("minItems", "maxItems")}
    properties["columns"] = _columns(words, bounds)
    for field in kind.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            alias_schema = {**properties[str(field.alias)], "description": f"The same as `{field.alias}`."}
            properties |= {str(name): alias_schema for name in field.validation_alias.choices if name != field.alias}
    if kind.section == "dimensions":
        properties |= {name: part for name, part in _NEUTRAL.items() if name not in properties}
    siblings = declared_forms(kind.section).values()
    return _nullable(schema) | _null_words((word for sibling in siblings for word in words_of(sibling)), properties)


def _columns(words: Iterable[str], bounds: Schema) -> Schema:
    """Return the columns of some sources, as a list (with `bounds` of its length) or a mapping of names."""
    columns = [{"$ref": f"#/$defs/column.{word}"} for word in (*words, "=")]
    listed: Schema = {"type": "array", **bounds, "items": {"anyOf": columns, "required": ["name"]}}
    entry: Schema = {"anyOf": [{"type": "string"}, {"anyOf": columns, "not": {"required": ["name"]}}]}
    named: Schema = {"type": "object", "propertyNames": {"pattern": _COLUMN_NAME}, "additionalProperties": entry}
    return listed if "maxItems" in bounds else {"anyOf": [listed, named]}


def _shaped_table() -> Schema:
    """A table of the section `tables`: the words of all kinds that are there, of which it may have those that what it is per
    allows. Which names are those of tables is not known to a schema, so that all tables per one name have the same."""
    name = {"type": "string", "pattern": f"^{_NAME}$"}
    whole = {"type": "integer", "minimum": 0}
    properties: Schema = {}
    for kind in shaped_kinds():
        schema = kind.model_json_schema(by_alias=True)["properties"]
        properties |= {word: schema[word] for word in words_of_shape(kind)}
    crossing = TABLE_FORMS["threshold"].model_json_schema(by_alias=True)["properties"]
    properties |= {
        "per": {"anyOf": [name, {"type": "array", "items": name, "minItems": 1}], "description": SHAPE_WORDS["per"]},
        "rows": {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "prefixItems": [whole, whole], "items": False, "minItems": 2},
                name,
                {"type": "object", "minProperties": 1},
            ],
            "description": SHAPE_WORDS["rows"],
        },
        "when": {
            "type": "object",
            "properties": {word: crossing[word] for word in WHEN},
            "required": ["metric"],
            "additionalProperties": False,
            "description": SHAPE_WORDS["when"],
        },
    }
    properties["columns"] = _columns(SOURCES, {})
    return {
        "type": "object",
        "description": "A table of any shape: what it has rows per, how many, and its columns.",
        "properties": {word: _or_null(part) if word != "name" else part for word, part in properties.items()},
        "required": ["name"],
        "additionalProperties": False,
        "allOf": [{"if": _PER_FORMS[form], "then": _null_words(properties, words)} for form, words in shape_words().items()],
    }


_ONE_NAME: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": 1}]}
_PER_FORMS: dict[PerForm, Schema] = {
    "nothing": {"properties": {"per": {"type": "null"}}},
    "one name": {"required": ["per"], "properties": {"per": _ONE_NAME}},
    "several names": {"required": ["per"], "properties": {"per": {"type": "array", "minItems": 2}}},
}


def _common_words() -> Schema:
    """Return what every column may say, whatever its source, with the `count` of a pattern."""
    conversion = {"type": "string", "pattern": rf"^({'|'.join(TYPES)}|decimal\(\s*\d{{1,2}}\s*,\s*\d\s*\))$"}
    rate = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    nulls = _nullable(Nulls.model_json_schema())
    words = _nullable(Column.model_json_schema(mode="validation"))["properties"]
    return {
        "name": {"type": "string", "pattern": _COLUMN_NAME},
        "count": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MOST_COLUMNS,
            "description": "How many columns a name with a `#` makes: r1, r2 and so on of `r#`.",
        },
        **{word: part for word, part in words.items() if word not in ("name", "type", "source")},
        "as": {**words["as"], **_or_null(conversion)},
        "nulls": {"anyOf": [rate, nulls, {"type": "null"}]},
    }


def _formula_column(common: Schema) -> Schema:
    """A column whose type is a formula: `= a * b`."""
    return {
        "type": "object",
        "description": "A formula over other columns of the row, short for the type expression.",
        "properties": {"type": {"type": "string", "pattern": "^=", "examples": ["= quantity * price"]}, **common},
        "required": ["type"],
        "additionalProperties": False,
    }


def _column(source: type[DeclaredSource], common: Schema) -> Schema:
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
            "type": {**type_, "examples": [source.example]},
            **common,
            **options,
        },
        "required": ["type", *required],
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
    schema = _with_choices(every=[*GRAINS, *ADVERBS], partition=[*[*GRAINS][1:], YEAR.name])(schema)
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


def _effect(schema: Schema) -> Schema:
    properties = schema["properties"]
    lists = {name: properties[name] for name in ("date", "metrics", "segments", "tables")}
    items = {name: next(part for part in field["anyOf"] if "items" in part)["items"] for name, field in lists.items()}
    single = {name: {**field, "anyOf": [items[name], *field["anyOf"]]} for name, field in lists.items()}
    return {**schema, "properties": {**properties, **single}}


def _growth(schema: Schema) -> Schema:
    text = {"type": "string", "pattern": f"^{TEXT}$", "examples": ["5% a year"]}
    return {"description": schema["description"], "anyOf": [schema, text]}


def _holidays(schema: Schema) -> Schema:
    return {"description": schema["description"], "anyOf": [schema, {"type": "string", "examples": ["US", "US-CA"]}]}


def _rules(schema: Schema) -> Schema:
    """A rule of any kind: that of a table may be a formula alone."""
    kinds = [_nullable(rule.model_json_schema(by_alias=True)) for _, rule in DATA_RULES.items()]
    return {"description": schema["description"], "anyOf": [*kinds, {"type": "string", "minLength": 1}]}


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
    "DataRule": _rules,
    "Calendar": _calendar,
    "Connection": _connection,
    "Effect": _effect,
    "Growth": _growth,
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

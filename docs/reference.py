"""Write docs/language.md, the reference of the language, from its models. Run with `make docs`.

The table of a part comes from the JSON Schema (types, bounds, defaults) and the docstrings of models and their fields.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.phrases import Schema, default_of, title, type_of
from plotsim_core import api  # noqa: F401 - importing it is what makes every family known
from plotsim_core.columns.date_parts import DATE_PARTS
from plotsim_core.config.column_source import SOURCES, DeclaredSource
from plotsim_core.config.connections import RELATIONSHIPS
from plotsim_core.config.dataset import ALIASES
from plotsim_core.config.metrics import METRIC_TYPES, MetricType
from plotsim_core.config.model import Part
from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.config.table_kind import SECTIONS, TABLE_KINDS, declared_kinds
from plotsim_core.config.tables import Column, Table
from plotsim_core.numerics.calendar import ADVERBS, GRAINS
from plotsim_core.numerics.curves import CURVES, WORDS
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.noise import NOISE, PRESETS
from plotsim_core.schema import MODELS, json_schema

PAGE = Path(__file__).with_name("language.md")
TABLE_KEYS = (*Table.model_fields,)
COLUMN_KEYS = ("name", "type", "description", "decimals", "pii_note")

INTRODUCTION = """# The language

Every key that a config may have, generated from the models that read it (`make docs`). The pages beside this one explain;
this one lists. An unknown key, a value out of its bounds or a key without effect where it stands is refused when the config
is loaded. `plotsim schema` prints the same as a JSON Schema for editors.
"""
EXAMPLES = {
    "Window": "window: { start: 2024-01, end: 2024-12, every: month }",
    "Metric": "metrics: [{ name: revenue, type: amount, polarity: positive, range: [10, 500] }]",
    "Segment": "segments: [{ name: steady, count: 40, archetype: flat > growth @ 6 }]",
    "UniformArrival": "segments: [{ name: new, count: 40, archetype: growth, arrival: { kind: uniform, end: 6 } }]",
    "Treatment": "segments: [{ name: new, count: 40, archetype: growth, treatment: { fraction: 0.5, lift_log_odds: 0.4 } }]",
    "Connection": "connections: [visits driven_by mood]",
    "ConnectionPhase": "connection_phases: [{ start_period: 6, end_period: 8, connections: [visits opposes mood] }]",
    "Lifecycle": "lifecycle: { track: mood, stages: [{ new: 0 }, { settled: 0.6 }] }",
    "Season": "seasonality: [{ months: [11, 12], strength: 0.4 }]",
    "Noise": "noise: slightly_messy",
    "Issue": "quality: [{ table: fct_visits, issue: null_injection, rate: 0.2, column: visits }]",
    "Holdout": "holdout: { target: visits, periods: 3 }",
    "EntityFeatures": "entity_features: { metrics: [visits] }",
    "Output": "output: { format: parquet, directory: data }",
    "Manifest": "manifest: { include: false }",
}
"""A line of some parts; the tests of the pages load them."""
EXPLAINED = {
    "Metric": "statistics.md",
    "Noise": "statistics.md#noise",
    "Segment": "archetypes.md",
    "Archetype": "archetypes.md",
    "Variation": "statistics.md#units-and-time",
    "Treatment": "statistics.md#treatment",
    "Connection": "statistics.md#correlation",
    "Lifecycle": "lifecycle.md",
    "Calendar": "calendar.md",
    "Rhythm": "calendar.md#rhythm",
    "SourceSystem": "record_linkage.md",
    "Issue": "quality.md",
    "Holdout": "holdout.md",
    "Output": "output.md",
    "Manifest": "answer_key.md",
}
"""The page that explains a part."""


def words() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield (model, [(family, its members)]): the words that fields of a model choose from."""

    def bounds(parameters: Mapping[str, Any]) -> str:
        said = [f"{name} {b.low:g} to {b.high:g}, {b.default:g}" for name, b in parameters.items()]
        return f" ({'; '.join(said)})" if said else ""

    types = [_type(name, kind) for name, kind in METRIC_TYPES.items()]
    families = [f"`{name}`{bounds(family.parameters)}" for name, family in DISTRIBUTIONS.items()]
    yield "Metric", [("types", "; ".join(types)), ("distributions (parameter low to high, default)", ", ".join(families))]
    yield "Connection", [("relationships", ", ".join(f"`{word}` {value:g}" for word, value in RELATIONSHIPS.items()))]
    curves = [f"`{name}`{bounds(curve.parameters)}" for name, curve in CURVES.items()]
    yield "Archetype", [("words", _listed(WORDS)), ("curves (parameter low to high, default)", ", ".join(curves))]
    presets = [f"`{name}` {sigma:g}, {outliers:g}, {missing:g}" for name, (sigma, outliers, missing) in PRESETS.items()]
    yield (
        "Noise",
        [
            ("presets (gaussian_sigma, outlier_rate, mcar_rate)", "; ".join(presets)),
            ("families", _listed(NOISE)),
        ],
    )
    yield "Window", [("lengths of a period", _listed([*GRAINS, *ADVERBS]))]


def _type(name: str, kind: MetricType) -> str:
    bounds = f" in {_pair(kind.default_range)}" if kind.default_range else ""
    digits = "whole numbers" if kind.decimals is None else f"{kind.decimals} decimals"
    return f"`{name}`{bounds}, {digits}{', times the size of the unit' if kind.sized else ''}"


def paragraphs(model: type[Part]) -> list[str]:
    """Return the paragraphs of a model's docstring, each as one line."""
    text = inspect.cleandoc(model.__doc__ or "")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


def _pair(pair: tuple[float, float]) -> str:
    return f"[{pair[0]:g}, {pair[1]:g}]"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def table(
    model: type[Part], properties: Mapping[str, Schema], required: Iterable[str], skip: Iterable[str] = ()
) -> list[str]:
    """Return the rows of a table of keys."""
    meanings = {name: field.description for name, field in model.model_fields.items() if field.description}
    by_alias = {str(field.alias or field.validation_alias): name for name, field in model.model_fields.items()}
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, part in properties.items():
        if key in skip:
            continue
        meaning = meanings.get(by_alias.get(key, key), "") or meanings.get(key, "") or part.get("description", "")
        cells = [f"`{key}`", type_of(part), default_of(part, key in required), " ".join(meaning.split())]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines if len(lines) > 2 else []


def part_page(name: str, model: type[Part], definitions: Schema) -> list[str]:
    """Return the section of one model."""
    schema = schema_of(model)
    definition = definitions.get(name, {})
    properties = dict(schema.get("properties", {}))
    properties |= {key: part for key, part in definition.get("properties", {}).items() if key in properties}
    hidden = getattr(model, "unwritten", ())
    lines = [f"### {title(name)}", "", *_between(paragraphs(model))]
    if name in EXAMPLES:
        lines += ["```yaml", EXAMPLES[name], "```", ""]
    rows = table(model, properties, schema.get("required", ()), hidden)
    lines += [*rows, ""] if rows else []
    for family, members in dict(words()).get(name, []):
        lines += [f"{family[:1].upper()}{family[1:]}: {members}.", ""]
    return [*lines, f"More in [{EXPLAINED[name].split('#')[0]}]({EXPLAINED[name]}).", ""] if name in EXPLAINED else lines


def _between(items: Iterable[str]) -> list[str]:
    return [line for item in items for line in (item, "")]


def schema_of(model: type[Part]) -> Schema:
    """Return the JSON Schema of a model, also of one that holds itself."""
    schema = model.model_json_schema(by_alias=True)
    merged: Schema = {**schema, **schema.get("$defs", {}).get(model.__name__, {})}
    return merged


def below(model: type[Part], seen: set[str]) -> Iterator[tuple[str, type[Part]]]:
    """Yield the models that fields of a model hold, depth first, each once."""
    for name in re.findall(r"\$defs/(\w+)", str(schema_of(model).get("properties", {}))):
        if name in MODELS and name not in seen and name not in ("Table", "Column", "Dataset"):
            seen.add(name)
            yield name, MODELS[name]
            yield from below(MODELS[name], seen)


def kind_page(name: str, kind: type[Table], definitions: Schema) -> list[str]:
    """Return the section of a table kind."""
    schema = definitions[f"table.{name}"]
    fit = [word for word, source in SOURCES.items() if source.needs <= kind.knows]
    lines = [f"#### {title(name)} (in `{kind.section}`)", "", *_between(paragraphs(kind))]
    properties = {word: schema["properties"][word] for word in words_of(kind)}
    rows = table(kind, properties, schema.get("required", ()), TABLE_KEYS)
    lines += [*rows, ""] if rows else []
    none = any(part.get("maxItems") == 0 for part in properties["columns"].get("anyOf", [properties["columns"]]))
    return [*lines, "Columns: none are written ([cadence](cadence.md))." if none else f"Columns: {_listed(fit)}.", ""]


def source_page(source: type[DeclaredSource], definitions: Schema) -> list[str]:
    """Return the section of a column source."""
    schema = definitions[f"column.{source.word}"]
    kinds = [name for name, kind in declared_kinds().items() if source.needs <= kind.knows]
    everywhere = len(kinds) == len(declared_kinds())
    lines = [f"#### Column `{source.word}`", "", f"`type: {source.example}`", "", *_between(paragraphs(source))]
    rows = table(source, schema["properties"], schema["required"], COLUMN_KEYS)
    lines += [*rows, ""] if rows else []
    where = "every table" if everywhere else ", ".join(f"[{title(kind).lower()}](#{_kind_anchor(kind)})" for kind in kinds)
    return [*lines, f"In {where}.", ""]


def _kind_anchor(kind: str) -> str:
    return f"{title(kind).lower().replace(' ', '-')}-in-{TABLE_KINDS[kind].section}"


def page() -> str:
    """Return the reference."""
    root, schema = MODELS["Dataset"], json_schema()
    definitions: Schema = schema["$defs"]
    lines = [INTRODUCTION, "## The whole", ""]
    keys = {
        **{key: part for key, part in schema["properties"].items() if key not in ALIASES},
        **{section: {"type": "array", "items": {"$ref": "#/$defs/Tables"}} for section in SECTIONS},
    }
    lines += [*table(root, {key: _whole(key, part) for key, part in keys.items()}, schema["required"]), ""]
    lines += ["## Parts", ""]
    visited: set[str] = set()
    for owner in (root, *declared_kinds().values()):
        for name, model in below(owner, visited):
            lines += part_page(name, model, definitions)
    lines += [
        "## Tables",
        "",
        *_between(paragraphs(Table)),
        "Every table:",
        "",
        *table(Table, _of(Table), ("name", "columns")),
        "",
    ]
    for name, kind in declared_kinds().items():
        lines += kind_page(name, kind, definitions)
    lines += ["## Columns", "", *_between(paragraphs(Column)), "Every column:", ""]
    lines += [*table(Column, _of(Column), ("name", "type"), ("source",)), "", "Its type is one of:", ""]
    for _, source in SOURCES.items():
        lines += source_page(source, definitions)
    parts = ", ".join(f"`{name}`" for name in DATE_PARTS)
    lines += ["## Parts of a date", "", f"The columns of a date dimension say by their name what they hold: {parts}.", ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _whole(key: str, part: Schema) -> Schema:
    """A section as the models have it: the schema's own properties say more than fits a cell."""
    if key == "units":
        return {**part, "items": {"type": "object"}}
    return part


def _of(model: type[Part]) -> Mapping[str, Schema]:
    properties: Mapping[str, Schema] = model.model_json_schema()["properties"]
    return {
        **properties,
        **({"columns": {"type": "array", "items": {"$ref": "#/$defs/Columns"}}} if "columns" in properties else {}),
    }


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: docs/{PAGE.name}")

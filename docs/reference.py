"""Write docs/language.md, the reference of the language, from its models. Run with `make docs`.

The table of a part comes from the JSON Schema (types, bounds, defaults) and the docstrings of models and their fields.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.phrases import Schema, default_of, title, type_of
from plotsim_core import api  # noqa: F401 - importing it is what makes every family known
from plotsim_core.columns.date_parts import DATE_PARTS, TIME_PARTS
from plotsim_core.config.column_source import SOURCES, DeclaredSource
from plotsim_core.config.connections import RELATIONSHIPS
from plotsim_core.config.data_rule import DATA_RULES, DataRule
from plotsim_core.config.dataset import ALIASES
from plotsim_core.config.meanings import meanings
from plotsim_core.config.metrics import METRIC_TYPES, MetricType
from plotsim_core.config.model import Part
from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.config.row_count import ROW_COUNTS
from plotsim_core.config.table_kind import SECTIONS, declared_forms, declared_kinds, form_name, tables_with
from plotsim_core.config.tables import Column, Nulls, Table
from plotsim_core.numerics.calendar import GRAINS
from plotsim_core.numerics.curves import CURVES, WORDS
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.noise import NOISE, PRESETS
from plotsim_core.schema import json_schema, models

PAGE = Path(__file__).with_name("language.md")
LINE = "\n\n"
TABLE_HEAD = ("| key | type | default | meaning |", "|---|---|---|---|")
TABLE_KEYS = (*Table.model_fields,)
COLUMN_KEYS = ("count", *words_of(Column))

INTRODUCTION = """# The language

Every key that a config may have, generated from the models that read it (`make docs`). The pages beside this one explain;
this one lists. An unknown key, a value out of its bounds or a key without effect where it stands is refused when the config
is loaded. `plotsim schema` prints the same as a JSON Schema for editors. Each thing is spelt in one way; old spellings load
too, and `plotsim format` rewrites them ([words](design/words.md)).
"""
EXAMPLES = {
    "Window": "window: { start: 2024-01, end: 2024-12, every: month }",
    "Metric": "metrics: [{ name: revenue, type: amount, polarity: positive, range: [10, 500] }]",
    "Segment": "segments: [{ name: steady, count: 40, archetype: flat > growth @ 6 }]",
    "UniformArrival": "segments: [{ name: new, count: 40, archetype: growth, arrival: { kind: uniform, end: 6 } }]",
    "Silence": "segments: [{ name: outdoor, count: 40, archetype: flat, silence: { rate: 0.02, length: [1, 3] } }]",
    "Treatment": "segments: [{ name: new, count: 40, archetype: growth, treatment: { fraction: 0.5, lift_log_odds: 0.4 } }]",
    "Connection": "connections: [visits driven_by mood]",
    "ConnectionPhase": "connection_phases: [{ start_period: 6, end_period: 8, connections: [visits opposes mood] }]",
    "Lifecycle": "lifecycle: { track: mood, stages: [{ new: 0 }, { settled: 0.6 }] }",
    "Season": "seasonality: [{ months: [11, 12], strength: 0.4 }]",
    "Effect": "effects: [{ name: Sale, date: 4th thursday of november + 1, factor: 3 }]",
    "Growth": "metrics: [{ name: visits, type: count, polarity: positive, growth: 5% a year }]",
    "Noise": "noise: slightly_messy",
    "Issue": "quality: [{ table: fct_visits, issue: null_injection, rate: 0.2, column: visits }]",
    "Holdout": "holdout: { target: visits, periods: 3 }",
    "EntityFeatures": "entity_features: { metrics: [visits] }",
    "Output": "output: { format: parquet, directory: data }",
    "Manifest": "manifest: { include: false }",
}
"""A line of some parts; the tests of the pages load them."""
SHAPES = (
    ("nothing, with `rows: 200` or lists of values", "reference"),
    ("nothing, with a column of type `timestamp` or a reference to the dates", "rows in time"),
    ("`customer`, a kind of unit", "unit"),
    ("`customer`, with `rows: [1, 3]`", "children of units"),
    ("`customer`, with `when: { metric: visits, below: 6 }`", "threshold"),
    ("`[customer, period]`", "fact"),
    ("`[customer, period]`, with `rows: { poisson: visits }`", "rows of cells"),
    ("`period`, named `dim_date`, with a key", "date"),
    ("`period`, without a key: what all units did", "period"),
    ("`time`", "time"),
    ("`orders`, a table, with `rows: [1, 4]` or one row each", "children"),
    ("`[stores, products]`, plain tables", "grid"),
    ("`[stores, products, period]`", "grid in time"),
    ("`[customer, products, period]`", "grid of units"),
)
"""What a table of the section `tables` is per, and the kind or form that it is of."""
KIND_SENTENCES = {
    "plain": "Rows of no unit and no other table: listed or counted (`reference`), or each with a moment (`rows in time`).",
    "children": "Some rows for each row of another table, at any depth. What they are like follows from what that table is.",
    "grid": "A row for each combination of the rows of several tables.",
    "rows of cells": "Some rows for each unit and period, in the order of time.",
}
"""What a kind with several forms is."""
SENTENCES = ("Connection",)
"""Parts that are written as sentences; their keys are an old spelling."""
EXPLAINED = {
    "Metric": "statistics.md",
    "Noise": "statistics.md#noise",
    "Segment": "archetypes.md",
    "Archetype": "archetypes.md",
    "Silence": "minutes.md#silent-stretches",
    "Variation": "statistics.md#units-and-time",
    "Treatment": "statistics.md#treatment",
    "Connection": "statistics.md#correlation",
    "Lifecycle": "lifecycle.md",
    "Window": "minutes.md",
    "Calendar": "calendar.md",
    "FiscalWeeks": "calendar.md#fiscal-weeks",
    "Rhythm": "calendar.md#rhythm",
    "Effect": "effects.md",
    "Growth": "effects.md#growth",
    "SourceSystem": "record_linkage.md",
    "Issue": "quality.md",
    "Holdout": "holdout.md",
    "Output": "output.md",
    "Manifest": "answer_key.md",
    "Nulls": "columns.md#nulls",
}
"""The page that explains a part."""


def words() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield (model, [(family, its members)]): the words that fields of a model choose from."""

    def bounds(parameters: Mapping[str, Any]) -> str:
        texts = [f"{name} {b.low:g} to {b.high:g}, {b.default:g}" for name, b in parameters.items()]
        return f" ({'; '.join(texts)})" if texts else ""

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
    yield "Window", [("lengths of a period", _listed(GRAINS))]
    forms = [f"`{count.example}`: {paragraphs(count)[0].rstrip('.')}" for _, count in ROW_COUNTS.items()]
    yield "RowCount", [("forms", LINE + "\n".join(f"- {form}." for form in ("`3`: always as many", *forms))[:-1])]


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
    """Return a table of keys; nothing where there are none."""
    rows = key_rows(model, properties, required, skip)
    return [*TABLE_HEAD, *rows.values()] if rows else []


def key_rows(
    model: type[Part], properties: Mapping[str, Schema], required: Iterable[str], skip: Iterable[str] = ()
) -> dict[str, str]:
    """Return each key with its row of a table."""
    texts = meanings(model)
    by_alias = {str(field.alias or field.validation_alias): name for name, field in model.model_fields.items()}
    rows: dict[str, str] = {}
    for key, part in properties.items():
        if key in skip:
            continue
        meaning = texts.get(by_alias.get(key, key), "") or texts.get(key, "") or part.get("description", "")
        cells = [f"`{key}`", type_of(part), default_of(part, key in required), " ".join(meaning.split())]
        rows[key] = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return rows


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
    rows = [] if name in SENTENCES else table(model, properties, schema.get("required", ()), hidden)
    lines += [*rows, ""] if rows else []
    for family, members in dict(words()).get(name, []):
        lines += [f"{family[:1].upper()}{family[1:]}:{members if members.startswith(LINE) else f' {members}'}.", ""]
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
    known_models = models()
    for name in re.findall(r"\$defs/(\w+)", str(schema_of(model).get("properties", {}))):
        if name in known_models and name not in seen and name not in ("Table", "Column", "Dataset", "DataRule"):
            seen.add(name)
            yield name, known_models[name]
            yield from below(known_models[name], seen)


def kind_page(kind: str, forms: Sequence[type[Table]], definitions: Schema) -> list[str]:
    """Return the section of a table kind: what its forms in `tables` have alike, and each form."""
    if len(forms) == 1:
        return [f"#### {_heading(forms[0])}", "", *form_page(forms[0], definitions, {})]
    first, *others = [_words(form, definitions) for form in forms if form.section == "tables"]
    alike = {word: row for word, row in first.items() if others and all(words.get(word) == row for words in others)}
    lines = [f"#### {title(kind)}", "", KIND_SENTENCES.get(kind, ""), ""]
    lines += ["Its forms in the section `tables` all have:", "", *TABLE_HEAD, *alike.values(), ""] if alike else []
    for form in forms:
        lines += [f"##### {_heading(form)}", "", *form_page(form, definitions, alike if form.section == "tables" else {})]
    return lines


def form_page(form: type[Table], definitions: Schema, known_words: Mapping[str, str]) -> list[str]:
    """Return what there is to say of a form of a kind, without the words that are known already."""
    fit = [word for word, source in SOURCES.items() if source.needs <= form.knows and not source.is_old_spelling]
    words = {word: row for word, row in _words(form, definitions).items() if word not in known_words}
    part = definitions[f"table.{form_name(form)}"]["properties"]["columns"]
    has_none = any(option.get("maxItems") == 0 for option in part.get("anyOf", [part]))
    columns = "none are written ([cadence](cadence.md))" if has_none else _listed(fit)
    return [*_between(paragraphs(form)), *([*TABLE_HEAD, *words.values(), ""] if words else []), f"Columns: {columns}.", ""]


def _heading(form: type[Table]) -> str:
    return f"{title(form_name(form))} (in `{form.section}`)"


def _words(form: type[Table], definitions: Schema) -> dict[str, str]:
    """Return the words of a form that not every table has, each with its line of a table."""
    schema = definitions[f"table.{form_name(form)}"]
    properties = {word: schema["properties"][word] for word in words_of(form)}
    return key_rows(form, properties, schema.get("required", ()), TABLE_KEYS)


def source_page(source: type[DeclaredSource], definitions: Schema) -> list[str]:
    """Return the section of a column source."""
    schema = definitions[f"column.{source.word}"]
    places = list(tables_with(source.needs))
    lines = [f"#### Column `{source.word}`", "", f"`type: {source.example}`", "", *_between(paragraphs(source))]
    rows = table(source, schema["properties"], schema["required"], COLUMN_KEYS)
    lines += [*rows, ""] if rows else []
    for name, model in below(source, set()):
        lines += [line.replace("### ", "##### ") for line in part_page(name, model, definitions)]
    where = "every table" if places == list(declared_kinds()) else ", ".join(map(_link, places))
    return [*lines, f"In {where}.", ""]


def rule_page(rule: type[DataRule]) -> list[str]:
    """Return the section of a kind of rule."""
    schema = schema_of(rule)
    lines = [f"#### Rule `{rule.word}`", "", f"`{rule.example}`", "", *_between(paragraphs(rule))]
    return [*lines, *table(rule, schema["properties"], schema.get("required", ()), (*DataRule.model_fields,)), ""]


def _link(name: str) -> str:
    """Return a link to a kind of tables, or to a form of one."""
    forms = declared_kinds().get(name, ())
    is_form = name in declared_forms() and (len(forms) < 2 or name == forms[0].form)
    heading = _heading(declared_forms()[name]) if is_form else title(name)
    return f"[{name}](#{_anchor(heading)})"


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z -]", "", heading.lower()).replace(" ", "-")


def page() -> str:
    """Return the reference."""
    root, schema = models()["Dataset"], json_schema()
    definitions: Schema = schema["$defs"]
    lines = [INTRODUCTION, "## The whole", ""]
    keys = {
        **{key: part for key, part in schema["properties"].items() if key not in ALIASES},
        **{section: {"type": "array", "items": {"$ref": "#/$defs/Tables"}} for section in SECTIONS},
    }
    lines += [*table(root, {key: _whole(key, part) for key, part in keys.items()}, schema["required"]), ""]
    lines += ["## Parts", ""]
    visited: set[str] = set()
    for owner in (root, *declared_forms().values()):
        for name, model in below(owner, visited):
            lines += part_page(name, model, definitions)
    lines += [
        "## Tables",
        "",
        *_between(paragraphs(Table)),
        "Every table:",
        "",
        *table(Table, _of(Table), ("name", "columns"), Table.unwritten),
        "",
        "In the section `tables`, what a table is follows from what it is `per`:",
        "",
        "| `per` | it is of the kind |",
        "|---|---|",
        *(f"| {words} | {_link(name)} |" for words, name in SHAPES),
        "",
    ]
    for kind, forms in declared_kinds().items():
        lines += kind_page(kind, forms, definitions)
    lines += ["## Columns", "", *_between(paragraphs(Column)), "Every column:", ""]
    common = {
        word: definitions["column.="]["properties"][word] for word in ("name", "type", *COLUMN_KEYS) if word != "source"
    }
    lines += [*table(Column, common, ("name", "type")), "", *part_page("Nulls", Nulls, definitions)]
    lines += ["### Sources", "", "The type of a column is one of:", ""]
    for _, source in SOURCES.items():
        lines += [] if source.is_old_spelling else source_page(source, definitions)
    lines += ["## Rules", "", *_between(paragraphs(DataRule)), "Every rule:", ""]
    lines += [*table(DataRule, schema_of(DataRule)["properties"], ()), "", "More in [rules.md](rules.md).", ""]
    for _, rule in DATA_RULES.items():
        lines += rule_page(rule)
    lines += [
        "## Parts of a date",
        "",
        f"The type of a column of a date dimension is `calendar.` and one of {_listed(DATE_PARTS)}.",
    ]
    lines += ["", f"In a dimension of times of day it is one of {_listed(TIME_PARTS)}.", ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


_RULES: Schema = {"type": "array", "items": {"$ref": "#/$defs/Rules"}}


def _whole(key: str, part: Schema) -> Schema:
    """A section as the models have it: the schema's own properties say more than fits a cell."""
    if key == "checks":
        return _RULES
    if key == "units":
        return {**part, "items": {"type": "object"}}
    return part


def _of(model: type[Part]) -> Mapping[str, Schema]:
    properties: Mapping[str, Schema] = model.model_json_schema()["properties"]
    return {
        **properties,
        **({"columns": {"type": "array", "items": {"$ref": "#/$defs/Columns"}}} if "columns" in properties else {}),
        **({"checks": _RULES} if "checks" in properties else {}),
    }


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: docs/{PAGE.name}")

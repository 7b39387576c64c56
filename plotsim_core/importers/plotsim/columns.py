"""Columns of plotsim's engine layer: `source`, a text with colons, becomes a type with its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plotsim_core.families import did_you_mean
from plotsim_core.importers.plotsim.dtypes import check_type, number, scalar
from plotsim_core.importers.plotsim.schema import Schema, Table
from plotsim_core.importers.reading import Part

Words = dict[str, Any]
DATE_COLUMNS = ("date_key", "date", "year", "quarter", "month", "month_name", "week", "period_label", "period_index")
DAY_COLUMNS = ("day_of_week", "day_of_month", "is_weekend")
_DATE_TYPES = {"int": "int", "float": "float", "string": "string", "date": "date", "boolean": "bool"}


def read_columns(table: Table, schema: Schema, target: str) -> list[Words]:
    """Return the columns of a table, whose path in the config is `target`."""
    columns: list[Words] = []
    for part in table.columns:
        words = _date_column(part, schema) if table.grain == "per_period" else _column(part, table, schema)
        if words is not None and part.has("pii_note"):
            words["pii_note"] = part.text("pii_note")
        part.settle(_USUAL)
        if words is None:
            continue
        schema.record.origins[f"{target}.columns[{len(columns)}]"] = part.path
        columns.append(words)
    return columns


_USUAL = {
    **{"pii_note": None, "distribution": "uniform", "allow_outside_window": False, "scd_type2": None, "value_pool": None},
    **{"narrative": None, "nested_schema": None, "array_element_type": None, "array_length": None},
}
"""Keys of columns that few sources read, with their usual values."""


_MOST_NAMED = 100
"""So many entities may be segments of their own, for the sake of their names."""


def _column(part: Part, table: Table, schema: Schema) -> Words | None:
    """Return a column in the words of this language; None for one that is not carried over."""
    name, source = part.text("name", is_required=True), part.text("source", is_required=True)
    kind, _, argument = source.partition(":")
    if source and kind not in _SOURCES:
        part.problem("source", f"plotsim has no source '{kind}'", did_you_mean(kind, list(_SOURCES)))
    if kind not in _SOURCES:
        return None
    words = _SOURCES[kind](part, argument, table, schema)
    if words is None:
        return None
    check_type(part, words, schema)
    return {"name": name, **words}


def _date_column(part: Part, schema: Schema) -> Words | None:
    """Return a column of the date dimension, whose name says what it is."""
    name, source, dtype = part.text("name", is_required=True), part.text("source"), part.text("dtype", "int")
    if source == "pk":
        words = {"name": name, "type": "id"}
        check_type(part, words, schema)
        return words
    if name not in (*DATE_COLUMNS, *(DAY_COLUMNS if schema.grain == "day" else ())):
        part.dropped("", "it is no part of a date, and plotsim leaves it out as well")
        return None
    if source != "generated:date_key":
        part.approximated("source", "the name of a column of dates says what it holds")
    if dtype not in _DATE_TYPES:
        part.approximated("dtype", "a part of a date is of the type int, float, string or date")
    return {"name": name, "type": _DATE_TYPES.get(dtype, "string" if "name" in name or "label" in name else "int")}


def _key(part: Part, argument: str, table: Table, schema: Schema) -> Words:
    prefix = table.part.text("pk_prefix")
    return {"type": "id", **({"prefix": prefix} if prefix else {})}


def _metric(part: Part, argument: str, table: Table, schema: Schema) -> Words:
    _ask_metric(part, argument, schema)
    return {"type": f"metric.{argument}"}


def _lag(part: Part, argument: str, table: Table, schema: Schema) -> Words:
    name, _, rest = argument.partition(":")
    _ask_metric(part, name, schema)
    periods = _whole(rest.removeprefix("periods:"))
    if periods is None or not rest.startswith("periods:"):
        part.problem("source", f"cannot read 'lag:{argument}'", "plotsim writes lag:METRIC:periods:1")
        return {"type": f"lag.{name}"}
    part.approximated("source", f"the first {periods} periods are null, where plotsim repeats the value of the row itself")
    return {"type": f"lag.{name}"} if periods == 1 else {"type": f"lag.{name}", "periods": periods}


def _reference(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    name, _, column = argument.partition(".")
    target = schema.tables.get(name)
    if target is None:
        part.problem("source", f"there is no table '{name}'", did_you_mean(name, list(schema.tables)))
        return None
    if column and column != target.key:
        part.approximated("source", f"it refers to {name} by its key {target.key}, not by {column}")
    words: Words = {"type": f"ref.{name}"}
    distribution = part.anything("distribution")
    weights = distribution.get("weights") if isinstance(distribution, Mapping) else None
    if isinstance(weights, Mapping):
        by_value = _weights(weights, target)
        if by_value is None:
            part.dropped("distribution", f"its keys are none that the rows of {name} have here, so all rows are as likely")
        else:
            words["weights"] = by_value
    elif distribution not in (None, "uniform"):
        part.dropped("distribution", "expected uniform, or weights by key")
    return words


def _weights(weights: Mapping[Any, Any], target: Table) -> Words | None:
    """Return weights by a listed value, where keys of plotsim (a prefix and the row's number) give them."""
    for column in target.columns:
        values = _listed_values(column)
        if len(values) < 2 or len(set(values)) != len(values):
            continue
        numbers = [_whole(str(key).rpartition("-")[2]) for key in weights]
        if any(number is None or not 1 <= number <= len(values) for number in numbers):
            return None
        by_value = {values[(number or 1) - 1]: weight for number, weight in zip(numbers, weights.values(), strict=True)}
        return {value: by_value.get(value, 0) for value in values}
    return None


def _listed_values(column: Part) -> list[str]:
    source = column.value.get("source")
    return source[7:].split(",") if isinstance(source, str) and source.startswith("static:") else []


def _generated(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    word, _, rest = argument.partition(":")
    provider = word.removeprefix("faker.")
    if word.startswith("faker."):
        return {"type": word, **({"arguments": _arguments(rest)} if rest else {})} if provider else None
    if word.startswith("geo."):
        return {"type": word}
    known = {
        "timestamp": "timestamp",
        "date_key": "derived.date_key",
        "entity_name": "derived.name",
        "period_label": _period_label(table, schema),
    }
    if word not in known:
        part.problem("source", f"plotsim generates no '{word}'", did_you_mean(word, [*known, "faker.", "geo."]))
        return None
    if word == "entity_name":
        return _derived(part, "name", table, schema)
    if not known[word]:
        part.dropped("", "a row of this table has no date whose label it could be")
        return None
    return {"type": known[word]}


def _period_label(table: Table, schema: Schema) -> str:
    """Return the label of the row's period, which its date has."""
    dates = next((name for name, other in schema.tables.items() if other.grain == "per_period"), "dim_date")
    return f"lookup.{dates}.period_label" if any(_source(c).startswith(f"fk:{dates}.") for c in table.columns) else ""


def _source(column: Part) -> str:
    source = column.value.get("source")
    return source if isinstance(source, str) else ""


def _arguments(text: str) -> Words:
    """Return `name:value:name:value` as names and values. Moments have colons of their own, so names are what is a word."""
    fields = text.split(":")
    return {name: scalar(value) for name, value in zip(fields[::2], fields[1::2], strict=False)}


def _static(part: Part, argument: str, table: Table, schema: Schema) -> Words:
    is_text, values = part.text("dtype", "string") == "string", argument.split(",")
    is_listed = table.grain == "per_reference"
    if not is_listed and len(values) > 1:
        part.approximated("source", "each row has one of the values, where plotsim writes all of them into each")
    if is_text and any(scalar(value) != value for value in values):
        return {"type": "static", "values": values, "value_type": "text"}
    if any(value != value.strip() or '"' in value or not value for value in values):
        return {"type": "static", "values": values}
    return {"type": f"static.{argument}"}


def _derived(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    if argument in ("date_key", "period_index", "entity_id"):
        return {"type": f"derived.{argument}"}
    values: dict[str, dict[str, list[Any]]] = {
        "size": {entity.name: [entity.size] for entity in schema.entities},
        "archetype": {entity.name: [entity.archetype] for entity in schema.entities},
        "name": {entity.name: [entity.name] for entity in schema.entities},
    }
    if argument not in values:
        known = ["date_key", "period_index", "entity_id", *values]
        part.problem("source", f"plotsim derives no '{argument}'", did_you_mean(argument, known))
        return None
    if argument == "name" and (schema.has_numbered_names or len(schema.entities) > _MOST_NAMED):
        if not schema.has_numbered_names:
            part.approximated("source", "a name is that of the segment and a number: there are too many for a segment each")
        return {"type": "derived.name"}
    schema.pools.setdefault(argument, values[argument])
    return {"type": f"pool.{argument}"}


def _pool(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    name, _, mode = argument.partition(":")
    pool = part.anything("value_pool")
    if not isinstance(pool, Mapping):
        part.problem("value_pool", "is missing", "a pool has the values of each entity: {entity: [value]}")
        return None
    values = {str(entity): list(item) if isinstance(item, list | tuple) else [item] for entity, item in pool.items()}
    if part.text("dtype", "string") != "string":
        values = {entity: [number(value, part.text("dtype")) for value in items] for entity, items in values.items()}
    missing = [entity.name for entity in schema.entities if entity.name not in values]
    if missing:
        part.problem("value_pool", f"the entity {missing[0]} has no values")
        return None
    strangers = sorted(values.keys() - {entity.name for entity in schema.entities})
    if strangers:
        part.dropped("value_pool", f"{', '.join(strangers)}: there are no such entities")
    attribute = name if schema.pools.setdefault(name, values) == values else f"{table.name}_{name}"
    schema.pools.setdefault(attribute, values)
    return {"type": f"pool.{attribute}", **({"by": "trajectory"} if mode == "trajectory" else {})}


def _tier(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    tiers = part.mapping("scd_type2")
    if tiers is None:
        part.problem("scd_type2", "is missing", "it says the trigger_metric, thresholds and labels")
        return None
    metric = schema.metric_of(tiers.text("trigger_metric", is_required=True))
    if metric is None:
        tiers.problem("trigger_metric", f"no metric is '{tiers.text('trigger_metric')}'")
        return None
    tiers.approximated("thresholds", f"a tier is of {metric} rather than of the position alone, and falls too")
    return {"type": "scd", "tracks": metric, "tiers": tiers.texts("labels"), "at": tiers.numbers("thresholds")}


def _bucket(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    labels = [label.strip().strip("\"'") for label in argument.removeprefix("bucket:").strip("[] ").split(",")]
    if not argument.startswith("bucket:"):
        part.problem("source", f"cannot read 'text:{argument}'", "plotsim writes text:bucket:[low, high]")
        return None
    return {"type": "bucket", "labels": labels}


def _narrative(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    narrative = part.mapping("narrative")
    if narrative is None:
        part.problem("narrative", "is missing", "it says the template and the lexicons")
        return None
    if argument != part.text("name"):
        part.dropped("source", f"a narrative has no name of its own, such as {argument}")
    words: Words = {"type": "narrative", "template": narrative.text("template", is_required=True)}
    if narrative.has("bands"):
        words["bands"] = narrative.texts("bands")
    words["lexicons"] = narrative.anything("lexicons")
    return words


def _range(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    low, _, high = argument.partition(":")
    edges = [scalar(low), scalar(high)]
    if any(isinstance(edge, str) for edge in edges):
        part.problem("source", f"cannot read 'range:{argument}'", "plotsim writes range:1:9")
        return None
    is_whole = part.text("dtype", "float") == "int"
    return {"type": "range", "range": [int(edge) if is_whole else float(edge) for edge in edges]}


def _nested(part: Part, argument: str, table: Table, schema: Schema) -> Words | None:
    if part.has("nested_schema"):
        return {"type": "struct", "nested_schema": part.anything("nested_schema")}
    if part.has("array_element_type"):
        length = {"array_length": part.integer("array_length")} if part.has("array_length") else {}
        return {"type": "array", "array_element_type": part.text("array_element_type"), **length}
    part.problem("source", "expected a nested_schema or an array_element_type beside it")
    return None


def _flag(part: Part, argument: str, table: Table, schema: Schema) -> Words:
    return {"type": "flag"}


_SOURCES: dict[str, Callable[[Part, str, Table, Schema], Words | None]] = {
    "pk": _key,
    "fk": _reference,
    "metric": _metric,
    "lag": _lag,
    "generated": _generated,
    "static": _static,
    "derived": _derived,
    "pool": _pool,
    "range": _range,
    "text": _bucket,
    "narrative": _narrative,
    "scd_type2": _tier,
    "threshold": _flag,
    "nested": _nested,
}
"""plotsim's sources to what they are here."""


def _ask_metric(part: Part, name: str, schema: Schema) -> None:
    if name not in schema.metrics:
        part.problem("source", f"there is no metric '{name}'", did_you_mean(name, list(schema.metrics)))


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None

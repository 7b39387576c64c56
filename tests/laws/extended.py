"""Configs that say more than another one does: a segment, units, a metric, tables, columns; and those that say less."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import yaml

from docs.datasets import ended
from tests.laws.made import CONFIGS
from tests.laws.strategies import Raw

Extended = Callable[[Raw], Raw]
"""A kind of unit, as a config says it, to the same with more in it."""


def raw_of(name: str) -> Raw:
    """Return a bundled config as its YAML says it, ended if it has no end."""
    return ended(yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()))


def with_segment(raw: Raw, archetype: Any = "growth > flat") -> Raw:
    """Return a config with one more segment, which has the attributes of the last."""
    last = raw["segments"][-1]
    more = {
        "name": "added" if "window" in raw else "added_too",
        "count": 3,
        "archetype": archetype,
        "attributes": last.get("attributes", {}),
    }
    return {**phrased(raw, last["name"], more["name"]), "segments": [*raw["segments"], more]}


def phrased(raw: Raw, like: str, name: str) -> Raw:
    """Return a config whose narratives have the phrases of one segment for another that is to come, too."""
    raw = copy.deepcopy(raw)
    tables = [table for section in ("dimensions", "facts", "events") for table in raw.get(section, [])]
    for column in (column for table in tables for column in table.get("columns", [])):
        if column.get("type") == "narrative" and "lexicons" in column:
            column["lexicons"][name] = column["lexicons"][like]
    return raw


def with_units(raw: Raw) -> Raw:
    """Return a config with more units in every segment."""
    segments = copy.deepcopy(raw["segments"])
    for segment in segments:
        segment["count"] += 2
        if segment.get("arrival", {}).get("kind") == "explicit":
            segment["arrival"]["start_periods"] += [0, 1]
    return {**raw, "segments": segments}


def with_metric(raw: Raw, metric: Raw, connection: list[Any] | None = None) -> Raw:
    """Return a config with one more metric, connected or not."""
    more = {"metrics": [*raw["metrics"], metric]}
    if connection is not None:
        more["connections"] = [*raw.get("connections", []), connection]
    return {**raw, **more}


def explicit(raw: Raw) -> Raw:
    """Return a config whose tables are written out, where a bundled or generated one leaves them to be added."""
    if raw.get("dimensions"):
        return raw
    unit = raw["unit"]
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "unit_id", "type": f"ref.dim_{unit}"}]
    metrics = [{"name": metric["name"], "type": f"metric.{metric['name']}"} for metric in raw["metrics"]]
    dimension = {"name": f"dim_{unit}", "per": "unit", "columns": [{"name": "unit_id", "type": "id"}]}
    return {**raw, "dimensions": [dimension], "facts": [{"name": "fct_all", "columns": [*to_unit, *metrics]}]}


def with_tables(raw: Raw) -> Raw:
    """Return a config with a dimension of children, a listed one, a fact and two events more."""
    unit = next(table for table in raw["dimensions"] if table.get("per") == "unit")
    key = next(column["name"] for column in unit["columns"] if column["type"] in ("id", "uuid"))
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": key, "type": f"ref.{unit['name']}"}]
    metric = raw["metrics"][0]["name"]
    values = {"name": "own_id", "type": "id"}
    dimensions = [
        {"name": "dim_listed", "reference": True, "columns": [values, {"name": "word", "type": "static.a,b,c"}]},
        *raw["dimensions"],
        {"name": "dim_child", "per": "unit", "count": [1, 3], "columns": [values, to_unit[1]]},
    ]
    fact = {"name": "fct_more", "columns": [*to_unit, {"name": "value", "type": f"true.{metric}"}]}
    events = [
        {"name": "evt_more", "trigger": "proportional", "driver": metric, "scale": 0.01, "columns": [values, *to_unit]},
        {"name": "evt_once", "trigger": "threshold", "metric": metric, "above": 0.5, "columns": [values, *to_unit]},
    ]
    if raw["metrics"][0].get("range", [0, 1])[0] >= 0.5:
        events.pop()
    more = {"dimensions": dimensions, "facts": [fact, *raw.get("facts", [])]}
    return {**raw, **more, "events": [*events, *raw.get("events", [])]}


def with_columns(raw: Raw) -> Raw:
    """Return a config in which every table of units or events has more columns, in front and at the end."""
    raw = copy.deepcopy(raw)
    for section in ("dimensions", "facts", "events"):
        for table in raw.get(section, []):
            if table.get("per") == "period" or "snapshot_of" in table or "changes_of" in table:
                continue
            table["columns"].insert(0, {"name": "more_1", "type": "faker.word"})
            table["columns"].append({"name": "more_2", "type": "range", "range": [0, 10]})
    return raw


def without(raw: Raw, *sections: str) -> Raw:
    """Return a config without some sections: of what is made of other rows, and so tells of whatever changes them."""
    return {name: value for name, value in raw.items() if name not in sections}


MADE_OF_ROWS = ("quality", "holdout", "entity_features")
SEASONAL = ("calls", "words", "replies", "answers")
"""Plain tables whose rows have moments, as many as the season of a period asks for, and what belongs or refers to them."""


def of_every_kind(extended: Extended, raw: Raw) -> Raw:
    """Return a config in which every kind of unit is extended."""
    raw = extended(raw)
    return {**raw, "units": [extended(kind) for kind in raw["units"]]} if "units" in raw else raw

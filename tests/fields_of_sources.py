"""What is changed of the columns of `fct_sources` in fields.yaml: each field of a column source is seen to matter."""

from __future__ import annotations

from typing import Any

COLUMNS: dict[str, tuple[str, Any]] = {
    "Column.pii_note": ("who.pii_note", "Another."),
    "bucket.labels": ("level.labels", ["low", "top"]),
    "bucket.metric": ("level.metric", "sales"),
    "case.by": ("by_kind.by", "level"),
    "case.cases": ("by_kind.cases", {"a": "static.w", "else": "static.v"}),
    "choice.values": ("kind.values", ["a", "z"]),
    "choice.weights": ("kind.weights", [3, 1]),
    "derived.what": ("what.type", "derived.name"),
    "faker.arguments": ("dice.arguments", {"min_value": 1, "max_value": 20}),
    "faker.bundle": ("who.bundle", "other"),
    "faker.locale": ("who.locale", "ja_JP"),
    "LocaleChoice.by": ("abroad.locale.by", "home"),
    "LocaleChoice.cases": ("abroad.locale.cases", {"FR": "fr_CA"}),
    "geo.part": ("town.type", "geo.region"),
    "geo.countries": ("town.countries", ["NO"]),
    "geo.by": ("town.by", "city"),
    "geo.bundle": ("town.bundle", "other"),
    "label.odds": ("is_lucky.odds", "-dice / 2"),
    "label.rate": ("is_lucky.rate", 0.8),
    "lag.metric": ("before.type", "lag.sales"),
    "lag.periods": ("before.periods", 3),
    "level.metric": ("rent.type", "level.visits"),
    "level.every": ("rent.every", 3),
    "level.rate": ("rent.rate", 0.4),
    "narrative.template": ("note.template", "{how}!"),
    "narrative.lexicons": ("note.lexicons.small.how.low", ["meagre"]),
    "narrative.bands": ("plain.bands", ["high", "mid", "low"]),
    "narrative.metric": ("note.metric", "sales"),
    "narrative.rules": ("letter.rules.end", ["cheers"]),
    "pool.by": ("rung.by", "trajectory"),
    "pool.weights": ("ladder.weights", [9, 1]),
    "struct.nested_schema": ("inner.nested_schema", {"n": "float"}),
    "array.array_element_type": ("several.array_element_type", "boolean"),
    "array.array_length": ("several.array_length", 4),
    "ref.weights": ("weighted_plan.weights", {"low": 1, "mid": 2, "top": 0}),
    "ref.distribution": ("first_plan.distribution", "uniform"),
    "ref.exponent": ("popular_plan.exponent", 3),
    "ref.during": ("valid_plan.during", {"from": "from", "to": "end"}),
    "ref.of": ("any_till.of", "others"),
}
"""For each field: the column and what of it is changed, and the new value."""


def cases(base: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return the changes with their paths in the base config."""
    tables = [table["name"] for table in base["facts"]]
    place = tables.index("fct_sources")
    columns = [column["name"] for column in base["facts"][place]["columns"]]
    values = {}
    for field, (way, value) in COLUMNS.items():
        name, _, rest = way.partition(".")
        values[field] = (f"facts[{place}].columns[{columns.index(name)}].{rest}", value)
    return values

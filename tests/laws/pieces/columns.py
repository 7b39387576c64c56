"""Columns of every source, put into dimensions, facts and events."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]

_BANDS = ("low", "mid", "high")


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Add some columns to the tables of units, children, listed rows, facts and events, those that each has a place for."""
    tables = {table["name"]: table for section in ("dimensions", "facts", "events") for table in raw.get(section, ())}
    metrics = [metric["name"] for metric in raw["metrics"]]
    anywhere = _anywhere(draw) | _listed(draw, tables)
    of_unit = anywhere | _of_unit(draw, raw, metrics)
    of_cell = {
        "before": {"type": f"lag.{draw(st.sampled_from(metrics))}", "periods": draw(st.integers(1, 5))},
        "before_too": {"type": f"lag.{draw(st.sampled_from(metrics))}:periods:2"},
        "true_value": {"type": f"true.{draw(st.sampled_from(metrics))}"},
    }
    if "lifecycle" in raw and draw(st.booleans()):
        tables["fct_all"]["columns"] = [*tables["fct_all"]["columns"], {"name": "stage_now", "type": "stage"}]
    unique = {
        "number": {"type": "range", "range": [-(10**9), 10**9], "unique": True},
        "mail": {"type": "faker.email", "unique": True, "pii_note": "an address"},
        "login": {"type": "faker.user_name", "unique": draw(st.booleans()), "bundle": "another"},
        "iban": {"type": "faker.iban", "unique": True},
        "phone": {"type": "faker.phone_number", "unique": draw(st.booleans())},
        "plate": {"type": draw(st.sampled_from(["faker.uuid4", "faker.ssn", "faker.credit_card_number"]))},
    }
    if any(column["type"] == "scd" for column in tables["dim_shop"]["columns"]):
        of_cell["valid_row"] = {"type": "version.row_id"}
    places = {
        "dim_shop": of_unit | unique,
        "dim_clerk": of_unit | unique | {"rank": {"type": "sequence", "start": 10, "step": draw(st.sampled_from([-1, 5]))}},
        "dim_level": _anywhere(draw)
        | {
            "badge": {"type": "range", "range": [100, 299], "unique": True},
            "rank": {"type": "sequence", "step": 2},
            "iban": unique["iban"],
        },
        "fct_all": of_unit | of_cell,
        "evt_visit": of_unit | {"true_value": of_cell["true_value"]},
    }
    for name, fitting in places.items():
        if name not in tables:
            continue
        column_names = draw(st.sets(st.sampled_from(sorted(fitting)), max_size=5))
        tables[name]["columns"] = [
            *tables[name]["columns"],
            *({"name": column, **fitting[column], **_words(draw, fitting[column])} for column in sorted(column_names)),
            *(_HIDDEN if draw(st.integers(0, 3)) == 0 else ()),
            *(_CASES if draw(st.integers(0, 3)) == 0 else ()),
            *(_ABROAD if draw(st.integers(0, 3)) == 0 else ()),
            *(_LETTER if draw(st.integers(0, 3)) == 0 else ()),
            *(_LABELS if draw(st.integers(0, 3)) == 0 else ()),
            *(_DATES if draw(st.integers(0, 3)) == 0 else ()),
        ]
    if draw(st.booleans()):
        tables["fct_all"]["cdc"] = True
    if draw(st.booleans()):
        raw["locale"] = draw(st.sampled_from([["de_DE"], ["en_GB", "fr_FR"]]))


_HIDDEN = (
    {"name": "unseen", "type": "range", "range": [0, 99], "hidden": True, "nulls": 0.2},
    {"name": "seen", "type": "expression", "formula": "coalesce(unseen, -1) * 3"},
    {"name": "some_seen", "type": "range", "range": [0, 9], "nulls": {"where": "unseen > some_seen * 10", "rate": 0.9}},
)
"""A hidden column, and those that read it."""
_CASES = (
    {"name": "sort", "type": "choice", "values": ["a", "b", "c"]},
    {"name": "by_sort", "type": "case", "by": "sort", "cases": {"a": "faker.word", "b": "static.x", "else": "geo.city"}},
    {"name": "drawn_by_sort", "type": "case", "by": "sort", "cases": {"a": "= normal(3, 1)", "c": "= poisson(4) + 1"}},
)
"""A column, and one that is by it."""
_ABROAD = (
    {"name": "land_of", "type": "geo.country_code", "countries": ["DE", "FR", "SG"], "bundle": "abroad"},
    {
        "name": "who_abroad",
        "type": "faker.name",
        "bundle": "abroad",
        "locale": {"by": "land_of", "cases": {"SG": "en_GB", "FR": "fr_BE"}},
    },
    {"name": "mail_abroad", "type": "faker.email", "bundle": "abroad"},
    {"name": "street_abroad", "type": "faker.street_address", "locale": {"by": "land_of", "cases": {"else": "en_GB"}}},
    {"name": "phone_abroad", "type": "faker.phone_number", "locale": "de_DE"},
)
"""Texts of the locale of a column, and of one of their own."""
_LETTER = (
    {"name": "pieces", "type": "range", "range": [1, 3]},
    {"name": "price", "type": "range", "range": [0.0, 5000.0], "nulls": 0.1},
    {
        "name": "letter_of",
        "type": "narrative",
        "template": "{what} for {pieces} {thing|plural pieces} of {faker.first_name}",
        "rules": {
            "what": {"by": "pieces", "cases": {"1": ["{price:,.2f}", "nothing"], "2": {"much": 3, "little": 1}}},
            "thing": ["box", "hour"],
        },
    },
)
"""Columns, and a text that is by one and reads the others."""
_LABELS = (
    {"name": "load", "type": "range", "range": [0, 9]},
    {"name": "is_full", "type": "label", "odds": "load - 5", "rate": 0.3},
    {"name": "is_sent", "type": "label", "odds": "load / 5 - 2 * is_full", "rate": 0.6, "nulls": 0.1},
)
"""Labels whose odds follow a column, and another label."""
_DATES = (
    {"name": "born_on", "type": "faker.date_of_birth"},
    {"name": "due_on", "type": "expression", "formula": "month_end(add_months(born_on, poisson(200))) - 3"},
    {"name": "due_at", "type": "expression", "formula": "moment(due_on) + hours(exponential(9)) + days(2)"},
    {"name": "paid_on", "type": "expression", "formula": "add_working_days(due_on, 3)"},
    {"name": "paid_in", "type": "expression", "formula": "working_days(born_on, paid_on)"},
    {"name": "local_at", "type": "expression", "formula": "local(utc(due_at, 'Europe/Lisbon'), 'America/New_York')"},
    {"name": "due_text", "type": "expression", "formula": "text(due_at, '%G-W%V') + text(age(born_on, due_at))"},
)
"""Dates, and those that are computed of them."""
_TYPES = {"choice": ["enum"], "range": ["integer", "text", "decimal(6, 2)"], "segment.count": ["text"]}
"""What columns of a type may be stored as."""


_DRAWS = (
    "normal(5, 2) + normal(0, 1)",
    "poisson(uniform(0, 9))",
    "negative_binomial(4, 0.7, 1, 20)",
    "where(chance(0.2), null, gamma(3, 2, 1, 9))",
    "pick('a', 'b') + text(zipf(1.1, 40)) + upper(pick('x', 'y', 'z'))",
    "chance(beta(0.3, 12))",
)
"""Formulas that take chance."""


def _words(draw: st.DrawFn, column: Raw) -> Raw:
    """Return what every column may say, now and then: nulls, another type. What tells versions apart has neither."""
    nulls = {"nulls": draw(st.sampled_from([0.1, 0.5]))} if draw(st.integers(0, 3)) == 0 else {}
    is_whole = all(isinstance(bound, int) for bound in column.get("range", ["a text"]))
    types = _TYPES.get(column["type"], []) if "decimals" not in column else []
    is_small = all(abs(bound) < 1000 for bound in column.get("range", []))
    types = [type_ for type_ in types if (type_ != "integer" or not is_whole) and (type_ != "decimal(6, 2)" or is_small)]
    if column["type"].startswith("version."):
        return {}
    return nulls | ({"as": draw(st.sampled_from(types))} if types and draw(st.booleans()) else {})


def _anywhere(draw: st.DrawFn) -> dict[str, Raw]:
    """Columns that any row has a place for."""
    return {
        "town": {"type": "geo.city"},
        "land": {"type": "geo.country", "countries": ["DE", "FR"], "by": draw(st.sampled_from(["city", "population"]))},
        "code": {"type": "geo.postcode", "bundle": "elsewhere"},
        "sort_of": {"type": "static", "values": draw(st.sampled_from([["004"], ["a, b"], [None]])), "value_type": "text"},
        "kind_of": {"type": "choice", "values": ["a", "b", "c"], "weights": [5, 1, 0.5]},
        "inner": {"type": "struct", "nested_schema": {"n": "int", "x": "float", "s": "string", "b": "boolean"}},
        "several": {"type": "array", "array_element_type": "int", "array_length": draw(st.integers(1, 4))},
        "who": {"type": "faker.name", "description": "somebody"},
        "since": {"type": f"faker.year:minimum:1990:maximum:{draw(st.integers(1995, 2020))}"},
        "token": {"type": "faker.uuid4"},
        "span": {"type": "range", "range": [-9.5, 9.5]},
        "rate": {"type": "range", "range": [-9.5, 9.5], "decimals": draw(st.integers(0, 3))},
        "drawn": {"type": "expression", "formula": draw(st.sampled_from(_DRAWS))},
    }


def _listed(draw: st.DrawFn, tables: dict[str, Raw]) -> dict[str, Raw]:
    """References to listed rows, some of them more often."""
    if "dim_level" not in tables:
        return {}
    return {
        "some_level": {"type": "ref.dim_level", "weights": {"high": 5, "low": 1, "middle": 1, "other": 0.5}},
        "known_level": {"type": "ref.dim_level", "distribution": draw(st.sampled_from(["zipf", "head_tail", "uniform"]))},
    }


def _rules(draw: st.DrawFn, raw: Raw) -> Raw:
    """Rules of texts by segment and band, with slots and weights."""
    by_band = {
        "by": "band",
        "cases": {"low": ["{thing|a} less"], "mid": {"{thing|plural}": 3, "": 1}, "high": ["more {thing}"]},
    }
    by_segment = {"by": "segment", "cases": {raw["segments"][0]["name"]: ["hello", "dear {geo.city}"], "else": ["hi"]}}
    return {"greeting": by_segment, "end": by_band, "thing": draw(st.sampled_from([["box", "hour"], {"city": 1, "day": 2}]))}


def _of_unit(draw: st.DrawFn, raw: Raw, metrics: list[str]) -> dict[str, Raw]:
    """Columns that rows of a unit have a place for."""
    by_metric = {"metric": draw(st.sampled_from(metrics))} if draw(st.booleans()) else {}
    phrases = {"how": {band: [f"{band} {n}" for n in range(3)] for band in _BANDS}}
    lexicons = {segment["name"]: phrases for segment in raw["segments"]}
    arm = {"arm": {"type": "segment.treatment"}} if all("treatment" in segment for segment in raw["segments"]) else {}
    return {
        "rent": {
            "type": f"level.{draw(st.sampled_from(metrics))}",
            "every": draw(st.integers(1, 9)),
        },
        "lease": {"type": f"level.{draw(st.sampled_from(metrics))}", "every": draw(st.integers(2, 9)), "rate": 0.2},
        "height": {"type": "bucket", "labels": ["low", "middle", "high"], **by_metric},
        "note": {"type": "narrative", "template": "It is {how}, {{so}}.", "lexicons": lexicons, **by_metric},
        "letter": {
            "type": "narrative",
            "template": "{greeting|capital} {faker.word} {end}",
            "rules": _rules(draw, raw),
            **by_metric,
        },
        "part_of": {"type": "pool.region:trajectory"},
        "group_size": {"type": draw(st.sampled_from(["segment.count", "derived.size", "derived.archetype"]))},
        "called": {"type": draw(st.sampled_from(["derived.name", "derived.entity_id"]))},
        "begun": {"type": draw(st.sampled_from(["derived.date_key", "derived.period_index"]))},
        **arm,
    }

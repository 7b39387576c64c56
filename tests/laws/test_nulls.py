"""Nulls are where the schema says so, and it must say so: a source that denied its nulls would be found.

Each way in which a value may be missing is in one dataset, so that each answer to `is_nullable` is needed by it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pyarrow as pa
import pytest

from plotsim_core import Plan, from_mapping
from plotsim_core.columns import foreign_key
from plotsim_core.config.column_source import SOURCES, DeclaredSource
from plotsim_core.errors import SchemaError
from plotsim_core.tables.batch import batch_of
from tests.laws.made import made_table

_KEYS = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
_HOW = {"how": {"low": ["so"], "mid": ["so so"], "high": ["well"]}}
_NOTE = {
    "name": "note",
    "type": "narrative",
    "metric": "sales",
    "template": "{how}",
    "lexicons": {"tried": _HOW, "other": _HOW},
}
HOLES: dict[str, Any] = {
    "about": "Shops, of which little is known",
    "unit": "shop",
    "window": ["2024-04-20", "2024-05-09", "day"],
    "noise": {"mcar_rate": 0.3},
    "calendar": {"holidays": [{"name": "Opening", "date": "05-01"}]},
    "metrics": [{"name": "sales", "type": "amount", "polarity": "positive", "range": [1, 100]}],
    "lifecycle": {"track": "sales", "stages": [{"new": 0}, {"known": 0.5}], "enforce_order": False},
    "segments": [
        {"name": "tried", "count": 20, "archetype": "growth", "treatment": {"fraction": 0.5, "lift_log_odds": 1}},
        {"name": "other", "count": 20, "archetype": "decline"},
    ],
    "units": [
        {
            "unit": "owner",
            "metrics": [{"name": "wealth", "type": "amount", "polarity": "positive", "range": [1, 100]}],
            "segments": [
                {"name": "heirs", "count": 9, "archetype": "flat", "arrival": {"kind": "uniform", "start": 4, "end": 9}}
            ],
            "dimensions": [
                {
                    "name": "dim_owner",
                    "per": "unit",
                    "columns": [{"name": "owner_id", "type": "id"}, {"name": "owner_name", "type": "faker.name"}],
                }
            ],
        }
    ],
    "dimensions": [
        {
            "name": "dim_date",
            "per": "period",
            "columns": [
                {"name": "date_key", "type": "id"},
                {"name": "holiday_name", "type": "string"},
                {"name": "day_off", "type": "calendar.holiday_name"},
            ],
        },
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [
                {"name": "shop_id", "type": "id"},
                {"name": "arm", "type": "segment.treatment"},
                {"name": "code", "type": "static", "values": [1, None]},
                {"name": "tier", "type": "scd", "tracks": "sales", "tiers": ["low", "high"], "at": [0.5]},
                {"name": "until", "type": "version.valid_to"},
            ],
        }
    ],
    "facts": [
        {
            "name": "fct_month",
            "columns": [
                *_KEYS,
                {"name": "sales", "type": "metric.sales"},
                {"name": "before", "type": "lag.sales", "periods": 1},
                {"name": "rent", "type": "level.sales", "every": 3},
                {"name": "band", "type": "bucket", "metric": "sales", "labels": ["low", "high"]},
                _NOTE,
                {"name": "stage", "type": "stage"},
                {"name": "share", "type": "expression", "formula": "1 / (rank - 1)"},
                {"name": "rank", "type": "range", "range": [1, 3]},
                {"name": "of_rank", "type": "case", "by": "rank", "cases": {"2": "faker.word"}},
                {"name": "is_first", "type": "label", "odds": "1 / (rank - 1)", "rate": 0.3},
                {"name": "owner_id", "type": "ref.dim_owner"},
                {"name": "owner_name", "type": "lookup.dim_owner.owner_name"},
            ],
        }
    ],
    "tables": [
        {
            "name": "visits",
            "per": ["shop", "period"],
            "rows": 2,
            "columns": {
                "visit_id": "id",
                "last_rank": "last.hops.rank",
                "fee": "= where(chance(0.3), null, round(uniform(1, 9), 2))",
            },
        },
        {
            "name": "hops",
            "per": "visits",
            "rows": {"steps": {"in": 0.7, "on": 0.5}},
            "columns": {
                "hop_no": "sequence",
                "rank": {"type": "range", "range": [1, 3]},
                "fee_part": "part.visits.fee",
                "at": {"type": "timestamp", "after": "previous", "wait": "minutes(1 / (rank - 1))"},
            },
        },
    ],
}  # fmt: skip


_NEVER = {"true", "expected"}
"""Sources that share an answer with `metric`, to which it is always no."""
ANSWERS = [
    word for word, source in SOURCES.items() if source.is_nullable is not DeclaredSource.is_nullable and word not in _NEVER
]
"""Sources that say of some of their columns that values may be missing."""
_DATE_PARTS = {"date", "int", "float", "bool"}
"""Words of parts of a date, all of one answer; only `string` has a part that is sometimes missing."""


def _built(plan: Plan) -> dict[str, pa.Table]:
    return {table.name: made_table(plan, table.name) for table in plan.tables}


def test_every_column_that_may_have_nulls_has_some() -> None:
    """So that what follows speaks of each of them."""
    plan = from_mapping(HOLES, name="holes")
    tables = _built(plan)
    nullable = [(table.name, column) for table in plan.tables for column in table.columns if column.nullable]
    assert [column.name for name, column in nullable if not tables[name][column.name].null_count] == []
    assert {column.spec.word for _, column in nullable} == set(ANSWERS) - _DATE_PARTS


@pytest.mark.parametrize("word", [word for word in ANSWERS if word not in _DATE_PARTS])
def test_a_source_that_denies_its_nulls_is_found(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOURCES[word], "is_nullable", lambda *_: False)
    with pytest.raises(SchemaError, match=r"its schema says that it has none|no numbers"):
        _built(from_mapping(HOLES, name="holes"))


def test_a_reference_to_a_kind_of_which_nobody_may_be_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer behind that of references: that a segment always has a living unit."""
    monkeypatch.setattr(foreign_key, "_may_be_empty", lambda segment: False)
    with pytest.raises(SchemaError, match=r"fct_month\.owner_id has \d+ nulls"):
        _built(from_mapping(HOLES, name="holes"))


def test_what_is_no_number_is_no_value_either() -> None:
    """A value that is missing is a null, in columns that may have nulls as well."""
    table = from_mapping(HOLES, name="holes").table("fct_month")
    numbers = dataclasses.replace(table, columns=tuple(c for c in table.columns if c.name in ("sales", "share")))
    assert batch_of(numbers, [pa.array([1.5, None])] * 2).num_rows == 2
    with pytest.raises(SchemaError, match=r"fct_month\.share has values that are no numbers"):
        batch_of(numbers, [pa.array([1.5, 2.5]), pa.array([1.5, float("nan")])])

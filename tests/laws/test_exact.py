"""What is broken on purpose is exact: of each period as many rows of a segment as the rate says, rounded up or down."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plotsim_core import Plan, from_mapping, generate_tables
from plotsim_core.config.quality import LEDGER
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.tables import rank
from plotsim_core.tables.build import build
from tests.marks import slow_but

Raw = dict[str, Any]
_REFS = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
_KEYED = [{"name": "row_id", "type": "id"}, *_REFS, {"name": "lucky", "type": "flag"}]
CONFIG: Raw = {
    "about": "Shops",
    "unit": "shop",
    "window": ["2024-01", "2024-12", "monthly"],
    "seed": 11,
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [1, 9]},
        {"name": "mood", "type": "score", "polarity": "positive"},
    ],
    "segments": [
        {"name": "old", "count": 37, "archetype": "decline"},
        {"name": "new", "count": 23, "archetype": "growth", "arrival": {"kind": "uniform", "end": 9}},
    ],
    "dimensions": [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [{"name": "shop_id", "type": "id"}, {"name": "segment", "type": "segment.name"}],
        }
    ],
    "facts": [
        {"name": "fct_all", "columns": [*_REFS, {"name": "mood", "type": "metric.mood"}]},
        {"name": "fct_order", "row_count_driver": "visits", "columns": _KEYED},
        {
            "name": "fct_line",
            "parent_table": "fct_order",
            "children_per_row": [1, 4],
            "columns": [{"name": "line_id", "type": "id"}, {"name": "order_id", "type": "ref.fct_order"}, *_REFS],
        },
        {"name": "fct_month", "per": "period", "columns": [_REFS[0], {"name": "mood", "type": "metric.mood"}]},
    ],
    "events": [
        {"name": "evt_visit", "trigger": "proportional", "driver": "visits", "columns": _KEYED},
        {
            "name": "evt_low",
            "trigger": "threshold",
            "metric": "mood",
            "below": 0.4,
            "refire": True,
            "columns": _KEYED,
        },
    ],
}
ISSUES: dict[str, Raw] = {
    "null_injection": {"column": "lucky"},
    "type_mismatch": {"column": "lucky"},
    "schema_drift": {"column": "lucky"},
    "orphaned_keys": {"column": "shop_id"},
    "duplicate_rows": {},
    "late_arrival": {},
    "late_delivery": {},
    "redelivery": {"up_to": 1},
    "spike": {"issue": "volume_anomaly", "mode": "spike", "since": "2024-01-01"},
    "drop": {"issue": "volume_anomaly", "mode": "drop", "since": "2024-01-01"},
}
TABLES = ("fct_all", "fct_order", "fct_line", "fct_month", "evt_visit", "evt_low")
OF_UNITS = [
    (table, issue)
    for table in TABLES
    for issue in ("duplicate_rows", "drop", "late_delivery")
    if table != "fct_month" and (table, issue) != ("fct_order", "drop")  # whose rows others refer to
]
OPEN: Raw = {
    **CONFIG,
    "window": {"start": "2024-01", "every": "month", "span": 12},
    "segments": [
        {
            "name": name,
            "count": 7,
            "archetype": "growth",
            "arrival": {"kind": "ongoing", "per_period": rate},
            "tenure": tenure,
        }
        for name, rate, tenure in (("long", 1.5, {"mean": 30}), ("short", 2.5, {"mean": 4}))
    ],
}
"""A dataset whose units come and go for ever."""


def broken(raw: Raw, *issues: Raw) -> Plan:
    return from_mapping({**raw, "quality": list(issues)}, name="shops")


def counts(plan: Plan, table: str) -> pd.DataFrame:
    """Return, for each period and segment, how many rows a table has without issues and how many of them are in the
    ledger."""
    clean = generate_tables(plan.clean)
    rows, ledger = clean[table], generate_tables(plan, tables=[LEDGER])[LEDGER]
    if "shop_id" in rows:
        rows = rows.merge(clean["dim_shop"], on="shop_id")
    else:
        rows = rows.assign(segment="all")
    keys = list(plan.clean.table(table).key)
    rows["row_key"] = rows[keys].astype(str).agg("|".join, axis=1)
    keyed = ledger["row_key"].str.removesuffix("-X").drop_duplicates()
    rows["here"] = rows["row_key"].isin(set(keyed))
    assert rows["here"].sum() == len(keyed)
    return rows.groupby(["date_key", "segment"])["here"].agg(["size", "sum"])


@pytest.mark.parametrize("rate", slow_but([0.1, 0.35, 0.8], 0.35))
@pytest.mark.parametrize("issue", slow_but(ISSUES, *list(ISSUES)[:2]))
def test_every_issue_is_exact_in_each_period_of_each_segment(issue: str, rate: float) -> None:
    """But for the last, from which nothing comes again within the window."""
    actual = counts(broken(CONFIG, {"table": "evt_visit", "issue": issue, "rate": rate, **ISSUES[issue]}), "evt_visit")
    actual = actual.drop(20241201)
    assert len(actual) == 21  # nobody of one segment is there in January
    assert (actual["sum"] >= np.floor(actual["size"] * rate - 1e-9)).all()
    assert (actual["sum"] <= np.ceil(actual["size"] * rate + 1e-9)).all()


@pytest.mark.parametrize("table", TABLES)
def test_rows_of_every_kind_are_exact(table: str) -> None:
    actual = counts(broken(CONFIG, {"table": table, "issue": "duplicate_rows", "rate": 0.3}), table)
    assert (actual["sum"] - actual["size"] * 0.3).abs().lt(1).all()


def test_the_fraction_is_right_on_average() -> None:
    """Of 1 row each month over 400 months a third: within four standard errors of drawing each month for itself."""
    raw = {**CONFIG, "window": ["1990-01", "2023-04", "monthly"]}
    actual = counts(broken(raw, {"table": "fct_month", "issue": "duplicate_rows", "rate": 1 / 3}), "fct_month")
    assert len(actual) == 400
    assert abs(actual["sum"].sum() - 400 / 3) < 4 * np.sqrt(400 * (1 / 3) * (2 / 3))


def test_a_drift_without_a_period_is_of_all_rows() -> None:
    """20 % are 20 % of the table, not of a part of it."""
    plan = broken(CONFIG, {"table": "fct_all", "issue": "schema_drift", "rate": 0.2, "column": "mood"})
    rows = generate_tables(plan, tables=["fct_all"])["fct_all"]
    assert abs(rows["mood_v2"].notna().sum() - 0.2 * len(rows)) <= 24  # less than one for each period and segment


def test_more_units_and_another_segment_leave_what_is_broken() -> None:
    issues = [{"table": table, "issue": "duplicate_rows", "rate": 0.3} for table in TABLES if table != "fct_month"]
    first, second = CONFIG["segments"]
    more = [{"name": "other", "count": 9, "archetype": "flat"}, {**first, "count": 40}, {**second, "count": 31}]
    before = generate_tables(broken(CONFIG, *issues), tables=[LEDGER])[LEDGER]
    after = generate_tables(broken({**CONFIG, "segments": more}, *issues), tables=[LEDGER])[LEDGER]
    clean = generate_tables(from_mapping(CONFIG, name="shops"))["dim_shop"]["shop_id"].str.split("-").str[1]
    matches = after[after["row_key"].str.split(r"[-|]", regex=True).str[1].isin(set(clean))]
    assert len(after) > len(matches) > 1000
    pd.testing.assert_frame_equal(matches.reset_index(drop=True), before)


@pytest.mark.slow
def test_more_units_that_keep_arriving_leave_what_is_broken() -> None:
    raw = {**OPEN, "quality": [{"table": "evt_visit", "issue": "duplicate_rows", "rate": 0.3}]}
    periods = "2024-01..2027-12"
    before, after = (
        set(
            generate_tables(from_mapping(raw, name="shops", scale=scale), tables=[LEDGER], periods=periods)[LEDGER][
                "row_key"
            ]
        )
        for scale in (1.0, 2.0)
    )
    shops = generate_tables(from_mapping(raw, name="shops"), tables=["dim_shop"], periods=periods)["dim_shop"]["shop_id"]
    values = {key for key in after if key.split("-")[1] in set(shops.str.split("-").str[1])}
    assert len(after) > len(before) > 100
    assert values == before


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few units are counted together, so that slices cut groups, and segments and cohorts have several."""
    monkeypatch.setattr(rank, "GROUP_SIZE", 5)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("raw", [CONFIG, pytest.param(OPEN, marks=pytest.mark.slow)], ids=["closed", "open"])
@pytest.mark.parametrize(("table", "issue"), OF_UNITS)
def test_any_units_alone_are_broken_as_they_are_among_all(table: str, issue: str, raw: Raw) -> None:
    """Cut anywhere, also within what is counted together."""
    plan = broken(raw, {"table": table, "issue": issue, "rate": 0.35, **ISSUES[issue]})
    every = full_slice(plan.population, None, plan.first + (60 if raw is OPEN else 12))
    cuts = [0, 1, 4, 9, 30, 44, every.unit_stop]
    both = [_rows(plan, table, every)]
    both.append(pa.concat_tables(_rows(plan, table, Slice(every.first, every.stop, *cut)) for cut in pairwise(cuts)))
    key = [(name, "ascending") for name in plan.table(table).key]
    one, other = (rows.sort_by(key) for rows in both)
    assert one.num_rows > 50
    assert one.equals(other)


@pytest.mark.usefixtures("small_groups")
def test_the_groups_of_a_roster_are_counted() -> None:
    """37 and 23 units in fives are 13 groups; of units that come for ever there are more as time goes on."""
    assert rank.most_groups(broken(CONFIG).population, 700) == 13
    plan = broken(OPEN)
    assert rank.most_groups(plan.population, plan.first + 1) == 4
    assert units_by(plan.population, plan.first + 60) > 200
    assert rank.most_groups(plan.population, plan.first + 60) > 20


def _rows(plan: Plan, table: str, slice_: Slice) -> pa.Table:
    return pa.Table.from_batches(build(plan, plan.table(table), slice_), plan.table(table).schema)

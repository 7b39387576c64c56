"""When rows are delivered: as the issues say, any partition alone, and the latest delivery of a key is the right one."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from plotsim_core import Plan, explain, from_mapping, sizes
from plotsim_core.config.quality import DELIVERED, LEDGER
from plotsim_core.engine.slice import Slice
from plotsim_core.tables.ledger import DELIVERY_DATE
from plotsim_core.truth.restore import restored
from tests.laws.made import afresh, chunks_of, differing, in_periods, made_of, made_table
from tests.laws.strategies import Raw
from tests.laws.test_quality import CONFIG, ISSUES, broken, hold_restored
from tests.laws.test_slice import hold_periods, hold_units, some_periods

PAGE = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
LATE: Raw = {"table": "fct_all", "issue": "late_delivery", "up_to": 3}
AGAIN: Raw = {"table": "fct_all", "issue": "redelivery", "up_to": 4}
RIGHT: Raw = {"table": "fct_all", "issue": "restatement", "column": "refunds"}
EVENTS: list[Raw] = [
    {"table": "evt_visit", "issue": "late_delivery", "up_to": 2},
    {"table": "evt_visit", "issue": "restatement", "column": "bought", "up_to": 2},
    {"table": "evt_visit", "issue": "restatement", "column": "at"},
]
ALL: list[Raw] = [LATE, AGAIN, RIGHT, {**RIGHT, "column": "word"}, *EVENTS]
CLEAN = from_mapping(CONFIG, name="clean")


def plan_of(*issues: Raw, rate: float = 0.3) -> Plan:
    return broken(*issues, rate=rate)


def months(keys: pd.Series) -> pd.Series:
    """Return date keys as numbers of months."""
    return keys // 10000 * 12 + keys // 100 % 100


def delivered(*issues: Raw, rate: float = 0.3, name: str = "fct_all") -> pd.DataFrame:
    """Return the rows of a table with the months by which each is late."""
    rows = made_table(plan_of(*issues, rate=rate), name).to_pandas()
    return rows.assign(late=months(rows[DELIVERED]) - months(rows["date_key"]))


def ledger_rows(plan: Plan, action: str, name: str = "fct_all") -> pd.DataFrame:
    """Return what the ledger says of an action."""
    ledger = made_table(plan, LEDGER).to_pandas()
    return ledger[(ledger["action"] == action) & (ledger["table_name"] == name)]


def test_a_late_row_comes_once_and_up_to_as_many_periods_late() -> None:
    rows = delivered(LATE)
    assert set(rows["late"]) == {0, 1, 2, 3}
    assert not rows.duplicated(["date_key", "shop_id"]).any()
    early = rows[rows["date_key"] <= 20240901]  # all rows of these months have come
    assert len(early) == 9 * 150
    share, error = (early["late"] > 0).mean(), (0.3 * 0.7 / len(early)) ** 0.5
    assert abs(share - 0.3) < 4 * error
    counts = early["late"].value_counts()
    assert all(abs(counts[k] - len(early) * 0.1) < 4 * (len(early) * 0.1 * 0.9) ** 0.5 for k in (1, 2, 3))


def test_what_is_held_back_and_not_delivered_never_comes() -> None:
    """The ledger lists each late row where it is missed, and where it comes; of the last months some never do."""
    plan, rows = plan_of(LATE), delivered(LATE)
    stored, came = (set(ledger_rows(plan, action)["row_key"]) for action in ("held_back", "delivered"))
    key = rows["shop_id"] + "|" + rows["date_key"].astype(str)
    assert came == set(key[rows["late"] > 0])
    assert came < stored
    assert 12 * 150 - len(rows) == len(stored - came) > 0
    assert {key[-8:] for key in stored - came} == {"20241001", "20241101", "20241201"}
    assert (ledger_rows(plan, "held_back")[DELIVERY_DATE] == ledger_rows(plan, "held_back")["date_key"]).all()


def test_what_is_delivered_again_is_identical() -> None:
    rows = delivered(AGAIN)
    first, again = rows[rows["late"] == 0], rows[rows["late"] > 0]
    assert len(first) == 12 * 150
    assert set(again["late"]) == {1, 2, 3, 4}
    columns = [name for name in rows if name not in (DELIVERED, "late")]
    both = again.merge(first, on=columns, how="left", indicator=True)
    assert (both["_merge"] == "both").all()
    assert len(ledger_rows(plan_of(AGAIN), "redelivered")) == len(again) > 300


def test_what_is_restated_was_wrong_before_and_is_right_then() -> None:
    clean = made_table(CLEAN, "fct_all").to_pandas().set_index(["date_key", "shop_id"])
    rows = delivered(RIGHT).set_index(["date_key", "shop_id"])
    first, again = rows[rows["late"] == 0], rows[rows["late"] > 0]
    right = clean["refunds"]
    assert again["refunds"].equals(right.loc[again.index])
    ledger = ledger_rows(plan_of(RIGHT), "changed")
    wrong = first[(first["refunds"] != right.loc[first.index]) & right.loc[first.index].notna()]
    assert len(wrong) == (ledger["column_name"] == "refunds").sum() > len(again) * 0.9
    assert wrong["refunds"].div(right.loc[wrong.index]).between(0.49, 1.51).mean() > 0.99
    known = again.index.intersection(right[right.notna()].index)
    assert set(known) <= set(wrong.index)


def test_what_is_restated_says_when_it_was_updated() -> None:
    rows = delivered(RIGHT)
    again = rows["late"] > 0
    assert ((rows["_op"] == "U") == again).all()
    assert (rows.loc[again, "_updated_at"].dt.strftime("%Y%m01").astype(int) == rows.loc[again, DELIVERED]).all()
    assert (rows.loc[again, "_inserted_at"] < rows.loc[again, "_updated_at"]).all()


@pytest.mark.parametrize("column", ["refunds", "visits", "mood", "word"])
def test_a_provisional_value_is_never_the_right_one(column: str) -> None:
    ledger = ledger_rows(plan_of({**RIGHT, "column": column}, rate=1.0), "changed")
    ledger = ledger[ledger["column_name"] == column]
    assert len(ledger) > 1500
    assert (ledger["clean_value"] != ledger["stored_value"]).all()


def test_a_row_comes_at_most_once_in_a_period() -> None:
    rows = delivered(*ALL, rate=0.8)
    assert not rows.duplicated(["date_key", "shop_id", DELIVERED]).any()
    assert rows["late"].max() == 8  # three of the first delivery, five until it is put right


def test_whoever_keeps_the_latest_delivery_has_the_right_rows_as_far_as_they_have_come() -> None:
    """The code of docs/quality.md, as of every month: what is provisional is what the ledger says is so still."""
    config = yaml.safe_load(next(b for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if "restatement" in b))
    raw: dict[str, Any] = {**CONFIG, **config, "seed": 9}
    plan, clean = from_mapping(raw, name="shops"), from_mapping({**raw, "quality": []}, name="shops")
    latest, load = re.findall(r"```sql\n(.*?)```", PAGE, re.S)
    right = made_table(clean, "fct_shop").to_pandas().set_index(["date_key", "shop_id"]).sort_index()
    for stop in range(plan.first + 1, (plan.stop or 0) + 1):
        fct_shop = made_table(plan, "fct_shop", None, stop)
        ledger = made_table(plan, LEDGER, None, stop).to_pandas()
        with duckdb.connect() as connection:
            connection.register("fct_shop", fct_shop)
            answer = connection.sql(latest).df().set_index(["date_key", "shop_id"]).sort_index()
            assert connection.sql(load).df()["months_to_sum_anew"].max() <= 1 + 3 + 5
        stored, came = (set(ledger.loc[ledger["action"] == a, "row_key"]) for a in ("held_back", "delivered"))
        restated = set(ledger.loc[ledger["action"] == "restated", "row_key"])
        provisional = set(ledger.loc[(ledger["column_name"] == "refunds") & (ledger["action"] == "changed"), "row_key"])
        now = right[right.index.get_level_values(0) < int(plan.grain.keys(np.array([stop]))[0])]
        keys = pd.Series([f"{shop}|{date}" for date, shop in now.index], now.index)
        assert set(answer.index) == set(now.index[~keys.isin(stored - came)])
        known = keys.loc[answer.index]
        same = answer["refunds"].eq(now["refunds"].loc[answer.index]) | answer["refunds"].isna()
        assert set(known[~same]) == (provisional - restated) & set(known)


EACH = {"late": [LATE], "again": [AGAIN], "right": [RIGHT], "all": ALL, "with the others": [*ALL, *ISSUES.values()]}


@pytest.mark.parametrize("issues", EACH.values(), ids=EACH)
def test_the_ledger_gives_back_what_was_delivered_otherwise(issues: list[Raw]) -> None:
    hold_restored(plan_of(*issues), CLEAN)


def test_only_what_has_come_is_given_back_where_nothing_is_awaited() -> None:
    plan = plan_of(*ALL)
    stop = plan.first + 6
    rows, ledger = made_table(plan, "fct_all", None, stop), made_table(plan, LEDGER, None, stop)
    whole = restored(plan, {"fct_all": rows}, ledger)["fct_all"]
    come = restored(plan, {"fct_all": rows}, ledger, awaited=False)["fct_all"]
    assert whole.num_rows == made_table(CLEAN, "fct_all", None, stop).num_rows
    assert come.num_rows == len(rows.select(["date_key", "shop_id"]).to_pandas().drop_duplicates()) < whole.num_rows


def test_any_months_of_any_shops_are_those_of_the_whole() -> None:
    plan = plan_of(*ALL, *ISSUES.values())
    hold_periods(plan, some_periods(plan))
    hold_units(plan, [40])


@pytest.mark.parametrize("cells", [pytest.param(1, marks=pytest.mark.long), 40, 700])
def test_blocks_of_any_size_give_the_same_deliveries(cells: int) -> None:
    plan = plan_of(*ALL, ISSUES["a row twice"])
    expected = {name: made_table(plan, name, None, plan.first + 5) for name in ("fct_all", LEDGER)}
    with chunks_of(cells):
        assert all(
            not differing(made_table(afresh(plan), name, None, plan.first + 5), table) for name, table in expected.items()
        )


def test_rows_come_in_the_order_of_delivery_then_of_their_own_time() -> None:
    plan = plan_of(*ALL)
    rows = made_table(plan, "fct_all").to_pandas()
    clean = made_table(CLEAN, "fct_all").to_pandas()
    place = pd.Series(np.arange(len(clean)), pd.MultiIndex.from_frame(clean[["date_key", "shop_id"]]))
    rows["place"] = place.loc[pd.MultiIndex.from_frame(rows[["date_key", "shop_id"]])].to_numpy()
    assert rows.sort_values([DELIVERED, "place"], kind="stable").index.equals(rows.index)


def test_an_issue_from_a_date_on_is_about_no_row_before_it() -> None:
    """The day is of July, so that July is the first month; rows of it and later are broken as without a date."""
    for issue in (LATE, AGAIN, RIGHT, ISSUES["a null"], ISSUES["a row twice"], ISSUES["an orphan"], ISSUES["a late row"]):
        name = issue["table"]
        since, always = (plan_of({**issue, **more}) for more in ({"since": "2024-07-15"}, {}))
        ledger = made_table(since, LEDGER).to_pandas()
        everything = made_table(always, LEDGER).to_pandas()
        assert ledger["date_key"].min() == 20240701
        assert ledger.equals(everything[everything["date_key"] >= 20240701].reset_index(drop=True)), name


def test_anomalies_and_drift_from_a_date_on_are_those_of_the_periods_from_it_on() -> None:
    spike, drift = ISSUES["more rows"], ISSUES["a column that drifts"]
    by_period = plan_of({**spike, "periods": list(range(6, 12))}, {**drift, "period": 6})
    by_date = plan_of(
        {**{k: v for k, v in spike.items() if k != "periods"}, "since": "2024-07"},
        {**{k: v for k, v in drift.items() if k != "period"}, "since": "2024-07-31"},
    )
    for name in ("evt_visit", "fct_all", LEDGER):
        assert not differing(*(made_table(plan, name).replace_schema_metadata(None) for plan in (by_date, by_period)))


def test_another_end_of_the_window_changes_no_delivery_before_it() -> None:
    values = {**CONFIG["window"], "span": 12}
    longer = {**CONFIG, "window": {**values, "end": "2025-04"}, "quality": [{"rate": 0.3, **issue} for issue in ALL]}
    shorter = {**longer, "window": values}
    long, short = from_mapping(longer, name="broken"), from_mapping(shorter, name="broken")
    for name in ("fct_all", "evt_visit", LEDGER):
        before = in_periods(long, long.table(name), made_table(long, name), long.first, long.first + 12)
        assert not differing(before.replace_schema_metadata(None), made_table(short, name).replace_schema_metadata(None)), (
            name
        )


def test_one_more_issue_changes_no_delivery_of_the_others() -> None:
    """But that a row comes once in a period, and again so long after it first came."""
    one, two = plan_of(RIGHT), plan_of(RIGHT, ISSUES["a null"], *EVENTS)
    first, second = (made_table(plan, "fct_all").to_pandas() for plan in (one, two))
    values = ["date_key", "shop_id", DELIVERED, "visits", "mood", "word"]
    assert first[values].equals(second[values])


def test_the_rows_of_other_tables_are_the_same() -> None:
    plan = plan_of(*[issue for issue in ALL if issue["table"] == "fct_all"])
    for name in ("evt_visit", "dim_shop", "dim_date"):
        assert not differing(*(made_table(p, name).replace_schema_metadata(None) for p in (plan, CLEAN)))


def test_explain_tells_of_deliveries() -> None:
    """A row that is restated is explained as it is last, with what it was before."""
    plan = plan_of(RIGHT)
    entry = ledger_rows(plan, "restated").iloc[5]
    shop, day = entry["row_key"].split("|")
    text = explain(plan, "fct_all", shop, day, "refunds").text()
    assert f"the row is restated in {entry[DELIVERY_DATE]}" in text
    assert "the value is changed in" in text


def test_a_part_of_the_units_and_of_the_time_of_a_table_of_parts_is_delivered_alike() -> None:
    """Wide tables and the parts of a fact show what of their fact was delivered."""
    raw = {**CONFIG, "holdout": {"target": "mood", "periods": 3}, "output": {"denormalized": True}}
    plan = from_mapping({**raw, "quality": [{"rate": 0.3, **issue} for issue in ALL]}, name="broken")
    fact = made_table(plan, "fct_all")
    assert not differing(
        made_table(plan, "fct_all_wide").select(fact.column_names).replace_schema_metadata(None),
        fact.replace_schema_metadata(None).cast(made_table(plan, "fct_all_wide").select(fact.column_names).schema),
    )
    parts = [made_table(plan, f"fct_all_{end}") for end in ("train", "holdout")]
    assert sum(part.num_rows for part in parts) == fact.num_rows
    assert pc.max(parts[0]["date_key"]).as_py() == 20240901
    assert pc.max(parts[0][DELIVERED]).as_py() > 20240901
    alone = [
        made_of(plan, plan.table("fct_all_train").name, Slice(p, q, 0, 150))
        for p, q in pairwise(range(plan.first, plan.stop + 1))
    ]
    assert not differing(
        pa.concat_tables(alone).combine_chunks().replace_schema_metadata(None), parts[0].replace_schema_metadata(None)
    )


def test_as_many_rows_are_told_beforehand_as_come() -> None:
    plan = plan_of(*ALL)
    for size in sizes(plan, tables=["fct_all", "evt_visit"]):
        rows = made_table(plan, size.table).num_rows
        assert abs(size.rows - rows) < 0.05 * rows

"""Breaking on purpose: it changes what it speaks of and nothing else, the ledger undoes it, and each row decides alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given

from plotsim_core import ConfigError, Plan, from_mapping
from plotsim_core.config.holdout import FEATURES
from plotsim_core.config.quality import ARRIVAL, LEDGER
from plotsim_core.engine.block import block
from plotsim_core.engine.slice import full_slice
from plotsim_core.tables.kind import table_kind
from plotsim_core.truth.restore import restored
from tests.laws.extended import without
from tests.laws.made import differing, frame, made_table
from tests.laws.strategies import Raw, configs, examples, plan_of
from tests.laws.test_extension import LATER

TO_UNIT = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
CONFIG: Raw = {
    "about": "Shops",
    "unit": "shop",
    "seed": 3,
    "window": {"start": "2024-01", "end": "2024-12", "every": "month"},
    "noise": {"mcar_rate": 0.05},
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 30]},
        {"name": "refunds", "type": "amount", "polarity": "negative", "range": [0, 500]},
        {"name": "mood", "type": "score", "polarity": "positive"},
    ],
    "segments": [{"name": "small", "count": 150, "archetype": "growth"}],
    "facts": [
        {
            "name": "fct_all",
            "cdc": True,
            "columns": [
                *TO_UNIT,
                {"name": "visits", "type": "metric.visits"},
                {"name": "refunds", "type": "metric.refunds"},
                {"name": "mood", "type": "metric.mood"},
                {"name": "word", "type": "faker.word"},
            ],
        }
    ],
    "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
    "events": [
        {
            "name": "evt_visit",
            "trigger": "proportional",
            "driver": "visits",
            "scale": 0.4,
            "columns": [
                {"name": "visit_id", "type": "id"},
                *TO_UNIT,
                {"name": "at", "type": "timestamp"},
                {"name": "bought", "type": "flag"},
            ],
        }
    ],
}
ISSUES: dict[str, Raw] = {
    "a null": {"table": "fct_all", "issue": "null_injection", "column": "refunds"},
    "a number of another type": {"table": "fct_all", "issue": "type_mismatch", "column": "refunds"},
    "a whole number of another type": {"table": "fct_all", "issue": "type_mismatch", "column": "visits"},
    "a text of another type": {"table": "fct_all", "issue": "type_mismatch", "column": "word"},
    "a moment of another type": {"table": "evt_visit", "issue": "type_mismatch", "column": "at"},
    "a yes of another type": {"table": "evt_visit", "issue": "type_mismatch", "column": "bought"},
    "a row twice": {"table": "evt_visit", "issue": "duplicate_rows"},
    "a late row": {"table": "fct_all", "issue": "late_arrival"},
    "a column that drifts": {"table": "fct_all", "issue": "schema_drift", "column": "mood", "period": 4},
    "more rows": {"table": "evt_visit", "issue": "volume_anomaly", "mode": "spike", "periods": [2, 7]},
    "fewer rows": {"table": "fct_all", "issue": "volume_anomaly", "mode": "drop", "period": 5},
    "an orphan": {"table": "fct_all", "issue": "orphaned_keys", "column": "shop_id"},
}
"""Every issue, and every type of column that one can be of."""


def broken(*issues: Raw, rate: float = 0.2) -> Plan:
    """Return the plan of the config with issues."""
    return from_mapping({**CONFIG, "quality": [{"rate": rate, **issue} for issue in issues]}, name="broken")


def tables(plan: Plan) -> dict[str, pa.Table]:
    """Return all tables of a plan."""
    return {table.name: made_table(plan, table.name) for table in plan.tables}


def in_order(rows: pa.Table, table: Any) -> pa.Table:
    """Return rows in the order in which they are restored, without what their schema says."""
    order = [(name, "ascending") for name in dict.fromkeys([table.time or table.key[0], *table.key])]
    return rows.sort_by(order).replace_schema_metadata(None).combine_chunks()


def hold_restored(plan: Plan, clean: Plan) -> None:
    """Check that the ledger gives back, cell by cell, what is made without `quality`."""
    stored = tables(plan)
    rows = restored(plan, stored, stored[LEDGER])
    for table in clean.tables:
        expected = in_order(made_table(clean, table.name), table)
        assert not differing(in_order(rows[table.name], table).cast(expected.schema), expected), table.name


@pytest.mark.parametrize("issue", ISSUES)
def test_the_ledger_gives_back_what_an_issue_broke(issue: str) -> None:
    plan = broken(ISSUES[issue])
    assert made_table(plan, LEDGER).num_rows > 0
    hold_restored(plan, from_mapping(CONFIG, name="clean"))


def test_the_ledger_gives_back_what_all_issues_broke_together() -> None:
    hold_restored(broken(*ISSUES.values()), from_mapping(CONFIG, name="clean"))


def test_the_ledger_gives_back_the_parts_of_a_fact() -> None:
    """A dropped row comes back in the part that its period belongs to."""
    drop = {"table": "fct_all", "issue": "volume_anomaly", "mode": "drop", "periods": [3, 10], "rate": 0.5}
    learnt = {**CONFIG, "holdout": {"target": "mood", "periods": 3}}
    hold_restored(from_mapping({**learnt, "quality": [drop]}, name="broken"), from_mapping(learnt, name="clean"))


@examples(25)
@given(configs())
def test_the_ledger_gives_back_what_was_broken(raw: Raw) -> None:
    if "quality" in raw:
        hold_restored(plan_of(raw), plan_of(without(raw, "quality")))


@pytest.mark.parametrize("issue", ISSUES)
def test_an_issue_changes_no_value_that_it_does_not_speak_of(issue: str) -> None:
    """Other tables are the same bytes, and so are the other columns of the rows that are still there."""
    options = ISSUES[issue]
    clean, plan = from_mapping(CONFIG, name="clean"), broken(options)
    changed = {options.get("column"), "_inserted_at", "_updated_at", "_op"}
    for table in clean.tables:
        before, after = made_table(clean, table.name), made_table(plan, table.name)
        if table.name != options["table"]:
            assert not differing(after.replace_schema_metadata(None), before.replace_schema_metadata(None))
            continue
        values = [name for name in before.column_names if name not in changed]
        old, new = frame(before.select(values)), frame(after.select(values))
        if options["issue"] in ("duplicate_rows", "volume_anomaly"):
            old, new = (rows.drop_duplicates().set_index(list(set(table.key) - changed)) for rows in (old, new))
            assert new.equals(old.loc[new.index])
        else:
            assert new.equals(old)


@pytest.mark.parametrize("issue", ISSUES)
def test_as_many_rows_are_broken_as_the_rate_says(issue: str) -> None:
    """Within four standard errors of a binomial draw, of the rows that the issue can be about."""
    options, rate = ISSUES[issue], 0.2
    clean = made_table(from_mapping(CONFIG, name="clean"), options["table"])
    periods = options.get("periods") or ([options["period"]] if "period" in options else None)
    if options["issue"] == "schema_drift":
        periods = list(range(options["period"], 12))
    if periods is not None:
        clean = clean.filter(pc.is_in(clean["date_key"], pa.array([20240101 + 100 * period for period in periods])))
    column = options.get("column")
    rows = clean.num_rows - (clean[column].null_count if column else 0)
    ledger = made_table(broken(options, rate=rate), LEDGER)
    count = len(set(ledger["row_key"].to_pylist()))
    assert abs(count - rows * rate) < 4 * (rows * rate * (1 - rate)) ** 0.5


def test_two_issues_of_one_kind_break_rows_independently() -> None:
    """With another offset, and in another column: of rows with the one, a share of `rate` has the other."""
    first = {"table": "fct_all", "issue": "null_injection", "column": "refunds"}
    ledger = made_table(broken(first, {**first, "column": "mood"}, {**first, "column": "visits", "seed_offset": 1}), LEDGER)
    sets = [set(ledger.filter(pc.equal(ledger["issue_number"], n))["row_key"].to_pylist()) for n in (1, 2, 3)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        rows, both = len(sets[one]), len(sets[one] & sets[other])
        assert abs(both - 0.2 * rows) < 4 * (rows * 0.2 * 0.8) ** 0.5 + 0.05 * rows


def test_the_same_issue_twice_breaks_twice_as_many_rows() -> None:
    once, twice = (made_table(broken(*[ISSUES["a null"]] * count), LEDGER).to_pandas() for count in (1, 2))
    lost = twice[twice["column_name"] == "refunds"]
    assert set(once["row_key"]) == set(lost.loc[lost["issue_number"] == 1, "row_key"])
    rows = 12 * 150 * 0.95
    assert abs(len(lost) - rows * 0.36) < 4 * (rows * 0.36 * 0.64) ** 0.5


def test_a_copy_follows_its_original() -> None:
    rows = made_table(broken(ISSUES["a row twice"]), "evt_visit").to_pandas()
    copies = rows["visit_id"].duplicated()
    assert copies.sum() > 0
    assert (rows["visit_id"].shift()[copies] == rows["visit_id"][copies]).all()


def test_a_late_row_arrives_in_one_of_the_next_five_periods() -> None:
    """The arrival is a date of the calendar: months after the row's, over the end of the year."""
    rows = made_table(broken(ISSUES["a late row"]), "fct_all").to_pandas().dropna(subset=[ARRIVAL])
    months = {
        name: rows[name].astype(int) // 10000 * 12 + rows[name].astype(int) // 100 % 100 for name in ("date_key", ARRIVAL)
    }
    assert (rows[ARRIVAL].astype(int) % 100 == 1).all()
    assert set((months[ARRIVAL] - months["date_key"]).unique()) == {1, 2, 3, 4, 5}


def test_a_column_drifts_from_its_period_on() -> None:
    """By default in all of them, and a column that is renamed from the middle of the span; a value is in one of the two
    columns, never in both."""
    for options, first in (
        (ISSUES["a column that drifts"], 20240501),
        (ISSUES["a column that drifts"] | {"period": None}, 20240101),
        (ISSUES["a column that drifts"] | {"period": None, "mode": "rename"}, 20240701),
    ):
        rows = made_table(broken(options, rate=1.0), "fct_all").to_pandas()
        late = rows["date_key"] >= first
        assert rows.loc[late, "mood"].isna().all()
        assert rows.loc[~late, "mood_v2"].isna().all()
        assert rows.loc[late, "mood_v2"].notna().sum() > 0.8 * late.sum()


def test_no_misspelt_number_can_be_read_as_one() -> None:
    rows = made_table(broken(ISSUES["a number of another type"], rate=1.0), "fct_all").to_pandas()["refunds"].dropna()
    assert len(rows) > 1000
    assert rows.map(lambda text: text == "n/a" or "," in text or text.startswith("ca. ")).all()


def test_an_orphan_refers_to_no_row() -> None:
    plan = broken(ISSUES["an orphan"])
    keys = set(made_table(plan, "dim_shop")["shop_id"].to_pylist())
    lost = [key for key in made_table(plan, "fct_all")["shop_id"].to_pylist() if key not in keys]
    assert (
        len(lost)
        == made_table(plan, LEDGER).filter(pc.equal(made_table(plan, LEDGER)["column_name"], "shop_id")).num_rows
        > 100
    )


def of_country(keys: list[Any], *issues: Raw) -> Raw:
    """Return the config with visits that refer to countries with keys of their own."""
    country = {"name": "dim_country", "reference": True, "columns": [{"name": "code", "type": "id", "values": keys}]}
    visit = CONFIG["events"][0]
    columns = [*visit["columns"], {"name": "code", "type": "ref.dim_country"}]
    return {
        **CONFIG,
        "dimensions": [*CONFIG["dimensions"], country],
        "events": [{**visit, "columns": columns}],
        "quality": [{"table": "evt_visit", "issue": "orphaned_keys", "column": "code", "rate": 0.2, **i} for i in issues],
    }


@pytest.mark.parametrize(
    "keys", [["KR", "KR-X", "B"], ["A", "A-X-X", "-X"], ["A", "A-X", "A-X-X"], [7, 300, 5], [-4, 0], [2**62, 2**62 + 8], [9]]
)
def test_no_orphan_of_a_key_of_ones_own_refers_to_a_row(keys: list[Any]) -> None:
    """Whatever the keys end with, texts or whole numbers, and where two issues make orphans; the ledger gives them back."""
    raw = of_country(keys, {}, {"seed_offset": 1, "rate": 0.5})
    plan, unbroken = from_mapping(raw, name="broken"), from_mapping({**raw, "quality": []}, name="broken")
    stored = made_table(plan, "evt_visit")["code"].to_pylist()
    ledger = made_table(plan, LEDGER).to_pandas()
    lost = ledger.groupby("row_key")["issue"].count()
    assert sum(key not in keys for key in stored) == len(lost) > 100
    assert lost.max() == 2
    hold_restored(plan, unbroken)


def test_keys_that_leave_no_number_for_orphans_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"keys of dim_country lie so far apart, -1 to 9223372036854775807, that no whole"):
        from_mapping(of_country([-1, 2**63 - 1], {}), name="broken")
    dates = of_country([1], {"column": "date_key"})
    with pytest.raises(ConfigError, match="date_key is a date or a time"):
        from_mapping(dates, name="broken")


def test_a_row_that_was_broken_says_that_it_changed() -> None:
    """Op U, changed after it was written and before its period ended; all other rows as they were."""
    plan = broken(ISSUES["a null"])
    ledger = made_table(plan, LEDGER).to_pandas()
    values = set(ledger.loc[ledger["column_name"] == "refunds", "row_key"])
    rows = made_table(plan, "fct_all").to_pandas()
    mask = (rows["shop_id"] + "|" + rows["date_key"].astype(str)).isin(values)
    assert ((rows["_op"] == "U") == mask).all()
    assert (rows.loc[mask, "_updated_at"] > rows.loc[mask, "_inserted_at"]).all()
    assert (rows.loc[~mask, "_updated_at"] == rows.loc[~mask, "_inserted_at"]).all()
    assert (rows["_updated_at"].dt.strftime("%Y%m01").astype(int) == rows["date_key"]).all()


def test_where_no_row_is_none_says_that_it_changed() -> None:
    """A period with no row of a fact that tells when its rows were written: no unit has arrived yet."""
    late = {**CONFIG["segments"][0], "count": 2, "arrival": {"kind": "explicit", "start_periods": [3, 4]}}
    plan = from_mapping({**CONFIG, "segments": [late], "quality": [{**ISSUES["a null"], "rate": 1}]}, name="late")
    assert made_table(plan, "fct_all", plan.first, plan.first + 1).num_rows == 0
    assert made_table(plan, LEDGER, plan.first, plan.first + 1).num_rows == 0


def test_a_clean_dataset_has_no_ledger() -> None:
    assert LEDGER not in [table.name for table in from_mapping(CONFIG, name="clean").tables]


@examples(25)
@given(configs())
def test_every_row_that_can_be_broken_has_an_address_of_its_own(raw: Raw) -> None:
    population = plan_of(raw).population
    slice_ = full_slice(population)
    for table in population.unit_tables:
        kind = table_kind(table)
        if table.time is None or kind.is_derived or table.spec.is_date_dimension:
            continue
        parts = [kind.rows_in(table, block(population, part)).address for part in kind.cut(population, slice_)]
        addresses = np.concatenate(parts) if parts else np.empty(0)
        assert len(np.unique(addresses)) == len(addresses), table.name


@examples(15)
@given(configs())
def test_features_as_of_a_moment_are_those_of_a_window_that_ends_there(raw: Raw) -> None:
    """Nothing that happens later is in them."""
    raw = without(raw, "holdout", "quality")
    raw["entity_features"] = True
    before = plan_of(raw)
    later = {**raw["window"], "end": LATER[raw["window"]["every"]], "span": before.span}
    after = plan_of({**raw, "window": later})
    assert not differing(
        made_table(after, FEATURES, None, before.stop).replace_schema_metadata(None),
        made_table(before, FEATURES).replace_schema_metadata(None),
    )


def test_tables_of_a_further_kind_of_unit_are_broken_alike() -> None:
    """They are listed in the same ledger, and given back by it."""
    to_owner = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "owner_id", "type": "ref.dim_owner"}]
    owner = {
        "unit": "owner",
        "metrics": [{"name": "wealth", "type": "amount", "polarity": "positive", "range": [1, 100]}],
        "segments": [{"name": "family", "count": 40, "archetype": "growth"}],
        "dimensions": [{"name": "dim_owner", "per": "unit", "columns": [{"name": "owner_id", "type": "id"}]}],
        "facts": [{"name": "fct_owner", "columns": [*to_owner, {"name": "wealth", "type": "metric.wealth"}]}],
    }
    raw = {**without(CONFIG, "noise"), "units": [owner]}
    issues = [
        {"table": "fct_owner", "issue": "null_injection", "rate": 0.2, "column": "wealth"},
        {"table": "fct_owner", "issue": "duplicate_rows", "rate": 0.2},
        {"table": "fct_all", "issue": "null_injection", "rate": 0.2, "column": "mood"},
    ]
    plan = from_mapping({**raw, "quality": issues}, name="broken")
    assert set(made_table(plan, LEDGER)["table_name"].to_pylist()) == {"fct_owner", "fct_all"}
    hold_restored(plan, from_mapping(raw, name="clean"))

"""What plotsim 0.7.0 takes and ignores works here, or is refused when the config is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.compatibility.designed import REFUSED
from plotsim_core import from_mapping, generate_tables, load_config
from tests.compatibility.test_proofs import growing, late
from tests.errors.cases import all_cases

TEXTS = {case.name: case.text for case in all_cases() if case.theme.stem == "plotsim"}
Raw = dict[str, Any]

SAID = {
    "a count with a continuous distribution, or an amount with one of counts": "does not make values of type",
    "`scale` of a beta distribution that is not the width of its range": "scale: a beta distribution has no such parameter",
    "`alpha` and `beta` of a beta distribution that add up to less than 2": "precision: expected 2 to 10000, found 0.8",
    "a `decay_window` of 1": "decay_window: expected at least 2",
    "`decay_kernel` without `decay_window`": "decay_kernel: has no effect without `decay_window`",
    "blocks of a step arrival out of order": "the periods must rise",
    "a treatment of nobody, or without a lift": "0 has no effect: no unit would be treated",
    "a season of -1 or less": "strength: expected more than -1",
    "a phase without connections": "connections: expected a list of at least 1",
    "`downgrade_delay` without `enforce_order`": "downgrade_delay: has no effect without `enforce_order",
    "`lifecycle` of a metric that no fact holds": "no fact has a column of type metric.",
    "a noise family or `scale_with_trajectory` without `gaussian_sigma`": "noise_family and scale_with_trajectory have no",
    "a column of `dim_date` that is no part of a date": "no part of a date is named 'moon'",
    "options of another type of column": "labels: unknown key",
    "`faker.currency` and `faker.random_elements`": "faker.currency gives lists",
    "`tiers` and `at` of the same length": "2 tiers have 1 edges, found 2",
    "an event of `scale` 0": "scale: expected more than 0, found 0",
    "`log_filename` without `log_format`": "log_filename: has no effect without log_format",
    "a bridge to `dim_date`": "dim_date has the periods",
    "a bridge with more links than there are rows to link to": "cardinality: expected at most 2",
    "an attribute that some segments lack, in a pool": "segment new has no attribute 'oven'",
    "a column named in damage of whole rows": "column: has no effect: duplicate_rows is about whole rows",
    "a holdout that leaves less than `min_training_periods`": "holdout.periods: expected at most 9",
    "`sql_dialect` without `format: sql` (but for the usual one), `partition_by` without `format: parquet`": "has no effect "
    "without `format: sql`",
    "an output directory outside the current one": "expected a folder below the current one",
    "names of more than 63 letters": "up to 63 letters",
}
"""What the texts in tests/errors/plotsim.yaml say of it."""


def test_everything_that_the_page_calls_refused_is_refused() -> None:
    texts = "\n".join(TEXTS.values())
    assert REFUSED.keys() == SAID.keys()
    assert [what for what, text in SAID.items() if text not in texts] == []


FOUND_LATE = [
    "Faker has no locale",
    "a gamma distribution has no such parameter",
    "the curve sigmoid has no such parameter",
    "Faker has no provider",
    "expected country, country_code",
    "has no value 'TILL-009'",
    "expected low < high",
    "is no column of the event",
    "no metric is named 'visit'",
]


@pytest.mark.parametrize("text", FOUND_LATE)
def test_what_plotsim_finds_while_it_generates_is_found_when_the_config_is_loaded(text: str) -> None:
    assert text in TEXTS["plotsim_found_late"]


REFERENCES = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]


def shops(**more: Any) -> dict[str, pd.DataFrame]:
    """Return the tables of forty shops."""
    raw: Raw = {
        "about": "Shops",
        "unit": "shop",
        "window": ["2024-01", "2024-12"],
        "metrics": [
            {"name": "visits", "type": "count", "polarity": "positive"},
            {"name": "mood", "type": "score", "polarity": "positive"},
        ],
        "segments": [{"name": "all", "count": 40, "archetype": "growth", "attributes": {"oven": ["wood", "gas"]}}],
        "dimensions": [dimension("dim_shop", {"name": "shop_id", "type": "id"}, per="unit")],
    }
    return generate_tables(from_mapping({**raw, **more}, name="shops"))


def dimension(name: str, *columns: Raw, **more: Any) -> Raw:
    return {"name": name, "columns": list(columns), **more}


def event(name: str, *columns: Raw, **more: Any) -> Raw:
    return {"name": name, "columns": [{"name": "event_id", "type": "id"}, *REFERENCES, *columns], **more}


def test_the_metrics_of_a_fact_get_a_column_by_themselves() -> None:
    fact = shops(facts=[{"name": "fct_shop", "metrics": ["mood", "visits"], "columns": REFERENCES}])["fct_shop"]
    assert {"mood", "visits"} <= set(fact.columns) and fact["mood"].between(0, 1).all()


def test_the_driver_of_a_bridge_decides_how_many_links_there_are() -> None:
    """Shops of high trust have more perks than shops of low trust when trust drives them, fewer when risk does."""
    links = {}
    for driver in ("trust", "risk"):
        bridge = {"name": "bridge_perk", "left": "dim_shop", "right": "dim_perk", "cardinality": [0, 6], "driver": driver}
        segments = [{"name": word, "count": 60, "archetype": word} for word in ("growth", "decline")]
        tables = generate_tables(late(bridges=[bridge], segments=segments))
        trust = tables["fct_trust"].groupby("shop_id")["trust"].mean()
        number = tables["bridge_perk"].groupby("shop_id").size().reindex(trust.index, fill_value=0)
        links[driver] = np.corrcoef(trust, number)[0, 1]
    assert links["trust"] > 0.2 and links["risk"] < -0.2


def test_a_baseline_moves_a_count() -> None:
    facts = {}
    for word in ("low", "high"):
        segment = {"name": "all", "count": 40, "archetype": "flat", "baseline": {"visits": word}}
        fact = {"name": "fct_shop", "columns": [*REFERENCES, {"name": "visits", "type": "metric.visits"}]}
        facts[word] = shops(segments=[segment], facts=[fact])["fct_shop"]["visits"].mean()
    assert facts["high"] > 2 * facts["low"]


def test_a_declared_column_of_the_dates_is_there() -> None:
    days = [{"name": "date_key", "type": "id"}, {"name": "day_name", "type": "string"}]
    raw = {"window": ["2024-01", "2024-02", "daily"], "dimensions": [dimension("dim_date", *days, per="period")]}
    unit = dimension("dim_shop", {"name": "shop_id", "type": "id"}, per="unit")
    dates = shops(**{**raw, "dimensions": [*raw["dimensions"], unit]})["dim_date"]
    assert dates["day_name"].head(3).tolist() == ["Monday", "Tuesday", "Wednesday"]


def test_a_threshold_event_needs_no_flag_and_no_fact_of_its_metric() -> None:
    plan = shops(
        facts=[{"name": "fct_shop", "columns": [*REFERENCES, {"name": "visits", "type": "metric.visits"}]}],
        events=[event("evt_glad", trigger="threshold", metric="mood", above=0.8)],
    )["evt_glad"]
    assert len(plan) > 20


def test_a_range_and_a_bucket_are_in_place_in_dimensions_and_events() -> None:
    range_ = {"name": "floor", "type": "range", "range": [1, 9]}
    bucket = {"name": "level", "type": "bucket", "labels": ["low", "mid", "high"]}
    tables = shops(
        dimensions=[dimension("dim_shop", {"name": "shop_id", "type": "id"}, range_, bucket, per="unit")],
        facts=[{"name": "fct_shop", "columns": [*REFERENCES, {"name": "mood", "type": "metric.mood"}]}],
        events=[event("evt_visit", range_, bucket, trigger="proportional", driver="visits", scale=1)],
    )
    for table in ("dim_shop", "evt_visit"):
        assert tables[table]["floor"].between(1, 9).all() and tables[table]["floor"].nunique() >= 6
        assert set(tables[table]["level"]) <= {"low", "mid", "high"}
    assert tables["evt_visit"]["level"].nunique() == 3


def test_a_list_of_static_values_is_a_choice_in_facts_and_events() -> None:
    column = {"name": "severity", "type": "static.warning,review,alarm"}
    tables = shops(
        facts=[{"name": "fct_shop", "columns": [*REFERENCES, column]}],
        events=[event("evt_visit", column, trigger="proportional", driver="visits", scale=1)],
    )
    for table in ("fct_shop", "evt_visit"):
        assert set(tables[table]["severity"]) == {"warning", "review", "alarm"}


def test_an_event_refers_to_any_row_of_a_listed_dimension() -> None:
    tills = dimension(
        "dim_till", {"name": "till_id", "type": "id"}, {"name": "kind", "type": "static.a,b,c"}, reference=True
    )
    tables = shops(
        dimensions=[dimension("dim_shop", {"name": "shop_id", "type": "id"}, per="unit"), tills],
        facts=[{"name": "fct_shop", "columns": [*REFERENCES, {"name": "mood", "type": "metric.mood"}]}],
        events=[
            event("evt_glad", {"name": "till_id", "type": "ref.dim_till"}, trigger="threshold", metric="mood", above=0.6)
        ],
    )
    assert tables["evt_glad"]["till_id"].nunique() == 3


def test_a_lag_is_null_before_the_series_begins() -> None:
    columns = [{"name": "mood", "type": "metric.mood"}, {"name": "before", "type": "lag.mood:periods:2"}]
    fact = shops(facts=[{"name": "fct_shop", "columns": [*REFERENCES, *columns]}])["fct_shop"]
    fact = fact.sort_values(["shop_id", "date_key"])
    shifted = fact.groupby("shop_id")["mood"].shift(2)
    assert fact["before"].isna().sum() == 2 * 40
    pd.testing.assert_series_equal(fact["before"], shifted, check_names=False)


def test_the_parameters_of_a_distribution_change_it() -> None:
    def spread(shape: float) -> float:
        metric = {"type": "amount", "range": [50, 5000], "polarity": "positive", "distribution": "weibull"}
        plan = growing(**metric, distribution_params={"shape": shape})
        values = generate_tables(plan)["fct_value"]["value"]
        assert values.nunique() > 1000
        return float(values.std() / values.mean())

    assert spread(1.0) > 1.3 * spread(5.0)


def test_a_prefix_days_and_shapes_without_breaks_are_taken() -> None:
    tables = shops(
        window=["2024-01-01", "2024-12-31"],
        segments=[{"name": "all", "count": 40, "archetype": "flat > growth"}],
        dimensions=[dimension("dim_shop", {"name": "shop_id", "type": "id", "prefix": "SHP"}, per="unit")],
    )
    assert len(tables["dim_date"]) == 12 and tables["dim_shop"]["shop_id"].str.startswith("SHP-").all()


def test_a_stage_of_an_amount_is_a_share_of_its_range() -> None:
    """Not the amount itself, which would put every row in the last stage."""
    fact = {"name": "fct_shop", "columns": [*REFERENCES, {"name": "takings", "type": "metric.takings"}]}
    stages = [{"small": 0}, {"middling": 0.2}, {"large": 0.4}]
    tables = shops(
        metrics=[{"name": "takings", "type": "amount", "polarity": "positive", "range": [10, 5000]}],
        facts=[fact],
        lifecycle={"track": "takings", "stages": stages},
    )
    assert tables["fct_shop"]["stage"].nunique() == 3


def test_weeks_begin_inside_the_window() -> None:
    dates = generate_tables(load_config(Path(__file__).parent / "weeks.yaml"))["dim_date"]
    assert pd.to_datetime(dates["date"]).between("2024-01-01", "2024-06-30").all()


@pytest.mark.parametrize(
    ("family", "parameters"),
    [("weibull", {"shape": 0.5}), ("gamma", {"shape": 0.3}), ("lognorm", {"s": 2.5}), ("weibull", {"shape": 20})],
)
def test_a_distribution_of_any_shape_loads_without_means(family: str, parameters: Raw) -> None:
    """Means that are not given are moved to where a family so heavy-tailed can have them inside its range."""
    metric = {"type": "amount", "range": [10, 5000], "polarity": "positive", "distribution": family}
    plan = growing(**metric, distribution_params=parameters)
    fact = generate_tables(plan)["fct_value"]
    months = fact.groupby("date_key")["value"].mean()
    assert months.iloc[-1] > 2 * months.iloc[0]
    assert fact["value"].between(10, 5000).all()

"""What a file leaves out, or says in another way, is the same as what it says at length."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, load_config
from plotsim_core.config.read import read
from tests.laws.test_slice import hold_as_of, hold_periods, hold_units, some_periods
from tests.marks import slow_but

FOLDER = Path(__file__).parent
FORMS = ("unsaid", "keyless", "named", "linked", "lists", "asked", "midweek", "short")
Raw = dict[str, Any]


def raw_of(name: str) -> Raw:
    return copy.deepcopy(read(FOLDER / f"{name}.yaml"))


def same(one: Raw, other: Raw) -> None:
    """Check that two configs give the same tables."""
    actual, expected = (generate_tables(from_mapping(raw, name="forms")) for raw in (one, other))
    assert list(actual) == list(expected)
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(actual[name], frame)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", slow_but(FORMS, "lists", "asked", "midweek"))
def test_slices_of_short_forms_are_those_of_the_whole(name: str) -> None:
    plan = load_config(FOLDER / f"{name}.yaml")
    hold_periods(plan, some_periods(plan))
    hold_units(plan, [1, plan.population.units // 2])
    hold_as_of(plan, [stop for _, stop in some_periods(plan)])


def test_null_is_left_out() -> None:
    raw = raw_of("unsaid")
    assert "null" in (FOLDER / "unsaid.yaml").read_text(encoding="utf-8")
    same(raw, without_nulls(raw))


@pytest.mark.parametrize("place", ["metrics", "segments", "dimensions", "facts"])
def test_null_is_not_what_is_required_and_no_word(place: str) -> None:
    raw = raw_of("unsaid")
    raw[place][0]["colour"] = None
    with pytest.raises(ConfigError, match=rf"{place}\[0\].colour: unknown key"):
        from_mapping(raw, name="forms")
    raw = raw_of("unsaid")
    raw[place][1 if place == "dimensions" else 0]["name"] = None
    with pytest.raises(ConfigError, match=r"\.name"):
        from_mapping(raw, name="forms")


def test_a_dimension_is_of_units_unless_it_says_otherwise() -> None:
    raw = raw_of("unsaid")
    at_length = copy.deepcopy(raw)
    for dimension in at_length["dimensions"][1:5]:
        dimension["per"] = "unit"
    for word in ("count", "reference"):
        del at_length["dimensions"][1][word]
    same(raw, at_length)


def test_a_further_kind_of_unit_has_short_forms_too() -> None:
    raw = raw_of("unsaid")
    segments = [{"name": "tugs", "count": 3, "archetype": "flat"}]
    metrics = [{"name": "hours", "type": "count", "polarity": "positive", "range": None}]
    values = {"unit": "tug", "metrics": metrics, "segments": segments}
    raw["units"] = [{**values, "dimensions": [{"name": "dim_tug", "columns": [{"name": "tug_id", "type": "id"}]}]}]
    assert len(generate_tables(from_mapping(raw, name="forms"))["dim_tug"]) == 3


def test_for_is_also_called_for_periods() -> None:
    raw = raw_of("keyless")
    other = copy.deepcopy(raw)
    other["events"][1]["for"] = other["events"][1].pop("for_periods")
    same(raw, other)
    other["events"][1]["for_periods"] = 2
    with pytest.raises(ConfigError, match=r"events\[1\]\.for_periods: says the same as for; give one of them"):
        from_mapping(other, name="forms")
    raw["events"][1]["for_periods"] = 0
    with pytest.raises(ConfigError, match=r"events\[1\]\.for_periods: expected at least 1, found 0"):
        from_mapping(raw, name="forms")


def test_rows_that_happen_have_a_key_and_a_date() -> None:
    """The same rows as if both were written; what crosses a threshold is told by its unit and date."""
    raw = raw_of("keyless")
    plan = from_mapping(raw, name="forms")
    assert plan.table("evt_closing").key == ("branch_id", "date_key")
    at_length = copy.deepcopy(raw)
    key, date, unit = (
        {"name": "visit_id", "type": "id"},
        {"name": "date_key", "type": "ref.dim_date"},
        {"name": "branch_id", "type": "ref.dim_branch"},
    )
    at_length["events"][0]["columns"] += [key, date]
    at_length["events"][2]["columns"] += [date]
    at_length["facts"][2]["columns"] += [date, unit]
    same(raw, at_length)
    tables = generate_tables(plan)
    assert tables["evt_visit"]["visit_id"].is_unique and len(tables["evt_visit"]) > 50
    assert not tables["evt_closing"].duplicated(["branch_id", "date_key"]).any() and len(tables["evt_closing"]) > 2
    both = tables["fct_book"].merge(tables["fct_loan"], on="loan_id", suffixes=("", "_of_loan"))
    assert len(both) == len(tables["fct_book"]) > 20
    assert (both["date_key"] == both["date_key_of_loan"]).all() and (both["branch_id"] == both["branch_id_of_loan"]).all()


def test_a_name_that_is_taken_is_left_to_whoever_has_it() -> None:
    raw = raw_of("keyless")
    raw["events"][0]["columns"][2] = {"name": "date_key", "type": "range", "range": [1, 9]}
    del raw["events"][0]["log_format"]
    visits = generate_tables(from_mapping(raw, name="forms"))["evt_visit"]
    assert visits["date_key"].between(1, 9).all() and visits["visit_date_key"].between(20240101, 20241201).all()


def keyed(per: str) -> Plan:
    raw = raw_of("unsaid")
    fact = raw["facts"][0]
    if per == "period":
        values = [column for column in fact["columns"] if column["name"] in ("date_key", "calls", "calm")]
        raw["facts"].append({"name": "fct_all", "per": "period", "columns": [{"name": "all_id", "type": "id"}, *values]})
    return from_mapping(raw, name="forms")


def test_the_key_of_a_fact_is_of_its_unit_and_period() -> None:
    fact = generate_tables(keyed("unit"))["fct_month"]
    assert fact["report_id"].is_unique and len(fact) == 7 * 12
    expected = fact["harbour_id"].str.removeprefix("HAR-") + "-" + fact["date_key"].astype(str)
    assert (fact["report_id"] == "MON-" + expected).all()
    whole = generate_tables(keyed("period"))["fct_all"]
    assert (whole["all_id"] == "ALL-" + whole["date_key"].astype(str)).all()


def test_the_fact_of_a_unit_has_what_the_facts_of_its_metrics_have() -> None:
    raw = raw_of("named")
    del raw["quality"]
    apart = generate_tables(from_mapping(raw, name="forms"))
    whole = generate_tables(from_mapping(raw_of("named"), name="forms").clean)  # type: ignore[arg-type]
    assert set(apart) == {"dim_date", "dim_plot", "fct_harvest", "fct_weeds"}
    assert set(whole) - {"quality_ledger"} == {"dim_date", "dim_plot", "fct_plot"}
    for metric in ("harvest", "weeds"):
        pd.testing.assert_frame_equal(whole["fct_plot"][["date_key", "plot_id", metric]], apart[f"fct_{metric}"])
    assert list(whole["dim_plot"].columns) == ["plot_id", "plot_name", "bees", "soil", "water"]


def test_a_metric_of_the_name_of_the_unit_has_its_fact() -> None:
    raw = raw_of("named")
    raw["metrics"][0]["name"] = raw["quality"][0]["column"] = "plot"
    assert {"fct_plot", "fct_weeds"} <= set(generate_tables(from_mapping(raw, name="forms")))


def test_the_dimension_of_the_unit_comes_where_a_bridge_leads_to_it() -> None:
    tables = generate_tables(load_config(FOLDER / "linked.yaml"))
    assert list(tables["dim_track"].columns) == ["track_id", "track_name", "hall"]
    assert tables["bridge_speaker_track"]["track_id"].isin(tables["dim_track"]["track_id"]).all()


@pytest.mark.parametrize("output", ["PARQUET", {"format": "Parquet", "sql_dialect": "postgresql"}])
def test_a_format_may_be_in_capitals_and_what_is_usual_be_said(output: Any) -> None:
    plan = from_mapping({**raw_of("keyless"), "output": output}, name="forms")
    assert plan.dataset.output.format == "parquet"


def test_the_scale_of_a_beta_distribution_is_the_width_of_its_range() -> None:
    raw = raw_of("unsaid")
    other = copy.deepcopy(raw)
    del other["metrics"][1]["distribution_params"]["scale"]
    same(raw, other)
    raw["metrics"][1]["distribution_params"]["scale"] = 2
    with pytest.raises(ConfigError, match="a beta distribution has no such parameter"):
        from_mapping(raw, name="forms")
    raw["metrics"][1] |= {"type": "amount", "range": [3, 5]}
    from_mapping(raw, name="forms")

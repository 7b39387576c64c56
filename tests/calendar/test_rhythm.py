"""The rhythm of events and metrics: where moments fall, how much there is on a day, and what holds over a week."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, kstest

from plotsim_core import from_mapping, generate_tables
from plotsim_core.numerics.rhythm import DAY, HOUR, HOURS, WEEKDAYS, place_shares, rhythm

MONTHS = {"start": "2024-01", "end": "2024-12", "every": "month"}
DAYS = {"start": "2024-01-01", "end": "2024-03-31", "every": "day"}
EVEN = (1.0,) * 7
_CHANCE = 1e-5


def config(window: dict[str, str], driver: str = "visits", **sections: Any) -> dict[str, Any]:
    """Return a config with a fact, and events in proportion to a metric."""
    to = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    metrics = [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [4, 40]},
        {"name": "mood", "type": "score", "polarity": "positive"},
    ]
    values = [
        {"name": f"{word}_{m['name']}", "type": f"{word}.{m['name']}"} for m in metrics for word in ("expected", "metric")
    ]
    event = {"name": "evt_visit", "trigger": "proportional", "driver": driver}
    event["columns"] = [{"name": "visit_id", "type": "id"}, *to, {"name": "at", "type": "timestamp"}]
    return {
        "about": "Shops",
        "unit": "shop",
        "window": window,
        "metrics": metrics,
        "segments": [{"name": "small", "count": 40, "archetype": "flat"}],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        "facts": [{"name": "fct", "columns": [*to, *values]}],
        "events": [event],
        **sections,
    }


def tables(raw: dict[str, Any]) -> dict[str, pd.DataFrame]:
    return generate_tables(from_mapping(raw, name="shops"))


def allowed(classes: int) -> float:
    """What a chi-square of counts in so many classes stays below, but for one time in 100 000."""
    return float(chi2.isf(_CHANCE, classes - 1))


def test_a_share_falls_where_that_share_of_the_weight_lies_before() -> None:
    """Against the weights added up hour by hour: an independent way to the same distribution function."""
    drawn = np.random.default_rng(1)
    shape = rhythm(tuple(drawn.uniform(0, 2, 7)), tuple(drawn.uniform(0, 2, 24)), 1.0)
    days = drawn.uniform(0, 2, (3, 31))
    days[1, 30:], days[2, 10:15] = 0, 0
    period = drawn.integers(0, 3, 2000)
    left = np.where(drawn.uniform(size=2000) < 0.5, np.where(period == 1, 30, 31) * DAY, drawn.integers(1, 30 * DAY, 2000))
    share = drawn.uniform(size=2000)
    actual = place_shares(shape, days, period, share, left)
    edges = np.arange(31 * 24 + 1) * HOUR
    for row in range(0, 2000, 7):
        weights = (days[period[row]][:, None] * np.array(shape.hours)[None, :]).ravel()
        passed = np.concatenate([[0.0], np.cumsum(weights)])
        before = np.interp([actual[row], left[row]], edges, passed)
        assert abs(before[0] - share[row] * before[1]) < 1e-6 * passed[-1]
    assert (actual >= 0).all() and (actual < left).all()
    order = np.lexsort((share, left, period))
    same = (period[order][1:] == period[order][:-1]) & (left[order][1:] == left[order][:-1])
    assert (np.diff(actual[order])[same] >= 0).all()


def test_an_even_rhythm_spreads_evenly() -> None:
    shape = rhythm(EVEN, (1.0,) * 24, 1.0)
    share = (np.arange(1000) + 0.5) / 1000
    actual = place_shares(shape, np.ones((1, 30)), np.zeros(1000, dtype=np.int64), share, np.full(1000, 20 * DAY))
    assert np.abs(actual - share * 20 * DAY).max() < 1e-3 * HOUR


@pytest.mark.parametrize("family", [WEEKDAYS, HOURS])
def test_every_word_has_weights(family: Any) -> None:
    for name, weights in family.items():
        assert min(weights) >= 0 and sum(weights) > 0, name
    assert all(len(weights) == 24 for _, weights in HOURS.items())


@pytest.mark.parametrize("hours", ["office_hours", "night"])
def test_events_have_the_weekdays_and_hours_of_the_rhythm(hours: str) -> None:
    """Counts by weekday and hour against the shares of each month's own days; given the counts per month they are
    multinomial, so Pearson's statistic is chi-square at most."""
    weekdays = [5, 4, 3, 3, 5, 1, 0]
    rows = tables(config(MONTHS, rhythm={"weekdays": weekdays, "hours": hours}))["evt_visit"]["at"]
    days = pd.date_range("2024-01-01", "2024-12-31").to_series()
    weight = days.dt.day_of_week.map(lambda day: weekdays[day])
    share = weight / weight.groupby(days.dt.month).transform("sum")
    wanted = (share * days.dt.month.map(rows.dt.month.value_counts())).groupby(days.dt.day_of_week).sum()
    counts = rows.dt.day_of_week.value_counts().reindex(range(7), fill_value=0)
    assert counts[6] == 0
    assert len(rows) > 5000
    assert (((counts - wanted) ** 2 / wanted)[:6]).sum() < allowed(6)
    of_hours = np.array(HOURS[hours]) / sum(HOURS[hours]) * len(rows)
    by_hour = rows.dt.hour.value_counts().reindex(range(24), fill_value=0).to_numpy()
    open_ = of_hours > 5
    assert (((by_hour - of_hours) ** 2)[open_] / of_hours[open_]).sum() < allowed(int(open_.sum()) + 1)
    assert by_hour[of_hours == 0].sum() == 0


def test_holidays_take_their_factor() -> None:
    """In November 2024, Thanksgiving (a Thursday) has 0.2 of what other Thursdays have."""
    raw = config({**MONTHS, "start": "2024-11", "end": "2024-11", "span": 12}, calendar={"holidays": "US"})
    raw["rhythm"] = {"holidays": 0.2}
    raw["segments"][0]["count"] = 600
    raw["events"][0]["scale"] = 4.0
    days = tables(raw)["evt_visit"]["at"].dt.day.value_counts()
    others = days[[7, 14, 21]].mean()
    error = 4 * np.sqrt(0.2 / others * (1 + 0.2 / 3))
    assert abs(days[28] / others - 0.2) < error < 0.1


def test_an_event_has_its_own_rhythm_and_the_rest_from_the_dataset() -> None:
    raw = config(MONTHS, rhythm={"weekdays": [1, 1, 1, 1, 1, 0, 0], "hours": "office_hours"})
    raw["events"][0]["rhythm"] = {"hours": [1] * 6 + [0] * 18}
    rows = tables(raw)["evt_visit"]["at"]
    assert rows.dt.hour.max() < 6
    assert rows.dt.day_of_week.max() < 5


def test_within_their_hour_moments_are_even() -> None:
    rows = tables(config(MONTHS, rhythm={"weekdays": "workdays", "hours": "office_hours"}))["evt_visit"]["at"]
    within = (rows - rows.dt.floor("h")).dt.total_seconds() / 3600
    assert kstest(within, "uniform").pvalue > _CHANCE


@pytest.mark.slow
@pytest.mark.parametrize("window", [DAYS, {"start": "2024-01-01", "end": "2024-01-14", "every": "hour"}])
def test_means_of_counts_follow_the_rhythm_and_their_weeks_keep_theirs(window: dict[str, str]) -> None:
    with_, without = (
        tables(config(window, **({"rhythm": {"weekdays": "workdays", "hours": "evening"}} if has_rhythm else {})))["fct"]
        for has_rhythm in (True, False)
    )
    day = pd.to_datetime(with_["date_key"].astype(str).str[:8])
    week = (day - pd.Timestamp("2024-01-01")).dt.days // 7
    sums = [frame["expected_visits"].groupby([frame["shop_id"], week]).sum() for frame in (with_, without)]
    assert np.allclose(sums[0], sums[1], rtol=1e-4)
    weekend = day.dt.day_of_week >= 5
    ratio = with_["expected_visits"][weekend].mean() / with_["expected_visits"][~weekend].mean()
    assert ratio == pytest.approx(0.15, rel=0.02)
    assert with_["expected_mood"].equals(without["expected_mood"])


def test_the_sensitivity_of_a_metric_weakens_or_turns_the_rhythm() -> None:
    raw = config(DAYS, rhythm={"weekdays": [2, 1, 1, 1, 1, 0.5, 0.5]})
    for sensitivity, wanted in ((0, 1.0), (0.5, 1.5), (1, 2.0), (-0.5, 0.5)):
        raw["metrics"][0]["rhythm_sensitivity"] = sensitivity
        rows = tables(raw)["fct"]
        monday = pd.to_datetime(rows["date_key"].astype(str)).dt.day_of_week == 0
        usual = tables({**raw, "rhythm": {"weekdays": [1.001, 1, 1, 1, 1, 1, 1]}})["fct"]["expected_visits"]
        assert (rows["expected_visits"][monday] / usual[monday]).mean() == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("driver", ["visits", "mood"])
def test_daily_events_have_their_rhythm_whatever_that_of_the_metric(driver: str) -> None:
    """Fewer on the weekend by the declared factor, though the rhythm moves no score."""
    raw = config(DAYS, driver, rhythm={"weekdays": "workdays"})
    raw["events"][0]["scale"] = 0.5 if driver == "visits" else 20.0
    data = tables(raw)["evt_visit"]["at"].dt.normalize().value_counts()
    per_day = data.reindex(pd.date_range("2024-01-01", "2024-03-31"), fill_value=0)
    weekend = per_day.index.day_of_week >= 5
    ratio = per_day[weekend].mean() / per_day[~weekend].mean()
    spread = [per_day[where].std() / per_day[where].mean() / np.sqrt(where.sum()) for where in (weekend, ~weekend)]
    assert abs(ratio / 0.15 - 1) < 4 * np.hypot(*spread) < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("has_rhythm", [True, False])
@pytest.mark.parametrize("window", [MONTHS, DAYS, {"start": "2024-01-01", "end": "2024-06-30", "every": "week"}])
def test_nothing_happens_before_a_unit_arrives_or_after_it_ends(window: dict[str, str], has_rhythm: bool) -> None:
    raw = config({**window, "start": "2024-01-01"} if window["every"] == "week" else window)
    if has_rhythm:
        raw["rhythm"] = {"weekdays": [1, 1, 1, 1, 1, 0, 0], "hours": "office_hours"}
    raw["segments"][0] |= {"archetype": "decline", "count": 80, "arrival": {"kind": "uniform", "start": 0, "end": 5}}
    raw["dimensions"][0]["columns"].append({"name": "opened_at", "type": "timestamp"})
    columns = raw["events"][0]["columns"]
    rest = [{"name": "evt_low", "trigger": "threshold", "metric": "mood", "below": 0.5, "refire": True, "columns": columns}]
    rest.append(
        {"name": "evt_end", "trigger": "threshold", "metric": "mood", "below": 0.25, "ends_unit": True, "columns": columns}
    )
    raw["events"] += rest
    data = tables(raw)
    begins = data["dim_shop"].set_index("shop_id")["opened_at"]
    ends = data["evt_end"].set_index("shop_id")["at"]
    assert len(ends) > 20
    for name in ("evt_visit", "evt_low"):
        events = data[name]
        assert (events["at"] >= events["shop_id"].map(begins)).all()
        last = events["shop_id"].map(ends)
        assert (last.isna() | (events["at"] < last)).all()
        assert (last.dt.to_period("M") == events["at"].dt.to_period("M")).any()  # some do fall into the last period
    ordered = data["evt_visit"].sort_values(["shop_id", "date_key", "at"], kind="stable")
    numbers = ordered["visit_id"].str.rsplit("-", n=1).str[1].astype(int)
    again = ordered.groupby(["shop_id", "date_key"]).cumcount() + 1
    assert (numbers.to_numpy() == again.to_numpy()).all()

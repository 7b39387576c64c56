"""Named effects multiply means and rows by what they declare, on their days and nowhere else."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import explain, from_mapping, generate_tables, validate
from plotsim_core.config.named_effects import Effect
from plotsim_core.engine.effects import effect_occasions
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.calendar import GRAINS
from plotsim_core.truth.manifest import manifest

Raw = dict[str, Any]
_STILL = {"level": 0, "timing": 0, "size": 0}


def shops(effects: list[Raw], every: str = "day", end: str = "2024-12-31", **more: Any) -> Raw:
    """Return a config of shops that visits come to, on flat curves."""
    keys = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    segments = [{"name": name, "count": 60, "archetype": "flat", "variation": _STILL} for name in ("small", "big")]
    return {
        "about": "Shops",
        "unit": "shop",
        "seed": 3,
        "window": {"start": "2024-10-01", "end": end, "every": every},
        "metrics": [
            {"name": "visits", "type": "count", "polarity": "positive", "mean": [20, 20.5]},
            {"name": "mood", "type": "score", "polarity": "positive", "mean": [0.3, 0.31]},
        ],
        "segments": segments,
        "effects": effects,
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": {"shop_id": "id", "group": "segment.name"}}],
        "facts": [{"name": "fct_shop", "metrics": ["visits", "mood"], "columns": keys}],
        "events": [
            {
                "name": "evt_visit",
                "trigger": "proportional",
                "driver": "visits",
                "scale": 0.25,
                "columns": [{"name": "visit_id", "type": "id"}, *keys],
            }
        ],
        **more,
    }


def factors(effect: Raw, every: str, first: str, last: str) -> Floats:
    """Return what an effect multiplies by in the periods from that of one date to that of another."""
    grain = GRAINS[every]
    (occasion,) = Effect.model_validate({"name": "x", **effect}).occasions(())
    return occasion.factors(grain, np.arange(grain.read(first), grain.read(last) + 1))


def frames(raw: Raw) -> dict[str, pd.DataFrame]:
    return generate_tables(from_mapping(raw, name="shops"))


def with_groups(tables: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Return the rows of a table with the segment of each."""
    return tables[name].reset_index().merge(tables["dim_shop"].reset_index(), on="shop_id")


def test_a_range_of_years_crosses_their_ends() -> None:
    expected = [1.0, *[2.0] * 5, 1.0]
    assert factors({"start": "12-29", "end": "01-02", "factor": 2}, "day", "2024-12-28", "2025-01-03").tolist() == expected


def test_a_start_alone_is_from_then_on_and_an_end_alone_until_then() -> None:
    assert factors({"start": "2024-02-02", "factor": 2}, "day", "2024-02-01", "2024-02-03").tolist() == [1, 2, 2]
    assert factors({"end": "2024-02-02", "factor": 2}, "day", "2024-02-01", "2024-02-03").tolist() == [2, 2, 1]


@pytest.mark.parametrize("every", ["week", "month", "quarter"])
def test_longer_periods_have_the_share_of_their_days(every: str) -> None:
    """Day by day, counted by pandas."""
    effect = {"date": ["last friday of every month", "2024-05-05", "easter"], "factor": 3}
    grain = GRAINS[every]
    by_day = factors(effect, "day", "2024-01-01", "2025-12-28")
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(len(by_day))]
    periods = grain.holding(np.array(days, dtype="datetime64[s]"))
    expected = pd.Series(by_day).groupby(periods).mean()
    whole = expected.loc[periods[0] : periods[-1] - 1].to_numpy()
    np.testing.assert_allclose(factors(effect, every, "2024-01-01", "2025-12-28")[: len(whole)], whole, rtol=1e-12)


def test_an_hour_has_what_its_day_has() -> None:
    hours = factors({"date": "2024-02-02", "factor": 3}, "hour", "2024-02-01T20:00", "2024-02-03T02:00")
    assert hours.tolist() == [1.0] * 4 + [3.0] * 24 + [1.0] * 3


def test_ramps_are_lines_or_halves() -> None:
    effect = {"date": "2024-02-10", "factor": 3, "ramp_in": 3, "ramp_out": {"half_life": 1}}
    ramp = factors(effect, "day", "2024-02-06", "2024-02-18")
    after = [1 + 2 * 0.5**distance for distance in range(1, 8)]
    assert ramp.tolist() == pytest.approx([1, 1.5, 2, 2.5, 3, *after, 1])


def test_a_ramp_begins_from_the_share_of_a_longer_period() -> None:
    ramp = factors({"date": "2024-02-10", "factor": 30, "ramp_in": 1}, "month", "2024-01-01", "2024-03-01")
    assert ramp.tolist() == pytest.approx([1.5, 2, 1])


def test_periods_need_not_follow_each_other() -> None:
    (occasion,) = Effect.model_validate({"name": "x", "date": "12-24", "factor": 2, "ramp_out": 2}).occasions(())
    grain = GRAINS["day"]
    all_days = np.arange(grain.read("2023-01-01"), grain.read("2025-12-31"))
    some_days = all_days[::-3]
    assert np.array_equal(occasion.weights(grain, some_days), occasion.weights(grain, all_days)[::-3])


SALE = {"name": "Sale", "start": "2024-11-04", "end": "2024-11-24", "factor": 1.5, "metrics": "visits", "segments": "big"}


def test_means_inside_and_outside_have_the_declared_ratio() -> None:
    """Poisson counts of mean 20, independent of each other: the ratio lies within three standard errors."""
    raw = shops([SALE])
    for metric in raw["metrics"]:
        metric["persistence"] = 0
    tables = frames(raw)
    fact = with_groups(tables, "fct_shop")
    is_inside = fact["date_key"].between(20241104, 20241124)
    for group, declared in (("big", 1.5), ("small", 1.0)):
        parts = [fact.loc[mask & (fact["group"] == group), "visits"] for mask in (is_inside, ~is_inside)]
        ratio = parts[0].mean() / parts[1].mean()
        error = ratio * np.sqrt(sum(part.var() / len(part) / part.mean() ** 2 for part in parts))
        assert abs(ratio - declared) < 3 * error, group
        assert error < 0.01


def test_rows_of_a_table_have_the_declared_ratio() -> None:
    effect = {"name": "Free delivery", "start": "2024-11-04", "end": "2024-11-24", "factor": 2, "tables": "evt_visit"}
    tables = frames(shops([effect]))
    by_day = tables["evt_visit"].reset_index().groupby("date_key").size()
    is_inside = (by_day.index >= 20241104) & (by_day.index <= 20241124)
    counts = [by_day[mask].sum() for mask in (is_inside, ~is_inside)]
    visits = tables["fct_shop"].reset_index().groupby("date_key")["visits"].sum()
    expected = [0.25 * visits[mask].sum() for mask in (is_inside, ~is_inside)]
    ratio = (counts[0] / expected[0]) / (counts[1] / expected[1])
    assert abs(ratio - 2) < 3 * 2 * np.sqrt(1 / counts[0] + 1 / counts[1])


def test_a_factor_of_zero_leaves_no_row() -> None:
    effect = {"name": "Strike", "date": ["2024-11-05", "2024-11-12"], "factor": 0, "tables": "evt_visit", "segments": "big"}
    tables = frames(shops([effect]))
    events = with_groups(tables, "evt_visit")
    on_strike = events[events["date_key"].isin([20241105, 20241112])]
    assert set(on_strike["group"]) == {"small"}


def test_exact_rows_move_to_the_days_of_an_effect() -> None:
    calls = {"name": "calls", "rows": 20_000, "columns": {"call_id": "id", "at": "timestamp"}}
    effect = {"name": "Campaign", "start": "2024-11-01", "end": "2024-11-30", "factor": 3, "tables": "calls"}
    rows = frames(shops([effect], tables=[calls]))["calls"].reset_index()
    assert len(rows) == 20_000
    inside = rows["at"].dt.month.eq(11).mean()
    expected = 3 * 30 / (3 * 30 + 62)
    assert abs(inside - expected) < 3 * np.sqrt(expected * (1 - expected) / 20_000)


def test_an_effect_changes_nothing_that_it_does_not_speak_of() -> None:
    before, after = frames(shops([])), frames(shops([SALE]))
    old, new = (
        tables["fct_shop"].reset_index().merge(tables["dim_shop"].reset_index(), on="shop_id") for tables in (before, after)
    )
    spoken_of = old["date_key"].between(20241104, 20241124) & (old["group"] == "big")
    assert old["mood"].equals(new["mood"])
    assert old.loc[~spoken_of].equals(new.loc[~spoken_of])
    assert (old.loc[spoken_of, "visits"] != new.loc[spoken_of, "visits"]).mean() > 0.9


def test_a_table_of_effects_is_as_many_effects() -> None:
    columns = [
        {"name": "promotion_id", "type": "id"},
        {"name": "name", "type": "static", "values": ["Spring", "Flash"]},
        {"name": "start", "type": "static", "values": ["2024-11-04", "2024-12-06"], "value_type": "date"},
        {"name": "end", "type": "static", "values": ["2024-11-24", None], "value_type": "date"},
        {"name": "factor", "type": "static", "values": [1.5, None]},
        {"name": "segment", "type": "static", "values": ["big", None]},
        {"name": "table", "type": "static", "values": [None, "evt_visit"]},
    ]
    raw = shops([{"name": "Promotion", "rows_of": "promotions", "factor": 4, "metrics": "visits"}])
    raw["tables"] = [{"name": "promotions", "columns": columns}]
    alone = shops([SALE, {"name": "Flash", "date": "2024-12-06", "factor": 4, "metrics": "visits", "tables": "evt_visit"}])
    listed, written = frames(raw), frames(alone)
    assert listed["fct_shop"].equals(written["fct_shop"])
    assert listed["evt_visit"].equals(written["evt_visit"])


def test_effects_that_meet_multiply_each_other() -> None:
    sale, fair = (
        {**SALE, "segments": ["small", "big"]},
        {"name": "Fair", "date": "2024-11-10", "factor": 2, "metrics": "visits"},
    )
    plan = from_mapping(shops([sale, fair]), name="shops")
    steps = explain(plan, "fct_shop", plan_key(plan), "2024-11-10", "visits").steps
    expected = [step.value for step in steps if step.name == "effect"]
    assert expected == [1.5, 2.0]
    mean, center = (next(step.value for step in steps if step.name == name) for name in ("mean", "expected"))
    assert center == pytest.approx(3 * mean)


def plan_key(plan: Any) -> str:
    return str(generate_tables(plan)["dim_shop"].reset_index()["shop_id"].iloc[0])


def test_the_manifest_lists_the_periods_in_which_an_effect_acted() -> None:
    effect = {"name": "Payday", "date": "last day of every month", "factor": 2, "ramp_out": 1}
    (entry,) = manifest(from_mapping(shops([effect]), name="shops"))["effects"]
    assert entry["metrics"] == ["visits"] and entry["segments"] is None
    assert entry["periods"] == [20241001, 20241031, 20241101, 20241130, 20241201, 20241231]
    assert entry["factors"] == [1.5, 2.0, 1.5, 2.0, 1.5, 2.0]


def test_a_further_kind_has_the_effects_of_the_dataset_and_its_own() -> None:
    owners = {
        "unit": "owner",
        "metrics": [{"name": "wealth", "type": "amount", "polarity": "positive", "range": [1, 100]}],
        "segments": [{"name": "family", "count": 3, "archetype": "flat"}],
        "effects": [{"name": "Crash", "date": "2024-11-01", "factor": 0.5}],
    }
    plan = from_mapping(shops([{"name": "Boom", "date": "2024-11-02", "factor": 2}], units=[owners]), name="shops")
    names = [[occasion.name for entry in effect_occasions(kind) for occasion in entry] for kind in plan.kinds]
    assert names == [["Boom"], ["Crash", "Boom"]]
    entries = manifest(plan)["effects"]
    metrics = {entry["name"]: entry["metrics"] for entry in entries}
    assert metrics == {"Boom": ["visits", "wealth"], "Crash": ["wealth"]}


def test_the_check_passes_what_is_sound_and_finds_a_lift_that_is_not_there() -> None:
    delivery = {"name": "Delivery", "start": "2024-12-01", "end": "2024-12-20", "factor": 2, "tables": "evt_visit"}
    plan, plain = (from_mapping(shops(effects), name="shops") for effects in ([SALE, delivery], []))
    tables = generate_tables(plan)
    sound = validate(plan, tables).findings_of("effects_as_declared")
    assert len(sound) == 2 and all(finding.passed for finding in sound)
    unlifted = generate_tables(plain)
    faulty = validate(plan, {**tables, "fct_shop": unlifted["fct_shop"], "evt_visit": unlifted["evt_visit"]})
    assert not any(finding.passed for finding in faulty.findings_of("effects_as_declared"))


def test_what_never_happens_and_what_is_cut_off_is_told() -> None:
    effects = [
        {"name": "Late", "date": "2030-01-01", "factor": 2},
        {"name": "Joy", "date": "2024-12-24", "factor": 9, "metrics": "mood"},
    ]
    notes = {note.path: note.message for note in from_mapping(shops(effects), name="shops").notes}
    assert notes["effects[0]"] == "has no effect: it is never in the window"
    assert notes["effects[1]"].startswith("leads means of mood to 2.79, and they are cut off at ")


def test_growth_compounds_from_the_start_of_the_window() -> None:
    raw = shops([], every="month", end="2026-09-30")
    raw["metrics"][0] |= {"growth": "20% a year", "persistence": 0}
    visits = frames(raw)["fct_shop"].reset_index().groupby("date_key")["visits"].mean().to_numpy()
    declared = 20.075 * 1.2 ** (np.arange(24) / 12)
    assert np.all(np.abs(visits - declared) < 4 * np.sqrt(declared / 120))
    longer = shops([], every="month", end="2027-09-30")
    longer["metrics"][0] |= {"growth": "20% a year", "persistence": 0}
    longer["window"]["span"] = 24
    assert frames(longer)["fct_shop"].reset_index().iloc[: 24 * 120].equals(frames(raw)["fct_shop"].reset_index())


def test_the_check_of_growth_finds_what_does_not_grow() -> None:
    raw = shops([], every="month", end="2026-09-30")
    raw["metrics"][0]["growth"] = "20% a year"
    plan, still = from_mapping(raw, name="shops"), from_mapping(shops([], every="month", end="2026-09-30"), name="shops")
    tables = generate_tables(plan)
    assert [finding.passed for finding in validate(plan, tables).findings_of("growth_as_declared")] == [True]
    faulty = validate(plan, {**tables, "fct_shop": generate_tables(still)["fct_shop"]})
    assert [finding.passed for finding in faulty.findings_of("growth_as_declared")] == [False]

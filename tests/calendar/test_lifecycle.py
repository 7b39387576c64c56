"""Stages in their modes, and threshold events that fire again, against a unit's values gone through one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import ConfigError, from_mapping, generate_tables
from plotsim_core.engine.slice import Slice
from plotsim_core.tables.row_estimates import sizes

FREE = [["low", 0.0], ["mid", 0.3], ["high", 0.6]]
EXITS = [
    {"name": "low", "threshold": 0.0},
    {"name": "mid", "threshold": 0.3, "threshold_exit": 0.15},
    {"name": "high", "threshold": 0.6, "threshold_exit": 0.4},
]
MODES: dict[str, dict[str, Any]] = {
    "free": {"stages": FREE},
    "ordered": {"stages": FREE, "enforce_order": True},
    "delayed at once": {"stages": FREE, "enforce_order": True, "downgrade_delay": 1},
    "delayed": {"stages": FREE, "enforce_order": True, "downgrade_delay": 3},
    "exits": {"stages": EXITS, "enforce_order": True},
    "exits, delayed": {"stages": EXITS, "enforce_order": True, "downgrade_delay": 2},
    "final": {"stages": [*EXITS[:2], {"name": "high", "threshold": 0.6}], "enforce_order": True},
}


def config(**sections: Any) -> dict[str, Any]:
    """Return a config whose one metric moves much and is missing at times."""
    to = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    return {
        "about": "Shops",
        "unit": "shop",
        "window": {"start": "2020-01", "end": "2023-12", "every": "month"},
        "noise": {"mcar_rate": 0.1},
        "metrics": [{"name": "mood", "type": "score", "polarity": "positive"}],
        "segments": [
            {
                "name": "small",
                "count": 60,
                "archetype": "growth > decline",
                "arrival": {"kind": "uniform", "start": 0, "end": 9},
            }
        ],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        "facts": [{"name": "fct", "columns": [*to, {"name": "mood", "type": "metric.mood"}]}],
        **sections,
    }


def event(**words: Any) -> dict[str, Any]:
    types = {"low_id": "id", "date_key": "ref.dim_date", "shop_id": "ref.dim_shop"}
    columns = [{"name": name, "type": word} for name, word in types.items()]
    return {"name": "evt_low", "trigger": "threshold", "metric": "mood", "columns": columns, **words}


def by_unit(fact: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows.sort_values("date_key") for _, rows in fact.groupby("shop_id")]


def walked(values: list[float], stages: list[Any], delay: int | None, ordered: bool) -> list[str | None]:
    """Return the stages of one unit, from its values in order."""
    read = [s if isinstance(s, dict) else {"name": s[0], "threshold": s[1]} for s in stages]
    exits = any("threshold_exit" in stage for stage in read)
    result: list[str | None] = []
    at, below = 0, 0
    for value in values:
        if math.isnan(value):
            result.append(read[at]["name"] if ordered else None)
            continue
        called = max(place for place, stage in enumerate(read) if value >= stage["threshold"])
        if not ordered or called > at:
            at, below = called, 0
        else:
            leave = read[at].get("threshold_exit") if exits else read[at]["threshold"] if delay else None
            below = below + 1 if leave is not None and value < leave else 0
            if below and below >= (delay or 1):
                at, below = called, 0
        result.append(read[at]["name"])
    return result


@pytest.mark.parametrize("mode", MODES)
def test_the_stage_is_what_the_values_so_far_call_for(mode: str) -> None:
    lifecycle = {"track": "mood", **MODES[mode]}
    fact = generate_tables(from_mapping(config(lifecycle=lifecycle), name="shops"))["fct"]
    ordered = lifecycle.get("enforce_order", False)
    for rows in by_unit(fact):
        wanted = walked(rows["mood"].tolist(), lifecycle["stages"], lifecycle.get("downgrade_delay"), ordered)
        assert rows["stage"].astype(object).where(rows["stage"].notna(), None).tolist() == wanted
    assert fact["stage"].isna().any() == (not ordered)


def test_an_ordered_lifecycle_never_goes_back_and_the_others_do() -> None:
    places = {"low": 0, "mid": 1, "high": 2}
    falls = {}
    for mode, words in MODES.items():
        fact = generate_tables(from_mapping(config(lifecycle={"track": "mood", **words}), name="shops"))["fct"]
        known = fact[fact["stage"].notna()]
        falls[mode] = sum((np.diff([places[s] for s in rows["stage"]]) < 0).sum() for rows in by_unit(known))
    assert falls["ordered"] == 0
    assert falls["free"] > falls["delayed at once"] - 1 > falls["delayed"] > 0
    assert falls["free"] > falls["exits"] > falls["exits, delayed"] > 0
    assert falls["final"] < falls["exits"]


@pytest.mark.parametrize("spelling", [{"low": 0.0}, ["low", 0.0], ("low", 0.0), {"name": "low", "threshold": 0.0}])
@pytest.mark.parametrize("section", ["lifecycle", "stages"])
def test_a_stage_is_spelt_in_any_of_four_ways(section: str, spelling: Any) -> None:
    plan = from_mapping(config(**{section: {"track": "mood", "stages": [spelling, ["at peak", 0.5]]}}), name="shops")
    assert set(generate_tables(plan)["fct"]["stage"].dropna()) == {"low", "at peak"}


def test_values_below_every_threshold_are_in_the_first_stage() -> None:
    lifecycle = {"track": "mood", "stages": [["low", 0.2], ["high", 0.5]]}
    fact = generate_tables(from_mapping(config(lifecycle=lifecycle), name="shops"))["fct"]
    assert (fact["mood"] < 0.2).any()
    assert set(fact.loc[fact["mood"] < 0.5, "stage"]) == {"low"}


def fired(values: list[float], level: float, periods: int, after: int) -> list[int]:
    """Return where a unit's values have been below a level for so many periods, anew, and long enough after the last."""
    result: list[int] = []
    length = 0
    for place, value in enumerate(values):
        length = length + 1 if value < level else 0
        if length == periods and (not result or place - result[-1] >= after):
            result.append(place)
    return result


@pytest.mark.parametrize(("periods", "after"), [(1, 1), (1, 5), (2, 1), (2, 6), (3, 1)])
def test_an_event_fires_each_time_its_condition_comes_true_anew(periods: int, after: int) -> None:
    words: dict[str, Any] = {"below": 0.4, "for": periods, "refire": True}
    words |= {"again_after": after} if after > 1 else {}
    tables = generate_tables(from_mapping(config(events=[event(**words)]), name="shops"))
    values = {unit: sorted(rows["date_key"]) for unit, rows in tables["evt_low"].groupby("shop_id")}
    wanted = {
        rows["shop_id"].iloc[0]: rows["date_key"].iloc[fired(rows["mood"].tolist(), 0.4, periods, after)].tolist()
        for rows in by_unit(tables["fct"])
    }
    assert values == {unit: keys for unit, keys in wanted.items() if keys}
    assert max(map(len, values.values())) > 1
    assert tables["evt_low"]["low_id"].is_unique


def test_without_refire_an_event_is_the_first_of_those() -> None:
    once, often = (
        generate_tables(from_mapping(config(events=[event(below=0.4, **more)]), name="shops"))["evt_low"]
        for more in ({}, {"refire": True})
    )
    first = often.sort_values("date_key").drop_duplicates("shop_id").sort_values("low_id")
    assert len(often) > len(once)
    assert once.sort_values("low_id")["low_id"].tolist() == first["low_id"].tolist()


def test_the_size_of_events_that_fire_again_is_told_before() -> None:
    """Of all units where they are few."""
    plan = from_mapping(config(events=[event(below=0.4, refire=True)]), name="shops")
    (size,) = sizes(plan, (plan.table("evt_low"),), Slice(plan.first, plan.stop or 0, 0, plan.population.units))
    assert size.rows == pytest.approx(len(generate_tables(plan)["evt_low"]), abs=1)


def test_refire_and_ends_unit_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="a unit ends once"):
        from_mapping(config(events=[event(below=0.4, refire=True, ends_unit=True)]), name="shops")

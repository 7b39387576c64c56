"""Extension: a config that says more changes nothing of what it said before. Keys included."""

from __future__ import annotations

import copy
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from docs.datasets import shown
from plotsim_core import ConfigError, Plan, from_mapping, load_config, template
from plotsim_core.config.holdout import FEATURES
from plotsim_core.engine.slice import full_slice
from plotsim_core.plan.plan import ColumnPlan
from plotsim_core.tables.build import find_table
from tests.laws.extended import (
    MADE_OF_ROWS,
    SEASONAL,
    explicit,
    of_every_kind,
    raw_of,
    with_columns,
    with_metric,
    with_segment,
    with_tables,
    with_units,
    without,
)
from tests.laws.made import (
    AS_OF,
    BUNDLED,
    bridges,
    differing,
    elsewhere,
    frame,
    latest,
    made_table,
    moving,
    names,
    newcomers,
    over_units,
    reaching,
    relinked,
    unchanged,
)
from tests.laws.strategies import METRICS, Raw, archetypes, configs, examples, plan_length, plan_of
from tests.marks import slow_but

STORED = ("metric", "stage", "scd")
"""Sources whose values are read from stored metrics."""


def images(plan: Plan) -> tuple[str, ...]:
    """Return the columns that hold whole rows, before and after a change: they have the columns more too."""
    logs = [table.name for table in plan.tables if table.kind == "changes"]
    return tuple(f"{name}.{image}" for name in logs for image in ("before", "after"))


def images_of_references(plan: Plan) -> tuple[str, ...]:
    """Return those of the images whose rows refer to units of another kind, or show something of these."""
    owners = {name.partition(".")[0] for name in elsewhere(plan)}
    shown = {table.name for table in plan.tables if table.kind == "changes" and table.spec.changes_of in owners}
    return tuple(image for image in images(plan) if image.partition(".")[0] in shown)


def hold_units(raw: Raw, more: Plan) -> None:
    """Check that units more, of whatever kind, change no row: references and links that change lead to the new ones. What
    is over all units, or tells how many there are, is of more."""
    before = plan_of(raw)
    new, linking = newcomers(before, more), bridges(before, to_units=True)
    besides = (*linking, *over_units(before), *counting(before), *images_of_references(before))
    actual = unchanged(before, more, None, besides, new)
    actual += [line for name in linking for line in relinked(before, more, name, new)]
    assert not actual, "\n".join(actual)


def without_labels(raw: Raw) -> Raw:
    """Return a config without labels: the intercepts of these are of all segments, so a segment more moves them."""
    raw = copy.deepcopy(raw)
    tables = [table for section in ("dimensions", "facts", "events") for table in raw.get(section, [])]
    for table in tables:
        if isinstance(table.get("columns"), list):
            table["columns"] = [column for column in table["columns"] if column.get("type") != "label"]
    return raw


def hold(before: Plan, after: Plan, stop: int | None = None, besides: tuple[str, ...] = ()) -> None:
    """Check that every row of one plan is in the other."""
    actual = unchanged(before, after, stop, besides)
    assert not actual, "\n".join(actual)


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("extended", [with_segment, with_units])
def test_more_units_change_no_row_of_bundled_configs(name: str, extended: Any) -> None:
    raw = raw_of(name)
    hold_units(raw, plan_of(of_every_kind(extended, raw)))


def test_a_segment_of_stores_takes_references_and_moves_none() -> None:
    """Of the receipts of retail some go to the new stores, and the others stay."""
    raw = raw_of("retail")
    more = {**raw, "units": [with_segment(raw["units"][0])]}
    before, after = plan_of(raw), plan_of(more)
    new = newcomers(before, after)
    old, fresh = (made_table(plan, "fct_receipt")["store_id"].to_numpy() for plan in (before, after))
    went = np.isin(fresh, list(new))
    assert (fresh == old)[~went].all()
    assert len(new) == 3
    assert went.any()


@examples(15)
@given(configs(), st.data())
def test_a_segment_more_changes_no_row(raw: Raw, data: st.DataObject) -> None:
    raw, archetype = without_labels(raw), data.draw(archetypes(plan_length(raw["window"])))
    hold_units(raw, plan_of(of_every_kind(lambda kind: with_segment(kind, archetype), raw)))


@pytest.mark.slow
@examples(15)
@given(configs())
def test_a_segment_in_front_changes_no_row(raw: Raw) -> None:
    raw = without_labels(raw)

    def in_front(kind: Raw) -> Raw:
        more = with_segment(kind)
        return {**more, "segments": [more["segments"][-1], *more["segments"][:-1]]}

    hold_units(raw, plan_of(of_every_kind(in_front, raw)))


@examples(15)
@given(configs())
def test_units_more_in_a_segment_change_no_row(raw: Raw) -> None:
    hold_units(raw, plan_of(of_every_kind(with_units, raw)))


@pytest.mark.parametrize("name", BUNDLED)
def test_a_larger_scale_keeps_every_row_of_bundled_configs(name: str) -> None:
    raw = raw_of(name)
    hold_units(raw, from_mapping(raw, name=name, scale=1.7))


@pytest.mark.slow
@examples(15)
@given(configs(), st.sampled_from([1.5, 3, 7.3]))
def test_a_larger_scale_keeps_every_row(raw: Raw, scale: float) -> None:
    """Of every kind of unit there are more."""
    hold_units(raw, from_mapping(raw, name="generated", scale=scale))


@examples(20)
@given(configs(), st.sampled_from(METRICS), st.sampled_from(["alone", "connected", "following"]), st.data())
def test_a_metric_more_changes_no_row(raw: Raw, metric: Raw, how: str, data: st.DataObject) -> None:
    """Neither a free metric, nor one connected to an existing one, nor one that follows it."""
    other = data.draw(st.sampled_from(raw["metrics"]))["name"]
    metric = {**metric, "name": "added", "polarity": "negative"}
    if how == "following":
        metric |= {"follows": other, "delay": 2}
    hold(plan_of(raw), plan_of(with_metric(raw, metric, [other, 0.35, "added"] if how == "connected" else None)))


@st.composite
def connected(draw: st.DrawFn) -> tuple[list[Raw], list[list[Any]]]:
    """Two to six metrics, drivers first, and many connections, which may be too much together."""
    metrics: list[Raw] = []
    connections: list[list[Any]] = []
    for place in range(draw(st.integers(2, 6))):
        metric = {**draw(st.sampled_from(METRICS)), "name": f"m{place}", "polarity": "positive"}
        metric["persistence"] = draw(st.sampled_from([0, 0.3, 0.6, 0.9]))
        if place and draw(st.integers(0, 2)) == 0:
            metric |= {"follows": f"m{draw(st.integers(0, place - 1))}", "delay": draw(st.integers(1, 3)), "strength": 0.6}
        metrics.append(metric)
        for other in range(place):
            if draw(st.integers(0, 2)) == 0:
                connections.append([f"m{other}", draw(st.sampled_from([0.5, 0.3, -0.2, 0.2])), f"m{place}"])
    return metrics, connections


BARELY_OUT_OF_REACH: tuple[list[Raw], list[list[Any]]] = (
    [
        {"name": "m0", "type": "count", "polarity": "positive", "persistence": 0},
        {
            "name": "m1",
            "type": "count",
            "polarity": "positive",
            "distribution": "zero_inflated_poisson",
            "mean": [1, 6],
            "persistence": 0.3,
            "follows": "m0",
            "delay": 1,
            "strength": 0.6,
        },
        {"name": "m2", "type": "score", "polarity": "positive", "persistence": 0},
        {"name": "m3", "type": "count", "polarity": "positive", "mean": [2, 9], "persistence": 0},
    ],
    [["m0", -0.2, "m1"], ["m0", 0.5, "m3"], ["m1", 0.5, "m3"]],
)
"""Metrics whose last one cannot quite have both of its connections: the others once moved with it."""


@pytest.mark.slow
@examples(60)
@example(drawn=BARELY_OUT_OF_REACH)
@given(connected())
def test_a_metric_more_leaves_the_numbers_of_the_others_to_the_last_bit(drawn: tuple[list[Raw], list[list[Any]]]) -> None:
    """If it is connected with none, with one, or with some that are all connected already, and all of it can hold together:
    then it speaks of no other pair. (It does where it is the only link between two metrics.)"""
    metrics, connections = drawn
    values = [connection for connection in connections if connection[2] != metrics[-1]["name"]]
    rest = {"about": "x", "unit": "u", "window": ["2024-01", "2024-06", "month"]}
    rest["segments"] = [{"name": "only", "count": 1, "archetype": "growth"}]
    try:
        before = plan_of({**rest, "metrics": metrics[:-1], "connections": values})
        after = plan_of({**rest, "metrics": metrics, "connections": connections})
    except ConfigError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert all(problem.path.startswith("connections") for problem in refused.problems)
        return
    near = [connection[0] for connection in connections if connection not in values]
    pairs = {frozenset((connection[0], connection[2])) for connection in values}
    assume(after.warnings == () and all(frozenset(pair) in pairs for pair in combinations(near, 2)))
    last = len(before.population.metrics)
    was, now = before.population.mixings[0], after.population.mixings[0]
    assert np.array_equal(was.shocks, now.shocks[:last, :last])
    assert np.array_equal(was.levels, now.levels[:last, :last])
    for name in ("own_weights", "driver_weights", "own_level_weights", "driver_level_weights"):
        assert getattr(was, name) == getattr(now, name)[:last]


@pytest.mark.parametrize("name", slow_but(BUNDLED, "minimal"))
def test_a_metric_more_changes_no_row_of_bundled_configs(name: str) -> None:
    raw = raw_of(name)
    before = plan_of(raw)
    for metric in raw["metrics"]:
        added = {"name": "added", "type": "score", "polarity": "negative", "persistence": 0.8}
        hold(before, plan_of(with_metric(raw, added, [metric["name"], 0.3, "added"])))


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("extended", [with_tables, with_columns])
def test_more_tables_and_columns_change_no_value_of_bundled_configs(name: str, extended: Any) -> None:
    before = plan_of(raw := explicit(raw_of(name)))
    hold(before, plan_of(extended(raw)), besides=images(before))


@examples(15)
@given(configs())
def test_tables_more_change_no_value(raw: Raw) -> None:
    raw = explicit(raw)
    hold(plan_of(raw), plan_of(with_tables(raw)))


@pytest.mark.slow
@examples(15)
@given(configs())
def test_columns_more_change_no_value(raw: Raw) -> None:
    before = plan_of(raw := explicit(raw))
    hold(before, plan_of(with_columns(raw)), besides=images(before))


POOLED: Raw = {
    "about": "Shops",
    "unit": "shop",
    "window": {"start": "2023-01", "end": "2023-12", "every": "month", "span": 12},
    "metrics": [{"name": name, "type": "score", "polarity": "positive"} for name in ("mood", "trust")],
    "connections": [{"metric_a": "mood", "metric_b": "trust", "coefficient": 0.8, "pooled": True}],
}
ARRIVALS: dict[str, Raw | None] = {
    "all at the start": None,
    "uniform": {"kind": "uniform"},
    "explicit": {"kind": "explicit", "start_periods": [0, 3, 5, 7, 2]},
    "ongoing": {"kind": "ongoing", "per_period": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("arrival", slow_but(ARRIVALS, next(iter(ARRIVALS))))
def test_a_pooled_correlation_moves_with_neither_units_nor_the_end(arrival: str) -> None:
    """Not with more units in segments of other sizes, a larger scale or a later end with the span held; a segment more moves
    it, which is told."""
    came = ARRIVALS[arrival]
    segments = [
        {"name": "few", "count": 5, "archetype": "growth", **({"arrival": came} if came else {})},
        {"name": "many", "count": 16, "archetype": "flat > decline @ 7"},
    ]
    raw = {**POOLED, "segments": segments}
    before = plan_of(raw)
    window = {**raw["window"], "end": "2024-06"}
    for after in (with_units(raw), {**raw, "scale": 3}, {**raw, "segments": [segments[0], {**segments[1], "count": 400}]}):
        hold_units(raw, plan_of(after))
    hold(before, plan_of({**raw, "window": window}), before.stop)
    moved = unchanged(before, plan_of(with_segment(raw)))
    assert {line.partition(":")[0] for line in moved} <= {"fct_mood.mood", "fct_trust.trust", *STAGED}
    assert moved
    assert any("`pooled` is of all segments: one more changes values of mood and trust" in str(n) for n in before.notes)


STAGED = tuple(f"{stage}_metrics.{name}" for stage in ("correlated", "noised") for name in ("mood", "trust"))


def test_a_pooled_correlation_of_unequal_segments_is_told_with_what_they_have() -> None:
    """Declared for as many units of each segment; what 20 and 2000 are said to have is what is found, within 0.03."""
    segments = [
        {"name": "few", "count": 20, "archetype": "growth"},
        {"name": "many", "count": 2000, "archetype": "flat"},
    ]
    plan = plan_of({**POOLED, "segments": segments})
    text = float(str(plan.notes[0]).rpartition("those that there are ")[2])
    rows = made_table(plan, "correlated_metrics")
    actual = np.corrcoef(rows["mood"].to_numpy(), rows["trust"].to_numpy())[0, 1]
    assert abs(text - 0.8) > 0.02
    assert abs(actual - text) < 0.03


LATER = {
    "30 minutes": "2024-03-02",
    "hour": "2024-03-02",
    "day": "1970-03-31",
    "week": "2024-06-02",
    "month": "2024-12",
    "quarter": "2025-03",
}


@examples(20)
@given(configs())
def test_a_later_end_changes_no_row_while_the_span_is_held(raw: Raw) -> None:
    """Facts, events and dates of the shorter window are in the longer one; states are the same as of the same moment. (What
    is held out is the end of the window, wherever that is.)"""
    raw = without(raw, "holdout")
    before = plan_of(raw)
    window = {**raw["window"], "end": LATER[raw["window"]["every"]], "span": before.span}
    after = plan_of({**raw, "window": window})
    hold(before, after, before.stop)
    if before.stop == before.first + before.span:
        hold(before, after, None, besides=(*AS_OF, FEATURES, *latest(before)))
    for name in names(before):
        old, new = frame(made_table(before, name)), frame(made_table(after, name))
        time = find_table(before, name).time
        if time is not None:
            assert new[new[time].isin(old[time])].reset_index(drop=True).equals(old), name


@pytest.mark.long
def test_a_bundled_config_without_an_end_gives_what_it_gives_when_it_is_ended() -> None:
    """So what pages, checksums and these laws say of it while it is ended, they say of it."""
    path = template("streaming")
    open_, closed = load_config(path), shown(path)
    assert open_.stop is None and closed.stop is not None
    for name in names(open_):
        assert not differing(made_table(open_, name, closed.first, closed.stop), made_table(closed, name)), name


@examples(10)
@given(configs())
def test_an_open_window_is_the_closed_one_as_far_as_it_goes(raw: Raw) -> None:
    raw = without(raw, "holdout")
    closed = plan_of(raw)
    window = {"start": raw["window"]["start"], "every": raw["window"]["every"], "span": closed.span}
    hold(closed, plan_of({**raw, "window": window}), closed.stop)


def reading(plan: Plan, *words: str) -> tuple[str, ...]:
    """Return the columns whose sources are among `words`, and those that read them, as `table.column`; the change logs of
    what has such a column."""
    tables = [find_table(plan, name) for name in names(plan)]
    values = [
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if column.spec.word in words or ("metric" in words and _reads_metric(column))
    ]
    looked_up = [
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if column.spec.word == "lookup" and column.spec.type.partition(".")[2] in values
    ]
    logs = [
        t.name
        for t in tables
        if t.kind == "changes" and any(f"{t.shown_table}.{c.name}" in values for c in plan.table(t.shown_table).columns)
    ]
    return (*values, *looked_up, *logs)


def _reads_metric(column: ColumnPlan) -> bool:
    """Return whether a column that is no metric follows the stored values of one."""
    word = column.spec.word
    return word == "lag" or (word in ("bucket", "narrative") and getattr(column.spec.source, "metric", None) is not None)


def counting(plan: Plan) -> tuple[str, ...]:
    """Return the columns that say how many units there are."""
    sizes = ("segment.count", "derived.size")
    return tuple(f"{table.name}.{c.name}" for table in plan.tables for c in table.columns if c.spec.type in sizes)


def without_crossings(raw: Raw) -> Raw:
    """Return a config without threshold events: they read stored values, so noise speaks of them too."""
    values = {**raw, "events": [event for event in raw.get("events", []) if event.get("trigger") != "threshold"]}
    if "units" in raw:
        values["units"] = [without(kind, "events") for kind in raw["units"]]
    return values if values["events"] else without(values, "rhythm")  # which only events may have shown


@pytest.mark.slow
@examples(15)
@given(configs(noise=False))
def test_noise_changes_stored_values_and_nothing_else(raw: Raw) -> None:
    raw = without_crossings(without(raw, *MADE_OF_ROWS))
    before = plan_of(raw)
    hold(before, plan_of({**raw, "noise": "very_messy"}), besides=reading(before, "metric", "stage"))


@pytest.mark.slow
@examples(15)
@given(configs(noise=False), st.sampled_from([{}, {"gaussian_sigma": 0.1, "outlier_rate": 0.05}]))
def test_missing_values_are_all_that_missing_at_random_changes(raw: Raw, noise: Raw) -> None:
    """The rows are the same rows, and a value is either the one it was or null."""
    raw = without_crossings(without(raw, *MADE_OF_ROWS))
    before, after = plan_of({**raw, "noise": noise}), plan_of({**raw, "noise": {**noise, "mcar_rate": 0.3}})
    hold(before, after, besides=reading(before, "metric", "stage"))
    for name in (name for name in names(before) if name not in over_units(before)):  # those are over what is there
        old, new = frame(made_table(before, name)), frame(made_table(after, name))
        for column in old.columns:
            if column == "stage" and raw["lifecycle"].get("enforce_order"):
                continue  # a unit keeps its stage while values are missing
            same = new[column] == old[column]
            assert (same | (new[column] == "<null>")).all(), (name, column)


@pytest.mark.slow
@examples(15)
@given(configs(noise=False))
def test_outliers_change_few_values_and_leave_the_others(raw: Raw) -> None:
    raw = without_crossings(without(raw, *MADE_OF_ROWS))
    before, after = plan_of(raw), plan_of({**raw, "noise": {"outlier_rate": 0.1}})
    hold(before, after, besides=reading(before, "metric", "stage"))
    old, new = frame(made_table(before, "noised_metrics")), frame(made_table(after, "noised_metrics"))
    is_missing = old.isna() & new.isna()  # of silent units
    changed = ((old != new) & ~is_missing).to_numpy().sum() / (len(old) * len(before.population.metrics))
    assert changed < 0.1 + 5 * (0.1 / (len(old) * len(before.population.metrics))) ** 0.5


@pytest.mark.slow
@examples(15)
@given(configs())
def test_a_season_changes_what_metrics_say_and_no_dimension(raw: Raw) -> None:
    raw = {key: value for key, value in without_crossings(without(raw, *MADE_OF_ROWS)).items() if key != "seasonality"}
    raw["events"] = []
    raw = without(raw, "rhythm", "checks")
    raw["facts"] = [fact for fact in raw.get("facts", []) if not {"row_count_driver", "parent_table"} & fact.keys()]
    raw["tables"] = [table for table in raw.get("tables", []) if table["name"] not in SEASONAL]
    before, after = plan_of(raw), plan_of({**raw, "seasonality": [{"months": [1, 12], "strength": 0.5}]})
    hold(before, after, besides=reading(before, "metric", "true", "expected", "stage"))


@pytest.mark.slow
@examples(15)
@given(configs())
def test_a_lifecycle_adds_a_column_and_changes_none(raw: Raw) -> None:
    raw = without(copy.deepcopy(explicit(raw)), "lifecycle")
    for table in raw.get("facts", ()):
        if "columns" in table:
            table["columns"] = [column for column in table["columns"] if column["type"] != "stage"]
    stages = [{"early": 0.0}, {"late": 0.4}]
    hold(plan_of(raw), plan_of({**raw, "lifecycle": {"track": raw["metrics"][0]["name"], "stages": stages}}))


@pytest.mark.slow
@examples(15)
@given(configs())
def test_a_history_adds_versions_and_changes_no_fact(raw: Raw) -> None:
    raw = without(copy.deepcopy(explicit(raw)), "quality")  # a ledger of dropped rows lists the column that is new
    unit = next(table for table in raw["dimensions"] if table.get("per") == "unit" and "count" not in table)
    if any(column["type"] == "scd" for column in unit["columns"]):
        return
    before = plan_of(raw)
    track = raw["metrics"][0]["name"]
    unit["columns"].append({"name": "rank", "type": "scd", "tracks": track, "tiers": ["low", "high"], "at": [0.5]})
    after = plan_of(raw)
    dimension = unit["name"]
    key = next(column["name"] for column in unit["columns"] if column["type"] in ("id", "uuid"))
    for name in names(before):
        if find_table(before, name).kind == "changes":
            continue  # which tells of the new column too
        old, new = frame(made_table(before, name)), frame(made_table(after, name))
        columns = list(old.columns)
        if name == dimension:
            new = new.drop_duplicates(key).reset_index(drop=True)
            columns = [column for column in columns if f"{name}.{column}" not in moving(before)]  # of the first version
        assert new[columns].equals(old[columns]), name


@examples(15)
@given(configs(ends=False))
def test_ends_of_units_take_rows_away_and_change_none(raw: Raw) -> None:
    """What is left after an event ends units was there before, but for the moments within the period of the end; and the
    version in which a unit ends is its last, so that no later one closes it."""
    raw = without(raw, *MADE_OF_ROWS)
    crossing = [event for event in raw.get("events", []) if event.get("trigger") == "threshold"]
    if not crossing:
        return
    ending = {**without(crossing[0], "refire", "again_after"), "ends_unit": True}
    others = [event for event in raw["events"] if event is not crossing[0]]
    before, after = plan_of(raw), plan_of({**raw, "events": [*others, ending]})
    closing = ("dim_shop.valid_to", "dim_shop.is_current")
    moments = [name for name in reading(before, "timestamp", "cdc") if not name.startswith("dim_")]
    moments += [f"{table.name}.{c}" for table in before.tables for c, to, _ in table.references if to == "dim_time"]
    logs = (table.name for table in before.tables if table.kind == "changes")  # which delete them
    hold(after, before, besides=(*moments, *closing, *latest(before), *reaching(before), *over_units(before), *logs))


def test_the_window_of_a_plan_is_its_whole_slice() -> None:
    """The helpers of these laws and the generator mean the same by the whole."""
    plan = plan_of(raw_of("minimal"))
    assert (full_slice(plan.population).first, full_slice(plan.population).stop) == (plan.first, plan.stop)

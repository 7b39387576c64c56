"""The laws where units keep arriving and leaving: as random configs hold them seldom, each of these has them for sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plotsim_core import ConfigError, from_mapping
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.roster import select
from tests.laws.extended import without
from tests.laws.made import by_population, differing, made_table, names
from tests.laws.pieces import lives
from tests.laws.strategies import Raw, configs, examples, plan_of
from tests.laws.test_extension import LATER, hold, hold_units
from tests.laws.test_relations import RULES
from tests.laws.test_slice import hold_as_of, hold_periods
from tests.laws.test_slice import hold_units as hold_parts


@st.composite
def living(draw: st.DrawFn) -> Raw:
    """A config in which units of the first segment keep arriving, and perhaps those of others."""
    raw: dict[str, Any] = without(draw(configs(pieces=1)), "holdout")
    lives.add(draw, raw)
    rate, ages = draw(st.sampled_from([0.1, 0.4, 1.3])), draw(st.sampled_from(["mixed", "new"]))
    raw["segments"][0] |= {"arrival": {"kind": "ongoing", "per_period": rate, "ages": ages}}
    return raw


@examples(6)
@given(living(), st.data())
def test_periods_and_units_made_alone_are_those_of_the_whole_while_units_come_and_go(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    first = data.draw(st.integers(plan.first, plan.stop - 1))
    stop = data.draw(st.integers(first + 1, plan.stop))
    hold_periods(plan, [(first, stop), (stop - 1, stop)])
    hold_as_of(plan, [stop])
    for kind in by_population(plan):
        most = units_by(kind.population, plan.stop) - 1
        hold_parts(kind, [data.draw(st.integers(1, most))] if most >= 1 else [])


@pytest.mark.slow
@examples(6)
@given(living())
def test_a_later_end_and_an_open_window_change_no_row_while_units_come_and_go(raw: Raw) -> None:
    before = plan_of(raw)
    window = {**raw["window"], "end": LATER[raw["window"]["every"]], "span": before.span}
    hold(before, plan_of({**raw, "window": window}), before.stop)
    del window["end"]
    hold(before, plan_of({**raw, "window": window}), before.stop)


@examples(6)
@given(living())
def test_tables_keep_their_relations_while_units_come_and_go(raw: Raw) -> None:
    plan = plan_of(raw)
    for rule in RULES:
        rule(plan)


@pytest.mark.slow
@examples(6)
@given(living())
def test_a_higher_rate_of_arrivals_only_adds_units(raw: Raw) -> None:
    hold_units(raw, from_mapping(raw, name="generated", scale=2.5))


@examples(4)
@given(living(), st.data())
def test_a_stop_of_an_open_window_says_nothing_of_earlier_periods(raw: Raw, data: st.DataObject) -> None:
    """Also of rows that refer to units of another kind, or are drawn among those who are there."""
    closed = plan_of(raw)
    window = {"start": raw["window"]["start"], "every": raw["window"]["every"], "span": closed.span}
    try:
        plan = plan_of({**raw, "window": window})
    except ConfigError as error:  # without an end more units come than some keys have room for
        assume("make `units` larger" not in str(error))
        raise
    assert closed.stop is not None
    stop = data.draw(st.integers(plan.first + 1, closed.stop))
    for table in (table for table in plan.tables if table.time is not None and table.kind != "ledger"):
        alone, longer = made_table(plan, table.name, stop - 1, stop), made_table(plan, table.name, stop - 1, closed.stop + 3)
        assert not differing(alone, longer.slice(0, len(alone)).combine_chunks()), table.name


def test_places_keep_their_units_as_time_goes_on() -> None:
    raw: Raw = {
        "about": "x",
        "unit": "shop",
        "window": {"start": "2024-01", "every": "month", "span": 6},
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive"}],
        "segments": [
            {"name": "a", "count": 3, "archetype": "growth", "arrival": {"kind": "ongoing", "per_period": 0.7}},
            {"name": "b", "count": 2, "archetype": "flat"},
            {"name": "c", "count": 1, "archetype": "decline", "arrival": {"kind": "ongoing", "per_period": 1.6}},
        ],
    }
    plan = plan_of(raw)
    early, late = units_by(plan.population, plan.first + 8), units_by(plan.population, plan.first + 90)
    some, all_ = select(plan.population, 0, early), select(plan.population, 0, late)
    assert plan.population.units < early < late
    assert np.array_equal(some.address, all_.address[:early])
    assert len(np.unique(all_.address)) == late
    assert (all_.arrival[early:] >= plan.first + 8).all()
    assert "fct_visits" in names(plan)

"""What is known of the past saves time and changes no value: states that another process has saved, whole, broken or of
another plan; and what changes of a dimension is what makes the later state of the earlier one."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan
from plotsim_core.arrow import joined, plain_type
from plotsim_core.engine.checkpoints import checkpoints, take_states
from plotsim_core.engine.state_cache import spaced
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.state_changes import is_kept_by_change, state_changes
from tests.laws.made import DATASETS, afresh, bundled, differing, made_table, names
from tests.laws.strategies import Raw, configs, examples, plan_of

PERIODS = 3
"""Periods that are made after what is known."""


def stored_before(plan: Plan, stop: int) -> list[bytes]:
    """Return the states that a process has saved which has made all tables before a period."""
    other = afresh(plan)
    for name in names(other):
        made_table(other, name, other.first, stop)
    return [checkpoint.content for checkpoint in checkpoints(other)]


def hold_states(plan: Plan, first: int) -> None:
    """Periods from `first` on are the same with states that were saved before, with broken ones, and without any."""
    assert plan.stop is not None
    stop = min(first + PERIODS, plan.stop)
    contents = stored_before(plan, first)
    expected = {name: made_table(afresh(plan), name, first, stop) for name in names(plan)}
    for offer in (contents, list(broken(contents))):
        other = afresh(plan)
        assert bool(take_states(other, offer)) == (offer is contents and bool(contents))
        for name, rows in expected.items():
            assert differing(made_table(other, name, first, stop), rows) == ""


def broken(contents: list[bytes]) -> Iterator[bytes]:
    """Yield contents with a bit flipped, cut off, empty, and no content."""
    for content in contents:
        for place in (0, len(content) // 2, len(content) - 1):
            yield content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        yield content[: len(content) // 2]
        yield content + b"\0"
    yield b""


def hold_changes(plan: Plan, first: int, stop: int) -> None:
    """The rows of a state that have changed, put in place of those with their keys, make the later state."""
    for table in plan.tables:
        if is_kept_by_change(table):
            before, after = (made_table(plan, table.name, plan.first, moment) for moment in (first, stop))
            pieces = state_changes(afresh(plan), table, first, stop)
            changes = pa.Table.from_batches(pieces, table.schema).combine_chunks()
            identities = identity(table, changes)
            assert pc.count_distinct(identities).as_py() == len(changes)
            stays = pc.invert(pc.is_in(identity(table, before), value_set=identities))
            merged = pa.concat_tables([before.filter(stays), changes]).combine_chunks()
            assert differing(in_order(table, merged), in_order(table, after)) == ""


def identity(table: TablePlan, rows: pa.Table) -> pa.StringArray:
    """Return the key of each row as one text."""
    return joined(*(rows[name].combine_chunks().cast(pa.string()) for name in table.key), between="|")


def in_order(table: TablePlan, rows: pa.Table) -> pa.Table:
    """Return rows in the order of their keys, texts without an encoding."""
    order = pc.sort_indices(identity(table, rows))
    plain = pa.schema([field.with_type(plain_type(field.type)) for field in rows.schema])
    return rows.cast(plain).take(order).combine_chunks()


@pytest.mark.parametrize("name", DATASETS)
def test_checkpoints_change_no_value_in_bundled_configs(name: str) -> None:
    plan = bundled(name)
    assert plan.stop is not None
    hold_states(plan, plan.stop - PERIODS)


@examples(15)
@given(configs(), st.data())
def test_checkpoints_change_no_value(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    if plan.stop - plan.first > 1:
        hold_states(plan, data.draw(st.integers(plan.first + 1, plan.stop - 1)))


@pytest.mark.slow
def test_states_of_another_plan_are_passed_by() -> None:
    """Of another seed, of another scale, and of another dataset."""
    plan = bundled("saas")
    contents = stored_before(plan, plan.first + 9)
    assert take_states(afresh(plan), contents) > 0
    for other in (
        plan_of({**plan.raw, "seed": plan.seed + 1}),
        plan_of({**plan.raw, "scale": 2}),
        afresh(bundled("minimal")),
    ):
        assert take_states(other, contents) == 0


@pytest.mark.parametrize("name", DATASETS)
def test_changes_make_the_later_state_of_the_earlier_in_bundled_configs(name: str) -> None:
    plan = bundled(name)
    assert plan.stop is not None
    middle = (plan.first + plan.stop) // 2
    for first, stop in ((plan.first + 1, plan.stop), (middle, middle + 1), (plan.stop - 1, plan.stop)):
        hold_changes(plan, first, stop)


@examples(30)
@given(configs(), st.data())
def test_changes_make_the_later_state_of_the_earlier(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    if plan.stop - plan.first > 1:
        first = data.draw(st.integers(plan.first + 1, plan.stop - 1))
        hold_changes(plan, first, data.draw(st.integers(first + 1, plan.stop)))


def test_states_are_few_however_long_the_past() -> None:
    """Ten times the past takes a few checkpoints more, and what looks back starts at most twice as far back."""
    counts = []
    for length in (100, 1000, 10_000):
        known: set[int] = set()
        for period in range(length):
            known = spaced({*known, period})
        counts.append(len(known))
        for age in (1, 5, 30, length // 2):
            latest = max(period for period in known if period <= length - 1 - age)
            assert length - 1 - latest <= 2 * age + 2
    assert counts[2] <= 2 * 14 + 2
    assert counts[2] - counts[1] <= 8

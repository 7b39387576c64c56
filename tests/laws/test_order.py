"""Order: whatever the chunks, the order, the threads and the processes, the rows are the same."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan
from plotsim_core.tables.build import find_table
from tests.laws.made import (
    BRIEF,
    DATASETS,
    afresh,
    bundled,
    chunks_of,
    differing,
    is_state,
    made_table,
    names,
)
from tests.laws.strategies import Raw, configs, examples, plan_of
from tests.marks import slow_but


def everything(plan: Plan, stop: int | None = None) -> dict[str, pa.Table]:
    """Return all tables and stages of a plan, up to `stop`."""
    return {name: made_table(plan, name, None, stop) for name in names(plan)}


def hold(plan: Plan, actual: dict[str, pa.Table], expected: dict[str, pa.Table]) -> None:
    """Check that two makings of a plan are the same."""
    for name, table in expected.items():
        assert not differing(actual[name], table), (plan.name, name, differing(actual[name], table))


def piecewise(plan: Plan, name: str, periods: list[tuple[int, int]]) -> pa.Table:
    """Return a table put together from ranges of periods that are made in the order given; a state from its last."""
    parts = {first: made_table(plan, name, first, stop) for first, stop in periods}
    if is_state(find_table(plan, name)):
        return parts[max(parts)]
    return pa.concat_tables(parts[first] for first in sorted(parts)).combine_chunks()


def work(pickled: bytes, name: str, first: int, stop: int) -> pa.Table:
    """Make periods of a table of a plan that has travelled."""
    return made_table(pickle.loads(pickled), name, first, stop)


@pytest.mark.parametrize("name", slow_but(DATASETS, "minimal"))
def test_blocks_of_any_size_give_the_same_rows_in_bundled_configs(name: str) -> None:
    """Blocks of many periods of all units, and of one period of almost all units."""
    plan = bundled(name)
    assert plan.stop is not None
    stop = min(plan.first + 60, plan.stop)
    expected, begin = everything(plan), everything(plan, stop)
    with chunks_of(plan.population.units * 97):
        hold(plan, everything(afresh(plan)), expected)
    with chunks_of(plan.population.units - 1):
        hold(plan, everything(afresh(plan), stop), begin)


@examples(20)
@given(configs(), st.integers(1, 40))
def test_blocks_of_any_size_give_the_same_rows(raw: Raw, cells: int) -> None:
    plan = plan_of(raw)
    expected = everything(plan)
    with chunks_of(cells):
        hold(plan, everything(afresh(plan)), expected)


@examples(10)
@given(configs(), st.randoms(use_true_random=False))
def test_periods_in_any_order_give_the_same_rows(raw: Raw, chance: random.Random) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    expected = everything(plan)
    plan = afresh(plan)
    periods = [(period, period + 1) for period in range(plan.first, plan.stop)]
    chance.shuffle(periods)
    hold(plan, {name: piecewise(plan, name, periods) for name in expected}, expected)


@pytest.mark.parametrize("name", DATASETS)
def test_ranges_in_reverse_and_with_stages_between_give_the_same_rows_in_bundled_configs(name: str) -> None:
    plan = bundled(name)
    assert plan.stop is not None
    expected = everything(plan)
    plan = afresh(plan)
    step = max(1, (plan.stop - plan.first) // 5)
    ranges = [(first, min(first + step, plan.stop)) for first in range(plan.first, plan.stop, step)]
    hold(plan, {table: piecewise(plan, table, ranges[::-1]) for table in reversed(expected)}, expected)


@pytest.mark.parametrize("name", DATASETS)
def test_threads_at_work_on_one_plan_give_the_same_rows(name: str) -> None:
    plan = bundled(name)
    assert plan.stop is not None
    middle = (plan.first + plan.stop) // 2
    jobs = [(table, first, stop) for table in names(plan) for first, stop in ((middle, plan.stop), (plan.first, middle))]
    expected = [made_table(plan, *job) for job in jobs]
    copy = afresh(plan)
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda job: made_table(copy, *job), jobs))
    for job, one, other in zip(jobs, values, expected, strict=True):
        assert not differing(one, other), (job, differing(one, other))


@pytest.mark.slow
def test_another_process_gives_the_same_rows() -> None:
    """The plan is pickled, and unpickled by a process that was started from nothing and has made nothing before."""
    jobs = []
    for name in BRIEF:
        plan = bundled(name)
        assert plan.stop is not None
        pickled = pickle.dumps(plan)
        jobs += [(plan, pickled, table, plan.stop - 2, plan.stop - 1) for table in names(plan)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        made_there = list(pool.map(work, *zip(*[job[1:] for job in jobs], strict=True)))
    for (plan, _, *job), actual in zip(jobs, made_there, strict=True):
        assert not differing(actual, made_table(plan, *job)), (plan.name, job)

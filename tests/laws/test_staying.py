"""Who is left out of a block, since it has left before or comes later, changes no row of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan
from plotsim_core.engine import slice as slices
from plotsim_core.engine import staying
from tests.laws.made import afresh, bundled, chunks_of, differing, made_table, names
from tests.laws.strategies import Raw, examples, plan_of
from tests.laws.test_lives import living


@contextmanager
def thinned(monkeypatch: pytest.MonkeyPatch, is_thinned: bool) -> Iterator[None]:
    """Leave out all who are not there in each period alone, or nobody."""
    with monkeypatch.context() as patch:
        patch.setattr(staying, "_TOGETHER", 1)
        patch.setattr(staying, "_WORTHWHILE", 1.0 if is_thinned else 0.0)
        patch.setattr(slices, "may_leave", lambda population: is_thinned)
        yield


def hold_thinned(monkeypatch: pytest.MonkeyPatch, plan: Plan, first: int, cells: int) -> None:
    with thinned(monkeypatch, False):
        expected = {name: made_table(afresh(plan), name, first, plan.stop) for name in names(plan)}
    with thinned(monkeypatch, True), chunks_of(cells):
        other = afresh(plan)
        for name, rows in expected.items():
            assert differing(made_table(other, name, first, plan.stop), rows) == ""


@pytest.mark.slow
def test_leaving_out_who_is_not_there_changes_no_row_of_a_bundled_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the one whose units leave by tenure; blocks of some days, and of a part of a day's units."""
    plan = bundled("streaming")
    assert plan.stop is not None
    for first, cells in ((plan.first, 5000), (plan.stop - 40, 300), (plan.stop - 1, 50)):
        hold_thinned(monkeypatch, plan, first, cells)


@examples(12)
@given(living(), st.data())
def test_leaving_out_who_is_not_there_changes_no_row(raw: Raw, data: st.DataObject) -> None:
    first_segment = raw["segments"][0]
    first_segment["tenure"] = first_segment.get("tenure", {"mean": data.draw(st.sampled_from([1, 2.5, 6])), "least": 1})
    plan = plan_of(raw)
    assert plan.stop is not None
    first = data.draw(st.integers(plan.first, plan.stop - 1))
    with pytest.MonkeyPatch.context() as monkeypatch:
        hold_thinned(monkeypatch, plan, first, data.draw(st.sampled_from([3, 40, 1000])))

"""Partial parts: the checks of a part tell what they know beside a wrong field, and nothing of the field."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.metrics import Metric
from plotsim_core.config.partial import UNREAD, UnreadError, known_problems, partial_part, partial_problems
from plotsim_core.errors import Problem


def test_checks_tell_what_is_wrong_beside_a_wrong_field() -> None:
    written = {"name": "visits", "type": "count", "polarity": "up", "range": [0, 1], "delay": 2}
    assert [problem.path for problem in partial_problems(Metric, written)] == ["range", "delay"]


def test_nothing_is_told_of_a_field_that_is_wrong() -> None:
    """A metric of a type that is none may need a range, or not."""
    assert partial_problems(Metric, {"name": "visits", "type": "cuont", "polarity": "positive"}) == []
    assert partial_problems(Rhythm, {"holidays": -1}) == []


def test_a_missing_field_is_as_unread_as_a_wrong_one() -> None:
    part = partial_part(Metric, {"name": "visits", "type": "count"}, ["name"])
    assert part is not None and part.polarity is UNREAD
    assert partial_part(Metric, {"name": "visits", "type": "count"}, ["polarity"]) is None


def test_a_check_ends_where_it_looks_at_what_is_wrong() -> None:
    def check() -> Iterator[Problem]:
        yield Problem("mean", "is wrong")
        if UNREAD > 1:
            yield Problem("range", "is wrong")

    assert list(known_problems(check())) == [Problem("mean", "is wrong")]
    with pytest.raises(UnreadError):
        bool(UNREAD)
    with pytest.raises(UnreadError):
        UNREAD == 1  # noqa: B015 - the comparison is what raises

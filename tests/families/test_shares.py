"""Shares are exact for any first n of a sequence, and fair for each number of it."""

from __future__ import annotations

import numpy as np
import pytest

from plotsim_core.numerics.random import key, words
from plotsim_core.numerics.shares import cycle, in_share

SHARES = [0.0, 0.0123, 0.05, 0.1, 0.2, 0.3, 1 / 3, 0.45, 0.4999, 0.5, 0.6, 0.7, 0.97, 1.0]
NUMBERS, SEQUENCES = 300, 4000


@pytest.fixture(scope="module", params=SHARES)
def drawn(request: pytest.FixtureRequest) -> tuple[float, np.ndarray]:
    """A share, and which numbers of some sequences are chosen."""
    numbers = np.tile(np.arange(NUMBERS), SEQUENCES)
    address = np.repeat(words(np.arange(SEQUENCES)), NUMBERS)
    return request.param, in_share(numbers, request.param, key(5, "shares"), address).reshape(SEQUENCES, NUMBERS)


def test_any_first_numbers_have_their_share_rounded_up_or_down(drawn: tuple[float, np.ndarray]) -> None:
    share, inside = drawn
    whole = round(share * 10**9) * np.arange(1, NUMBERS + 1)  # as whole numbers, in which shares are meant
    counts = np.cumsum(inside, axis=1)
    assert np.all(counts >= whole // 10**9)
    assert np.all(counts <= -(-whole // 10**9))


def test_each_number_is_chosen_as_often_as_any_other(drawn: tuple[float, np.ndarray]) -> None:
    """Within five standard errors, of 300 numbers: one in 6,000 runs would fail by chance."""
    share, inside = drawn
    off = np.abs(inside.mean(axis=0) - share)
    assert np.all(off <= 5 * np.sqrt(share * (1 - share) / SEQUENCES) + 1e-9)


def test_sequences_are_independent_of_each_other(drawn: tuple[float, np.ndarray]) -> None:
    """What is chosen in one tells nothing of the next: their correlation over 4,000 x 300 cells is that of chance."""
    share, inside = drawn
    if 0 < share < 1:
        one, next_ = (inside[part].ravel().astype(float) for part in (slice(None, -1), slice(1, None)))
        assert abs(np.corrcoef(one, next_)[0, 1]) < 5 / np.sqrt(one.size)


def test_a_choice_follows_from_the_number_alone(drawn: tuple[float, np.ndarray]) -> None:
    share, inside = drawn
    some = np.array([7, 250, 0])
    alone = in_share(some, share, key(5, "shares"), np.repeat(words(np.array([11])), 3))
    assert np.array_equal(alone, inside[11, some])


@pytest.mark.parametrize(
    "shares",
    [(1.0,), (0.5, 0.5), (0.5, 0.3, 0.2), (0.333, 0.333, 0.333), (0.75, 0.25), (0.1, 0.2, 0.3, 0.4), (0.001, 0.999)],
)
def test_a_cycle_gives_each_kind_its_share_of_any_first_numbers(shares: tuple[float, ...]) -> None:
    kinds = np.tile(cycle(shares), 3)
    numbers = np.arange(1, len(kinds) + 1)
    for kind, share in enumerate(np.array(shares) / sum(shares)):
        assert np.all(np.abs(np.cumsum(kinds == kind) - numbers * share) < 1)


def test_shares_that_fit_into_no_cycle_are_met_to_a_ten_thousandth() -> None:
    kinds = np.tile(cycle((0.12345, 0.87655)), 10)
    assert abs(np.mean(kinds == 0) - 0.12345) <= 0.5e-4 + 1e-9

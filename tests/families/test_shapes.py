"""Every curve and every archetype word: pointwise, in [0, 1], with defaults inside their bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core.numerics.curves import CURVES, WORDS, Piece, position

TIME = np.linspace(0.0, 1.0, 401)
YEARS = np.full(TIME.shape, 2.5)

ARCHETYPES: dict[str, tuple[Piece, ...]] = {
    **dict(WORDS.items()),
    **{
        f"curve {name}": (Piece(name, tuple((key, bound.default) for key, bound in curve.parameters.items()), 0.0, 1.0),)
        for name, curve in CURVES.items()
    },
}
every_archetype = pytest.mark.parametrize("pieces", ARCHETYPES.values(), ids=list(ARCHETYPES))


@every_archetype
def test_a_slice_of_a_curve_is_the_curve_of_a_slice(pieces: tuple[Piece, ...]) -> None:
    """Bit by bit: for a part, for every other point, and for a point alone."""
    whole = position(pieces, TIME, YEARS)
    assert np.array_equal(whole[57:203], position(pieces, TIME[57:203], YEARS[57:203]))
    assert np.array_equal(whole[::2], position(pieces, TIME[::2], YEARS[::2]))
    alone = [float(position(pieces, TIME[n : n + 1], YEARS[:1])[0]) for n in range(0, len(TIME), 7)]
    assert np.array_equal(whole[::7], np.array(alone))


@every_archetype
def test_positions_lie_between_0_and_1_and_hold_outside_their_time(pieces: tuple[Piece, ...]) -> None:
    beyond = np.array([-3.0, -0.01, 0.0, 0.3, 1.0, 1.01, 9.0])
    actual = position(pieces, beyond, np.full(beyond.shape, 2.5))
    assert (actual >= 0).all() and (actual <= 1).all() and np.isfinite(actual).all()
    assert actual[0] == actual[1] == actual[2]
    assert actual[-1] == actual[-2] == actual[-3]


@every_archetype
def test_pieces_fill_the_time(pieces: tuple[Piece, ...]) -> None:
    assert pieces[0].begin == 0
    assert pieces[-1].end == 1
    assert all(a.end == b.begin for a, b in itertools.pairwise(pieces))


@pytest.mark.parametrize("name", list(CURVES))
@given(data=st.data())
def test_a_curve_gives_positions_for_all_parameters_within_bounds(name: str, data: st.DataObject) -> None:
    curve = CURVES[name]
    values = {key: data.draw(st.floats(bound.low, bound.high)) for key, bound in curve.parameters.items()}
    actual = position((Piece(name, tuple(values.items()), 0.0, 1.0),), TIME, YEARS)
    assert np.isfinite(actual).all() and (actual >= 0).all() and (actual <= 1).all()


@pytest.mark.parametrize("name", list(CURVES))
def test_a_default_lies_within_its_bounds(name: str) -> None:
    assert all(bound.low <= bound.default <= bound.high for bound in CURVES[name].parameters.values())


@pytest.mark.parametrize(
    ("word", "begin", "end"),
    [("growth", 0.0, 1.0), ("accelerating", 0.0, 1.0), ("decline", 1.0, np.exp(-2)), ("flat", 0.15, 0.15)],
)
def test_a_word_begins_and_ends_where_it_says(word: str, begin: float, end: float) -> None:
    actual = position(WORDS[word], TIME, YEARS)
    assert actual[0] == pytest.approx(begin, abs=1e-9)
    assert actual[-1] == pytest.approx(end, abs=1e-9)


def test_the_seasonal_word_comes_round_every_year() -> None:
    actual = position(WORDS["seasonal"], np.array([0.1, 0.35, 0.6, 0.85]), np.full(4, 4.0))
    assert np.allclose(actual, actual[0])

"""Archetype curves: position over time, in [0, 1], pointwise.

A curve is a function of (u, years): `u` runs from 0 to 1 over the piece of the window that the curve fills and `years`
is calendar time since that piece began. Curves are normalised by their values at the ends of the piece in closed
form, never by the minimum or maximum of the array they are given, so a slice of a curve is the curve of a slice.

`CURVES` are the mathematical shapes with their parameters; `WORDS` are the six words people use for them, each one
or more pieces (curve, parameters, share of the time).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plotsim_core.families import Family
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound


@dataclass(frozen=True)
class Curve:
    """One shape: `value(u, years, **parameters)` gives positions before they are clipped to [0, 1]."""

    value: Callable[..., Floats]
    parameters: Mapping[str, Bound] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """A curve with its parameters, filling the part of a trajectory from `begin` to `end` (0 <= begin < end <= 1)."""

    curve: str
    parameters: tuple[tuple[str, float], ...]
    begin: float
    end: float


_LEVEL = Bound(0.5, 0.0, 1.0)


def _sigmoid(u: Floats, years: Floats, midpoint: float, steepness: float) -> Floats:
    def raw(x: Floats | float) -> Floats:
        return 1.0 / (1.0 + np.exp(-steepness * (x - midpoint)))

    low, high = raw(0.0), raw(1.0)
    return (raw(u) - low) / (high - low)


def _falling_sigmoid(u: Floats, years: Floats, midpoint: float, steepness: float) -> Floats:
    return 1.0 - _sigmoid(u, years, midpoint, steepness)


def _exp_decay(u: Floats, years: Floats, rate: float) -> Floats:
    return np.exp(-rate * u)


def _linear(u: Floats, years: Floats, begin: float, end: float) -> Floats:
    return begin + (end - begin) * u


def _step(u: Floats, years: Floats, before: float, after: float, threshold: float) -> Floats:
    return np.where(u < threshold, before, after)


def _plateau(u: Floats, years: Floats, level: float) -> Floats:
    return np.full(np.shape(u), level)


def _accelerating(u: Floats, years: Floats, bend: float) -> Floats:
    positions: Floats = np.expm1(bend * u) / np.expm1(bend)
    return positions


def _compound(u: Floats, years: Floats, base_rate: float, acceleration: float) -> Floats:
    positions: Floats = (base_rate * u + 0.5 * acceleration * u * u) / (base_rate + 0.5 * acceleration)
    return positions


def _yearly(u: Floats, years: Floats, center: float, amplitude: float) -> Floats:
    return center + amplitude * np.sin(2.0 * np.pi * years)


def _oscillating(u: Floats, years: Floats, center: float, amplitude: float, cycles: float) -> Floats:
    return center + amplitude * np.sin(2.0 * np.pi * cycles * u)


def _sawtooth(u: Floats, years: Floats, base: float, amplitude: float, cycles: float) -> Floats:
    return base + amplitude * np.mod(u * cycles, 1.0)


CURVES: Family[Curve] = Family("curve")
for _name, _curve in {
    "sigmoid": Curve(_sigmoid, {"midpoint": _LEVEL, "steepness": Bound(10, 0.1, 100)}),
    "falling_sigmoid": Curve(_falling_sigmoid, {"midpoint": _LEVEL, "steepness": Bound(10, 0.1, 100)}),
    "exp_decay": Curve(_exp_decay, {"rate": Bound(3, 0, 50)}),
    "linear": Curve(_linear, {"begin": Bound(0, 0, 1), "end": Bound(1, 0, 1)}),
    "step": Curve(_step, {"before": Bound(0, 0, 1), "after": Bound(1, 0, 1), "threshold": _LEVEL}),
    "plateau": Curve(_plateau, {"level": _LEVEL}),
    "accelerating": Curve(_accelerating, {"bend": Bound(3, 0.1, 20)}),
    "compound": Curve(_compound, {"base_rate": Bound(0.05, 0.001, 10), "acceleration": Bound(0.02, 0, 10)}),
    "yearly": Curve(_yearly, {"center": _LEVEL, "amplitude": Bound(0.4, 0, 1)}),
    "oscillating": Curve(_oscillating, {"center": _LEVEL, "amplitude": Bound(0.4, 0, 1), "cycles": Bound(2, 0, 1000)}),
    "sawtooth": Curve(_sawtooth, {"base": Bound(0, 0, 1), "amplitude": Bound(1, 0, 1), "cycles": Bound(2, 0, 1000)}),
}.items():
    CURVES.add(_name, _curve)

WORDS: Family[tuple[Piece, ...]] = Family("archetype word")
for _name, _pieces in {
    "growth": (Piece("sigmoid", (("midpoint", 0.5), ("steepness", 6.0)), 0.0, 1.0),),
    "decline": (Piece("exp_decay", (("rate", 2.0),), 0.0, 1.0),),
    "seasonal": (Piece("yearly", (("center", 0.5), ("amplitude", 0.4)), 0.0, 1.0),),
    "flat": (Piece("plateau", (("level", 0.15),), 0.0, 1.0),),
    "accelerating": (Piece("accelerating", (("bend", 3.0),), 0.0, 1.0),),
    "spike_then_crash": (
        Piece("sigmoid", (("midpoint", 0.3), ("steepness", 10.0)), 0.0, 0.55),
        Piece("step", (("before", 1.0), ("after", 0.2), ("threshold", 0.5)), 0.55, 0.65),
        Piece("plateau", (("level", 0.2),), 0.65, 1.0),
    ),
}.items():
    WORDS.add(_name, _pieces)


def piece_index(pieces: tuple[Piece, ...], u: Floats) -> NDArray[np.intp]:
    """Return, for each u in [0, 1], which piece of the trajectory it falls into."""
    return np.searchsorted(np.array([piece.begin for piece in pieces[1:]]), u, side="right")


def position(pieces: tuple[Piece, ...], u: Floats, span_years: Floats, elapsed: Floats | None = None) -> Floats:
    """Return positions in [0, 1].

    `u` is progress through the whole trajectory (values outside [0, 1] hold at the ends) and `span_years` how many
    calendar years that whole is; both have one shape, which is the result's. Where the trajectory is run again and again,
    `elapsed` are the calendar years since it was begun first.
    """
    progress = np.clip(u, 0.0, 1.0)
    index = piece_index(pieces, progress)
    result = np.empty(progress.shape)
    for number, piece in enumerate(pieces):
        in_piece = index == number
        piece_share = (progress[in_piece] - piece.begin) / (piece.end - piece.begin)
        if elapsed is None:
            years = (progress[in_piece] - piece.begin) * span_years[in_piece]
        else:
            years = elapsed[in_piece] - piece.begin * span_years[in_piece]
        result[in_piece] = CURVES[piece.curve].value(piece_share, years, **dict(piece.parameters))
    return np.clip(result, 0.0, 1.0)

"""The scale at which something that grows with it comes near a number."""

from __future__ import annotations

from collections.abc import Callable

_NEAR = 0.01
_TRIES = 12
_DIGITS = 4


def scale_to(size: Callable[[float], float], target: float, start: float, low: float, high: float) -> tuple[float, float]:
    """Return the scale in [low, high], of four digits, at which `size` comes nearest to `target`, and that size, by regula
    falsi from `start` and bisection in turn: within 1 %, or as near as twelve tries come. `size` grows with the scale, in
    steps where units are whole, and is infinite where the scale is too large."""
    at = _rounded(start, low, high)
    tried = {at: size(at)}
    for turn in range(_TRIES):
        best = min(tried, key=lambda scale: abs(tried[scale] - target))
        if abs(tried[best] - target) <= _NEAR * target:
            break
        below = max((scale for scale in tried if tried[scale] <= target), default=None)
        above = min((scale for scale in tried if tried[scale] > target), default=None)
        if below is not None and above is not None:
            share = (target - tried[below]) / max(tried[above] - tried[below], 1e-12) if turn % 2 else 0.5
            guess = below + (above - below) * min(max(share, 0.02), 0.98)
        else:
            guess = best * target / max(tried[best], 1e-12)
        guess = _rounded(guess, low, high)
        if guess in tried:
            break
        tried[guess] = size(guess)
    best = min(tried, key=lambda scale: (abs(tried[scale] - target), scale))
    return best, tried[best]


def _rounded(scale: float, low: float, high: float) -> float:
    return min(max(float(f"{scale:.{_DIGITS}g}"), low), high)

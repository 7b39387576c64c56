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
    first = _rounded(start, low, high)
    sizes = {first: size(first)}
    for attempt in range(_TRIES):
        best = min(sizes, key=lambda scale: abs(sizes[scale] - target))
        if abs(sizes[best] - target) <= _NEAR * target:
            break
        lower = max((scale for scale in sizes if sizes[scale] <= target), default=None)
        upper = min((scale for scale in sizes if sizes[scale] > target), default=None)
        if lower is not None and upper is not None:
            share = (target - sizes[lower]) / max(sizes[upper] - sizes[lower], 1e-12) if attempt % 2 else 0.5
            guess = lower + (upper - lower) * min(max(share, 0.02), 0.98)
        else:
            guess = best * target / max(sizes[best], 1e-12)
        guess = _rounded(guess, low, high)
        if guess in sizes:
            break
        sizes[guess] = size(guess)
    best = min(sizes, key=lambda scale: (abs(sizes[scale] - target), scale))
    return best, sizes[best]


def _rounded(scale: float, low: float, high: float) -> float:
    return min(max(float(f"{scale:.{_DIGITS}g}"), low), high)

"""Pictures as small SVG texts: lines over time, and declared against found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0")
_WIDTH, _HEIGHT = 560, 260
_LEFT, _TOP, _BOTTOM, _LEGEND = 38, 28, 24, 150
_POINTS = 120
"""Lines are thinned to about so many points: a picture has to stay small."""


def lines(
    title: str, ticks: tuple[str, str], series: Mapping[str, Sequence[float]], low: float = 0.0, high: float = 1.0
) -> str:
    """Return lines over equally spaced times, each named in a legend; `ticks` label the first and the last time."""
    right = _WIDTH - _LEGEND
    parts = [_frame(title, low, high, right)]
    for place, (name, values) in enumerate(series.items()):
        colour = COLOURS[place % len(COLOURS)]
        step = max(1, len(values) // _POINTS)
        points = " ".join(
            f"{_LEFT + (right - _LEFT) * at / max(1, len(values) - 1):.0f},{_y(float(values[at]), low, high):.0f}"
            for at in range(0, len(values), step)
            if np.isfinite(values[at])
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{right + 12}" y="{_TOP + 10 + 17 * place}" fill="{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{escape(ticks[0])}</text>')
    parts.append(f'<text x="{right}" y="{_HEIGHT - 6}" text-anchor="end">{escape(ticks[1])}</text>')
    return _svg(parts)


def against(title: str, pairs: Mapping[str, tuple[float, float, float]]) -> str:
    """Return, for each named pair, what was expected (a tick) and what was found (a dot) with what chance allows (a bar)."""
    left, right, top = 250, _WIDTH - 20, 40
    height = top + 24 * len(pairs) + 16
    parts = [f'<text x="12" y="18" font-weight="bold">{escape(title)}</text>']
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = left + (right - left) * (value + 1) / 2
        parts.append(f'<path d="M{x:.0f} {top - 8}V{height - 12}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.0f}" y="{top - 10}" text-anchor="middle" fill="#888">{value:g}</text>')
    for place, (name, (expected, found, allowed)) in enumerate(pairs.items()):
        y = top + 12 + 24 * place
        ends = [left + (right - left) * (float(np.clip(v, -1, 1)) + 1) / 2 for v in (expected - allowed, expected + allowed)]
        at, tick = (left + (right - left) * (value + 1) / 2 for value in (found, expected))
        parts.append(f'<text x="12" y="{y + 4}">{escape(name)}</text>')
        parts.append(f'<path d="M{ends[0]:.0f} {y}H{ends[1]:.0f}" stroke="#cfd8ee" stroke-width="9"/>')
        parts.append(f'<path d="M{tick:.0f} {y - 7}V{y + 7}" stroke="{COLOURS[0]}" stroke-width="2"/>')
        parts.append(f'<circle cx="{at:.0f}" cy="{y}" r="4" fill="{COLOURS[2]}"/>')
    return _svg(parts, height)


def _frame(title: str, low: float, high: float, right: int) -> str:
    parts = [f'<text x="{_LEFT}" y="16" font-weight="bold">{escape(title)}</text>']
    for value in np.linspace(low, high, 3).tolist():
        y = _y(value, low, high)
        parts.append(f'<path d="M{_LEFT} {y:.0f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end" fill="#888">{value:g}</text>')
    return "".join(parts)


def _y(value: float, low: float, high: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)


def _svg(parts: Sequence[str], height: int = _HEIGHT) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return f'{head} font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'

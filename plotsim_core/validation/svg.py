"""Plots as small SVG texts: lines, sparklines, fan charts, correlograms, correlation matrices, and intervals.

They stand alone (dark on white) and inside a page, whose style may give them its own colours. Every text is escaped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.arrays import Floats

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0")
_WIDTH, _HEIGHT = 560, 260
_LEFT, _TOP, _BOTTOM, _LEGEND = 38, 28, 24, 150
_SMALL = 300, 170
"""Width and height of a small picture."""
_EDGE = 46
"""The left margin of a small picture, for axis numbers."""
_POINTS = 120
"""The largest number of points of a line; neighbours of a longer one are averaged."""
_MAX_NUMBERED = 12
"""The largest number of names of a matrix with numbers in its cells."""
_SHADES = 10
_GLANCE = 700
"""The largest number of characters of a glance: Dagster draws markdown below 1,000 characters, base64 included."""


def lines(
    title: str, ticks: tuple[str, str], series: Mapping[str, Sequence[float]], low: float = 0.0, high: float = 1.0
) -> str:
    """Return lines over equally spaced times, each named in a legend; `ticks` label the first and the last time."""
    right = _WIDTH - _LEGEND
    parts = [_grid(title, low, high, (_LEFT, right, _TOP, _HEIGHT - _BOTTOM))]
    height = max(_HEIGHT, _TOP + 17 * len(series) + 6)
    for index, (name, values) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        points = _points(_thinned(values), low, high, (_LEFT, right, _TOP, _HEIGHT - _BOTTOM))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{right + 12}" y="{_TOP + 10 + 17 * index}" fill="{colour}">{_short(name, 20)}</text>')
    parts.append(_ends(ticks, _LEFT, right, _HEIGHT - 6))
    return _svg(parts, _WIDTH, height)


def glance(series: Sequence[Sequence[float]], low: float = 0.0, high: float = 1.0) -> str:
    """Return lines as a sparkline of at most 700 characters, without text and with as many points as fit."""
    for points in range(40, 1, -1):
        strokes = "".join(_stroke(values, points, low, high, index) for index, values in enumerate(series))
        text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 32" width="330" fill="none">{strokes}</svg>'
        if len(text) <= _GLANCE:
            return text
    return ""


def _stroke(values: Sequence[float], points: int, low: float, high: float, colour: int) -> str:
    """Return a line through at most `points` finite values, in whole coordinates."""
    present_indexes = np.flatnonzero(np.isfinite(values))
    if len(present_indexes) < 2:
        return ""
    point_indexes = np.unique(present_indexes[np.linspace(0, len(present_indexes) - 1, points).round().astype(int)])
    x = np.round(point_indexes * (99 / (len(values) - 1))).astype(int)
    y = np.round(31 - 30 * (np.asarray(values)[point_indexes] - low) / (high - low)).astype(int)
    path = " ".join(f"{point_x},{point_y}" for point_x, point_y in zip(x.tolist(), y.tolist(), strict=True))
    return f'<path d="M{path}" stroke="{COLOURS[colour % len(COLOURS)]}"/>'


def fan(
    title: str,
    ticks: tuple[str, str],
    bands: Sequence[Floats],
    line: Floats | None = None,
    colour: int = 0,
    base: float | None = None,
) -> str:
    """Return a fan chart over equally spaced times: `bands` are quantiles, lowest first (the first and the last bound the
    outer band, and so on; an odd middle one is a line). `line` is dashed; the axis begins at `base` if given."""
    width, height = _SMALL
    box = (_EDGE, width - 8, _TOP, height - _BOTTOM)
    all_values = np.concatenate([*bands, *([line] if line is not None else [])])
    finite_values = all_values[np.isfinite(all_values)]
    low, high = (float(finite_values.min()), float(finite_values.max())) if len(finite_values) else (0.0, 1.0)
    low = low if base is None else base
    if high <= low:
        low, high = min(low, 0.0), max(high, low + 1.0)
    parts = [_grid(title, low, high, box)]
    fill = COLOURS[colour % len(COLOURS)]
    for lower, upper in zip(bands[: len(bands) // 2], reversed(bands[(len(bands) + 1) // 2 :]), strict=True):
        outline = f"{_points(lower, low, high, box)} {_points(upper, low, high, box, backwards=True)}"
        parts.append(f'<polygon points="{outline}" fill="{fill}" fill-opacity=".22"/>')
    if len(bands) % 2:
        middle = _points(bands[len(bands) // 2], low, high, box)
        parts.append(f'<polyline points="{middle}" fill="none" stroke="{fill}" stroke-width="1.5"/>')
    if line is not None:
        dashes = 'stroke="currentColor" stroke-width="1.5" stroke-dasharray="4 3"'
        parts.append(f'<polyline points="{_points(line, low, high, box)}" fill="none" {dashes}/>')
    parts.append(_ends(ticks, box[0], box[1], height - 6))
    return _svg(parts, width, height)


def correlogram(title: str, stored: Sequence[float], chance: Sequence[float], marked: int) -> str:
    """Return a bar of the correlation at each lag (0, 1, 2 ...), over a confidence band, with one lag marked."""
    width, height = _SMALL
    box = (_EDGE, width - 8, _TOP, height - _BOTTOM)
    parts = [_grid(title, -1.0, 1.0, box)]
    step = (box[1] - box[0]) / max(1, len(stored))
    zero = _y(0.0, -1.0, 1.0, box)
    for lag, (value, allowed) in enumerate(zip(stored, chance, strict=True)):
        x = box[0] + step * lag
        if np.isfinite(allowed):
            top, bottom = (_y(float(np.clip(end, -1, 1)), -1.0, 1.0, box) for end in (allowed, -allowed))
            parts.append(
                f'<path d="M{x:.1f} {top:.1f}h{step:.1f}V{bottom:.1f}h{-step:.1f}z" fill="currentColor" fill-opacity=".12"/>'
            )
        if np.isfinite(value):
            end = _y(float(np.clip(value, -1, 1)), -1.0, 1.0, box)
            colour = COLOURS[2] if lag == marked else COLOURS[0]
            bar_path = f"M{x + 0.2 * step:.1f} {zero:.1f}V{end:.1f}h{0.6 * step:.1f}V{zero:.1f}z"
            parts.append(f'<path d="{bar_path}" fill="{colour}"/>')
        if lag == marked or lag in (0, len(stored) - 1):
            weight = ' font-weight="bold"' if lag == marked else ""
            parts.append(f'<text x="{x + step / 2:.1f}" y="{height - 6}" text-anchor="middle"{weight}>{lag}</text>')
    return _svg(parts, width, height)


def matrix(title: str, names: Sequence[str], above: Floats, below: Floats) -> str:
    """Return a heat map of correlations: `above` the diagonal and `below` it, each of shape (names, names), of which only
    that triangle is read; NaN cells are empty."""
    count = len(names)
    size = float(np.clip(420 / max(1, count), 9, 46))
    left, top = 150, 110
    width, height = left + size * count + 70, top + size * count + 10
    parts = [f'<text x="12" y="18" font-weight="bold">{escape(title)}</text>']
    cells: dict[int, list[str]] = defaultdict(list)
    for row, column in np.ndindex(count, count):
        value = float(above[row, column] if row < column else below[row, column])
        if row == column or not np.isfinite(value):
            continue
        x, y = left + size * column, top + size * row
        cells[round(float(np.clip(value, -1, 1)) * _SHADES)].append(
            f"M{x:.1f} {y:.1f}h{size - 1:.1f}v{size - 1:.1f}h-{size - 1:.1f}z"
        )
        if count <= _MAX_NUMBERED:
            anchor = f'x="{x + size / 2:.1f}" y="{y + size / 2 + 4:.1f}"'
            parts.append(f'<text {anchor} text-anchor="middle" font-size="11">{value:.2f}</text>')
    shades = [
        f'<path d="{"".join(paths)}" fill="{COLOURS[0] if shade > 0 else COLOURS[2] if shade < 0 else "currentColor"}" '
        f'fill-opacity="{max(0.05, abs(shade) / _SHADES * 0.85):.2f}"/>'
        for shade, paths in sorted(cells.items())
    ]
    small = f' font-size="{min(12.0, size):.0f}"'
    for index, name in enumerate(names):
        middle = size * (index + 0.5)
        label, turned = f"{small}>{_short(name, 18)}</text>", f"translate({left + middle:.1f} {top - 6}) rotate(-40)"
        parts.append(f'<text x="{left - 6}" y="{top + middle + 4:.1f}" text-anchor="end"{label}')
        parts.append(f'<text transform="{turned}"{label}')
        parts.append(
            f'<path d="M{left + size * index:.1f} {top + size * index:.1f}h{size - 1:.1f}v{size - 1:.1f}h-{size - 1:.1f}z" '
            f'fill="currentColor" fill-opacity=".12"/>'
        )
    return _svg([*shades, *parts], width, height)


def intervals(title: str, pairs: Mapping[str, tuple[float, float, float]]) -> str:
    """Return a row per name of (expected, found, allowed): a tick, a dot, and an interval around the tick."""
    left, right, top = 250, _WIDTH - 20, 46
    height = top + 24 * len(pairs) + 16
    parts = [f'<text x="12" y="18" font-weight="bold">{escape(title)}</text>']
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = left + (right - left) * (value + 1) / 2
        parts.append(f'<path d="M{x:.0f} {top - 8}V{height - 12}" stroke="currentColor" stroke-opacity=".15"/>')
        parts.append(f'<text x="{x:.0f}" y="{top - 12}" text-anchor="middle" fill-opacity=".6">{value:g}</text>')
    for index, (name, (expected, stored, allowed)) in enumerate(pairs.items()):
        y = top + 12 + 24 * index
        ends = [left + (right - left) * (float(np.clip(v, -1, 1)) + 1) / 2 for v in (expected - allowed, expected + allowed)]
        dot, tick = (left + (right - left) * (value + 1) / 2 for value in (stored, expected))
        parts.append(f'<text x="12" y="{y + 4}">{_short(name, 38)}</text>')
        parts.append(
            f'<path d="M{ends[0]:.0f} {y}H{ends[1]:.0f}" stroke="{COLOURS[0]}" stroke-opacity=".3" stroke-width="9"/>'
        )
        parts.append(f'<path d="M{tick:.0f} {y - 7}V{y + 7}" stroke="{COLOURS[0]}" stroke-width="2"/>')
        parts.append(f'<circle cx="{dot:.0f}" cy="{y}" r="4" fill="{COLOURS[2]}"/>')
    return _svg(parts, _WIDTH, height)


Box = tuple[float, float, float, float]
"""Left, right, top and bottom of the plot area."""


def _grid(title: str, low: float, high: float, box: Box) -> str:
    parts = [f'<text x="{box[0]:g}" y="16" font-weight="bold">{_short(title, 70)}</text>']
    for value in np.linspace(low, high, 3).tolist():
        y = _y(value, low, high, box)
        parts.append(f'<path d="M{box[0]:g} {y:.0f}H{box[1]:g}" stroke="currentColor" stroke-opacity=".15"/>')
        parts.append(f'<text x="{box[0] - 6:g}" y="{y + 4:.0f}" text-anchor="end" fill-opacity=".6">{_number(value)}</text>')
    return "".join(parts)


def _ends(ticks: tuple[str, str], left: float, right: float, y: float) -> str:
    first = f'<text x="{left:g}" y="{y:g}" fill-opacity=".6">{escape(ticks[0])}</text>'
    return f'{first}<text x="{right:g}" y="{y:g}" text-anchor="end" fill-opacity=".6">{escape(ticks[1])}</text>'


def _points(values: Floats, low: float, high: float, box: Box, backwards: bool = False) -> str:
    step = (box[1] - box[0]) / max(1, len(values) - 1)
    points = [
        f"{box[0] + step * index:.1f},{_y(value, low, high, box):.1f}"
        for index, value in enumerate(values.tolist())
        if np.isfinite(value)
    ]
    return " ".join(reversed(points) if backwards else points)


def _y(value: float, low: float, high: float, box: Box) -> float:
    return box[3] - (box[3] - box[2]) * (value - low) / (high - low)


def bins(count: int) -> NDArray[np.int64]:
    """Return the bin index of each of `count` times, at most `_POINTS` bins."""
    return np.arange(count, dtype=np.int64) // max(1, -(-count // _POINTS))


def _thinned(values: Sequence[float]) -> Floats:
    """Return the mean of each bin of values; NaN for an empty bin."""
    array = _array(values)
    present, bin_indexes = np.isfinite(array), bins(len(array))
    counts = np.bincount(bin_indexes, present)
    sums = np.bincount(bin_indexes, np.where(present, array, 0.0))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _array(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _number(value: float) -> str:
    """Return a short axis label of a number."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.3g}{unit}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _short(text: str, length: int) -> str:
    return escape(text if len(text) <= length else f"{text[: length - 1]}…")


def _svg(parts: Sequence[str], width: float, height: float) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    style = 'style="background:#fff;color:#222" fill="currentColor" font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>'

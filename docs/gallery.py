"""Draw docs/archetypes.svg, the picture of docs/archetypes.md: every archetype word, and every curve twice.

The lines are the positions that `plotsim_core.numerics.curves` gives. Run with `make docs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from plotsim_core.config.archetypes import Archetype
from plotsim_core.numerics.curves import CURVES, WORDS, Piece, position
from plotsim_core.validation.svg import COLOURS

PICTURE = Path(__file__).with_name("archetypes.svg")
YEARS, SPAN = 2.0, 24
"""What the window of the picture is: two years, of months where a sentence counts periods."""
SENTENCES = ("flat > growth @ 16", "growth > flat > decline")
"""What words joined by > look like."""
OTHERWISE: Mapping[str, Mapping[str, float]] = {
    "sigmoid": {"midpoint": 0.3, "steepness": 30},
    "falling_sigmoid": {"midpoint": 0.7, "steepness": 30},
    "exp_decay": {"rate": 10},
    "linear": {"begin": 0.8, "end": 0.3},
    "step": {"before": 0.7, "after": 0.2, "threshold": 0.75},
    "plateau": {"level": 0.9},
    "accelerating": {"bend": 10},
    "compound": {"base_rate": 0.02, "acceleration": 0.2},
    "yearly": {"center": 0.3, "amplitude": 0.2},
    "oscillating": {"amplitude": 0.2, "cycles": 5},
    "sawtooth": {"base": 0.2, "amplitude": 0.5, "cycles": 4},
}
"""Other parameters of each curve than its defaults, for its second line."""
_ACROSS, _WIDE, _HIGH = 4, 200, 148
_BOX = (26, 190, 44, 130)
"""Left, right, top and bottom of the lines in a panel."""
_POINTS = 121


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")


def picture() -> str:
    """Return the picture as SVG."""
    panels = [_panel(name, "", [pieces]) for name, pieces in WORDS.items()]
    panels += [_panel(text, "", [Archetype.model_validate(text).pieces(SPAN)]) for text in SENTENCES]
    panels += [_panel(name, _said(OTHERWISE[name]), [_curve(name, {}), _curve(name, OTHERWISE[name])]) for name in CURVES]
    parts = []
    for number, panel in enumerate(panels):
        down, across = divmod(number, _ACROSS)
        parts.append(f'<g transform="translate({across * _WIDE} {down * _HIGH})">{panel}</g>')
    width, height = _ACROSS * _WIDE, -(-len(panels) // _ACROSS) * _HIGH
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    style = 'style="background:#fff;color:#222" fill="currentColor" font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n' + "\n".join(parts) + "\n</svg>\n"


def _curve(name: str, parameters: Mapping[str, float]) -> tuple[Piece, ...]:
    defaults = {key: bound.default for key, bound in CURVES[name].parameters.items()}
    return (Piece(name, tuple({**defaults, **parameters}.items()), 0.0, 1.0),)


def _said(parameters: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in parameters.items())


def _panel(title: str, dashed: str, drawn: list[tuple[Piece, ...]]) -> str:
    left, right, top, bottom = _BOX
    parts = [f'<text x="{left}" y="16" font-weight="bold" font-size="12">{escape(title)}</text>']
    parts += [f'<text x="{left}" y="32" fill="{COLOURS[2]}" font-size="9.5">{escape(dashed)}</text>'] if dashed else []
    for level in (0.0, 0.5, 1.0):
        y = bottom - (bottom - top) * level
        parts.append(f'<path d="M{left} {y:g}H{right}" stroke="currentColor" stroke-opacity=".15"/>')
        faint = 'text-anchor="end" font-size="9" fill-opacity=".6"'
        parts.append(f'<text x="{left - 4}" y="{y + 4:g}" {faint}>{level:g}</text>')
    along = np.linspace(0.0, 1.0, _POINTS)
    for pieces, colour, dashes in zip(drawn, (COLOURS[0], COLOURS[2]), ("", ' stroke-dasharray="4 3"'), strict=False):
        values = position(pieces, along, np.full(_POINTS, YEARS))
        points = " ".join(
            f"{left + (right - left) * x:.1f},{bottom - (bottom - top) * y:.1f}"
            for x, y in zip(along.tolist(), values.tolist(), strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"{dashes}/>')
    return "".join(parts)


if __name__ == "__main__":
    main()

"""Archetypes of plotsim's engine layer: curves, each with its part of the window, become a sentence of words or a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plotsim_core.config.segments import BASELINES
from plotsim_core.families import did_you_mean
from plotsim_core.importers.plotsim.families import FAMILIES, Pair, Parameters, digits, possible_means, short
from plotsim_core.importers.plotsim.metrics import Metric, read_parameters, read_range
from plotsim_core.importers.reading import Part
from plotsim_core.numerics.curves import CURVES, WORDS, Piece

_RENAMED = {"period": "cycles", "frequency": "cycles"}
"""Parameters of curves to their names here."""
_PARAMETERS = {
    "sigmoid": ("midpoint", "steepness"),
    "logistic": ("midpoint", "steepness"),
    "exp_decay": ("rate",),
    "step": ("threshold", "before", "after"),
    "plateau": ("level",),
    "oscillating": ("period", "amplitude", "center"),
    "compound": ("base_rate", "acceleration"),
    "sawtooth": ("base", "amplitude", "period", "frequency"),
}
"""plotsim's curves to their parameters."""
_NEAR = 1e-9


@dataclass(frozen=True)
class Archetype:
    """An archetype as read: its part of the document, its curves, its label and the baselines of metrics."""

    part: Part
    curves: str | list[dict[str, Any]]
    label: str
    baseline: dict[str, Any]


def read_archetype(part: Part, metrics: Sequence[Metric], period_count: int) -> Archetype:
    """Return an archetype; its edges are periods of a window of so many, if they are whole."""
    label, description = part.text("label"), part.text("description")
    if description and description != label:
        if label:
            part.dropped("description", "a segment has a label and no longer text; it is the archetype's label")
        else:
            label = description
    pieces = [_piece(curve) for curve in part.parts("curve_segments", is_required=True)]
    ends = [piece.end for piece in pieces]
    starts = [0.0, *ends]
    for curve, piece, start in zip(part.parts("curve_segments"), pieces, starts, strict=False):
        if abs(piece.begin - start) > _NEAR:
            curve.problem("start_pct", f"expected {start:g}, where the curve before it ends, found {piece.begin:g}")
    if pieces and abs(ends[-1] - 1) > _NEAR:
        part.problem(f"curve_segments[{len(pieces) - 1}].end_pct", f"expected 1, the end of the window, found {ends[-1]:g}")
    return Archetype(part, _curves(pieces, period_count), label, _baselines(part, metrics))


def _piece(part: Part) -> Piece:
    name, values = part.text("curve", is_required=True), part.mapping("params")
    begin, end = part.number("start_pct"), part.number("end_pct", 1.0)
    if name not in _PARAMETERS:
        if name:
            part.problem("curve", f"plotsim has no curve '{name}'", did_you_mean(name, list(_PARAMETERS)))
        return Piece("plateau", (("level", 0.5),), begin, end)
    given = {key: values.number(key) for key in _PARAMETERS[name] if values.has(key)} if values is not None else {}
    curve = name
    if name == "logistic":
        curve = "sigmoid"
        ceiling = values.number("ceiling", 1.0) if values is not None else 1.0
        if ceiling != 1 and values is not None:
            values.approximated("ceiling", f"a sigmoid rises to 1, not to {ceiling:g}")
    if name in ("sigmoid", "logistic") and values is not None and not values.flag("rising", True):
        curve = "falling_sigmoid"
    if name == "oscillating" and 0 < given.get("period", 1.0) < 1 and values is not None:
        cycles = given["period"]
        reason = (
            f"plotsim makes {cycles:g} of a wave of it; `cycles: {1 / cycles:g}` makes waves that take {cycles:g} of the way"
        )
        values.approximated("period", reason)
    renamed = {_RENAMED.get(key, key): value for key, value in given.items()}
    defaults = {key: bound.default for key, bound in CURVES[curve].parameters.items()}
    return Piece(curve, tuple(sorted({**defaults, **renamed}.items())), begin, end)


def _curves(pieces: Sequence[Piece], period_count: int) -> str | list[dict[str, Any]]:
    """Return curves as a sentence, where words say the same, or as a list."""
    sentence = _sentence(pieces, period_count)
    if sentence is not None:
        return sentence
    curves = []
    for number, piece in enumerate(pieces):
        defaults = {name: bound.default for name, bound in CURVES[piece.curve].parameters.items()}
        parameters = {name: short(value) for name, value in piece.parameters if value != defaults.get(name)}
        end = 1 if number == len(pieces) - 1 else round(piece.end, 6)
        curves.append({"curve": piece.curve, **parameters, "until": end})
    return curves


def _sentence(pieces: Sequence[Piece], period_count: int) -> str | None:
    """Return words that say the same as pieces; None where there are none, or where they would begin within a period."""
    words: list[str] = []
    breaks: list[int] = []
    index = 0
    while index < len(pieces):
        word = next((name for name, parts in WORDS.items() if _is_word(parts, pieces[index : index + len(parts)])), None)
        if word is None:
            return None
        if index:
            period = pieces[index].begin * period_count
            if not period_count or abs(period - round(period)) > 1e-6:
                return None
            breaks.append(round(period))
        words.append(word)
        index += len(WORDS[word])
    if not words or breaks != sorted(set(breaks)) or 0 in breaks:
        return None
    return " ".join([" > ".join(words), *(f"@ {period}" for period in breaks)])


def _is_word(word: Sequence[Piece], pieces: Sequence[Piece]) -> bool:
    """Return whether pieces are those of a word, run through as a whole."""
    if len(word) != len(pieces) or word[0].curve == "yearly":
        return False
    begin, width = pieces[0].begin, pieces[-1].end - pieces[0].begin
    return all(
        part.curve == piece.curve
        and sorted(part.parameters) == list(piece.parameters)
        and abs(begin + part.end * width - piece.end) < 1e-6
        for part, piece in zip(word, pieces, strict=True)
    )


def _baselines(part: Part, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Return what an archetype says of single metrics: the third of its way, or the means of its own."""
    overrides = part.mapping("metric_overrides")
    baseline: dict[str, Any] = {}
    for name in overrides.value if overrides is not None else ():
        metric = next((metric for metric in metrics if metric.name == name), None)
        override = overrides.mapping(str(name)) if overrides is not None else None
        if override is None:
            continue
        if metric is None:
            override.dropped("", "there is no such metric")
            override.record.whole.add(override.path)
            continue
        words = _baseline(override, metric)
        if words is not None:
            baseline[metric.name] = words
    return baseline


def _baseline(part: Part, metric: Metric) -> str | list[int | float] | None:
    """Return a third, where a range says one, or the means that parameters or a range give."""
    family_name, bounds = part.text("distribution"), read_range(part)
    if family_name and FAMILIES.get(family_name) is not metric.family:
        part.dropped("", f"a metric is of one family for all units, and {metric.name} is {metric.family.name}")
        part.record.whole.add(part.path)
        return None
    parameters = read_parameters(part, metric.family)
    shape = metric.family.shape(parameters)
    if any(metric.parameters.get(name) != value for name, value in shape.items()):
        part.dropped("params", f"{', '.join(shape)}: values of a metric scatter in one way for all units")
    if metric.range is not None and bounds is not None:
        width = metric.range[1] - metric.range[0]
        shares = [(edge - metric.range[0]) / width for edge in bounds]
        for word, edges in BASELINES.items():
            if max(abs(a - b) for a, b in zip(shares, edges, strict=True)) < 1e-6:
                return word
    if metric.is_count and bounds is not None:
        part.dropped("value_range", "a count has no range")
        bounds = None
    means = _own_means(metric, parameters, bounds)
    if means is None:
        part.dropped("", f"it gives no means that {metric.name} could have")
        return None
    part.approximated("", f"the mean of {metric.name} is {means[0]:g} at position 0 and {means[1]:g} at 1 for these units")
    return [short(mean) for mean in means]


def _own_means(metric: Metric, parameters: Parameters, bounds: Pair | None) -> Pair | None:
    """Return the means at positions 0 and 1 of units with other parameters, or with another range."""
    if metric.family.name == "beta":
        if bounds is None or metric.range is None:
            return None
        low, high = bounds
        return digits(low + 0.1 * (high - low)), digits(high - 0.1 * (high - low))
    merged_parameters = {**metric.parameters, **parameters}
    low, high = sorted(metric.family.means(merged_parameters))
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return possible_means(metric.family, metric.parameters, metric.range, (low, high))

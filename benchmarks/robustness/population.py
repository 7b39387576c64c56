"""A random kind of unit: its metrics, how they go together, its segments and how its units come and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.robustness.draw import Draw

Config = dict[str, Any]

NOUNS = ("mood", "spend", "visits", "errors", "load", "trust", "weight", "delay", "yield", "noise_level")
FAMILIES = {
    "amount": ("lognormal", "gamma", "weibull", "normal", "beta", "zero_inflated_gamma"),
    "count": ("poisson", "negative_binomial", "zero_inflated_poisson"),
}
FAMILIES |= {"score": FAMILIES["amount"], "index": FAMILIES["amount"]}
PARAMETERS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "beta": {"precision": (3, 200)},
    "gamma": {"shape": (0.5, 40)},
    "lognormal": {"s": (0.1, 1.2)},
    "negative_binomial": {"shape": (0.4, 50)},
    "weibull": {"shape": (0.7, 6)},
    "zero_inflated_gamma": {"shape": (0.5, 10), "zeros": (0.05, 0.9)},
    "zero_inflated_poisson": {"zeros": (0.05, 0.9)},
}
WORDS = ("growth", "decline", "seasonal", "flat", "accelerating", "spike_then_crash")
CURVES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "sigmoid": {"midpoint": (0, 1), "steepness": (1, 40)},
    "falling_sigmoid": {"midpoint": (0, 1), "steepness": (1, 40)},
    "exp_decay": {"rate": (0, 9)},
    "linear": {"begin": (0, 1), "end": (0, 1)},
    "step": {"before": (0, 1), "after": (0, 1), "threshold": (0.1, 0.9)},
    "plateau": {"level": (0, 1)},
    "accelerating": {"bend": (0.3, 8)},
    "compound": {"base_rate": (0.01, 0.2), "acceleration": (0.0, 0.5)},
    "yearly": {"center": (0.2, 0.8), "amplitude": (0, 0.6)},
    "oscillating": {"center": (0.2, 0.8), "amplitude": (0, 0.6), "cycles": (0, 9)},
    "sawtooth": {"base": (0, 0.6), "amplitude": (0, 0.4), "cycles": (0, 9)},
}
RELATIONSHIPS = (
    "mirrors",
    "driven_by",
    "related",
    "hints_at",
    "independent",
    "hints_against",
    "resists",
    "opposes",
    "inverts",
)
PRESETS = ("perfectly_clean", "clean", "slightly_messy", "realistic", "messy", "dirty", "very_messy")
ARRIVALS = ("uniform", "linear", "step", "explicit", "ongoing")
ATTRIBUTES: Mapping[str, tuple[Any, ...]] = {
    "colour": ("red", "green", "blue", "dark \u00e4nd light", "a,b"),
    "floor": (1, 2, 3, 17),
    "quota": (0.5, 1.25, 7.0),
}


@dataclass(frozen=True)
class Size:
    """How much a random config makes: `units` and `periods` low to high, and at most so many `cells` of both."""

    units: tuple[int, int]
    periods: tuple[int, int]
    cells: int


SIZES = {
    "tiny": Size((1, 9), (1, 6), 60),
    "small": Size((8, 60), (4, 40), 2_000),
    "middle": Size((60, 800), (6, 60), 12_000),
    "large": Size((1_000, 6_000), (6, 40), 60_000),
    "long": Size((2, 30), (150, 900), 12_000),
}
SHARES = {"tiny": 3.0, "small": 5.0, "middle": 4.0, "large": 1.0, "long": 1.0}
"""How often a config is of each size."""


def metrics(draw: Draw, most: int, prefix: str = "") -> list[Config]:
    """Return one to `most` metrics."""
    names = draw.some(NOUNS, 1, most)
    unit_metrics: list[Config] = []
    for name in names:
        metric = _metric(draw, f"{prefix}{name}")
        if unit_metrics and draw.chance(0.25):
            metric |= {"follows": draw.one(unit_metrics)["name"], "delay": draw.weighted({1: 4, 2: 3, 3: 1, 7: 1})}
            if draw.chance(0.5):
                metric["strength"] = draw.number(0.1, 0.9, 2)
            if draw.chance(0.2):
                metric |= {"decay_window": draw.whole(2, 5), "decay_kernel": draw.one(("geometric", "linear"))}
        unit_metrics.append(metric)
    for metric in unit_metrics:
        if draw.chance(0.15):
            metric["noise"] = noise(draw, [m["name"] for m in unit_metrics if m is not metric])
    return unit_metrics


def _metric(draw: Draw, name: str) -> Config:
    kind = draw.one(tuple(FAMILIES))
    metric: Config = {"name": name, "type": kind, "polarity": draw.one(("positive", "positive", "negative"))}
    low, high = 0.0, 1.0
    if kind == "amount" or kind == "index":
        low = draw.one((0.0, 0.0, 5.0, -20.0 if kind == "index" else 40.0))
        high = low + draw.scale(2, 5_000)
        metric["range"] = [low, high]
    if draw.chance(0.5):
        family = draw.one(FAMILIES[kind])
        if low < 0:
            family = draw.one(("normal", "beta"))
        elif low > 0 and family.startswith("zero"):
            family = "gamma"
        metric["distribution"] = family
        if family == "normal" and draw.chance(0.7):
            metric["distribution_params"] = {"sigma": round((high - low) * draw.number(0.02, 0.2), 4)}
        elif family in PARAMETERS and draw.chance(0.7):
            metric["distribution_params"] = {key: draw.number(*ends) for key, ends in PARAMETERS[family].items()}
    if kind == "count" and draw.chance(0.8):
        mean = draw.scale(0.02, 30)
        metric["mean"] = [mean, round(mean * draw.scale(1.2, 20), 4)]
    elif kind != "count" and draw.chance(0.25):
        begin = draw.number(0.2, 0.5)
        metric["mean"] = [round(low + (high - low) * share, 4) for share in (begin, begin + draw.number(0.05, 0.3))]
    if draw.chance(0.3):
        metric["persistence"] = draw.number(0, 0.95, 2)
    if draw.chance(0.2):
        metric["seasonal_sensitivity"] = draw.one((0, 0.5, 1.5, -0.5))
    if draw.chance(0.1):
        metric["rhythm_sensitivity"] = draw.one((0, 0.5, 1))
    if draw.chance(0.2):
        metric["label"] = f"The {name}, as they say"
    return metric


def noise(draw: Draw, others: list[str]) -> Any:
    """Return the noise of metrics, a word or its parts; `others` are metrics that it may be missing by."""
    if draw.chance(0.4):
        return draw.one(PRESETS)
    parts: Config = {}
    if draw.chance(0.7):
        parts |= {"gaussian_sigma": draw.number(0, 0.4, 2), "noise_family": draw.one(("gaussian", "student_t", "laplace"))}
        if parts["noise_family"] == "student_t" and draw.chance(0.7):
            parts["degrees_of_freedom"] = draw.whole(2, 30)
        if draw.chance(0.3):
            parts["scale_with_trajectory"] = True
    if draw.chance(0.4):
        parts["outlier_rate"] = draw.number(0, 0.1)
    if draw.chance(0.4):
        parts["mcar_rate"] = draw.number(0, 0.5)
    if others and draw.chance(0.3):
        parts |= {"mar_rate": draw.number(0.02, 0.4), "mar_on": draw.one(others), "mar_when": draw.one(("high", "low"))}
    return parts or "realistic"


def connections(draw: Draw, unit_metrics: list[Config]) -> list[Any]:
    """Return connections of some pairs of metrics."""
    names = [metric["name"] for metric in unit_metrics if "follows" not in metric]
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    return [_connection(draw, *pair) for pair in draw.some(pairs, 0, 3)]


def _connection(draw: Draw, first: str, second: str) -> Any:
    if draw.chance(0.25):
        pooled = {"pooled": True} if draw.chance(0.5) else {}
        return {"metric_a": first, "metric_b": second, "coefficient": draw.number(-0.6, 0.8, 2), **pooled}
    if draw.chance(0.4):
        return f"{first} {draw.number(-0.6, 0.85, 2)} {second}"
    return f"{first} {draw.one(RELATIONSHIPS)} {second}"


def phases(draw: Draw, unit_metrics: list[Config], length: int) -> list[Config]:
    """Return one or two phases in which metrics go together otherwise."""
    begin = draw.whole(0, length - 1)
    end = draw.whole(begin, length - 1)
    result = [{"start_period": begin, "end_period": end, "connections": connections(draw, unit_metrics)}]
    if end < length - 2 and draw.chance(0.4):
        result.append({"start_period": end + 1, "end_period": length - 1, "connections": connections(draw, unit_metrics)})
    return [phase for phase in result if phase["connections"]]


def segments(draw: Draw, units: int, length: int, unit_metrics: list[Config], prefix: str = "") -> list[Config]:
    """Return segments of `units` units in all, in a window of `length` periods."""
    count = min(units, draw.weighted({1: 2, 2: 4, 3: 3, 4: 1}))
    edges = sorted(draw.some(range(1, units), count - 1, count - 1)) if count > 1 else []
    shares = [b - a for a, b in zip([0, *edges], [*edges, units], strict=True)]
    attributes = draw.some(tuple(ATTRIBUTES), 0, 3)
    archetypes = [archetype(draw, length) for _ in range(draw.whole(1, count))]
    names = draw.some(("north", "south", "old_hands", "new_2", "Green", "x"), count, count)
    return [
        _segment(draw, f"{prefix}{name}", share, length, draw.one(archetypes), attributes, unit_metrics)
        for name, share in zip(names, shares, strict=True)
    ]


def _segment(
    draw: Draw, name: str, count: int, length: int, curve: Any, attributes: list[str], unit_metrics: list[Config]
) -> Config:
    segment: Config = {"name": name, "count": count, "archetype": curve}
    if attributes:
        segment["attributes"] = {key: draw.some(ATTRIBUTES[key], 1, 4) for key in attributes}
    if draw.chance(0.2):
        segment["label"] = f"Those called {name}"
    if draw.chance(0.15):
        segment["baseline"] = {draw.one(unit_metrics)["name"]: draw.one(("high", "mid", "low"))}
    if draw.chance(0.15):
        segment["seasonal_sensitivity"] = draw.one((0, 2, -1, 0.5))
    if draw.chance(0.35):
        segment["arrival"] = arrival(draw, count, length)
    if draw.chance(0.25):
        least = draw.whole(1, max(1, length // 3))
        segment["tenure"] = {"mean": float(least + draw.number(0, length, 1)), **({"least": least} if least > 1 else {})}
    if draw.chance(0.1):
        most = draw.whole(1, 8)
        segment["silence"] = {"rate": draw.number(0.01, 0.06, 2), "length": draw.one((most, [1, most]))}
    if draw.chance(0.2):
        segment |= {"span": draw.whole(1, 2 * length), "after": draw.one(("hold", "repeat", "restart"))}
    if draw.chance(0.35):
        segment["variation"] = draw.one(
            (
                "none",
                {"level": draw.number(0, 0.9, 2)},
                {"level": draw.number(0, 0.9, 2), "timing": draw.number(0, 0.4, 2), "size": draw.number(0, 1.5, 2)},
            )
        )
    if count > 3 and draw.chance(0.15):
        segment["treatment"] = {"fraction": draw.number(0.1, 0.9, 1), "lift_log_odds": draw.one((-2.0, 0.5, 3.0))}
        segment["treatment"] |= {"start_period": draw.whole(0, length - 1)}
        if draw.chance(0.3):
            segment["treatment"]["target_metric"] = draw.one(unit_metrics)["name"]
        if draw.chance(0.3):
            segment["treatment"] |= {"treatment_label": "tried", "control_label": "left alone"}
    return segment


def archetype(draw: Draw, length: int) -> Any:
    """Return a curve: words, words with breaks, or pieces of curves."""
    if draw.chance(0.35):
        pieces = draw.whole(1, 3)
        ends = [*sorted(draw.number(0.05, 0.95) for _ in range(pieces - 1)), 1.0]
        return [_piece(draw, end) for end in sorted(set(ends))]
    words = [draw.one(WORDS) for _ in range(draw.whole(1, 3))]
    if len(words) == 1 or length < 8 or draw.chance(0.5):
        return " > ".join(words)
    breaks = sorted(draw.some(range(1, length - 1), len(words) - 1, len(words) - 1))
    return " ".join([" > ".join(words), *(f"@ {place}" for place in breaks)])


def _piece(draw: Draw, end: float) -> Config:
    curve = draw.one(tuple(CURVES))
    return {"curve": curve, **{key: draw.number(*ends) for key, ends in CURVES[curve].items()}, "until": end}


def arrival(draw: Draw, count: int, length: int) -> Config:
    """Return when units of a segment arrive."""
    kind = draw.one(ARRIVALS)
    start = draw.whole(0, length - 1)
    end = draw.whole(start, length - 1)
    if kind == "explicit" and count <= 50:
        return {"kind": kind, "start_periods": [draw.whole(0, length - 1) for _ in range(count)]}
    if kind == "ongoing":
        rate = max(0.01, round(draw.scale(0.05, 2.0) * count / length, 3))
        return {"kind": kind, "per_period": rate, **({"ages": "new"} if draw.chance(0.3) else {})}
    if kind == "step" and length > 2:
        share = draw.number(0.1, 0.9, 2)
        places = sorted(draw.some(range(length), 2, 2))
        shares = (share, round(1 - share, 2))
        return {"kind": kind, "blocks": [{"period": p, "fraction": s} for p, s in zip(places, shares, strict=True)]}
    if kind == "linear":
        return {"kind": kind, "start": start, "end": end, "direction": draw.one(("increasing", "decreasing"))}
    return {"kind": "uniform", "start": start, "end": end}

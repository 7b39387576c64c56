"""Small random configs: every metric family, archetype, arrival, noise, table kind and grain, put together at random.

A new feature of the language joins these strategies, and is then held to every law.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from plotsim_core import Plan, from_mapping
from plotsim_core.config.check_effects import constant
from plotsim_core.config.connections import RELATIONSHIPS
from plotsim_core.config.metrics import KERNELS, Metric
from plotsim_core.config.segments import Segment
from plotsim_core.config.window import Window
from plotsim_core.numerics.curves import CURVES, WORDS
from plotsim_core.numerics.noise import PRESETS
from tests.laws.pieces import PIECES
from tests.laws.pieces.plain import plain_configs

Raw = dict[str, Any]

TIMES = float(os.environ.get("PLOTSIM_LAW_TIMES", "1"))


def examples(count: int) -> Callable[[Any], Any]:
    """Try so many examples, times PLOTSIM_LAW_TIMES."""
    return settings(max_examples=max(1, round(count * TIMES)))


WINDOWS: dict[str, tuple[str, list[str]]] = {
    "30 minutes": ("2024-02-29", ["2024-02-29", "2024-03-01"]),
    "hour": ("2024-02-28", ["2024-02-28", "2024-02-29"]),
    "day": ("1969-12-20", ["1970-01-02", "1970-01-20", "1970-03-04"]),
    "week": ("2023-12-04", ["2024-02-18", "2024-04-28"]),
    "month": ("2022-11", ["2023-08", "2024-04"]),
    "quarter": ("2021-01", ["2022-09", "2024-12"]),
}
"""Grain to the start and the possible ends of windows: each has a leap day, a year's end or the epoch in it."""

METRICS: list[Raw] = [
    {"type": "score"},
    {"type": "score", "mean": [0.3, 0.6]},
    {"type": "score", "distribution": "normal"},
    {"type": "score", "range": [1, 5], "distribution": "beta", "distribution_params": {"precision": 6}},
    {"type": "amount", "range": [5, 500]},
    {"type": "amount", "range": [100, 300]},
    {"type": "amount", "range": [0, 400], "distribution": "gamma", "mean": [40, 150]},
    {"type": "amount", "range": [0, 90], "distribution": "weibull", "distribution_params": {"shape": 1.4}},
    {"type": "count"},
    {"type": "count", "mean": [2, 9]},
    {"type": "count", "distribution": "poisson", "mean": [0.2, 1.1]},
    {"type": "count", "distribution": "negative_binomial", "distribution_params": {"shape": 0.8}},
    {"type": "count", "distribution": "zero_inflated_poisson", "mean": [1, 6]},
    {"type": "amount", "range": [0, 600], "distribution": "zero_inflated_gamma", "distribution_params": {"zeros": 0.6}},
    {"type": "index", "range": [-50, 50]},
    {"type": "index", "range": [-10, 200], "distribution": "beta"},
]
"""What metrics are drawn from: few, so that their quantile tables are made once."""

_NAMES = ("alpha", "bravo", "carol", "delta")
_WORDS = [word for word, strength in RELATIONSHIPS.items() if abs(strength) <= 0.4]
"""What any two of the metrics can have: of two counts with many zeros not every number can be below its mean together."""
_REGIONS = (["north"], ["north", "south"], ["east", "west", "south"])


def shares(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers with two decimals between two others."""
    return st.integers(round(low * 100), round(high * 100)).map(lambda n: n / 100)


@st.composite
def metric_lists(draw: st.DrawFn) -> list[Raw]:
    """One to four metrics, some following others."""
    drawn = draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=4))
    result: list[Raw] = []
    for place, base in enumerate(drawn):
        metric = {"name": _NAMES[place], **base, "polarity": draw(st.sampled_from(["positive", "negative"]))}
        if place and draw(st.integers(0, 3)) == 0:
            metric |= {"follows": _NAMES[draw(st.integers(0, place - 1))], "delay": draw(st.integers(1, 4))}
            if draw(st.booleans()):
                metric["strength"] = draw(shares(0.0, 0.95))
            if draw(st.booleans()):
                metric |= {"decay_window": draw(st.integers(2, 5)), "decay_kernel": draw(st.sampled_from(list(KERNELS)))}
        if draw(st.booleans()):
            metric["persistence"] = draw(shares(0.0, 0.8))
        if draw(st.integers(0, 3)) == 0:
            metric["seasonal_sensitivity"] = draw(shares(-0.5, 1.5))
        result.append(metric)
    return result


def curves() -> st.SearchStrategy[list[Raw]]:
    """A custom archetype: one or two curves."""
    piece = st.sampled_from(list(CURVES))
    return st.one_of(
        piece.map(lambda curve: [{"curve": curve, "until": 1.0}]),
        st.tuples(piece, piece, shares(0.2, 0.8)).map(
            lambda drawn: [{"curve": drawn[0], "until": drawn[2]}, {"curve": drawn[1], "until": 1.0}]
        ),
    )


@st.composite
def archetypes(draw: st.DrawFn, length: int) -> str | list[Raw]:
    """A word, a sentence with or without breaks, or curves."""
    word = st.sampled_from(list(WORDS))
    choice = draw(st.integers(0, 3))
    if choice == 0:
        return draw(word)
    if choice == 1:
        return f"{draw(word)} > {draw(word)} @ {draw(st.integers(1, length - 1))}"
    if choice == 2:
        return f"{draw(word)} > {draw(word)} > {draw(word)}"
    return draw(curves())


@st.composite
def arrivals(draw: st.DrawFn, count: int, length: int) -> Raw | None:
    """No arrival, or one of the four kinds."""
    period = st.integers(0, length - 1)
    kind = draw(st.sampled_from(["none", "uniform", "linear", "step", "explicit"]))
    if kind == "none":
        return None
    if kind == "step":
        at = sorted(draw(st.lists(period, min_size=2, max_size=3, unique=True)))
        return {"kind": kind, "blocks": [{"period": p, "fraction": 1 / len(at)} for p in at]}
    if kind == "explicit":
        return {"kind": kind, "start_periods": draw(st.lists(period, min_size=count, max_size=count))}
    low, high = sorted((draw(period), draw(period)))
    direction = {"direction": draw(st.sampled_from(["increasing", "decreasing"]))} if kind == "linear" else {}
    return {"kind": kind, "start": low, "end": high + 1, **direction}


@st.composite
def segment_lists(draw: st.DrawFn, metrics: list[Raw], length: int) -> list[Raw]:
    """One to three segments."""
    result: list[Raw] = []
    for name in ("first", "second", "third")[: draw(st.integers(1, 3))]:
        count = draw(st.integers(1, 5))
        segment: Raw = {"name": name, "count": count, "archetype": draw(archetypes(length))}
        segment["attributes"] = {"region": draw(st.sampled_from(_REGIONS))}
        arrival = draw(arrivals(count, length))
        if arrival is not None:
            segment["arrival"] = arrival
        variation = draw(st.sampled_from(["usual", "none", "given"]))
        if variation == "none":
            segment["variation"] = "none"
        if variation == "given":
            sized = any(metric["type"] in ("amount", "count") for metric in metrics)
            segment["variation"] = {
                "level": draw(shares(0, 0.9)),
                "timing": 0 if constant(Segment.model_validate(segment)) else draw(shares(0, 0.3)),
                "size": draw(shares(0, 1)) if sized else 0,
            }
        if draw(st.integers(0, 3)) == 0:
            metric, word = draw(st.sampled_from(metrics)), draw(st.sampled_from(["high", "mid", "low"]))
            low, high = Metric.model_validate(metric).means
            own_means = [low + 0.2 * (high - low), low + 0.7 * (high - low)]
            segment["baseline"] = {metric["name"]: word if count % 2 else own_means}
        if draw(st.integers(0, 3)) == 0:
            segment["seasonal_sensitivity"] = draw(shares(-0.5, 1.5))
        if draw(st.integers(0, 3)) == 0:
            segment["silence"] = {
                "rate": draw(shares(0.01, 0.1)),
                "length": draw(st.sampled_from([1, 3, [1, 4], [2, 6]])),
            }
        if draw(st.integers(0, 2)) == 0:
            segment["treatment"] = {
                "fraction": draw(shares(0.1, 1)),
                "lift_log_odds": draw(st.sampled_from([-2, -0.5, 0.7, 3])),
                "start_period": draw(st.integers(0, length - 1)),
            }
            if draw(st.booleans()):
                segment["treatment"]["target_metric"] = draw(st.sampled_from(metrics))["name"]
        result.append(segment)
    return result


@st.composite
def noises(draw: st.DrawFn, metrics: list[Raw]) -> str | Raw | None:
    """No noise, a preset, or numbers of one of the families; values may be missing by another metric's value."""
    choice = draw(st.integers(0, 3))
    if choice == 0:
        return None
    if choice == 1:
        return draw(st.sampled_from(list(PRESETS)))
    family = draw(st.sampled_from(["gaussian", "student_t", "laplace"]))
    noise: Raw = {"gaussian_sigma": draw(shares(0.01, 0.3)), "noise_family": family}
    if family == "student_t":
        noise["degrees_of_freedom"] = draw(st.integers(1, 8))
    if len(metrics) > 1 and draw(st.booleans()):
        noise |= {"mar_rate": draw(shares(0.01, 0.5)), "mar_on": draw(st.sampled_from(metrics))["name"]}
        noise["mar_when"] = draw(st.sampled_from(["high", "low"]))
    return noise | {
        "outlier_rate": draw(shares(0, 0.1)),
        "mcar_rate": draw(shares(0, 0.2)),
        "scale_with_trajectory": draw(st.booleans()),
    }


@st.composite
def tables(draw: st.DrawFn, metrics: list[Raw], ends: bool) -> Raw:
    """Dimensions, facts and events over some metrics."""
    names = [metric["name"] for metric in metrics]
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    unit: Raw = {
        "name": "dim_shop",
        "per": "unit",
        "columns": [
            {"name": "shop_id", "type": "id"},
            {"name": "shop_name", "type": "faker.company"},
            {"name": "region", "type": "pool.region"},
            {"name": "kind", "type": "segment.name"},
            {"name": "opened_on", "type": "ref.dim_date"},
            {"name": "opened_at", "type": "timestamp"},
            {"name": "floor", "type": "range", "range": [1, 9]},
        ],
    }
    dimensions = [unit]
    if draw(st.booleans()):
        dimensions.insert(draw(st.integers(0, 1)), _dates())
    history = draw(st.booleans())
    if history:
        tiers = ["low", "middle", "high"][: draw(st.integers(2, 3))]
        at = [0.3, 0.6][: len(tiers) - 1]
        unit["columns"].append(
            {"name": "tier", "type": "scd", "tracks": draw(st.sampled_from(names)), "tiers": tiers, "at": at}
        )
    child = draw(st.booleans())
    if child:
        dimensions.append(
            {
                "name": "dim_clerk",
                "per": "unit",
                "count": draw(st.sampled_from([1, 3, [1, 4]])),
                "columns": [
                    {"name": "clerk_id", "type": "id"},
                    {"name": "shop_id", "type": "ref.dim_shop"},
                    {"name": "clerk_name", "type": "faker.name"},
                    {"name": "role", "type": "static.owner,helper"},
                ],
            }
        )
    listed = draw(st.booleans())
    if listed:
        dimensions.append(
            {
                "name": "dim_level",
                "reference": True,
                "columns": [
                    {"name": "level_id", "type": "id"},
                    {"name": "level_name", "type": "static.high,low,middle,other"},
                    {"name": "fee", "type": "static.10,20,30,20"},
                ],
            }
        )
    level: list[Raw] = [{"name": "level_id", "type": "ref.dim_level"}] if listed else []
    if level and history and draw(st.booleans()):
        level[0]["matching"] = {"level_name": "tier"}
    clerk: list[Raw] = [{"name": "clerk_id", "type": "ref.dim_clerk"}] if child else []
    values = [{"name": name, "type": f"metric.{name}"} for name in names]
    facts: list[Raw] = [
        {
            "name": "fct_all",
            "columns": [*to_unit, *level, *values, {"name": "luck", "type": "range", "range": [0.0, 1.0]}],
        }
    ]
    if draw(st.booleans()):
        both = [{"name": "truth", "type": f"true.{names[0]}"}, {"name": "mean", "type": f"expected.{names[0]}"}]
        facts.append({"name": "fct_truth", "columns": [*to_unit, *clerk, *both, {"name": "place", "type": "trajectory"}]})
    happened = [*to_unit, {"name": "at", "type": "timestamp"}, {"name": "yes", "type": "flag"}]
    events: list[Raw] = []
    if draw(st.booleans()):
        driver = draw(st.sampled_from(metrics))
        mean = Metric.model_validate(driver).means[1]
        events.append(
            {
                "name": "evt_visit",
                "trigger": "proportional",
                "driver": driver["name"],
                "scale": round(3 / max(mean, 1.0), 4),
                "columns": [{"name": "visit_id", "type": "id"}, *happened, *clerk, *level],
            }
        )
    endings = draw(st.integers(0, 2))
    for number in range(endings):
        metric = draw(st.sampled_from(metrics))
        low, high = Metric.model_validate(metric).means
        event: Raw = {
            "name": f"evt_cross_{number}",
            "trigger": "threshold",
            "metric": metric["name"],
            draw(st.sampled_from(["above", "below"])): round(low + draw(shares(0.2, 0.9)) * (high - low), 3),
            "columns": [{"name": "cross_id", "type": "id"}, *happened],
        }
        if draw(st.booleans()):
            event["for"] = draw(st.integers(1, 3))
        if ends and draw(st.booleans()):
            event["ends_unit"] = True
        events.append(event)
    return {"dimensions": dimensions, "facts": facts, **({"events": events} if events else {})}


def _dates() -> Raw:
    columns = {
        "date_key": "id",
        "date": "date",
        "year": "int",
        "week": "int",
        "period_label": "string",
        "is_weekend": "bool",
    }
    return {"name": "dim_date", "per": "period", "columns": [{"name": n, "type": t} for n, t in columns.items()]}


@st.composite
def configs(
    draw: st.DrawFn, grains: tuple[str, ...] = tuple(WINDOWS), ends: bool = True, noise: bool = True, pieces: int = 2
) -> Raw:
    """A small config that loads. Without `ends`, no event ends a unit; without `noise`, stored values are the true ones;
    at most so many `pieces` are added."""
    grain = draw(st.sampled_from(grains))
    start, ends_at = WINDOWS[grain]
    raw: Raw = {"about": "generated", "unit": "shop", "seed": draw(st.integers(0, 1000))}
    raw["window"] = {"start": start, "end": draw(st.sampled_from(ends_at)), "every": grain}
    length = plan_length(raw["window"])
    metrics = draw(metric_lists())
    raw["metrics"] = metrics
    raw["segments"] = draw(segment_lists(metrics, length))
    free = [metric["name"] for metric in metrics if "follows" not in metric]
    if len(free) > 1 and draw(st.booleans()):
        word = draw(st.one_of(st.sampled_from(_WORDS), shares(-0.5, 0.5)))
        raw["connections"] = [[free[0], word, free[1]]]
        if draw(st.booleans()):
            first, last = sorted((draw(st.integers(0, length - 1)), draw(st.integers(0, length - 1))))
            weak = round(draw(shares(-0.5, 0.5)) / 2, 4)  # metrics of unlike persistence have no more in common
            within = [[free[0], weak, free[1]]]
            raw["connection_phases"] = [{"start_period": first, "end_period": last, "connections": within}]
    if draw(st.booleans()):
        raw["seasonality"] = [{"months": [1, 12], "strength": draw(shares(-0.4, 0.8))}]
    drawn = draw(noises(metrics)) if noise else None
    if drawn is not None:
        raw["noise"] = drawn
    if noise and len(metrics) > 2 and draw(st.booleans()):
        entry = draw(noises([metric for metric in metrics if metric is not metrics[0]]))
        metrics[0] |= {"noise": entry} if entry is not None else {}
    if draw(st.booleans()):
        raw |= draw(tables(metrics, ends))
    if draw(st.booleans()):
        stages = [{"early": 0.0}, {"late": draw(shares(0.2, 0.8))}]
        raw["lifecycle"] = {"track": draw(st.sampled_from(metrics))["name"], "stages": stages}
    if "facts" in raw:
        for place in sorted(draw(st.sets(st.integers(0, len(PIECES) - 1), max_size=pieces))):
            PIECES[place](draw, raw)
    return raw


@st.composite
def plain(draw: st.DrawFn) -> Raw:
    """A small config without units that loads, with a window or without."""
    grain = draw(st.sampled_from(tuple(WINDOWS)))
    start, ends_at = WINDOWS[grain]
    return draw(plain_configs({"start": start, "end": draw(st.sampled_from(ends_at)), "every": grain}))


def plan_length(window: Raw) -> int:
    """Return the number of periods of a window."""
    return Window.model_validate(window).length


def plan_of(raw: Raw) -> Plan:
    """Return the plan of a generated config."""
    return from_mapping(raw, name="generated")

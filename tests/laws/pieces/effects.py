"""Named effects of every way to say when, with ramps, on metrics, segments and tables; and growth."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]
_FACTORS = st.sampled_from([0.3, 0.8, 1.5, 3.0])
_RAMPS: list[Raw] = [{}, {"ramp_in": 2}, {"ramp_out": {"half_life": 0.5}}, {"ramp_in": {"half_life": 2}, "ramp_out": 4}]
_RULES = ["easter", "12-28", "4th thursday of november + 1", "last day of every month", "1st monday of every month - 2"]


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Add effects, and growth of a metric."""
    start = date.fromisoformat(f"{raw['window']['start']}-01"[:10])
    raw["effects"] = [_effect(draw, raw, start, number) for number in range(2)]
    if draw(st.booleans()):
        _listed(draw, raw, start)
    if draw(st.booleans()):
        draw(st.sampled_from(raw["metrics"]))["growth"] = draw(
            st.sampled_from(["30% a year", {"rate": -0.02, "per": "month"}])
        )


def _effect(draw: st.DrawFn, raw: Raw, start: date, number: int) -> Raw:
    effect: Raw = {"name": f"effect {number}", "factor": draw(_FACTORS), **_days(draw, start)}
    driven = [event["name"] for event in raw.get("events", []) if event.get("trigger") == "proportional"]
    metrics = [metric["name"] for metric in raw["metrics"]]
    if driven and draw(st.booleans()):
        effect["tables"] = driven
        effect["factor"] = draw(st.sampled_from([0, 0.5, 2]))
    else:
        effect["metrics"] = draw(st.lists(st.sampled_from(metrics), min_size=1, unique=True))
    if draw(st.booleans()) and effect["factor"] and any(map(_is_moved, raw["segments"])):
        effect["arrivals"] = True
    elif draw(st.booleans()):
        effect["segments"] = draw(st.sampled_from(raw["segments"]))["name"]
    return effect | draw(st.sampled_from(_RAMPS))


def _is_moved(segment: Raw) -> bool:
    return segment.get("arrival", {}).get("kind") in ("ongoing", "uniform", "linear")


def _days(draw: st.DrawFn, start: date) -> Raw:
    form = draw(st.sampled_from(["day", "rule", "range", "from", "until", "years"]))
    if form == "rule":
        return {"date": draw(st.sampled_from(_RULES))}
    if form == "years":
        return {"start": "12-20", "end": "01-06"}
    first = start + timedelta(days=draw(st.integers(-3, 40)))
    last = first + timedelta(days=20)
    days = {
        "day": {"date": [first.isoformat(), "easter"]},
        "range": {"start": first.isoformat(), "end": last.isoformat()},
        "from": {"start": first.isoformat()},
        "until": {"end": first.isoformat()},
    }
    return days[form]


def _listed(draw: st.DrawFn, raw: Raw, start: date) -> None:
    first = draw(st.integers(0, 40))
    days = [(start + timedelta(days=first + later)).isoformat() for later in (0, 3, 20)]
    columns = [
        {"name": "fair_id", "type": "id"},
        {"name": "start", "type": "static", "values": days, "value_type": "date"},
        {"name": "factor", "type": "static", "values": [draw(_FACTORS), None, draw(_FACTORS)]},
    ]
    raw["dimensions"].append({"name": "dim_fair", "reference": True, "columns": columns})
    metric = draw(st.sampled_from(raw["metrics"]))["name"]
    raw["effects"].append({"name": "fair", "rows_of": "dim_fair", "factor": 2, "metrics": metric})

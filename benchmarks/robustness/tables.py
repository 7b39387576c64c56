"""Random tables of a kind of unit: dimensions, facts, events and bridges, as they refer to each other."""

from __future__ import annotations

from typing import Any

from benchmarks.robustness.columns import Config, Star, add_columns
from benchmarks.robustness.draw import Draw

Sections = dict[str, list[Config]]


def tables(draw: Draw, star: Star, dated: bool) -> Sections:
    """Return random tables by section; `dated` says that dates and listed dimensions are here, not another kind's."""
    sections: Sections = {"dimensions": [], "facts": [], "events": [], "bridges": []}

    def put(section: str, kind: str, table: Config) -> None:
        sections[section].append(table)
        star.tables[table["name"]], star.kinds[table["name"]] = table, kind

    if dated:
        for kind, table in shared(draw, star):
            put("dimensions", kind, table)
    unit: Config = {
        "name": f"dim_{star.unit}",
        "per": "unit",
        "columns": [{"name": f"{star.unit}_id", **_key(draw, "unit")}],
    }
    add_columns(draw, star, unit, "unit", 0, 5)
    if draw.chance(0.3) and not any(column["type"] == "scd" for column in unit["columns"]):
        unit["columns"].append({"name": "tier", "type": "scd", **_tiers(draw, star)})
    put("dimensions", "unit", unit)
    if draw.chance(0.35):
        child: Config = {"name": f"dim_{star.unit}_part", "per": "unit", "count": draw.one((1, 2, [1, 3], [0, 2]))}
        child["columns"] = [{"name": f"{star.unit}_part_id", **_key(draw, "row")}, _to_unit(star)]
        add_columns(draw, star, child, "child", 0, 3)
        put("dimensions", "child", child)
    for number in range(draw.weighted({1: 6, 2: 2, 3: 1})):
        put("facts", "fact", _fact(draw, star, number))
    if draw.chance(0.25):
        period: Config = {"name": f"fct_{star.unit}_total", "per": "period", "columns": [_to_date()]}
        period["columns"].append({"name": "units_there", "type": "units"})
        add_columns(draw, star, period, "period", 0, 3)
        put("facts", "period", period)
    if draw.chance(0.45):
        _sales(draw, star, put)
    for number in range(draw.weighted({0: 3, 1: 3, 2: 1})):
        put("events", "proportional", _proportional(draw, star, number))
    for number in range(draw.weighted({0: 3, 1: 3, 2: 1})):
        put("events", "threshold", _threshold(draw, star, number))
    if draw.chance(0.3):
        of = draw.one(star.of_kind("unit", "child"))
        every = {"every": draw.one(("week", "month", "quarter", "once"))} if draw.chance(0.5) else {}
        put("facts", "snapshot", {"name": f"snp_{star.unit}", "snapshot_of": of, **every})
    if draw.chance(0.3):
        put("events", "changes", {"name": f"log_{star.unit}", "changes_of": draw.one(star.of_kind("unit", "child"))})
    for number in range(draw.weighted({0: 5, 1: 3, 2: 1})):
        put("bridges", "bridge", _bridge(draw, star, number))
    return {section: items for section, items in sections.items() if items}


def shared(draw: Draw, star: Star) -> list[tuple[str, Config]]:
    """Return the dates, the times of day and the listed dimensions."""
    dates: Config = {"name": "dim_date", "per": "period", "columns": [{"name": "date_key", "type": "id"}]}
    add_columns(draw, star, dates, "date", 1, 6)
    dimensions = [("date", dates)]
    if draw.chance(0.25):
        times: Config = {"name": "dim_time", "per": "time", "columns": [{"name": "time_key", "type": "id"}]}
        times |= {"every": "hour"} if draw.chance(0.7) else {}
        add_columns(draw, star, times, "time", 1, 3)
        dimensions.append(("time", times))
    for number in range(draw.weighted({0: 3, 1: 4, 2: 2})):
        listed: Config = {"name": f"dim_list_{number}", "reference": True}
        words = {"name": "what", "type": "static.one,two,three,four,five"}
        listed["columns"] = [{"name": f"list_{number}_id", **_key(draw, "list")}, words]
        listed |= {"count": draw.whole(1, 12)} if draw.chance(0.3) else {}
        add_columns(draw, star, listed, "reference", 0, 3)
        dimensions.append(("reference", listed))
        star.tables[listed["name"]], star.kinds[listed["name"]] = listed, "reference"
    return dimensions


def _tiers(draw: Draw, star: Star) -> Config:
    return {"tracks": draw.one(star.metrics)["name"], "tiers": ["base", "plus", "gold"], "at": [0.3, 0.7]}


_KEYS: dict[str, tuple[Config, ...]] = {
    "unit": ({"start": 1}, {"format": "U{n:09}"}, {"pattern": "[A-Z]{4}-[0-9]{7}"}),
    "list": ({"start": 10_000_000_000}, {"format": "L{n}"}, {"pattern": "[a-z]{5}"}),
    "event": (
        {"start": 1, "units": 1_000_000, "most": 5_000},
        {"pattern": "[A-Z0-9]{12}", "units": 1_000_000, "most": 5_000},
    ),
    "row": ({"format": "{parent}/{n}"},),
}
"""Other keys of units, of listed rows, of rows of a unit in a period and of rows that belong to others."""


def _key(draw: Draw, of: str) -> Config:
    """Return the type of a key and its options: half of the keys are the usual texts."""
    if draw.chance(0.5):
        return {"type": "id"}
    return {"type": "uuid"} if draw.chance(0.3) else {"type": "id", **draw.one(_KEYS[of])}


def _to_date() -> Config:
    return {"name": "date_key", "type": "ref.dim_date"}


def _to_unit(star: Star) -> Config:
    return {"name": f"{star.unit}_id", "type": f"ref.dim_{star.unit}"}


def _fact(draw: Draw, star: Star, number: int) -> Config:
    fact: Config = {"name": f"fct_{star.unit}_{number}", "columns": [_to_date(), _to_unit(star)]}
    metric_names = [metric["name"] for metric in star.metrics]
    metric_names = metric_names if number == 0 and draw.chance(0.8) else draw.some(metric_names, 1, len(metric_names))
    if draw.chance(0.15):
        fact["metrics"] = metric_names
    else:
        fact["columns"] += [{"name": name, "type": f"metric.{name}"} for name in metric_names]
    if draw.chance(0.2):
        fact["cdc"] = True
    add_columns(draw, star, fact, "fact", 0, 4)
    return fact


def _driver(draw: Draw, star: Star) -> tuple[str, float] | None:
    """Return a metric that may drive how many rows there are, and how many for one of it, so that there are few."""
    counts = [metric for metric in star.metrics if metric.get("range", [0, 1])[0] >= 0]
    if not counts:
        return None
    metric = draw.one(counts)
    usual = (metric["mean"] if "mean" in metric else metric.get("range", [0.5, 5]))[1]
    return metric["name"], min(100.0, float(f"{draw.scale(0.05, 3) / usual:.3g}"))


def _sales(draw: Draw, star: Star, put: Any) -> None:
    """Add a fact of as many rows as a metric says, and often lines of its rows and what comes back of them."""
    driven = _driver(draw, star)
    if driven is None:
        return
    key = {"name": "sale_id", **_key(draw, "event")}
    name = f"fct_{star.unit}_sale"
    sales: Config = {"name": name, "row_count_driver": driven[0], "row_count_scale": driven[1]}
    sales["columns"] = [key, _to_date(), _to_unit(star)]
    if draw.chance(0.6):
        sales["columns"].append({"name": "sold_at", "type": "timestamp"})
    if draw.chance(0.2):
        sales["cdc"] = True
    lined = draw.chance(0.6)
    if lined:
        lines: Config = {"name": f"{name}_line", "parent_table": name, "children_per_row": draw.one((1, 2, [1, 3]))}
        lines["columns"] = [{"name": "line_id", **_key(draw, "row")}, _to_date(), _to_unit(star)]
        lines["columns"].append({"name": "pieces", "type": "range", "range": [1, 9]})
        star.tables[lines["name"]] = lines
    add_columns(draw, star, sales, "variable", 0, 5)
    put("facts", "variable", sales)
    if lined:
        add_columns(draw, star, lines, "detail", 0, 4)
        put("facts", "detail", lines)
    driven = _driver(draw, star)
    if driven is not None and draw.chance(0.25):
        back: Config = {"name": f"fct_{star.unit}_return", "row_count_driver": driven[0], "row_count_scale": driven[1] / 2}
        back["columns"] = [{"name": "return_id", "type": "id"}, _to_date(), _to_unit(star)]
        back["columns"].append({"name": "sale_id", "type": f"ref.{name}"})
        put("facts", "variable", back)


def _event(draw: Draw, star: Star, name: str) -> Config:
    columns = [{"name": "event_id", "type": "id"}, _to_date(), _to_unit(star)]
    if draw.chance(0.5):
        columns.append({"name": "happened_at", "type": "timestamp"})
    event: Config = {"name": name, "columns": columns}
    if draw.chance(0.15):
        event["log_format"] = "{event_id} of {" + f"{star.unit}_id" + "}"
    if draw.chance(0.2):
        event["rhythm"] = rhythm(draw)
    return event


def _proportional(draw: Draw, star: Star, number: int) -> Config:
    driven = _driver(draw, star) or (star.metrics[0]["name"], 0.1)
    event = _event(draw, star, f"evt_{star.unit}_act_{number}")
    event |= {"trigger": "proportional", "driver": driven[0], "scale": driven[1]}
    add_columns(draw, star, event, "proportional", 0, 4)
    return event


def _threshold(draw: Draw, star: Star, number: int) -> Config:
    event = _event(draw, star, f"evt_{star.unit}_cross_{number}")
    metric = draw.one(star.metrics)
    low, high = metric["mean"] if "mean" in metric else metric.get("range", [0, 1])
    level = float(f"{low + (high - low) * draw.number(0.2, 1.0):.4g}")
    event |= {"trigger": "threshold", "metric": metric["name"], draw.one(("above", "below")): level}
    event |= {"for": draw.whole(1, 4)} if draw.chance(0.5) else {}
    if draw.chance(0.4):
        event["ends_unit"] = True
    elif draw.chance(0.4):
        event |= {"refire": True, **({"again_after": draw.whole(2, 6)} if draw.chance(0.5) else {})}
    add_columns(draw, star, event, "threshold", 0, 3)
    return event


def _bridge(draw: Draw, star: Star, number: int) -> Config:
    dimensions = star.of_kind("unit", "child", "reference")
    left = draw.one(star.of_kind("unit", "unit", "child"))
    right = draw.one([*dimensions, *star.foreign])
    low = draw.whole(0, 2)
    bridge: Config = {"name": f"bridge_{star.unit}_{number}", "left": left, "right": right}
    bridge["cardinality"] = [low, low + draw.whole(1, 3)]
    if left == right and draw.chance(0.5):
        bridge["directed"] = False
    if draw.chance(0.4):
        bridge["driver"] = draw.one(star.metrics)["name"]
    if draw.chance(0.5):
        bridge["columns"] = [{"name": "linked_in", "type": "ref.dim_date"}]
        add_columns(draw, star, bridge, "bridge", 0, 2)
    return bridge


def rhythm(draw: Draw) -> Config:
    """Return how much happens on which weekday and at which hour."""
    parts: Config = {}
    if draw.chance(0.7):
        parts["weekdays"] = draw.one(("workdays", "weekends", [1, 1, 1, 1, 1.5, 2, 0.5], [0, 1, 1, 1, 1, 1, 0]))
    if draw.chance(0.7):
        parts["hours"] = draw.one(("office_hours", "evening", "night", [0] * 8 + [1, 2, 3, 3, 2, 2, 3, 3, 2, 1] + [0] * 6))
    if not parts or draw.chance(0.3):
        parts["holidays"] = draw.one((0, 0.5, 2))
    return parts

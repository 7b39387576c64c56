"""Random tables of the section `tables`: plain ones, grids, rows of cells, and rows of rows at some depth."""

from __future__ import annotations

from typing import Any

from benchmarks.robustness.columns import Config
from benchmarks.robustness.draw import Draw

_COUNTS: tuple[Any, ...] = (
    1,
    3,
    [0, 2],
    {"poisson": 1.5},
    {"geometric": 1.4, "between": [1, 6]},
    {"lognormal": [2, 0.5], "between": [0, 9]},
    {1: 3, 4: 1},
)
_STEPS = {"steps": {"first": 0.9, "second": 0.5, "third": 0.4}}


def shapes(draw: Draw, unit: str, metric: str) -> list[Config]:
    """Return random tables, each after those that its rows belong to or combine."""
    size = {"type": "range", "range": [1, 999]}
    colour = {"type": "static", "values": ["red", "blue", "grey"]}
    errand = {"errand_no": "sequence", "at": "timestamp", "size": size}
    wait = draw.one(("minutes(exponential(5))", "hours(size)"))
    tour = {"tour": "step", "left_at": {"type": "timestamp", "after": "previous", "wait": wait}}
    of_cells: Any = draw.one(([0, 2], 1, {"poisson": 0.6}, {"poisson": metric, "scale": 0.05}))
    tables: dict[str, Config] = {
        "bins": {"rows": draw.whole(1, 30), "columns": {"bin_id": "id", "size": size}},
        "bin_parts": {"per": "bins", "rows": draw.one(_COUNTS), "columns": {"part_no": "sequence", "size": size}},
        "colours": {"rows": 3, "columns": {"colour_id": "id", "colour": colour}},
        "stands": {"per": ["bins", "colours"], "columns": {"size": size}},
        "stock": {"per": ["colours", "bins", "period"], "columns": {"size": size, "colour": "lookup.colours.colour"}},
        "calls": {"rows": draw.whole(1, 400), "columns": {"call_id": "id", "at": "timestamp", "size": size}},
        "call_notes": {"per": "calls", "rows": draw.one(_COUNTS), "columns": {"note_no": "sequence", "size": size}},
        "badges": {"per": unit, "rows": draw.one((1, 2, [1, 3])), "columns": {"badge_id": "id", "size": size}},
        "badge_uses": {"per": "badges", "rows": draw.one(([1, 2], 2)), "columns": {"use_no": "sequence", "size": size}},
        "badge_days": {"per": ["badges", "period"], "columns": {"size": size, "level": f"metric.{metric}"}},
        "shown": {"per": [unit, "colours", "period"], "columns": {"size": size}},
        "errands": {"per": [unit, "period"], "rows": of_cells, "columns": errand},
        "errand_tours": {"per": "errands", "rows": _STEPS, "columns": {"tour_no": "sequence", "size": size, **tour}},
        "errand_steps": {"per": "errands", "rows": draw.one(_COUNTS), "columns": {"step_no": "sequence", "size": size}},
    }  # fmt: skip
    wanted = draw.some(list(tables), 1, 5)
    for name in wanted:
        per = tables[name].get("per", ())
        wanted += [other for other in ([per] if isinstance(per, str) else per) if other in tables and other not in wanted]
    wanted_tables = [{"name": name, **tables[name]} for name in tables if name in wanted]
    for table in wanted_tables:
        if "per" in table and draw.chance(0.2):
            table["where"] = "size > 200"
    return wanted_tables

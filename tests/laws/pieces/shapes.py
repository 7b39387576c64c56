"""Tables of one shape: plain ones, grids, rows of cells, rows of rows at some depth, with numbers of rows of all kinds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

COUNTS = (
    1,
    2,
    [0, 3],
    [1, 2],
    {"poisson": 1.5},
    {"geometric": 1.2, "between": [0, 4]},
    {"negative_binomial": [1.2, 0.5]},
    {"lognormal": [2, 0.8], "between": [0, 9]},
    {"zipf": 2.0, "between": [1, 5]},
    {1: 3, 4: 1},
    {"steps": {"one": 0.9, "two": 0.5}},
)
BY_TONE = {"by": "tone", "cases": {"dark": [0, 3], "light": {"poisson": 2}, "else": 1}}
FUNNEL = {
    "rows": {"steps": {"view": 1, "cart": "p_cart", "order": 0.6}},
    "columns": [
        {"name": "number", "type": "sequence"},
        {"name": "step", "type": "step"},
        {"name": "gap", "type": "= exponential(900)", "hidden": True},
        {"name": "at", "type": "timestamp", "after": "previous", "wait": "minutes(gap) - seconds(uniform(0, 9))"},
        {"name": "until", "type": "timestamp", "after": "at", "wait": "number working days"},
        {"name": "seen", "type": "timestamp", "between": ["at", "until"]},
    ],
}
"""Steps of visits, at moments of their own that may lie in later periods; each has an end, and a moment before it."""
DEALT = ({"exact": 60}, {"exact": 60, "shape": 0.5}, {"exact": 60, "zipf": 1.0})


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Add some of the tables below; those that others belong to come with them."""
    metric = raw["metrics"][0]["name"]
    size = {"name": "size", "type": "range", "range": [1, 9999]}
    number = {"name": "number", "type": "sequence"}
    at = {"name": "at", "type": "timestamp"}
    tone = {"name": "tone", "type": "choice", "values": ["dark", "light", "none"]}
    key = {"name": "key_id", "type": "id"}
    part_size = {"name": "part_size", "type": "lookup.parts.size"}

    def count() -> Any:
        return draw(st.sampled_from(COUNTS))

    calls = draw(st.integers(1, 300))

    def kept(is_possible: bool = True) -> dict[str, Any]:
        """Return now and then that most rows are kept: of few it might be none, which is refused."""
        return {"where": "size > 2500"} if is_possible and draw(st.booleans()) else {}

    tables: dict[str, dict[str, Any]] = {
        "bins": {"rows": draw(st.integers(1, 40)), "columns": [{"name": "bin_id", "type": "id"}, size]},
        "parts": {"per": "bins", "rows": draw(st.sampled_from([count(), *DEALT])), "columns": [number, size]},
        "screws": {"per": "parts", "rows": count(), "columns": [number, size, part_size]},
        "kinds": {"rows": 3, "columns": [{"name": "kind_id", "type": "id"}, {"name": "kind", "type": "static.a,b,c"}]},
        "stands": {"per": ["bins", "kinds"], "columns": [size]},
        "stock": {"per": ["kinds", "period", "bins"], "columns": [size, {"name": "kind", "type": "lookup.kinds.kind"}]},
        "calls": {"rows": calls, **kept(calls > 60), "columns": [{"name": "call_id", "type": "id"}, at, size]},
        "words": {"per": "calls", "rows": count(), "columns": [number, size]},
        "replies": {"per": "calls", "rows": draw(st.sampled_from([[1, 3], 2])), **kept(calls > 60), "columns": [key, size]},
        "keys": {"per": "shop", "rows": draw(st.sampled_from([1, [1, 3], 2])), "columns": [key, size]},
        "rings": {"per": "shop", "rows": draw(st.sampled_from([2, [0, 3]])), "columns": [number, size, tone]},
        "charms": {"per": "rings", "rows": draw(st.sampled_from([count(), BY_TONE])), "columns": [number, size]},
        "notches": {"per": "keys", "rows": count(), **kept(), "columns": [{"name": "notch_id", "type": "id"}, size]},
        "teeth": {
            "per": "notches",
            "rows": [0, 2],
            "where": "size > 3000",
            "columns": [number, size, {"name": "notch_size", "type": "lookup.notches.size"}],
        },
        "seen": {"per": ["keys", "period"], "columns": [size, {"name": "mean", "type": f"metric.{metric}"}]},
        "shown": {"per": ["shop", "kinds", "period"], "columns": [size]},
        "visits": {
            "per": ["shop", "period"],
            "rows": draw(st.sampled_from([[0, 2], 1, {"poisson": 0.7}, {"poisson": metric, "scale": 0.05}])),
            "columns": [number, at, {"name": "bin_id", "type": "ref.bins"}, size],
        },
        "cuts": {
            "per": ["shop", "period"],
            "rows": [0, 2],
            "columns": [
                number,
                {"name": "notch", "type": "ref.notches"},
                {"name": "notch_size", "type": "lookup.notches.size"},
            ],
        },
        "answers": {
            "per": ["shop", "period"],
            "rows": draw(st.sampled_from([[0, 2], {"poisson": 0.7}])),
            "columns": [
                number,
                *([at] if draw(st.booleans()) else []),
                {"name": "call", "type": "ref.calls"},
                {"name": "call_size", "type": "lookup.calls.size"},
                {"name": "reply", "type": "ref.replies", "within": draw(st.integers(0, 3))},
            ],
        },
        "things": {"per": "visits", "rows": count(), "columns": [number, size]},
        "tours": {"per": "visits", **FUNNEL, **({"where": "gap < 2000"} if draw(st.booleans()) else {})},
        "marks": {"per": "things", "rows": [0, 2], "columns": [{"name": "mark_id", "type": "id"}, size]},
    }  # fmt: skip
    if "units" in raw:
        tables["leases"] = {"per": ["shop", "landlord", "period"], "columns": [size]}
    needs = {
        "parts": ["bins"], "screws": ["parts"], "stands": ["bins", "kinds"], "stock": ["bins", "kinds"], "words": ["calls"],
        "replies": ["calls"], "answers": ["calls", "replies"],
        "charms": ["rings"], "notches": ["keys"], "teeth": ["notches"], "cuts": ["notches"],
        "seen": ["keys"], "shown": ["kinds"], "visits": ["bins"], "things": ["visits"], "tours": ["visits"],
        "marks": ["things"],
    }  # fmt: skip
    unit = next(table for table in raw["dimensions"] if table.get("per") == "unit" and "count" not in table)
    has_pegs = any(column["name"] == "pegs" for column in unit["columns"])
    if not has_pegs and draw(st.booleans()):  # a column of the units says how many rings each has
        unit["columns"].append({"name": "pegs", "type": "range", "range": [0, 3]})
        tables["rings"]["rows"] = "pegs"
    wanted = draw(st.lists(st.sampled_from([*tables]), min_size=1, max_size=4, unique=True))
    for name in wanted:
        wanted += [parent for parent in needs.get(name, []) if parent not in wanted]
    if "tours" in wanted:
        tables["visits"]["columns"] += [
            {"name": "p_cart", "type": "= size / 9999", "hidden": True},
            {"name": "tour_steps", "type": "count.tours"},
            {"name": "furthest", "type": "last.tours.step"},
            {"name": "left_at", "type": "last.tours.at"},
        ]
    written = raw.get("tables", [])
    names = {table["name"] for section in ("dimensions", "facts", "events") for table in raw.get(section) or []}
    raw["tables"] = [*written, *({"name": name, **tables[name]} for name in tables if name in wanted and name not in names)]

"""Random configs of the whole language, each of one seed.

A config is composed section by section; what the language refuses of it (correlations that cannot be, a lookup in a
circle) is taken out, part by part, until it loads. So the language itself says what is valid, and a config is never far
from its edge.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any, get_args

from benchmarks.robustness.columns import Config, Star
from benchmarks.robustness.draw import Draw
from benchmarks.robustness.effects import add_effects
from benchmarks.robustness.population import SHARES, SIZES, Size, connections, metrics, noise, phases, segments
from benchmarks.robustness.rules import add_rules
from benchmarks.robustness.shapes import shapes
from benchmarks.robustness.tables import rhythm, tables
from benchmarks.robustness.windows import window
from plotsim_core import ConfigError, Plan, from_mapping
from plotsim_core.config.quality import Kind

FORMATS = ("csv", "parquet", "jsonl", "duckdb")
LOCALES = ("en_US", "de_DE", "ja_JP", "fr_FR", ["en_US", "de_DE"])
UNITS = ("client", "shop", "pupil", "turbine")
ISSUES = get_args(Kind)
_TRIES = 60
_EFFECTS, _RULES = 1 << 40, 1 << 41
"""Added to a seed where effects and rules are drawn, so that all else of a config is what it would be without them."""


@dataclass(frozen=True)
class Composed:
    """A random config: `raw` as it loads, its `plan`, the `size` it was meant to have, and `dropped`, what was taken out of
    it as (path, what the language said)."""

    seed: int
    size: str
    raw: Config
    plan: Plan
    dropped: tuple[tuple[str, str], ...]


def composed(seed: int) -> Composed:
    """Return the random config of a seed. Raises ConfigError where nothing that loads is left of it."""
    draw = Draw(seed)
    size = draw.weighted(SHARES)
    raw = _whole(draw, SIZES[size])
    raw["seed"] = draw.whole(0, 2**32 - 1)
    add_effects(Draw(_EFFECTS + seed), raw)
    add_rules(Draw(_RULES + seed), raw)
    name = f"random_{seed}"
    dropped: list[tuple[str, str]] = []
    for _ in range(_TRIES):
        try:
            return Composed(seed, size, raw, from_mapping(copy.deepcopy(raw), name=name), tuple(dropped))
        except ConfigError as error:
            left = len(dropped)
            for problem in sorted(error.problems, key=lambda p: p.path, reverse=True):
                if _take_out(raw, problem.path):
                    dropped.append((problem.path, problem.message))
            if len(dropped) == left and not _give_way(raw, dropped):
                raise
    from_mapping(raw, name=name)
    raise AssertionError("a config that did not load has loaded")


def _whole(draw: Draw, size: Size) -> Config:
    units = draw.whole(*size.units)
    length = min(draw.whole(*size.periods), max(1, size.cells // units))
    raw: Config = {"about": "Something made up", "unit": draw.one(UNITS)}
    raw["window"], length = window(draw, length, size.cells // units)
    closed = "end" in raw["window"]
    raw |= _kind(draw, raw["unit"], units, length, closed, "", None)
    star = raw.pop("star")
    if draw.chance(0.25):
        other = draw.one([name for name in ("depot", "brand") if name != raw["unit"]])
        further = _kind(draw, other, max(1, units // draw.whole(2, 8)), length, closed, f"{other}_", star)
        further.pop("star")
        raw["units"] = [{"unit": other, **further}]
        if star is not None:
            _refer(draw, raw, f"dim_{other}")
    raw |= _rest(draw, raw, length, closed, star)
    if star is not None and draw.chance(0.4):
        raw["tables"] = shapes(draw, raw["unit"], draw.one(raw["metrics"])["name"])
    return raw


def _kind(draw: Draw, unit: str, units: int, length: int, closed: bool, prefix: str, of: Star | None) -> Config:
    """Return what a kind of unit says for itself, and under `star` its tables, None where it declares none."""
    unit_metrics = metrics(draw, 5, prefix)
    raw: Config = {"metrics": unit_metrics, "segments": segments(draw, units, length, unit_metrics, prefix)}
    if len(unit_metrics) > 1:
        raw["connections"] = connections(draw, unit_metrics)
    if len(unit_metrics) > 1 and closed and draw.chance(0.12):
        raw["connection_phases"] = phases(draw, unit_metrics, length)
    if draw.chance(0.2):
        stages = [{"new": 0.0}, {"known": draw.number(0.2, 0.5, 2)}, {"close": draw.number(0.6, 0.9, 2)}]
        raw["lifecycle"] = {"track": draw.one(unit_metrics)["name"], "stages": stages[: draw.whole(2, 3)]}
        ordered = {"enforce_order": True}
        raw["lifecycle"] |= draw.one(({}, ordered, {**ordered, "downgrade_delay": draw.whole(1, 3)}))
    if draw.chance(0.45):
        raw["noise"] = noise(draw, [metric["name"] for metric in unit_metrics])
    if draw.chance(0.25):
        raw["seasonality"] = [
            {"months": draw.some(range(1, 13), 1, 4), "strength": draw.one((-0.4, -0.1, 0.2, 0.6))}
            for _ in range(draw.whole(1, 2))
        ]
    raw["star"] = None
    if of is not None or draw.chance(0.85):
        star = Star(unit, unit_metrics, raw["segments"])
        if of is not None:
            star.tables |= {name: of.tables[name] for name in of.of_kind("date", "time", "reference")}
            star.kinds |= {name: of.kinds[name] for name in star.tables}
        raw |= tables(draw, star, of is None)
        raw["star"] = star
    return raw


def _refer(draw: Draw, raw: Config, dimension: str) -> None:
    """Let some tables of the first kind refer to units of another one, whose columns come first in the file."""
    for section in ("dimensions", "facts", "events"):
        for table in raw.get(section, []):
            whose = "columns" in table and not table.get("reference") and table.get("per") not in ("period", "time")
            if whose and draw.chance(0.3):
                table["columns"].append({"name": "elsewhere", "type": f"ref.{dimension}"})


def _rest(draw: Draw, raw: Config, length: int, closed: bool, star: Star | None) -> Config:
    rest: Config = {"output": _output(draw)}
    if draw.chance(0.3):
        rest["calendar"] = _calendar(draw)
    if draw.chance(0.25):
        rest["rhythm"] = rhythm(draw)
    if draw.chance(0.3):
        rest["locale"] = draw.one(LOCALES)
    if draw.chance(0.1):
        rest["scale"] = draw.number(0.3, 3, 1)
    if draw.chance(0.1):
        rest["owners"] = ["team:data"]
    if draw.chance(0.15):
        rest["manifest"] = {"include": False}
    if closed and length > 4 and draw.chance(0.2):
        rest["holdout"] = {"target": draw.one(raw["metrics"])["name"], "periods": draw.whole(1, length // 2)}
    if draw.chance(0.2):
        rest["entity_features"] = draw.one((True, {"include_labels": False}))
    if draw.chance(0.2):
        rest["sources"] = [_source(draw, name) for name in draw.some(("crm", "billing"), 1, 2)]
    if star is not None and draw.chance(0.3):
        rest["quality"] = [issue for _ in range(draw.whole(1, 4)) if (issue := _issue(draw, star, length))]
    return rest


def _output(draw: Draw) -> Config:
    output: Config = {"format": draw.one(FORMATS)}
    if draw.chance(0.25):
        output["denormalized"] = True
    if output["format"] == "parquet" and draw.chance(0.4):
        output |= {"compression": draw.one(("zstd", "snappy", "gzip", "none")), "row_group_rows": draw.whole(1, 5_000)}
        output |= {"sort_by": ["date_key"]} if draw.chance(0.4) else {}
    return output


def _calendar(draw: Draw) -> Config:
    calendar: Config = {}
    if draw.chance(0.5):
        calendar |= {"fiscal_year_starts": draw.whole(1, 12), "fiscal_year_named": draw.one(("end", "start"))}
        if draw.chance(0.3):
            calendar["fiscal_weeks"] = {
                "pattern": draw.one(("4-4-5", "4-5-4", "5-4-4")),
                "starts": draw.one(("nearest", "last")),
            }
    if draw.chance(0.3):
        calendar["weekend"] = draw.one((["friday", "saturday"], ["sunday"]))
    if draw.chance(0.8):
        listed_days = [{"name": "Our day", "date": "05-12"}]
        calendar["holidays"] = draw.one(("US", "DE-BY", {"country": "JP", "language": "en_US"}, listed_days))
    return calendar


def _source(draw: Draw, name: str) -> Config:
    rates = ("name_drift_rate", "attribute_drift_rate", "missing_rate", "duplicate_rate")
    return {
        "name": name,
        "key_scheme": draw.one(("prefix_padded", "numeric", "uuid_short")),
        **{rate: draw.number(0, 0.5, 2) for rate in draw.some(rates, 0, 4)},
    }


def _issue(draw: Draw, star: Star, length: int) -> Config:
    names = star.of_kind("fact", "proportional", "variable", "detail", "threshold", "period")
    table = draw.one(names)
    kind = draw.one(ISSUES)
    issue: Config = {"table": table, "issue": kind, "rate": draw.number(0.01, 0.4)}
    columns = [column["name"] for column in star.tables[table]["columns"]]
    if kind in ("null_injection", "type_mismatch", "schema_drift", "orphaned_keys", "restatement"):
        begins = {"orphaned_keys": ("ref.",), "type_mismatch": ("range", "metric.", "true.", "expected.", "lag.")}
        types = begins.get(kind, ("",))
        fitting = [c["name"] for c in star.tables[table]["columns"] if c["type"].startswith(types)]
        issue["column"] = draw.one(fitting or columns)
    if kind == "volume_anomaly":
        issue |= {"mode": draw.one(("spike", "drop")), "period": draw.whole(0, length - 1)}
    if kind == "schema_drift" and draw.chance(0.3):
        issue |= {"mode": "rename", "rate": 1.0}
    if kind in ("late_delivery", "redelivery", "restatement") and draw.chance(0.6):
        issue["up_to"] = draw.whole(1, 6)
    if draw.chance(0.2):
        issue["seed_offset"] = draw.whole(1, 99)
    return issue


def _give_way(raw: Config, dropped: list[tuple[str, str]]) -> bool:
    """Take out what may stand behind an error whose own place cannot be: seasons, and references of a unit's dimension."""
    for kind in (raw, *raw.get("units", [])):
        if kind.pop("seasonality", None):
            dropped.append(("seasonality", "may be why"))
            return True
        for table in filter(_is_unit, kind.get("dimensions", [])):
            columns = [column for column in table["columns"] if not column["type"].startswith("ref.")]
            if len(columns) < len(table["columns"]):
                table["columns"][:] = columns
                dropped.append((f"{table['name']}.columns", "may be why"))
                return True
    return False


_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_KEPT = ("metrics", "segments", "window", "unit", "about", "dimensions")
_NEEDED = ("name", "type", "metrics", "segments", "unit", "count", "start", "kind", "columns", "per")


def _take_out(raw: Config, path: str) -> bool:
    """Take the part at a path out of a config: the nearest item of a list, or key, without which it may do. Return whether
    something was taken out."""
    steps: list[Any] = [int(number) if number else word for word, number in _STEP.findall(path)]
    trail: list[tuple[Any, Any]] = []
    at: Any = raw
    for step in steps:
        if isinstance(step, int):
            missing = not isinstance(at, list) or step >= len(at)
        else:
            missing = not isinstance(at, dict) or step not in at
        if missing:
            break
        trail.append((at, step))
        at = at[step]
    if "columns" in [step for _, step in trail]:  # the whole column
        trail = trail[: 1 + max(n for n, (container, _) in enumerate(trail) if isinstance(container, list))]
    for container, step in reversed(trail):
        if (container is raw and step in _KEPT) or (isinstance(container, list) and _is_unit(container[step])):
            return False
        if isinstance(container, dict) and step in _NEEDED:
            continue
        if isinstance(container, list) and len(container) == 1 and container in (raw["metrics"], raw["segments"]):
            return False
        if step == "archetype":
            container[step] = "growth"
        else:
            del container[step]
        return True
    return False


def _is_unit(table: Any) -> bool:
    return isinstance(table, dict) and table.get("per") == "unit" and "count" not in table

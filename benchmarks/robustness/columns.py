"""Random columns: for each source of the language, a column as it may stand in a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.robustness.draw import Draw
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.table_kind import TABLE_FORMS, Knowledge

Config = dict[str, Any]


@dataclass
class Star:
    """What a kind of unit has, as far as it is composed: `tables` by name, each with its kind; `listed` are those that all
    kinds share, `foreign` dimensions of other kinds."""

    unit: str
    metrics: list[Config]
    segments: list[Config]
    tables: dict[str, Config] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the names of the tables of some kinds."""
        return [name for name, kind in self.kinds.items() if kind in kinds]

    @property
    def attributes(self) -> list[str]:
        """Attributes that every segment has."""
        attributes = [segment.get("attributes", {}) for segment in self.segments]
        return [name for name in attributes[0] if all(name in other for other in attributes)]


Made = Config | None
Composer = Callable[[Draw, Star, Config], Made]
PROVIDERS = ("name", "first_name", "last_name", "company", "city", "email", "user_name", "word", "job", "street_name")
GEO = ("country", "country_code", "region", "city", "postcode", "latitude", "longitude")
DATES = {
    "date": ("date",),
    "int": ("year", "quarter", "month", "week", "day_of_week", "working_days", "holidays", "fiscal_year", "period_index"),
    "float": ("working_days", "year"),
    "string": ("month_name", "day_name", "holiday_name", "period_label"),
    "bool": ("is_weekend", "is_holiday", "is_working_day"),
}
FORMULAS = ("{} * 2", "round({} / 3, 2)", "{} > 1", "where({} > 1, 'much', 'little')", "coalesce({}, 0) + 1", "1 / {}")
TIMES = {"int": ("hour", "minute"), "string": ("day_part",), "bool": ("is_office_hours",)}


def _metric(draw: Draw, star: Star) -> str:
    return str(draw.one(star.metrics)["name"])


def _numbers(table: Config) -> list[str]:
    """Return the columns of a table, so far, that hold numbers."""
    words = ("metric.", "true.", "expected.", "range", "sequence", "lag.", "units")
    return [c["name"] for c in table["columns"] if c["type"].startswith(words)]


def _bucket(draw: Draw, star: Star, table: Config) -> Made:
    more = {"metric": _metric(draw, star)} if draw.chance(0.4) else {}
    return {"type": "bucket", "labels": ["low", "mid", "high", "top"][: draw.whole(1, 4)], **more}


def _static(draw: Draw, star: Star, table: Config) -> Made:
    return {"type": f"static.{draw.one(('EUR', 'one,two,three', '1,2,3', '1.5,2.25,9', 'yes,no', 'x,,z'))}"}


def _choice(draw: Draw, star: Star, table: Config) -> Made:
    values: list[Any] = draw.one((["a", "b", "c"], [1, 2], [0.5, 1.5, 2.5], [True, False], ["\u00fc", 'quote"d', "com,ma"]))
    more = {"weights": [draw.number(0.1, 5, 1) for _ in values]} if draw.chance(0.5) else {}
    return {"type": "choice", "values": list(values), **more}


def _case(draw: Draw, star: Star, table: Config) -> Made:
    choices = [column for column in table["columns"] if column["type"] == "choice" and isinstance(column["values"], list)]
    if not choices:
        return None
    deciding = draw.one(choices)
    cases = {deciding["values"][0]: draw.one(("faker.word", "static.x", {"type": "choice", "values": ["u", "v"]}))}
    return {"type": "case", "by": deciding["name"], "cases": {**cases, **({"else": "geo.city"} if draw.chance(0.5) else {})}}


def _label(draw: Draw, star: Star, table: Config) -> Made:
    numbers = [column["name"] for column in table["columns"] if column["type"] == "range" and not column.get("unique")]
    if not numbers:
        return None
    return {
        "type": "label",
        "odds": f"{draw.number(-1, 1, 2)} * {draw.one(numbers)} / 10",
        "rate": draw.number(0.01, 0.9, 2),
    }


def _derived(draw: Draw, star: Star, table: Config) -> Made:
    return {"type": f"derived.{draw.one(('archetype', 'name', 'entity_id', 'date_key', 'period_index', 'size'))}"}


def _expression(draw: Draw, star: Star, table: Config) -> Made:
    numbers = _numbers(table)
    if not numbers:
        return {"type": "expression", "formula": "1 + 1"} if draw.chance(0.2) else None
    name = draw.one(numbers)
    return {"type": "expression", "formula": draw.one(FORMULAS).format(name)}


def _faker(draw: Draw, star: Star, table: Config) -> Made:
    provider = draw.one(PROVIDERS)
    more: Config = {"unique": True} if provider in ("email", "user_name") and draw.chance(0.3) else {}
    if provider not in ("name", "first_name", "last_name", "email", "user_name") and draw.chance(0.3):
        locales = ("de_DE", "ja_JP", "fr_CA")
        choices = [c for c in table["columns"] if c["type"] == "choice" and c["values"] == ["a", "b", "c"]]
        by_choice = {"by": choices[0]["name"], "cases": dict(zip("abc", locales, strict=True))} if choices else None
        more["locale"] = by_choice if by_choice is not None and draw.chance(0.7) else draw.one(locales)
    return {"type": f"faker.{provider}", **more}


def _lag(draw: Draw, star: Star, table: Config) -> Made:
    return {"type": f"lag.{_metric(draw, star)}", **({"periods": draw.whole(1, 6)} if draw.chance(0.5) else {})}


def _pool(draw: Draw, star: Star, table: Config) -> Made:
    if not star.attributes:
        return None
    return {"type": f"pool.{draw.one(star.attributes)}", **({"by": "trajectory"} if draw.chance(0.3) else {})}


def _scd(draw: Draw, star: Star, table: Config) -> Made:
    if any(column["type"] == "scd" for column in table["columns"]):
        return None
    edges = sorted({draw.number(0.1, 0.9, 2) for _ in range(draw.whole(1, 3))})
    tiers = ["base", "plus", "gold", "star"][: len(edges) + 1]
    return {"type": "scd", "tracks": _metric(draw, star), "tiers": tiers, "at": edges}


def _segment(draw: Draw, star: Star, table: Config) -> Made:
    treated = any("treatment" in segment for segment in star.segments)
    return {"type": f"segment.{draw.one(('name', 'count', 'treatment') if treated else ('name', 'count'))}"}


def _ref(draw: Draw, star: Star, table: Config) -> Made:
    targets = star.of_kind("reference", "child", "date", "time", "unit", "proportional", "variable", "detail") + star.foreign
    targets = [name for name in targets if name != table["name"]]
    if not targets:
        return None
    name = draw.one(targets)
    column: Config = {"type": f"ref.{name}"}
    kind = star.kinds.get(name, "")
    if kind == "reference" and draw.chance(0.5):
        column |= draw.one(
            ({"distribution": "uniform"}, {"distribution": "head_tail"}, {"distribution": "zipf", "exponent": 0.8})
        )
    if kind in ("proportional", "variable", "detail") and draw.chance(0.4):
        column["within"] = draw.whole(0, 5)
    return column


def _lookup(draw: Draw, star: Star, table: Config) -> Made:
    referred = [c["type"].partition(".")[2] for c in table["columns"] if c["type"].startswith("ref.")]
    if "parent_table" in table:
        referred.append(table["parent_table"])
    pairs = [
        (n, c) for n in referred for c in star.tables.get(n, {"columns": ()})["columns"] if c["type"] not in ("id", "uuid")
    ]
    if not pairs:
        return None
    name, column = draw.one(pairs)
    ways = [c["name"] for c in table["columns"] if c["type"] == f"ref.{name}"]
    return {"type": f"lookup.{name}.{column['name']}", **({"by": ways[0]} if len(ways) > 1 else {})}


def _narrative(draw: Draw, star: Star, table: Config) -> Made:
    words = {
        "who": {"low": ["Nobody"], "mid": ["Some", "A few"], "high": ["Everyone"]},
        "what": {"low": ["left"], "mid": ["stayed"], "high": ["cheered", "danced"]},
    }
    lexicons = {segment["name"]: words for segment in star.segments}
    more = {"metric": _metric(draw, star)} if draw.chance(0.3) else {}
    if draw.chance(0.5):
        return {"type": "narrative", "template": "{who} {what}.", "lexicons": lexicons, **more}
    return {
        "type": "narrative",
        "template": "{who|capital} {what} {faker.word}.",
        "rules": _rules(draw, star, table),
        **more,
    }


def _rules(draw: Draw, star: Star, table: Config) -> Config:
    numbers = [column["name"] for column in table["columns"] if column["type"].startswith("range")]
    number = draw.one(numbers) if numbers and draw.chance(0.6) else None
    amount = f"{{{number}{draw.one(('', ':,.1f', ':05d'))}}} {{thing|plural {number}}}" if number else "{thing|a}"
    bands: Config = {"by": "band", "cases": {"low": ["lost"], "mid": {"kept": 3, "had": 1}, "high": ["won"]}}
    segments: Config = {"by": "segment", "cases": {star.segments[0]["name"]: ["one", "two"], "else": bands}}
    return {"who": segments, "what": [amount, ""], "thing": ["box", "hour"]}


def _level(draw: Draw, star: Star, table: Config) -> Made:
    every = draw.whole(1, 12)
    more = {"rate": 0.1} if every > 1 and draw.chance(0.5) else {}
    return {"type": f"level.{_metric(draw, star)}", "every": every, **more}


def _struct(draw: Draw, star: Star, table: Config) -> Made:
    types = draw.some(("int", "float", "string", "boolean", "faker.email", "geo.city", "segment.name", "timestamp"), 1, 4)
    return {"type": "struct", "nested_schema": {f"part_{place}": type_ for place, type_ in enumerate(types)}}


def _array(draw: Draw, star: Star, table: Config) -> Made:
    element = draw.one(("int", "float", "string", "boolean"))
    return {"type": "array", "array_element_type": element, "array_length": draw.whole(1, 4)}


def _range(draw: Draw, star: Star, table: Config) -> Made:
    return {"type": "range", "range": list(draw.one(((1, 9), (0.5, 2.5), (-5, 5))))}


def _total(draw: Draw, star: Star, table: Config) -> Made:
    lines = [name for name, other in star.tables.items() if other.get("parent_table") == table["name"]]
    pairs = [(n, c) for n in lines for c in star.tables[n]["columns"] if c["type"].startswith("range")]
    if not pairs:
        return None
    name, column = draw.one(pairs)
    return {"type": f"total.{name}.{column['name']}"}


def _count(draw: Draw, star: Star, table: Config) -> Made:
    lines = [name for name, other in star.tables.items() if other.get("parent_table") == table["name"]]
    return {"type": f"count.{draw.one(lines)}"} if lines else None


def _last(draw: Draw, star: Star, table: Config) -> Made:
    lines = [name for name, other in star.tables.items() if other.get("parent_table") == table["name"]]
    pairs = [(n, c) for n in lines for c in star.tables[n]["columns"] if c["type"].startswith(("range", "choice"))]
    if not pairs:
        return None
    name, column = draw.one(pairs)
    return {"type": f"last.{name}.{column['name']}"}


def _part(draw: Draw, star: Star, table: Config) -> Made:
    parent = table.get("parent_table")
    if parent not in star.tables:
        return None
    columns = star.tables[parent]["columns"]
    numbers = [c["name"] for c in columns if c["type"] == "range" and all(isinstance(bound, int) for bound in c["range"])]
    if not numbers:
        numbers = [f"whole_{len(columns)}"]
        columns.append({"name": numbers[0], "type": "range", "range": [0, 500]})
    return {"type": f"part.{parent}.{draw.one(numbers)}", "spread": draw.one((0, 0.5, 2))}


def _geo(draw: Draw, star: Star, table: Config) -> Made:
    return {"type": f"geo.{draw.one(GEO)}"}


def _calendar(word: str) -> Composer:
    def compose(draw: Draw, star: Star, table: Config) -> Made:
        names = (TIMES if table.get("per") == "time" else DATES).get(word, ())
        free = [name for name in names if name not in {column["name"] for column in table["columns"]}]
        return {"type": word, "name": draw.one(free)} if free else None

    return compose


def _part_of_date(draw: Draw, star: Star, table: Config) -> Config:
    parts = ("hour", "day_part") if table.get("per") == "time" else ("year", "quarter", "month_name", "fiscal_year")
    return {"type": f"calendar.{draw.one(parts)}"}


COMPOSERS: dict[str, Composer] = {
    "bucket": _bucket,
    "level": _level,
    "static": _static,
    "choice": _choice,
    "case": _case,
    "label": _label,
    "derived": _derived,
    "expression": _expression,
    "faker": _faker,
    "lag": _lag,
    "pool": _pool,
    "scd": _scd,
    "segment": _segment,
    "ref": _ref,
    "lookup": _lookup,
    "narrative": _narrative,
    "struct": _struct,
    "array": _array,
    "range": _range,
    "total": _total,
    "count": _count,
    "last": _last,
    "part": _part,
    "geo": _geo,
    "metric": lambda draw, star, table: {"type": f"metric.{_metric(draw, star)}"},
    "true": lambda draw, star, table: {"type": f"true.{_metric(draw, star)}"},
    "expected": lambda draw, star, table: {"type": f"expected.{_metric(draw, star)}"},
    "timestamp": lambda draw, star, table: {
        "type": "timestamp",
        **({"zone": draw.one(("utc", "Europe/Berlin"))} if draw.chance(0.3) else {}),
    },
    "cdc": lambda draw, star, table: {"type": f"cdc.{draw.one(('inserted_at', 'updated_at', 'op'))}"},
    "units": lambda draw, star, table: {"type": "units"},
    "flag": lambda draw, star, table: {"type": "flag"},
    "sequence": lambda draw, star, table: {"type": "sequence", "start": draw.whole(-5, 5), "step": draw.one((1, 2, -3))},
    "trajectory": lambda draw, star, table: {"type": "trajectory"},
    "calendar": _part_of_date,
    **{word: _calendar(word) for word in ("date", "int", "float", "string", "bool")},
}
"""How a column of each source is composed. `id`, `stage` and `version` come with the tables."""


_ALSO_NEEDED: dict[str, set[Knowledge]] = {"timestamp": {"period"}}
"""What a column as it is composed has to know of a row beside what all of its source have to."""


def add_columns(draw: Draw, star: Star, table: Config, kind: str, least: int, most: int) -> None:
    """Give a table some columns of sources that fit its kind."""
    knows = TABLE_FORMS[kind].knows
    fitting = [word for word in COMPOSERS if SOURCES[word].needs | _ALSO_NEEDED.get(word, set()) <= knows]
    for word in (draw.one(fitting) for _ in range(draw.whole(least, most))):
        column = COMPOSERS[word](draw, star, table)
        if column is not None:
            name = column.pop("name", f"{word}_{len(table['columns'])}")
            table["columns"].append({"name": name, **column})

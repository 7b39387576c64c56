"""Where partitions lie as Parquet files: named layouts and those of people's own, both as texts with placeholders.

A layout is a path below the store. Rendering it for a table and a partition has an inverse: each file of a layout tells
whose partition it is. Tables without time are one file, a state, with the word `state` in the place of what names a time.
Folders key=value of times a state has not: readers make columns of those, and would find none in a folder `state`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from plotsim_core.errors import Problem
from plotsim_core.families import Family, did_you_mean
from plotsim_core.numerics.calendar import Grain

_NAMES = ("dataset", "table")
_TIMES: dict[str, str] = {
    "key": r"\d{4}-\d\d-\d\d(?:-(?:[01]\d|2[0-3])00)?",
    "yyyy": r"\d{4}",
    "mm": r"\d\d",
    "dd": r"\d\d",
    "hh": r"(?:[01]\d|2[0-3])",
    "m": r"(?:1[0-2]|[1-9])",
    "d": r"(?:[12]\d|3[01]|[1-9])",
    "h": r"(?:1\d|2[0-3]|\d)",
    "yyyymm": r"\d{6}",
    "yyyymmdd": r"\d{8}",
    "yyyy_mm_dd": r"\d{4}_\d\d_\d\d",
    "q": "[1-4]",
    "iso_year": r"\d{4}",
    "iso_ww": r"\d\d",
}
"""Placeholder of a time, and what it looks like."""
PLACEHOLDERS = (*_NAMES, *_TIMES)
_PADDED = {"m": "mm", "d": "dd", "h": "hh"}
"""Placeholder of a whole number to that of the same one with two digits."""

_DAYS = ({"key"}, {"yyyymmdd"}, {"yyyy_mm_dd"}, {"yyyy", "mm", "dd"}, {"yyyymm", "dd"})
_MONTHS = (*_DAYS, {"yyyy", "mm"}, {"yyyymm"})
_QUARTERS = (*_MONTHS, {"yyyy", "q"})
_TELLING: dict[str, tuple[set[str], ...]] = {
    "hour": tuple({*day, "hh"} if day != {"key"} else day for day in _DAYS),
    "day": _DAYS,
    "week": (*_DAYS, {"iso_year", "iso_ww"}),
    "month": _MONTHS,
    "quarter": _QUARTERS,
    "year": (*_QUARTERS, {"yyyy"}),
}
"""Length of a partition to the sets of placeholders of which each tells one partition from all others."""

STATE = "state"
_TIME = rf"\{{(?:{'|'.join(_TIMES)})\}}"
_RUN = re.compile(rf"{_TIME}(?:[-_.]?{_TIME})*")


@dataclass(frozen=True)
class Named:
    """A layout that has a name: its text, and the text where partitions are hours."""

    days: str
    hours: str


LAYOUTS: Family[Named] = Family("layout")
BY_TABLE = "{dataset}/{table}/{key}.parquet"
LAYOUTS.add("by_table", Named(BY_TABLE, BY_TABLE))
_HIVE_MONTH = "partition_year={yyyy}/partition_month={m}"
_HIVE_DAY = f"{_HIVE_MONTH}/partition_day={{d}}"
"""Keys that are no usual names of columns, and values without zeros in front: every reader takes them for whole numbers."""
for _name, _days, _hours in (
    ("nested_daily", "{yyyy}/{mm}/{dd}/{table}", "{yyyy}/{mm}/{dd}/{hh}/{table}"),
    ("nested_monthly", "{yyyy}/{mm}/{table}_{yyyymmdd}", "{yyyy}/{mm}/{table}_{yyyymmdd}_{hh}"),
    ("nested_yearly", "{yyyy}/{table}_{yyyymmdd}", "{yyyy}/{table}_{yyyymmdd}_{hh}"),
    ("flat_with_date", "{yyyymmdd}_{table}", "{yyyymmdd}_{hh}_{table}"),
    ("flat_with_date_suffix", "{table}_{yyyymmdd}", "{table}_{yyyymmdd}_{hh}"),
    ("hive_partitioned", f"{_HIVE_DAY}/{{table}}", f"{_HIVE_DAY}/partition_hour={{h}}/{{table}}"),
    ("hive_monthly", f"{_HIVE_MONTH}/{{table}}_{{yyyymmdd}}", f"{_HIVE_MONTH}/{{table}}_{{yyyymmdd}}_{{hh}}"),
    ("iso_week", "{iso_year}/week_{iso_ww}/{table}_{yyyymmdd}", "{iso_year}/week_{iso_ww}/{table}_{yyyymmdd}_{hh}"),
    ("quarter_based", "{yyyy}/Q{q}/{table}_{yyyymmdd}", "{yyyy}/Q{q}/{table}_{yyyymmdd}_{hh}"),
    ("hive", f"{{table}}/{_HIVE_DAY}/data", f"{{table}}/{_HIVE_DAY}/partition_hour={{h}}/data"),
):
    LAYOUTS.add(_name, Named(f"{{dataset}}/{_days}.parquet", f"{{dataset}}/{_hours}.parquet"))


def template(layout: str | None, partition: Grain) -> str:
    """Return the text of a layout (a name, or a text already) for partitions of some length; without one by table."""
    if layout is None or layout not in LAYOUTS:
        return layout or BY_TABLE
    return LAYOUTS[layout].hours if partition.name == "hour" else LAYOUTS[layout].days


def wrong_text(layout: str) -> Iterator[Problem]:
    """Yield what is wrong with a layout by itself: no layout has that name, or it is no path that stays in the store."""
    if layout in LAYOUTS:
        return
    if "{" not in layout and "/" not in layout:
        yield Problem("", f"no layout is named '{layout}'", did_you_mean(layout, list(LAYOUTS)))
        return
    for name in re.findall(r"\{([^{}]*)\}", layout):
        if name not in PLACEHOLDERS:
            yield Problem("", f"'{{{name}}}' is no placeholder", did_you_mean(name, list(PLACEHOLDERS)))
    plain = re.sub(r"\{[^{}]*\}", "x", layout)
    if not re.fullmatch(r"(?:[A-Za-z0-9=-][A-Za-z0-9_.=-]*/)*[A-Za-z0-9=-][A-Za-z0-9_.=-]*", plain) or len(layout) > 300:
        says = f"expected a path below the store, of letters, digits, _ . = - and placeholders, found '{layout[:80]}'"
        yield Problem("", says, "no part may be empty or begin with a dot or an underscore: {dataset}/{table}/{key}.parquet")
    if not plain.endswith(".parquet") or plain.endswith("/.parquet"):
        yield Problem("", "a file's name ends in .parquet")
    for name in _NAMES:
        if f"{{{name}}}" not in layout:
            yield Problem("", f"has no {{{name}}}: two {name}s would be written to one file", f"add {{{name}}}")
    if re.search(r"[\d}]\{[mdh]\}|\{[mdh]\}[\d{]", layout):
        says = "{m}, {d} and {h} have one digit or two, so that what stands next to one may be taken for it"
        yield Problem("", says, "put a letter or a sign between them, or use {mm}, {dd} and {hh}")
    if any(all(f"{{{name}}}" in part for name in _NAMES) for part in layout.split("/")):
        yield Problem("", "{dataset} and {table} in one name cannot be told apart", "give each a folder of its own")


def wrong_partition(layout: str, partition: Grain) -> Iterator[Problem]:
    """Yield what is wrong with a sound layout of partitions of some length: two of them would be one file."""
    there = {_PADDED.get(name, name) for name in re.findall(r"\{([^{}]*)\}", template(layout, partition))}
    telling = _TELLING[partition.name]
    if not any(names <= there for names in telling):
        known = " or ".join(" ".join(f"{{{name}}}" for name in sorted(names, key=PLACEHOLDERS.index)) for names in telling)
        yield Problem("layout", f"two partitions, of a {partition.name} each, would be written to one file", f"add {known}")
    if "hh" in there and partition.name != "hour":
        yield Problem("layout", f"{{hh}} is always 00: partitions are of a {partition.name} each", "leave it out")


def partition_file(layout: str, dataset: str, table: str, key: str) -> str:
    """Return the path below the store of a table's partition; `key` is its first moment, 2024-03-01 or 2024-03-01-13:00."""
    day, hour = date(int(key[:4]), int(key[5:7]), int(key[8:10])), key[11:13] or "00"
    year, month, of_month = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    iso_year, iso_week, _ = day.isocalendar()
    return layout.format(
        dataset=dataset,
        table=table,
        key=key.replace(":", ""),
        yyyy=year,
        mm=month,
        dd=of_month,
        hh=hour,
        m=day.month,
        d=day.day,
        h=int(hour),
        yyyymm=year + month,
        yyyymmdd=year + month + of_month,
        yyyy_mm_dd=f"{year}_{month}_{of_month}",
        q=(day.month + 2) // 3,
        iso_year=f"{iso_year:04d}",
        iso_ww=f"{iso_week:02d}",
    )


def state_file(layout: str, dataset: str, table: str) -> str:
    """Return the path below the store of a table that is a state."""
    return _state(layout).format(dataset=dataset, table=table)


def told_by(layout: str, dataset: str, path: str) -> tuple[str, str | None] | None:
    """Return the table and the partition key (None for a state) that a path below the store is of; None for another file."""
    found = _expression(_state(layout), dataset).fullmatch(path)
    if found is not None:
        return found["table"], None
    found = _expression(layout, dataset).fullmatch(path)
    if found is None:
        return None
    try:
        key = _key(found.groupdict())
        return (found["table"], key) if partition_file(layout, dataset, found["table"], key) == path else None
    except ValueError:  # digits, but no date
        return None


def folder_of(layout: str, dataset: str, table: str | None = None) -> str:
    """Return the folder below the store that all files of a dataset, or of one of its tables, lie in; empty for the store
    itself."""
    fixed = itertools.takewhile(
        lambda part: "{" not in part.replace("{dataset}", "").replace("{table}", ""), _folders(layout)
    )
    known = fixed if table is not None else itertools.takewhile(lambda part: "{table}" not in part, fixed)
    return "/".join(known).replace("{dataset}", dataset).replace("{table}", table or "")


def keys_in(layout: str) -> list[str]:
    """Return the names that a layout's folders give to their values, as in key=value."""
    return [part.partition("=")[0] for part in _folders(layout) if re.match(r"[^{}=]+=", part)]


def _folders(layout: str) -> list[str]:
    return layout.split("/")[:-1]


@lru_cache(maxsize=64)
def _state(layout: str) -> str:
    """Return a layout without times: folders key=value of them are left out, others are one folder `state`, or `state`
    stands for them in a name."""
    folders, file = _folders(layout), layout.removesuffix(".parquet").rpartition("/")[2]
    parts: list[str] = []
    said = False
    for part in (*(part for part in folders if not keys_in(f"{part}/") or not _RUN.search(part)), file):
        named = any(f"{{{name}}}" in part for name in _NAMES)
        if not _RUN.search(part):
            parts.append(part)
        elif not said:
            parts.append(_RUN.sub(STATE, part) if named else STATE)
            said = True
        elif named or part == file:
            parts.append(_RUN.sub("", part).strip("-_.=") or STATE)
    return "/".join(parts) + ".parquet"


@lru_cache(maxsize=64)
def _expression(layout: str, dataset: str) -> re.Pattern[str]:
    """Return the regular expression of a dataset's paths, with a group per placeholder."""
    looks = {"dataset": re.escape(dataset), "table": "[A-Za-z_][A-Za-z0-9_]*", **_TIMES}
    seen: set[str] = set()
    written = ""
    for literal, name in re.findall(r"([^{}]*)(?:\{([^{}]*)\})?", layout):
        written += re.escape(literal)
        if name:
            written += f"(?P={name})" if name in seen else f"(?P<{name}>{looks[name]})"
            seen.add(name)
    return re.compile(written)


def _key(told: dict[str, str]) -> str:
    """Return the key of the partition that placeholders tell. Raises ValueError where they are no date."""
    told = told | {padded: f"{int(told[name]):02d}" for name, padded in _PADDED.items() if name in told}
    if "key" in told:
        day, hour = told["key"][:10], told["key"][11:13]
        return f"{day}-{hour}:00" if hour else day
    digits = (told.get("yyyymmdd") or told.get("yyyy_mm_dd", "")).replace("_", "")
    if digits:
        day = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    elif "iso_ww" in told and "iso_year" in told and "dd" not in told:
        day = date.fromisocalendar(int(told["iso_year"]), int(told["iso_ww"]), 1).isoformat()
    else:
        year = told["yyyy"] if "yyyy" in told else told["yyyymm"][:4]
        month = told.get("mm") or told.get("yyyymm", "")[4:] or f"{3 * int(told.get('q', 1)) - 2:02d}"
        day = f"{year}-{month}-{told.get('dd', '01')}"
    return f"{day}-{told['hh']}:00" if "hh" in told else day

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
from plotsim_core.numerics.calendar import GRAINS, Grain

_NAMES = ("dataset", "table")
_TIMES: dict[str, str] = {
    "key": r"\d{4}-\d\d-\d\d(?:-(?:[01]\d|2[0-3])[0-5]\d)?",
    "yyyy": r"\d{4}",
    "mm": r"\d\d",
    "dd": r"\d\d",
    "hh": r"(?:[01]\d|2[0-3])",
    "minute": r"[0-5]\d",
    "m": r"(?:1[0-2]|[1-9])",
    "d": r"(?:[12]\d|3[01]|[1-9])",
    "h": r"(?:1\d|2[0-3]|\d)",
    "n": r"(?:[1-5]\d|\d)",
    "yyyymm": r"\d{6}",
    "yyyymmdd": r"\d{8}",
    "yyyy_mm_dd": r"\d{4}_\d\d_\d\d",
    "q": "[1-4]",
    "iso_year": r"\d{4}",
    "iso_ww": r"\d\d",
}
"""Placeholder of a time, and what it looks like."""
PLACEHOLDERS = (*_NAMES, *_TIMES)
_PADDED = {"m": "mm", "d": "dd", "h": "hh", "n": "minute"}
"""Placeholder of a whole number to that of the same one with two digits."""

_DAYS = ({"key"}, {"yyyymmdd"}, {"yyyy_mm_dd"}, {"yyyy", "mm", "dd"}, {"yyyymm", "dd"})
_MONTHS = (*_DAYS, {"yyyy", "mm"}, {"yyyymm"})
_QUARTERS = (*_MONTHS, {"yyyy", "q"})
_HOURS = tuple({*day, "hh"} if day != {"key"} else day for day in _DAYS)
_IDENTIFYING: dict[str, tuple[set[str], ...]] = {
    **{
        name: tuple({*hour, "minute"} if hour != {"key"} else hour for hour in _HOURS)
        for name, grain in GRAINS.items()
        if grain.is_part_of_hour
    },
    "hour": _HOURS,
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
class NamedLayout:
    """A layout that has a name: its text, and the text where partitions are hours."""

    days: str
    hours: str

    def text(self, partition: Grain) -> str:
        """Return the text for partitions of some length; where they are minutes, each hour has its minutes after it."""
        if not partition.is_part_of_day:
            return self.days
        minutes = self.hours.replace("{hh}", "{hh}{minute}").replace("{h}", "{h}/partition_minute={n}")
        return minutes if partition.is_part_of_hour else self.hours


LAYOUTS: Family[NamedLayout] = Family("layout")
BY_TABLE = "{dataset}/{table}/{key}.parquet"
LAYOUTS.add("by_table", NamedLayout(BY_TABLE, BY_TABLE))
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
    LAYOUTS.add(_name, NamedLayout(f"{{dataset}}/{_days}.parquet", f"{{dataset}}/{_hours}.parquet"))


def template(layout: str | None, partition: Grain) -> str:
    """Return the text of a layout (a name, or a text already) for partitions of some length; without one by table."""
    if layout is None or layout not in LAYOUTS:
        return layout or BY_TABLE
    return LAYOUTS[layout].text(partition)


def wrong_text(layout: str) -> Iterator[Problem]:
    """Yield the problems of a layout alone: an unknown name, or no path below the store."""
    if layout in LAYOUTS:
        return
    if "{" not in layout and "/" not in layout:
        yield Problem("", f"no layout is named '{layout}'", did_you_mean(layout, list(LAYOUTS)))
        return
    for name in re.findall(r"\{([^{}]*)\}", layout):
        if name not in PLACEHOLDERS:
            yield Problem("", f"'{{{name}}}' is no placeholder", did_you_mean(name, list(PLACEHOLDERS)))
    sample = re.sub(r"\{[^{}]*\}", "x", layout)
    if not re.fullmatch(r"(?:[A-Za-z0-9=-][A-Za-z0-9_.=-]*/)*[A-Za-z0-9=-][A-Za-z0-9_.=-]*", sample) or len(layout) > 300:
        message = f"expected a path below the store, of letters, digits, _ . = - and placeholders, found '{layout[:80]}'"
        yield Problem(
            "", message, "no part may be empty or begin with a dot or an underscore: {dataset}/{table}/{key}.parquet"
        )
    if not sample.endswith(".parquet") or sample.endswith("/.parquet"):
        yield Problem("", "a file's name ends in .parquet")
    for name in _NAMES:
        if f"{{{name}}}" not in layout:
            yield Problem("", f"has no {{{name}}}: two {name}s would be written to one file", f"add {{{name}}}")
    if re.search(r"[\d}]\{[mdhn]\}|\{[mdhn]\}[\d{]", layout):
        message = "{m}, {d}, {h} and {n} have one digit or two, so that what stands next to one may be taken for it"
        yield Problem("", message, "put a letter or a sign between them, or use {mm}, {dd}, {hh} and {minute}")
    if any(all(f"{{{name}}}" in part for name in _NAMES) for part in layout.split("/")):
        yield Problem("", "{dataset} and {table} in one name cannot be told apart", "give each a folder of its own")


def wrong_partition(layout: str, partition: Grain) -> Iterator[Problem]:
    """Yield the problems of a sound layout with partitions of some length: two of them would be one file."""
    placeholders = {_PADDED.get(name, name) for name in re.findall(r"\{([^{}]*)\}", template(layout, partition))}
    identifying_sets = _IDENTIFYING[partition.name]
    if not any(names <= placeholders for names in identifying_sets):
        choices = " or ".join(
            " ".join(f"{{{name}}}" for name in sorted(names, key=PLACEHOLDERS.index)) for names in identifying_sets
        )
        yield Problem(
            "layout", f"two partitions, of a {partition.noun} each, would be written to one file", f"add {choices}"
        )
    for name, is_idle in (("hh", not partition.is_part_of_day), ("minute", not partition.is_part_of_hour)):
        if name in placeholders and is_idle:
            message = f"{{{name}}} is always 00: partitions are of a {partition.noun} each"
            yield Problem("layout", message, "leave it out")


def partition_file(layout: str, dataset: str, table: str, key: str) -> str:
    """Return the path below the store of a table's partition; `key` is its first moment, 2024-03-01 or 2024-03-01-13:00."""
    day = date(int(key[:4]), int(key[5:7]), int(key[8:10]))
    hour, minute = key[11:13] or "00", key[14:16] or "00"
    year, month, day_text = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    iso_year, iso_week, _ = day.isocalendar()
    return layout.format(
        dataset=dataset,
        table=table,
        key=key.replace(":", ""),
        yyyy=year,
        mm=month,
        dd=day_text,
        hh=hour,
        minute=minute,
        m=day.month,
        d=day.day,
        h=int(hour),
        n=int(minute),
        yyyymm=year + month,
        yyyymmdd=year + month + day_text,
        yyyy_mm_dd=f"{year}_{month}_{day_text}",
        q=(day.month + 2) // 3,
        iso_year=f"{iso_year:04d}",
        iso_ww=f"{iso_week:02d}",
    )


def state_file(layout: str, dataset: str, table: str) -> str:
    """Return the path below the store of a table that is a state."""
    return _state_layout(layout).format(dataset=dataset, table=table)


def partition_of(layout: str, dataset: str, path: str) -> tuple[str, str | None] | None:
    """Return the table and the partition key (None for a state) of a path below the store; None for another file."""
    match = _path_expression(_state_layout(layout), dataset).fullmatch(path)
    if match is not None:
        return match["table"], None
    match = _path_expression(layout, dataset).fullmatch(path)
    if match is None:
        return None
    try:
        key = _partition_key(match.groupdict())
        return (match["table"], key) if partition_file(layout, dataset, match["table"], key) == path else None
    except ValueError:  # digits, but no date
        return None


def folder_of(layout: str, dataset: str, table: str | None = None) -> str:
    """Return the folder below the store that all files of a dataset, or of one of its tables, lie in; empty for the store
    itself."""
    fixed_folders = itertools.takewhile(
        lambda part: "{" not in part.replace("{dataset}", "").replace("{table}", ""), _folders(layout)
    )
    folders = fixed_folders if table is not None else itertools.takewhile(lambda part: "{table}" not in part, fixed_folders)
    return "/".join(folders).replace("{dataset}", dataset).replace("{table}", table or "")


def folder_keys(layout: str) -> list[str]:
    """Return the names that a layout's folders give to their values, as in key=value."""
    return [part.partition("=")[0] for part in _folders(layout) if re.match(r"[^{}=]+=", part)]


def _folders(layout: str) -> list[str]:
    return layout.split("/")[:-1]


@lru_cache(maxsize=64)
def _state_layout(layout: str) -> str:
    """Return a layout without times: folders key=value of them are left out, others are one folder `state`, or `state`
    stands for them in a name."""
    folders, file = _folders(layout), layout.removesuffix(".parquet").rpartition("/")[2]
    parts: list[str] = []
    has_state = False
    for part in (*(part for part in folders if not folder_keys(f"{part}/") or not _RUN.search(part)), file):
        is_named = any(f"{{{name}}}" in part for name in _NAMES)
        if not _RUN.search(part):
            parts.append(part)
        elif not has_state:
            parts.append(_RUN.sub(STATE, part) if is_named else STATE)
            has_state = True
        elif is_named or part == file:
            parts.append(_RUN.sub("", part).strip("-_.=") or STATE)
    return "/".join(parts) + ".parquet"


@lru_cache(maxsize=64)
def _path_expression(layout: str, dataset: str) -> re.Pattern[str]:
    """Return the regular expression of a dataset's paths, with a group per placeholder."""
    patterns = {"dataset": re.escape(dataset), "table": "[A-Za-z_][A-Za-z0-9_]*", **_TIMES}
    used_names: set[str] = set()
    expression = ""
    for literal, name in re.findall(r"([^{}]*)(?:\{([^{}]*)\})?", layout):
        expression += re.escape(literal)
        if name:
            expression += f"(?P={name})" if name in used_names else f"(?P<{name}>{patterns[name]})"
            used_names.add(name)
    return re.compile(expression)


def _partition_key(values: dict[str, str]) -> str:
    """Return the partition key from the values of placeholders. Raises ValueError where they are no date."""
    values = values | {padded: f"{int(values[name]):02d}" for name, padded in _PADDED.items() if name in values}
    if "key" in values:
        day, time = values["key"][:10], values["key"][11:15]
        return f"{day}-{time[:2]}:{time[2:]}" if time else day
    digits = (values.get("yyyymmdd") or values.get("yyyy_mm_dd", "")).replace("_", "")
    if digits:
        day = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    elif "iso_ww" in values and "iso_year" in values and "dd" not in values:
        day = date.fromisocalendar(int(values["iso_year"]), int(values["iso_ww"]), 1).isoformat()
    else:
        year = values["yyyy"] if "yyyy" in values else values["yyyymm"][:4]
        month = values.get("mm") or values.get("yyyymm", "")[4:] or f"{3 * int(values.get('q', 1)) - 2:02d}"
        day = f"{year}-{month}-{values.get('dd', '01')}"
    return f"{day}-{values['hh']}:{values.get('minute', '00')}" if "hh" in values else day

"""How a dataset is written: the `output` and `manifest` sections, and the log lines of events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from plotsim_core.config.layout import wrong_text
from plotsim_core.config.model import Flag, Name, Part, pattern
from plotsim_core.config.partial import refuse
from plotsim_core.config.tables import Table
from plotsim_core.errors import Problem, ProblemError, value_text

FormatWord = Literal["csv", "parquet", "jsonl", "sql", "duckdb"]
Dialect = Literal["postgresql", "mysql", "sqlite"]

Compression = Literal["zstd", "snappy", "gzip", "lz4", "brotli", "none"]

NEEDS_FORMAT = {
    "partition_by": "parquet",
    "layout": "parquet",
    "compression": "parquet",
    "row_group_rows": "parquet",
    "sort_by": "parquet",
    "sql_dialect": "sql",
    "escape_formulas": "csv",
    "csv_null": "csv",
}
"""Options that only one format reads: beside another format they are refused, or noted where they have their usual value."""


_LONGEST_NAME, _LONGEST_PATH = 200, 2000
"""Bytes of a folder's name and of a path that systems allow, less those of what is written into it."""


FORMULA = r"^'*[=+\-@\t\r]"
"""What a text begins with that a spreadsheet runs, also where it is escaped already: so one ' less is what it was."""


def _checked_directory(directory: str) -> str:
    parts = re.split(r"[/\\]", directory)
    if not directory or directory[0] in "/\\~" or ".." in parts or ":" in parts[0]:
        raise ValueError(f"expected a folder below the current one, such as data/shops, found {value_text(directory)}")
    if not directory.isprintable():
        raise ValueError(f"expected a name of visible characters, found {value_text(ascii(directory)[1:-1])}")
    if max(len(part.encode()) for part in parts) > _LONGEST_NAME or len(directory.encode()) > _LONGEST_PATH:
        limits = f"no name of a folder longer than {_LONGEST_NAME} bytes, and no path longer than {_LONGEST_PATH}"
        raise ValueError(f"expected {limits}, found {value_text(directory)}")
    return directory


def _checked_layout(layout: str) -> str:
    problems = list(wrong_text(layout))
    if problems:
        raise ProblemError(*problems)
    return layout


_NULL = pattern(r"^[A-Za-z0-9_\\<>#.-]{0,20}$", "a word of at most 20 letters, digits and signs such as \\N or <null>")
_VALUE = re.compile(r"[-+]?[0-9.]*[0-9][0-9.]*([eE][-+]?[0-9]+)?|(?i:true|false)|[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""Numbers, truths and days as CSV has them, without quotes."""


def _checked_null(null: str) -> str:
    if _VALUE.fullmatch(null):
        raise ValueError(f"expected a word that is no number, truth or day, such as \\N or <null>, found {value_text(null)}")
    return null


class Output(Part):
    """Where and how `plotsim run` writes when it is not told: a word (`output: parquet`) or its parts."""

    format: FormatWord = "csv"
    """What files are made, csv, parquet, jsonl, sql or duckdb."""
    directory: Annotated[str, AfterValidator(_checked_directory)] = "output"
    """The folder to fill, below the current one."""
    denormalized: Flag = False
    """Whether each fact also comes as `<fact>_wide`, with the columns of the dimensions it refers to."""
    partition_by: Annotated[str, Field(min_length=1)] | None = None
    """The column, or the dimension it refers to, whose values get a folder each (Parquet)."""
    layout: Annotated[str, AfterValidator(_checked_layout)] | None = None
    """Where the partitions of a table lie as files, a name such as hive or a path with placeholders (Parquet)."""
    compression: Compression = "zstd"
    """How Parquet is compressed, by zstd, snappy, gzip, lz4, brotli or none."""
    row_group_rows: Annotated[int, Field(ge=1, le=1 << 24, strict=True)] = 1 << 18
    """How many rows a row group of Parquet has; fewer of a table with 128 columns or more, unless it is given."""
    sort_by: tuple[Name, ...] = ()
    """The columns that the rows of a file are ordered by, in tables that have them (Parquet)."""
    escape_formulas: Flag = False
    """Whether a text that a spreadsheet would run as a formula gets a ' before it (CSV)."""
    sql_dialect: Dialect = "postgresql"
    """Whose SQL a dump is in, that of postgresql, mysql or sqlite."""
    csv_null: Annotated[str, Field(pattern=_NULL), AfterValidator(_checked_null)] = ""
    """The word that stands for a missing value in CSV, such as \\N, without quotes; nothing unless it is given."""
    cell_budget: Annotated[int, Field(ge=0, strict=True)] = 0
    """How many cells (units times periods) a config may have; 0 is no limit."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """A word is the format, in capitals or not."""
        parts = {"format": value} if isinstance(value, str) else value
        format = parts.get("format") if isinstance(parts, dict) else None
        if isinstance(format, str) and format.lower() in get_args(FormatWord):
            return {**parts, "format": format.lower()}
        return parts

    @model_validator(mode="after")
    def _consistent(self) -> Output:
        refuse(*map(self._idle_problems, sorted(NEEDS_FORMAT)), self._layout_problems())
        return self

    def _idle_problems(self, name: str) -> Iterator[Problem]:
        is_changed = getattr(self, name) != type(self).model_fields[name].default
        if is_changed and self.format != NEEDS_FORMAT[name]:
            yield Problem(name, f"has no effect without `format: {NEEDS_FORMAT[name]}`")

    def _layout_problems(self) -> Iterator[Problem]:
        if self.layout is not None and self.partition_by is not None:
            hint = "one says which files a partition of time is, the other which files the values of a column are"
            yield Problem("partition_by", "has no effect together with layout", hint)


def without_budget(raw: Any) -> Any:
    """Return a config as written without a limit to its cells."""
    output = raw.get("output") if isinstance(raw, Mapping) else None
    return {**raw, "output": {**output, "cell_budget": 0}} if isinstance(output, Mapping) else raw


class Manifest(Part):
    """Whether manifest.json, which says what is true of the data, is written beside the tables."""

    include: Flag = True
    """Whether it is written."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"include": value} if isinstance(value, bool) else value


FileName = Annotated[
    str,
    Field(
        pattern=pattern(
            r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.(log|txt)$",
            "a file name that ends in .log or .txt, of letters (a-z), digits, dots, dashes and underscores",
        )
    ),
]


class Event(Table):
    """A table of things that happen."""

    log_format: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None
    """What its rows are as lines of a log: "{at} {customer_id} logged in", laid out where that is said: "{at:%H:%M}
    {customer_id:>15}"."""
    log_filename: FileName | None = None
    """The file of these lines; `<event>.log` unless it is given."""

    @model_validator(mode="after")
    def _check_log(self) -> Event:
        if self.log_filename is not None and self.log_format is None:
            raise ProblemError(Problem("log_filename", "has no effect without log_format, which says what a line is"))
        return self

    @property
    def log_line(self) -> str | None:
        return self.log_format

    @property
    def log_file(self) -> str:
        """The name of the file that its lines go to."""
        return self.log_filename or f"{self.name}.log"

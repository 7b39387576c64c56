"""Listed tables that are read from a file beside the config: `rows: { file: countries.csv, key: code }`.

What the file says is put into the config as lists of values, so it is part of the digest, and whoever has the config as
it was read needs no file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pydantic import Field

from plotsim_core.arrow import ArrowChunks
from plotsim_core.config.document import Document
from plotsim_core.config.model import MOST_ROWS, Part, storable
from plotsim_core.config.texts import typed_values
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean

_LARGEST = 200_000_000
"""The most bytes of a file."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_DAY, _MOMENT = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?")


class File(Part):
    """A CSV or Parquet file in the config's folder, or below it, whose rows are those of the table. Its columns are the
    table's, before those that are declared."""

    file: Annotated[str, Field(min_length=1, max_length=1000)]
    """Its path, from the config's folder."""
    key: Annotated[str, Field(min_length=1)] | None = None
    """The column of the file that is the key."""


def with_files(document: Document, folder: Path) -> Document:
    """Return a document with the rows of its files. A table whose file is wrong stays as it is, beside its problems."""
    problems: list[Problem] = []
    file_columns: dict[str, int] = {}
    value = _with_files(document.value, folder, "", problems, file_columns)
    return replace(document, value=value, problems=tuple(problems), file_columns=file_columns)


def _with_files(raw: Any, folder: Path, prefix: str, problems: list[Problem], file_columns: dict[str, int]) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    if not prefix and isinstance(raw.get("units"), list | tuple):
        kinds = [
            _with_files(kind, folder, f"units[{index}].", problems, file_columns) for index, kind in enumerate(raw["units"])
        ]
        raw = {**raw, "units": kinds}
    if not isinstance(raw.get("dimensions"), list | tuple):
        return raw
    tables = list(raw["dimensions"])
    for index, table in enumerate(tables):
        rows = table.get("rows") if isinstance(table, Mapping) else None
        if isinstance(rows, Mapping) and isinstance(rows.get("file"), str) and set(map(str, rows)) <= {"file", "key"}:
            path = f"{prefix}dimensions[{index}]"
            try:
                columns = _file_columns(rows["file"], rows.get("key"), folder)
            except ProblemError as errors:
                problems.extend(problem.under(f"{path}.rows") for problem in errors.problems)
                continue
            file_columns[path] = len(columns)
            tables[index] = _with_columns(table, columns)
    return {**raw, "dimensions": tables}


def _with_columns(table: Mapping[str, Any], columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a listed table as written with the columns of a file before its own."""
    own_columns = table.get("columns")
    other_options = {name: value for name, value in table.items() if name not in ("rows", "reference", "columns")}
    return {
        **other_options,
        "reference": True,
        "columns": [*columns, *(own_columns if isinstance(own_columns, list | tuple) else [])],
    }


def _file_columns(name: str, key: Any, folder: Path) -> list[dict[str, Any]]:
    """Return the columns of a file as written in a config. Raises ProblemError with all that is wrong with it."""
    path = _file_path(name, folder)
    file_table = _read_table(path, name)
    problems: list[Problem] = []
    if key is not None and key not in file_table.column_names:
        hint = did_you_mean(str(key), file_table.column_names)
        problems.append(Problem("key", f"{name} has no column {value_text(key)}", hint))
    columns = []
    for column in file_table.column_names:
        if not _NAME.fullmatch(column):
            message = f"{value_text(column)} in {name} is no name of a column"
            problem = Problem("file", message, "use letters, digits and underscores")
            problems.append(_in_file(problem, name, _line(path, 0)))
            continue
        try:
            columns.append(_column(column, file_table[column], name, path, column == key))
        except ProblemError as errors:
            problems.extend(errors.problems)
    if problems:
        raise ProblemError(*problems)
    return columns


def _in_file(problem: Problem, file: str, line: int) -> Problem:
    return replace(problem, file=file, line=line) if line else problem


def _line(path: Path, row: int) -> int:
    """Return the line in which a row of a CSV file begins, from 1, where row 0 is that of the names; 0 for other files."""
    if path.suffix.lower() != ".csv":
        return 0
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines)
        line, number = 1, 0
        for cells in reader:
            if cells and number == row:
                break
            line, number = reader.line_num + 1, number + bool(cells)
    return line


def _file_path(name: str, folder: Path) -> Path:
    """Return the file of a name. Raises Wrong for one that is not in the folder."""
    home = folder.resolve()
    try:
        path = (home / name).resolve()
        is_inside = not Path(name).is_absolute() and path.is_relative_to(home)
    except (OSError, ValueError, RuntimeError):
        raise ProblemError(Problem("file", f"cannot read {value_text(name)}")) from None
    if not is_inside:
        raise ProblemError(
            Problem("file", f"{value_text(name)} lies outside the config's folder", "put it beside the config")
        )
    if path.exists() and not path.is_file():
        raise ProblemError(Problem("file", f"{value_text(name)} is no file"))
    if not path.is_file():
        candidates = [
            other.relative_to(home).as_posix() for pattern in ("*.csv", "*.parquet") for other in home.glob(pattern)
        ]
        raise ProblemError(
            Problem("file", f"there is no file {value_text(name)} beside the config", did_you_mean(name, sorted(candidates)))
        )
    return path


def _read_table(path: Path, name: str) -> pa.Table:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ProblemError(Problem("file", f"{value_text(name)} is neither a .csv nor a .parquet file"))
    try:
        if path.stat().st_size > _LARGEST:
            raise ProblemError(Problem("file", f"{name} is larger than {_LARGEST // 1_000_000} MB"))
        file_table = _read_csv(path, name) if path.suffix.lower() == ".csv" else pyarrow.parquet.read_table(path)
    except (OSError, UnicodeDecodeError, pa.ArrowException, csv.Error) as error:
        message = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise ProblemError(Problem("file", f"{name} cannot be read: {message[:150]}")) from None
    if not 0 < file_table.num_rows <= MOST_ROWS:
        raise ProblemError(Problem("file", f"expected 1 to {MOST_ROWS:,} rows in {name}, found {file_table.num_rows:,}"))
    return file_table


def _read_csv(path: Path, name: str) -> pa.Table:
    """Return a CSV file as texts; an empty cell is a null, two quotes are an empty text."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        names = next(csv.reader(lines), [])
    duplicate = next((column for index, column in enumerate(names) if column in names[:index]), None)
    if duplicate is not None or not names:
        raise ProblemError(
            Problem("file", f"two columns of {name} are named {value_text(duplicate)}" if names else f"{name} is empty")
        )
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False),  # so that an error has the number of the row
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )


def _column(name: str, cells: ArrowChunks, file: str, path: Path, is_key: bool) -> dict[str, Any]:
    """Return a column of a file as written in a config."""

    def row_problem(field: str, message: str, row: int) -> ProblemError:
        return ProblemError(_in_file(Problem(field, message), file, _line(path, row)))

    values, value_type = _values(name, cells, file)
    for row, value in enumerate(values, 1):
        try:
            storable(value)
        except ValueError as error:
            raise row_problem("file", f"row {row} of {name} in {file}: {error}", row) from None
    if not is_key:
        options = {} if value_type is None else {"value_type": value_type}
        return {"name": name, "type": "static", "values": values, **options}
    if None in values:
        row = values.index(None) + 1
        raise row_problem("key", f"{name} of {file} is empty in row {row}", row)
    if value_type not in (None, "text") or not (all(type(v) is int for v in values) or all(type(v) is str for v in values)):
        raise ProblemError(Problem("key", f"{name} of {file} holds neither texts nor whole numbers"))
    first_rows: dict[Any, int] = {}
    for row, value in enumerate(values, 1):
        if first_rows.setdefault(value, row) != row:
            raise row_problem("key", f"{value_text(value)} stands in rows {first_rows[value]} and {row} of {file}", row)
    return {"name": name, "type": "id", "values": values}


def _values(name: str, cells: ArrowChunks, file: str) -> tuple[list[Any], str | None]:
    """Return the values of a column, and the type that their texts stand for (None: they are no texts)."""
    type_ = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    values = cells.to_pylist()
    if pa.types.is_null(type_):
        return values, "text"
    if pa.types.is_date(type_):
        return [_iso_text(value) for value in values], "date"
    if pa.types.is_timestamp(type_):
        moments: list[Any] = cells.cast(pa.timestamp("us", type_.tz)).to_pylist()
        return [_iso_text(moment) for moment in moments], "timestamp"
    if pa.types.is_decimal(type_):
        return [None if value is None else float(value) for value in values], None
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_):
        return values, None
    if not (pa.types.is_string(type_) or pa.types.is_large_string(type_) or str(type_) == "string_view"):
        raise ProblemError(Problem("file", f"{name} of {file} is of the type {type_}, which no column has", "leave it out"))
    return (values, "text") if file.lower().endswith(".parquet") else _typed_texts(values)


def _iso_text(value: date | datetime | None) -> str | None:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return None if value is None else value.isoformat()


def _typed_texts(texts: list[str | None]) -> tuple[list[Any], str | None]:
    """Return the texts of a column of a CSV file as the first type that fits all: numbers, truths, days, moments, texts."""
    present = [text for text in texts if text is not None]

    def all_match(pattern: re.Pattern[str]) -> bool:
        return bool(present) and all(pattern.fullmatch(text) for text in present)

    numbers = iter(typed_values(present))
    values = [None if text is None else next(numbers) for text in texts]
    if present and values != texts:
        return values, None
    if present and {*present} <= {"true", "false"}:
        return [None if text is None else text == "true" for text in texts], None
    for pattern, value_type in ((_DAY, "date"), (_MOMENT, "timestamp")):
        if all_match(pattern) and all(_is_date(text) for text in present):
            return list(texts), value_type
    return list(texts), "text"


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


__all__ = ["File", "with_files"]

"""Listed tables that are read from a file beside the config: `rows: { file: countries.csv, key: code }`.

What the file says is put into the config as lists of values, so it is part of the digest, and whoever has the config as
it was read needs no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet
from pydantic import Field

from plotsim_core.arrow import ArrowChunks
from plotsim_core.config.csv_files import first_few, read_csv
from plotsim_core.config.document import FILE_PLACE, ColumnPlace, Document
from plotsim_core.config.model import MOST_ROWS, Part, storable
from plotsim_core.config.texts import typed_values
from plotsim_core.config.written_tables import list_or_empty
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean

_SECTIONS = ("dimensions", "tables")
_WORDS = {"file", "key"}
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
    problems = [*document.problems]
    places = {**document.places}
    value = _with_files(document.value, folder, "", problems, places)
    return replace(document, value=value, problems=tuple(problems), places=places)


def _with_files(
    raw: Any, folder: Path, prefix: str, problems: list[Problem], places: dict[str, tuple[ColumnPlace, ...]]
) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    if not prefix and isinstance(raw.get("units"), list | tuple):
        kinds = [_with_files(kind, folder, f"units[{index}].", problems, places) for index, kind in enumerate(raw["units"])]
        raw = {**raw, "units": kinds}
    sections = {name: list(raw[name]) for name in _SECTIONS if isinstance(raw.get(name), list | tuple)}
    for section, tables in sections.items():
        for index, table in enumerate(tables):
            rows = table.get("rows") if isinstance(table, Mapping) else None
            if not isinstance(rows, Mapping) or not isinstance(rows.get("file"), str) or not set(map(str, rows)) <= _WORDS:
                continue
            path = f"{prefix}{section}[{index}]"
            if section == "tables" and "per" in table:
                hint = "leave one of them out"
                problems.append(Problem(f"{path}.per", "has no place beside a file: its rows belong to nothing", hint))
                table = {word: value for word, value in table.items() if word != "per"}
            try:
                columns = _file_columns(rows["file"], rows.get("key"), folder)
            except ProblemError as errors:
                problems.extend(problem.under(f"{path}.rows") for problem in errors.problems)
                continue
            own_columns = list_or_empty(table.get("columns"))
            own_places = places.get(path, tuple(ColumnPlace(f"columns[{number}]") for number in range(len(own_columns))))
            places[path] = (*(FILE_PLACE for _ in columns), *own_places)
            tables[index] = _with_columns(table, section, columns)
    return {**raw, **sections}


def _with_columns(table: Mapping[str, Any], section: str, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a listed table as written with the columns of a file before its own."""
    own_columns = list_or_empty(table.get("columns"))
    other_options = {name: value for name, value in table.items() if name not in ("rows", "reference", "columns")}
    listed = {"reference": True} if section == "dimensions" else {}
    return {**other_options, **listed, "columns": [*columns, *own_columns]}


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a file called `name`; `lines` are those in which the names and the rows of a CSV file begin, from 1."""

    name: str
    cells: pa.Table
    lines: Sequence[int] = ()

    def place(self, row: int) -> str:
        """Return where a row stands, from 1, with 0 for the names."""
        if self.lines:
            return f"{self.name}:{self.lines[row]}"
        return f"{self.name}: row {row}" if row else self.name


def _file_columns(name: str, key: Any, folder: Path) -> list[dict[str, Any]]:
    """Return the columns of a file as written in a config. Raises ProblemError with all that is wrong with it."""
    rows = _read(_file_path(name, folder), name)
    names = rows.cells.column_names
    problems: list[Problem] = []
    if key is not None and key not in names:
        problems.append(
            Problem("key", f"{rows.place(0)}: no column is named {value_text(key)}", did_you_mean(str(key), names))
        )
    columns = []
    for column in names:
        if not _NAME.fullmatch(column):
            message = f"{rows.place(0)}: {value_text(column)} is no name of a column"
            problems.append(Problem("file", message, "use letters, digits and underscores"))
            continue
        try:
            columns.append(_column(column, rows, column == key))
        except ProblemError as errors:
            problems.extend(errors.problems)
    if problems:
        raise ProblemError(*problems)
    return columns


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


def _read(path: Path, name: str) -> _Rows:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise ProblemError(Problem("file", f"{value_text(name)} is neither a .csv nor a .parquet file"))
    try:
        if path.stat().st_size > _LARGEST:
            raise ProblemError(Problem("file", f"{name} is larger than {_LARGEST // 1_000_000} MB"))
        rows = _Rows(name, *read_csv(path, name)) if suffix == ".csv" else _Rows(name, pyarrow.parquet.read_table(path))
    except (OSError, pa.ArrowException) as error:
        message = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise ProblemError(Problem("file", f"{name} cannot be read: {message[:150]}")) from None
    if not 0 < rows.cells.num_rows <= MOST_ROWS:
        raise ProblemError(Problem("file", f"expected 1 to {MOST_ROWS:,} rows in {name}, found {rows.cells.num_rows:,}"))
    return rows


def _column(name: str, rows: _Rows, is_key: bool) -> dict[str, Any]:
    """Return a column of a file as written in a config. Raises ProblemError with its wrong cells."""
    values, value_type = _values(name, rows.cells[name], rows.name)
    problems = [*first_few(_unstorable(name, values, rows), rows.name)]
    if is_key:
        types = {type(value) for value in values if value is not None}
        if value_type not in (None, "text") or types not in ({int}, {str}, set()):
            problems.append(Problem("key", f"{rows.name}: {name} holds neither texts nor whole numbers"))
        problems += first_few(_empty(name, values, rows), rows.name)
        problems += first_few(_repeated(values, rows), rows.name)
    if problems:
        raise ProblemError(*problems)
    if is_key:
        return {"name": name, "type": "id", "values": values}
    options = {} if value_type is None else {"value_type": value_type}
    return {"name": name, "type": "static", "values": values, **options}


def _unstorable(name: str, values: Sequence[Any], rows: _Rows) -> Iterator[Problem]:
    for row, value in enumerate(values, 1):
        try:
            storable(value)
        except ValueError as error:
            yield Problem("file", f"{rows.place(row)}: {name}: {error}")


def _empty(name: str, values: Sequence[Any], rows: _Rows) -> Iterator[Problem]:
    for row, value in enumerate(values, 1):
        if value is None:
            yield Problem("key", f"{rows.place(row)}: {name} is empty")


def _repeated(values: Sequence[Any], rows: _Rows) -> Iterator[Problem]:
    first_rows: dict[Any, int] = {}
    for row, value in enumerate(values, 1):
        if value is not None and first_rows.setdefault(value, row) != row:
            yield Problem("key", f"{rows.place(row)}: {value_text(value)} stands at {rows.place(first_rows[value])} too")


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
        raise ProblemError(Problem("file", f"{file}: {name} is of the type {type_}, which no column has", "leave it out"))
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

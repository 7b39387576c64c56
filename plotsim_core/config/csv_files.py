"""CSV files of listed tables: their cells as texts, the line of each row, and what is wrong with their form."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from plotsim_core.errors import Problem, ProblemError, value_text

_SHOWN = 5
"""How many problems of one sort are told of a file."""
_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_HINTS = {
    "unexpected end of data": ("a quote is not closed", ""),
    "',' expected after '\"'": ("text stands behind a closing quote", 'write a quote within quotes twice: ""'),
    "field larger than field limit (131072)": ("a cell has more than 131,072 characters", "is a quote not closed?"),
}
"""What the parser says, in words for people, and what to do."""


def read_csv(path: Path, name: str) -> tuple[pa.Table, list[int]]:
    """Return a CSV file as texts (an empty cell is a null, two quotes are an empty text), and the line in which each row
    begins, from 1, that of the names first.

    Raises ProblemError with all that is wrong with its form, OSError or pyarrow's exceptions where it cannot be read.
    """
    lines, names = _lines(_text(path, name), name)
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(path, parse_options=parsing, convert_options=options), lines


def first_few(problems: Iterable[Problem], name: str) -> Iterator[Problem]:
    """Yield the first problems of one sort, and how many more there are."""
    rest = iter(problems)
    yield from islice(rest, _SHOWN)
    count = sum(1 for _ in rest)
    if count:
        yield Problem("file", f"{name}: {count} more {'is' if count == 1 else 'are'} like that")


def _text(path: Path, name: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        hint = "save it as UTF-8 (Excel: CSV UTF-8)"
        raise ProblemError(Problem("file", f"{name}:{line}: is not UTF-8 text", hint)) from None


def _lines(text: str, name: str) -> tuple[list[int], list[str]]:
    """Return the line in which each row begins, and the names of the columns."""
    _refuse_separators(text, name)
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    lines: list[int] = []
    names: list[str] = []
    problems: list[Problem] = []
    ragged_rows: list[Problem] = []
    line = 1
    try:
        for cells in reader:
            if cells and not lines:
                names = cells
                problems += _repeated_names(names, f"{name}:{line}")
            elif cells and len(cells) != len(names):
                message = f"expected {len(names)} cells, as there are names, found {len(cells)}"
                ragged_rows.append(Problem("file", f"{name}:{line}: {message}"))
            if cells:
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        message, hint = _HINTS.get(str(error), (str(error), ""))
        problems.append(Problem("file", f"{name}:{line}: {message}", hint))
    if not lines and not problems:
        problems.append(Problem("file", f"{name} is empty"))
    if problems or ragged_rows:
        raise ProblemError(*problems, *first_few(ragged_rows, name))
    return lines, names


def _repeated_names(names: Sequence[str], place: str) -> Iterator[Problem]:
    for name in dict.fromkeys(name for index, name in enumerate(names) if name in names[:index]):
        yield Problem("file", f"{place}: two columns are named {value_text(name)}")


def _refuse_separators(text: str, name: str) -> None:
    """Raise ProblemError for names that anything but commas separates."""
    names = text.lstrip("\r\n").splitlines()[:1]
    for separator, noun in _SEPARATORS.items():
        if names and separator in names[0] and "," not in names[0]:
            message = f"{name}:1: its cells are separated by {noun}, found {value_text(names[0])}"
            raise ProblemError(Problem("file", message, "separate them by commas"))

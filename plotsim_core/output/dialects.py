"""What the SQL of PostgreSQL, MySQL and SQLite differs in, as far as a dump of tables needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, has_zone
from plotsim_core.families import Family
from plotsim_core.numerics.decimals import PRECISION
from plotsim_core.plan.plan import ColumnPlan


@dataclass(frozen=True)
class Dialect:
    """`begin` and `end` stand around a dump. `types` are those of whole numbers, numbers, texts, flags, dates, times of day,
    moments, moments with a zone and nested values; `key_text` is that of texts in keys. `quote` surrounds names. `escape`
    turns texts into the inside of a literal. `table_options` follow the columns of a table, `drop` what drops one. Foreign
    keys are declared with the table, or, with `keys_after`, when all tables are filled. `utc` ends the literals of moments
    with a zone, in UTC."""

    begin: tuple[str, ...]
    end: tuple[str, ...]
    types: dict[str, str]
    key_text: str
    quote: str
    escape: Callable[[ArrowArray], ArrowArray]
    table_options: str
    drop: str
    keys_after: bool
    utc: str

    def name(self, name: str) -> str:
        """Return a name as an identifier: always quoted, so that a reserved word is a name like any other."""
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def type(self, column: ColumnPlan, key: bool) -> str:
        """Return the type of a column; `key` says that it is part of a key."""
        if isinstance(column.type, pa.Decimal128Type):
            return f"{self.types['money']}({column.type.precision}, {column.type.scale})"
        if column.decimals is not None and pa.types.is_floating(column.type):
            return f"{self.types['money']}({PRECISION}, {column.decimals})"
        word = next(word for word, fits in _WORDS.items() if fits(column.type))
        return self.key_text if key and word == "text" else self.types[word]


_WORDS: dict[str, Callable[[pa.DataType], bool]] = {
    "nested": pa.types.is_nested,
    "text": lambda type_: pa.types.is_string(type_) or pa.types.is_dictionary(type_),
    "whole": pa.types.is_integer,
    "number": pa.types.is_floating,
    "flag": pa.types.is_boolean,
    "date": pa.types.is_date,
    "time": pa.types.is_time,
    "instant": has_zone,
    "moment": pa.types.is_timestamp,
}


def _quotes_doubled(texts: ArrowArray) -> ArrowArray:
    return pc.replace_substring(texts, "'", "''")


def _backslashes_doubled(texts: ArrowArray) -> ArrowArray:
    return _quotes_doubled(pc.replace_substring(texts, "\\", "\\\\"))


DIALECTS: Family[Dialect] = Family("SQL dialect")
DIALECTS.add(
    "postgresql",
    Dialect(
        begin=("SET client_encoding = 'UTF8';", "SET standard_conforming_strings = on;", "BEGIN;"),
        end=("COMMIT;",),
        types={
            "whole": "BIGINT",
            "number": "DOUBLE PRECISION",
            "text": "TEXT",
            "flag": "BOOLEAN",
            "date": "DATE",
            "time": "TIME",
            "moment": "TIMESTAMP",
            "instant": "TIMESTAMP WITH TIME ZONE",
            "nested": "JSONB",
            "money": "NUMERIC",
        },
        key_text="TEXT",
        quote='"',
        escape=_quotes_doubled,
        table_options="",
        drop=" CASCADE",  # whatever refers to it
        keys_after=True,
        utc="Z",
    ),
)
DIALECTS.add(
    "mysql",
    Dialect(
        begin=("SET NAMES utf8mb4;", "SET FOREIGN_KEY_CHECKS = 0;", "START TRANSACTION;"),
        end=("COMMIT;", "SET FOREIGN_KEY_CHECKS = 1;"),
        types={
            "whole": "BIGINT",
            "number": "DOUBLE",
            "text": "LONGTEXT",
            "flag": "BOOLEAN",
            "date": "DATE",
            "time": "TIME(6)",
            "moment": "DATETIME(6)",
            "instant": "DATETIME(6)",  # it has none with a zone beyond 2038
            "nested": "JSON",
            "money": "DECIMAL",
        },
        key_text="VARCHAR(255)",  # a text of any length cannot be a key there
        quote="`",
        escape=_backslashes_doubled,
        table_options=" DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin",  # keys that differ in capitals differ
        drop="",
        keys_after=True,
        utc="",
    ),
)
DIALECTS.add(
    "sqlite",
    Dialect(
        begin=("BEGIN;",),
        end=("COMMIT;",),
        types={
            "whole": "INTEGER",
            "number": "REAL",
            "text": "TEXT",
            "flag": "BOOLEAN",
            "date": "DATE",
            "time": "TIME",
            "moment": "TIMESTAMP",
            "instant": "TIMESTAMP",
            "nested": "TEXT",
            "money": "NUMERIC",
        },
        key_text="TEXT",
        quote='"',
        escape=_quotes_doubled,
        table_options="",
        drop="",
        keys_after=False,
        utc="Z",
    ),
)

"""Stored data as the checks see it: relations of a DuckDB connection, wherever the rows lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from plotsim_core.plan.plan import Plan, TablePlan

_CSV_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN", "date32[day]": "DATE"}


@dataclass(frozen=True)
class Store:
    """The tables to judge: `relations` maps the name of each stored table to an SQL relation of `connection`; only the
    periods `first` to `stop` (exclusive) are judged."""

    plan: Plan
    connection: duckdb.DuckDBPyConnection
    relations: Mapping[str, str]
    first: int
    stop: int

    @property
    def tables(self) -> list[TablePlan]:
        """The plans of the tables that are there."""
        return [table for table in self.plan.tables if table.name in self.relations]

    def relation(self, table: TablePlan) -> str:
        """Return an SQL relation with the rows of a table in the periods that are judged."""
        place = self.relations[table.name]
        if table.time is None:
            return place
        low, high = self.key_range
        return f'(SELECT * FROM {place} WHERE "{table.time}" BETWEEN {low} AND {high})'

    @property
    def key_range(self) -> tuple[int, int]:
        """The first and the last date key of the periods that are judged."""
        low, high = self.plan.grain.keys(np.array([self.first, self.stop - 1], dtype=np.int64)).tolist()
        return low, high

    def arrow(self, sql: str) -> pa.Table:
        """Return the result of a query."""
        return self.connection.sql(sql).to_arrow_table()


@contextmanager
def directory_store(plan: Plan, directory: Path, format: str, first: int, stop: int) -> Iterator[Store]:
    """Give the store of a directory that a run wrote. Tables whose files are missing are not in it."""
    with duckdb.connect() as connection:
        relations: dict[str, str] = {}
        if format == "duckdb":
            file = directory / f"{plan.name}.duckdb"
            if file.exists():
                connection.execute(f"ATTACH '{_escaped(file)}' AS written (READ_ONLY)")
                there = connection.sql("SELECT table_name FROM duckdb_tables() WHERE database_name = 'written'").fetchall()
                relations = {name: f'written.main."{name}"' for (name,) in there}
        else:
            for table in plan.tables:
                file = directory / f"{table.name}.{format}"
                if file.exists():
                    relations[table.name] = f'"{table.name}"'
                    connection.execute(
                        f'CREATE {_made(format)} "{table.name}" AS FROM {_file_relation(table, file, format)}'
                    )
        yield Store(plan, connection, relations, first, stop)


def _made(format: str) -> str:
    """CSV is parsed once; Parquet is read where it lies."""
    return "TABLE" if format == "csv" else "VIEW"


def _file_relation(table: TablePlan, file: Path, format: str) -> str:
    if format == "parquet":
        return f"read_parquet('{_escaped(file)}')"
    types = ", ".join(f"'{c.name}': '{_CSV_TYPES.get(str(c.type), 'TIMESTAMP')}'" for c in table.columns)
    return f"read_csv('{_escaped(file)}', header = true, columns = {{{types}}})"


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")

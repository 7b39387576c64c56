"""Arrow types, names and texts in the SQL of DuckDB, for code that stores rows and code that reads them."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from plotsim_core.arrow import has_zone

_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us"): "TIMESTAMP",
}


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


@lru_cache(maxsize=256)
def sql_type(type_: pa.DataType) -> str:
    """Return the DuckDB type of an Arrow type, spelt as DuckDB describes a column of it. Raises KeyError where there is
    none."""
    import duckdb  # slow to import, and few need it

    if pa.types.is_dictionary(type_):
        return sql_type(type_.value_type)
    if pa.types.is_nested(type_):
        return str(duckdb.sqltype(_nested(type_)))
    return _nested(type_)


def _nested(type_: pa.DataType) -> str:
    if pa.types.is_list(type_):
        return f"{_nested(type_.value_type)}[]"
    if pa.types.is_struct(type_):
        return f"STRUCT({', '.join(f'{quoted(field.name)} {_nested(field.type)}' for field in type_)})"
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if has_zone(type_):
        return "TIMESTAMP WITH TIME ZONE"
    return _TYPES[type_]

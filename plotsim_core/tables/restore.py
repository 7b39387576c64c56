"""Undoing what was broken on purpose, as SQL over a stored table and the ledger."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type, text


def key_sql(table: TablePlan) -> str:
    """Return the SQL of what the ledger calls a row's key."""
    return f"concat_ws('|', {', '.join(f'{quoted(name)}::VARCHAR' for name in table.key)})"


def read_sql(value: str, type_: pa.DataType) -> str:
    """Return the SQL of a text of the ledger as a value of a type; null where it is none."""
    source = f"{value}::JSON" if pa.types.is_nested(type_) else value
    return f"TRY_CAST({source} AS {sql_type(type_)})"


def told_sql(plan: Plan, stored: TablePlan, clean: TablePlan, ledger: str) -> str:
    """Return the SQL of what a ledger tells of a table, a row for each row of it that was broken: `row key`, `copies`,
    `dropped`, and for column number i `told i` (whether something was done to it) and `clean i`."""
    asked = [
        'row_key AS "row key"',
        "count(*) FILTER (action = 'copied') AS copies",
        "bool_or(action = 'dropped') AS dropped",
    ]
    for place in _told(stored, clean):
        one = f"FILTER (column_name = {text(clean.columns[place].name)} AND action != 'copied')"
        asked.append(f'count(*) {one} > 0 AS "told {place}"')
        asked.append(f'arg_min(clean_value, issue_number) {one} AS "clean {place}"')
    of = f"table_name = {text(stored.stream)}"
    if stored.periods is not None:
        first, stop = plan.grain.keys(np.array(stored.periods, dtype=np.int64)).tolist()
        of += f" AND date_key >= {first} AND date_key < {stop}"
    return f"SELECT {', '.join(asked)} FROM {ledger} WHERE {of} GROUP BY row_key"


def restored_sql(stored: TablePlan, clean: TablePlan, relation: str, told: str, there: Collection[str]) -> str:
    """Return an SQL relation with the clean rows of a stored table. `told` is a relation made by `told_sql`, `there` are the
    columns that are stored; others, and what cannot be read as its type, are null."""
    changed = _told(stored, clean)
    lost = [name for name in clean.key if name not in there]
    key = "NULL" if lost else key_sql(clean)
    whole = f'SELECT s.*, t.* FROM {relation} AS s LEFT JOIN {told} AS t ON {key} = t."row key" AND NOT t.dropped'
    kept = ", ".join(_kept(clean.columns[place], place, place in changed, there) for place in range(len(clean.columns)))
    parts = [f"SELECT {kept} FROM ({whole}) WHERE copies IS NULL OR copies = 0"]
    if any(issue.copies for _, issue in stored.issues):
        numbered = f'SELECT *, row_number() OVER (PARTITION BY "row key") AS "copy" FROM ({whole}) WHERE copies > 0'
        parts.append(f'SELECT {kept} FROM ({numbered}) WHERE "copy" > copies')
    if any(issue.drops for _, issue in stored.issues):
        back = (f"{read_sql(_clean(place), c.type)} AS {quoted(c.name)}" for place, c in enumerate(clean.columns))
        parts.append(f"SELECT {', '.join(back)} FROM {told} AS t WHERE dropped")
    return f"({' UNION ALL '.join(parts)})"


def _kept(column: ColumnPlan, place: int, changed: bool, there: Collection[str]) -> str:
    name, type_ = quoted(column.name), sql_type(column.type)
    value = f"TRY_CAST({name} AS {type_})" if column.name in there else f"NULL::{type_}"
    if changed:
        value = f'CASE WHEN "told {place}" THEN {read_sql(_clean(place), column.type)} ELSE {value} END'
    return f"{value} AS {name}"


def _clean(place: int) -> str:
    return f'"clean {place}"'


def _told(stored: TablePlan, clean: TablePlan) -> list[int]:
    """Return the places of the clean columns that the ledger may tell of."""
    named = {issue.column for _, issue in stored.issues}
    every = any(issue.drops for _, issue in stored.issues)
    return [place for place, c in enumerate(clean.columns) if every or c.name in named or c.spec.word == "cdc"]

"""Undoing what was broken on purpose, as SQL over a stored table and the ledger."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from plotsim_core.config.quality import DELIVERED
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type, text
from plotsim_core.tables.ledger import DELIVERY_DATE


def key_sql(table: TablePlan) -> str:
    """Return the SQL of the key of stored rows, as in the ledger: its key columns, and for rows that are delivered at
    another time than their own, the date of delivery."""
    return f"concat_ws('|', {', '.join(f'{quoted(name)}::VARCHAR' for name in table.key)})"


def entry_sql(table: TablePlan) -> str:
    """Return the SQL of the key of a row in an entry of the ledger."""
    return f"concat_ws('|', row_key, {DELIVERY_DATE})" if table.time == DELIVERED else "row_key"


def read_sql(value: str, type_: pa.DataType) -> str:
    """Return the SQL of a text of the ledger as a value of a type; null where it cannot be read."""
    source = f"{value}::JSON" if pa.types.is_nested(type_) else value
    return f"TRY_CAST({source} AS {sql_type(type_)})"


def leaves_dates(stored: TablePlan, clean: TablePlan) -> bool:
    """Return whether what is done to rows on purpose leaves the date of each as it is."""
    return clean.time is not None and all(issue.column != clean.time for _, issue in stored.issues)


def ledger_sql(plan: Plan, stored: TablePlan, clean: TablePlan, ledger: str) -> str:
    """Return the SQL of the ledger's entries of a table, a row for each row of it that was broken: `row key`, `copies`,
    `dropped`, and for column number i `told i` (whether something was done to it) and `clean i`.

    Of a table that is delivered late or again, a row for each delivery: `own key` is the row's, `held` whether it was held
    back then, `came` whether it is a delivery that was not in time, `again` how often it came again then."""
    columns = [
        f'{entry_sql(stored)} AS "row key"',
        "count(*) FILTER (action = 'copied') AS copies",
        "bool_or(action = 'dropped') AS dropped",
    ]
    if stored.time == DELIVERED:
        columns += [
            'any_value(row_key) AS "own key"',
            "bool_or(action = 'held_back') AS held",
            "bool_or(action IN ('delivered', 'redelivered', 'restated')) AS came",
            "count(*) FILTER (action IN ('copied', 'redelivered', 'restated')) AS again",
        ]
    for index in _ledger_columns(stored, clean):
        condition = f"FILTER (column_name = {text(clean.columns[index].name)} AND action != 'copied')"
        columns.append(f'count(*) {condition} > 0 AS "told {index}"')
        columns.append(f'arg_min(clean_value, issue_number) {condition} AS "clean {index}"')
    rows = f"table_name = {text(stored.stream)}"
    if stored.periods is not None:
        first, stop = plan.grain.keys(np.array(stored.periods, dtype=np.int64)).tolist()
        rows += f" AND date_key >= {first} AND date_key < {stop}"
    return f"SELECT {', '.join(columns)} FROM {ledger} WHERE {rows} GROUP BY {entry_sql(stored)}"


def restored_sql(
    stored: TablePlan, clean: TablePlan, relation: str, entries: str, stored_columns: Collection[str], awaited: bool = True
) -> str:
    """Return an SQL relation with the clean rows of a stored table.

    `entries` is a relation made by `ledger_sql`; columns that are not among `stored_columns`, and what cannot be read as its
    type, are null. Rows that are held back are among them, unless nothing that is still `awaited` is wanted.
    """
    key, columns = _key_sql(stored, stored_columns), _columns_sql(stored, clean, stored_columns)
    joined = _joined(relation, entries, key)
    clean_values = ", ".join(
        f"{read_sql(_clean_name(index), c.type)} AS {quoted(c.name)}" for index, c in enumerate(clean.columns)
    )
    if stored.time == DELIVERED:
        parts = _delivered_parts(stored, clean, relation, entries, stored_columns)
        if awaited and any(issue.issue == "late_delivery" for _, issue in stored.issues):
            delivered_keys = f'SELECT "own key" FROM {entries} WHERE came'
            parts.append(f'SELECT {clean_values} FROM {entries} AS t WHERE held AND "own key" NOT IN ({delivered_keys})')
    else:
        parts = [f"SELECT {columns} FROM ({joined}) WHERE copies IS NULL OR copies = 0"]
        if any(issue.copies for _, issue in stored.issues):
            numbered = f'SELECT *, row_number() OVER (PARTITION BY "row key") AS "copy" FROM ({joined}) WHERE copies > 0'
            parts.append(f'SELECT {columns} FROM ({numbered}) WHERE "copy" > copies')
    if any(issue.drops for _, issue in stored.issues):
        parts.append(f"SELECT {clean_values} FROM {entries} AS t WHERE dropped")
    return f"({' UNION ALL '.join(parts)})"


def repeated_sql(stored: TablePlan, clean: TablePlan, relation: str, entries: str, stored_columns: Collection[str]) -> str:
    """Return an SQL relation with the deliveries of all rows that the ledger says were delivered again: `its key`, and
    `what it is`, a hash of the clean row that each gives back."""
    columns = _columns_sql(stored, clean, stored_columns)
    key, names = '"its key" AS "the key"', ", ".join(quoted(column.name) for column in clean.columns)
    rows = (
        f"SELECT {key}, {columns} FROM ({_repeated(stored, clean, relation, entries, stored_columns)}) "
        "WHERE often IS NOT NULL"
    )
    return f'(SELECT "the key" AS "its key", hash({names}) AS "what it is" FROM ({rows}))'


def _delivered_parts(
    stored: TablePlan, clean: TablePlan, relation: str, entries: str, stored_columns: Collection[str]
) -> list[str]:
    """Return the SQL of the stored rows without repeated deliveries; copies that the ledger does not explain stay."""
    columns, repeated = (
        _columns_sql(stored, clean, stored_columns),
        _repeated(stored, clean, relation, entries, stored_columns),
    )
    numbered = (
        'SELECT *, row_number() OVER (PARTITION BY "its key") AS "copy", count(*) OVER (PARTITION BY "its key") AS "times" '
        f"FROM ({repeated}) WHERE often IS NOT NULL"
    )
    condition = 'WHERE "copy" > least(often, "times" - 1)'
    return [f"SELECT {columns} FROM ({repeated}) WHERE often IS NULL", f"SELECT {columns} FROM ({numbered}) {condition}"]


def _repeated(stored: TablePlan, clean: TablePlan, relation: str, entries: str, stored_columns: Collection[str]) -> str:
    """Return the SQL of stored rows with their ledger entries, and how `often` they were delivered again."""
    repeats = f'(SELECT "own key" AS "its key", sum(again) AS often FROM {entries} GROUP BY ALL HAVING sum(again) > 0)'
    joined = _joined(relation, entries, _key_sql(stored, stored_columns), ', often, "its key"')
    return f'{joined} LEFT JOIN {repeats} AS a ON {_key_sql(clean, stored_columns)} = a."its key"'


def _joined(relation: str, entries: str, key: str, columns: str = "") -> str:
    return f'SELECT s.*, t.*{columns} FROM {relation} AS s LEFT JOIN {entries} AS t ON {key} = t."row key" AND NOT t.dropped'


def _key_sql(table: TablePlan, stored_columns: Collection[str]) -> str:
    return "NULL" if any(name not in stored_columns for name in table.key) else key_sql(table)


def _columns_sql(stored: TablePlan, clean: TablePlan, stored_columns: Collection[str]) -> str:
    changed = _ledger_columns(stored, clean)
    return ", ".join(
        _column_sql(clean.columns[index], index, index in changed, stored_columns) for index in range(len(clean.columns))
    )


def _column_sql(column: ColumnPlan, index: int, is_changed: bool, stored_columns: Collection[str]) -> str:
    name, type_ = quoted(column.name), sql_type(column.type)
    value = f"TRY_CAST({name} AS {type_})" if column.name in stored_columns else f"NULL::{type_}"
    if is_changed:
        value = f'CASE WHEN "told {index}" THEN {read_sql(_clean_name(index), column.type)} ELSE {value} END'
    return f"{value} AS {name}"


def _clean_name(index: int) -> str:
    return f'"clean {index}"'


def _ledger_columns(stored: TablePlan, clean: TablePlan) -> list[int]:
    """Return the indices of the clean columns that the ledger may have entries of."""
    names = {issue.column for _, issue in stored.issues}
    has_all = any(issue.drops or issue.issue == "late_delivery" for _, issue in stored.issues)
    return [
        index for index, c in enumerate(clean.columns) if has_all or c.name in names or c.spec.source.change_part is not None
    ]

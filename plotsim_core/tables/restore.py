"""Undoing what was broken on purpose, as SQL over a stored table and the ledger."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from plotsim_core.config.quality import DELIVERED
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type, text
from plotsim_core.tables.ledger import WHEN


def key_sql(table: TablePlan) -> str:
    """Return the SQL of what tells stored rows apart: what the ledger calls a row's key, and where rows are delivered at
    another time than their own, the date of that."""
    return f"concat_ws('|', {', '.join(f'{quoted(name)}::VARCHAR' for name in table.key)})"


def entry_sql(table: TablePlan) -> str:
    """Return the SQL of the same for an entry of the ledger."""
    return f"concat_ws('|', row_key, {WHEN})" if table.time == DELIVERED else "row_key"


def read_sql(value: str, type_: pa.DataType) -> str:
    """Return the SQL of a text of the ledger as a value of a type; null where it is none."""
    source = f"{value}::JSON" if pa.types.is_nested(type_) else value
    return f"TRY_CAST({source} AS {sql_type(type_)})"


def told_sql(plan: Plan, stored: TablePlan, clean: TablePlan, ledger: str) -> str:
    """Return the SQL of what a ledger tells of a table, a row for each row of it that was broken: `row key`, `copies`,
    `dropped`, and for column number i `told i` (whether something was done to it) and `clean i`.

    Of a table that is delivered late or again, a row for each delivery: `own key` is the row's, `held` whether it was held
    back then, `came` whether it is a delivery that was not in time, `again` how often it came again then."""
    asked = [
        f'{entry_sql(stored)} AS "row key"',
        "count(*) FILTER (action = 'copied') AS copies",
        "bool_or(action = 'dropped') AS dropped",
    ]
    if stored.time == DELIVERED:
        asked += [
            'any_value(row_key) AS "own key"',
            "bool_or(action = 'held_back') AS held",
            "bool_or(action IN ('delivered', 'redelivered', 'restated')) AS came",
            "count(*) FILTER (action IN ('copied', 'redelivered', 'restated')) AS again",
        ]
    for place in _told(stored, clean):
        one = f"FILTER (column_name = {text(clean.columns[place].name)} AND action != 'copied')"
        asked.append(f'count(*) {one} > 0 AS "told {place}"')
        asked.append(f'arg_min(clean_value, issue_number) {one} AS "clean {place}"')
    of = f"table_name = {text(stored.stream)}"
    if stored.periods is not None:
        first, stop = plan.grain.keys(np.array(stored.periods, dtype=np.int64)).tolist()
        of += f" AND date_key >= {first} AND date_key < {stop}"
    return f"SELECT {', '.join(asked)} FROM {ledger} WHERE {of} GROUP BY {entry_sql(stored)}"


def restored_sql(
    stored: TablePlan, clean: TablePlan, relation: str, told: str, there: Collection[str], awaited: bool = True
) -> str:
    """Return an SQL relation with the clean rows of a stored table. `told` is a relation made by `told_sql`, `there` are the
    columns that are stored; others, and what cannot be read as its type, are null. Rows that are held back are among them,
    unless nothing that is still `awaited` is wanted."""
    key, kept = _key_sql(stored, there), _kept_columns(stored, clean, there)
    whole = _joined(relation, told, key)
    back = ", ".join(f"{read_sql(_clean(place), c.type)} AS {quoted(c.name)}" for place, c in enumerate(clean.columns))
    if stored.time == DELIVERED:
        parts = _delivered(stored, clean, relation, told, there)
        if awaited and any(issue.issue == "late_delivery" for _, issue in stored.issues):
            came = f'SELECT "own key" FROM {told} WHERE came'
            parts.append(f'SELECT {back} FROM {told} AS t WHERE held AND "own key" NOT IN ({came})')
    else:
        parts = [f"SELECT {kept} FROM ({whole}) WHERE copies IS NULL OR copies = 0"]
        if any(issue.copies for _, issue in stored.issues):
            numbered = f'SELECT *, row_number() OVER (PARTITION BY "row key") AS "copy" FROM ({whole}) WHERE copies > 0'
            parts.append(f'SELECT {kept} FROM ({numbered}) WHERE "copy" > copies')
    if any(issue.drops for _, issue in stored.issues):
        parts.append(f"SELECT {back} FROM {told} AS t WHERE dropped")
    return f"({' UNION ALL '.join(parts)})"


def repeated_sql(stored: TablePlan, clean: TablePlan, relation: str, told: str, there: Collection[str]) -> str:
    """Return an SQL relation with the deliveries of all rows that the ledger says were delivered again: `its key`, and
    `what it is`, a hash of the clean row that each gives back."""
    kept = _kept_columns(stored, clean, there)
    own, names = '"its key" AS "the key"', ", ".join(quoted(column.name) for column in clean.columns)
    rows = f"SELECT {own}, {kept} FROM ({_repeated(stored, clean, relation, told, there)}) WHERE often IS NOT NULL"
    return f'(SELECT "the key" AS "its key", hash({names}) AS "what it is" FROM ({rows}))'


def _delivered(stored: TablePlan, clean: TablePlan, relation: str, told: str, there: Collection[str]) -> list[str]:
    """Return the SQL of the stored rows without those that came before: each is there as often as nobody says why."""
    kept, whole = _kept_columns(stored, clean, there), _repeated(stored, clean, relation, told, there)
    numbered = (
        'SELECT *, row_number() OVER (PARTITION BY "its key") AS "copy", count(*) OVER (PARTITION BY "its key") AS "times" '
        f"FROM ({whole}) WHERE often IS NOT NULL"
    )
    once = 'WHERE "copy" > least(often, "times" - 1)'
    return [f"SELECT {kept} FROM ({whole}) WHERE often IS NULL", f"SELECT {kept} FROM ({numbered}) {once}"]


def _repeated(stored: TablePlan, clean: TablePlan, relation: str, told: str, there: Collection[str]) -> str:
    """Return the SQL of stored rows with what is told of them, and `often` they came again."""
    again = f'(SELECT "own key" AS "its key", sum(again) AS often FROM {told} GROUP BY ALL HAVING sum(again) > 0)'
    joined = _joined(relation, told, _key_sql(stored, there), ', often, "its key"')
    return f'{joined} LEFT JOIN {again} AS a ON {_key_sql(clean, there)} = a."its key"'


def _joined(relation: str, told: str, key: str, more: str = "") -> str:
    return f'SELECT s.*, t.*{more} FROM {relation} AS s LEFT JOIN {told} AS t ON {key} = t."row key" AND NOT t.dropped'


def _key_sql(table: TablePlan, there: Collection[str]) -> str:
    return "NULL" if any(name not in there for name in table.key) else key_sql(table)


def _kept_columns(stored: TablePlan, clean: TablePlan, there: Collection[str]) -> str:
    changed = _told(stored, clean)
    return ", ".join(_kept(clean.columns[place], place, place in changed, there) for place in range(len(clean.columns)))


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
    every = any(issue.drops or issue.issue == "late_delivery" for _, issue in stored.issues)
    return [place for place, c in enumerate(clean.columns) if every or c.name in named or c.spec.word == "cdc"]

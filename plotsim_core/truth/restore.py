"""From what is stored and the ledger back to what would have been stored."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from plotsim_core.config.quality import LEDGER
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.restore import restored_sql, told_sql


def restored(plan: Plan, tables: Mapping[str, pa.Table], ledger: pa.Table, awaited: bool = True) -> dict[str, pa.Table]:
    """Return tables as they would be without `quality`, by name: those given but for the ledger.

    `tables` are stored rows, of any periods that `ledger` covers too. Rows come in the order of their keys where their table
    was broken, and as they are where it was not. Rows that are held back and have not come yet are among them, unless
    nothing that is `awaited` is wanted; of them and of dropped rows, the ledger does not know what a wide table adds. Raises
    UsageError for a table that the plan has not.
    """
    found: dict[str, pa.Table] = {}
    with duckdb.connect() as connection:
        connection.register("ledger", ledger)
        for name, rows in tables.items():
            stored = plan.table(name)
            clean = (plan.clean or plan).table(name)
            if not stored.issues:
                found |= {name: rows} if name != LEDGER else {}
                continue
            connection.register("stored rows", rows)
            connection.register("told", connection.sql(told_sql(plan, stored, clean, "ledger")).to_arrow_table())
            sql = restored_sql(stored, clean, '"stored rows"', '"told"', rows.column_names, awaited)
            order = ", ".join(quoted(key) for key in dict.fromkeys([clean.time or clean.key[0], *clean.key]))
            made = connection.sql(f"SELECT * FROM {sql} ORDER BY {order}").to_arrow_table()
            found[name] = made.cast(_schema(plan, clean))
    return found


def _schema(plan: Plan, clean: TablePlan) -> pa.Schema:
    """Return the schema of restored rows: the ledger tells nothing of the columns that a wide table adds, so they are null
    in rows that were dropped or are held back."""
    if not clean.of:
        return clean.schema
    told = {column.name for column in plan.table(clean.of).columns}
    fields = [field if field.name in told else field.with_nullable(True) for field in clean.schema]
    return pa.schema(fields, clean.schema.metadata)

"""From what is stored and the ledger back to what would have been stored."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from plotsim_core.arrow import schema_of
from plotsim_core.config.quality import LEDGER
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.restore import ledger_sql, restored_sql


def restored(plan: Plan, tables: Mapping[str, pa.Table], ledger: pa.Table, awaited: bool = True) -> dict[str, pa.Table]:
    """Return tables as they would be without `quality`, by name: those given but for the ledger.

    `tables` are stored rows, of any periods that `ledger` covers too. Rows come in the order of their keys where their table
    was broken, and as they are where it was not. Rows that are held back and have not come yet are among them, unless
    nothing that is `awaited` is wanted; of them and of dropped rows, the ledger does not know what a wide table adds. Raises
    UsageError for a table that the plan has not.
    """
    import duckdb  # slow to import, and few need it

    restored_tables: dict[str, pa.Table] = {}
    with duckdb.connect() as connection:
        connection.register("ledger", ledger)
        for name, rows in tables.items():
            stored_table = plan.table(name)
            clean_table = stored_table.clean
            if not stored_table.issues:
                restored_tables |= {name: rows} if name != LEDGER else {}
                continue
            connection.register("stored rows", rows)
            connection.register(
                "told", connection.sql(ledger_sql(plan, stored_table, clean_table, "ledger")).to_arrow_table()
            )
            sql = restored_sql(stored_table, clean_table, '"stored rows"', '"told"', rows.column_names, awaited)
            order = ", ".join(
                quoted(key) for key in dict.fromkeys([clean_table.time or clean_table.key[0], *clean_table.key])
            )
            restored_rows = connection.sql(f"SELECT * FROM {sql} ORDER BY {order}").to_arrow_table()
            restored_tables[name] = restored_rows.cast(_schema(plan, clean_table))
    return restored_tables


def _schema(plan: Plan, clean_table: TablePlan) -> pa.Schema:
    """Return the schema of restored rows: the ledger tells nothing of the columns that a wide table adds, so they are null
    in rows that were dropped or are held back."""
    if not clean_table.shown_table:
        return clean_table.schema
    known_names = {column.name for column in plan.table(clean_table.shown_table).columns}
    fields = [field if field.name in known_names else field.with_nullable(True) for field in clean_table.schema]
    return schema_of(fields, clean_table.schema)

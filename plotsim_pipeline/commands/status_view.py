"""The status of a dataset, for people and for machines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from plotsim_pipeline.commands.run import Inventory, Request, inventory_of, obstacles, planned_steps
from plotsim_pipeline.commands.status import Step, TableStatus, chosen, ranges
from plotsim_pipeline.stores.run_log import COMPLETED, KEPT

_MAX_TROUBLES = 5


def show_status(request: Request, console: Console, as_json: bool) -> bool:
    """Print what a store holds of a dataset; return whether that is whole and made from the config as it is."""
    inventory = inventory_of(request)
    with dg.DagsterInstance.get() as instance:
        todo = planned_steps(request, inventory, instance)
    table_names = chosen(inventory.plan, request.tables)
    inventory = replace(
        inventory, tables=tuple(table for table in inventory.tables if not table_names or table.table in table_names)
    )
    log = inventory.store.run_log()
    digest_notes, troubles = _digest_notes(log), _troubles(log, inventory.plan.name)
    is_complete = not any(table.due for table in inventory.tables)
    if as_json:
        print(json.dumps(_status_json(inventory, todo, troubles), indent=2))
        return is_complete
    console.print(_status_table(inventory))
    for digest in sorted({digest for table in inventory.tables for digest in table.stale}):
        console.print(
            f"stale: made from {digest}{digest_notes.get(digest, '')}; the config is {inventory.plan.digest}", soft_wrap=True
        )
    for trouble in troubles:
        console.print(
            "{status}: {table_name} {first_partition}...{last_partition}: {message}".format(**trouble), soft_wrap=True
        )
    if is_complete:
        console.print(f"{inventory.plan.name} is whole and made from this config.")
    else:
        reasons = obstacles(request, inventory)
        for table, reason in reasons.items():
            console.print(f"{table} has to be made anew: {reason}", soft_wrap=True)
        options = " --recreate" * bool(reasons) + " --verify" * request.verify
        command = f"plotsim materialize {inventory.plan.name}{options}"
        console.print(f"To make it whole: {command}   ({len(todo)} run{'s'[: len(todo) != 1]})", soft_wrap=True)
        for step in todo:
            console.print(f"  {step}", soft_wrap=True)
    return is_complete


def _status_table(inventory: Inventory) -> Table:
    status_table = Table(title=f"{inventory.plan.name} in {inventory.store.path}", title_justify="left")
    status_table.add_column("table")
    for heading in ("rows", "made", "missing", "stale"):
        status_table.add_column(heading, justify="right" if heading == "rows" else "left", overflow="fold")
    for table in inventory.tables:
        stale_text = "; ".join(f"{ranges(inventory.keys, keys)} ({digest})" for digest, keys in table.stale.items())
        outside_note = f" and {len(table.outside)} others" if table.outside else ""
        is_dated_state = table.is_state and inventory.plan.has_window
        made_text = (
            ("as of " if is_dated_state and table.made_keys else "") + ranges(inventory.keys, table.made_keys) + outside_note
        )
        status_table.add_row(table.table, f"{table.rows:,}", made_text, ranges(inventory.keys, table.missing), stale_text)
    return status_table


def _status_json(inventory: Inventory, todo: Sequence[Step], troubles: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "dataset": inventory.plan.name,
        "config_hash": inventory.plan.digest,
        "store": inventory.store.path,
        "tables": {table.table: _table_json(table) for table in inventory.tables},
        "runs": [{"partitions": list(step.keys), "assets": list(step.assets)} for step in todo],
        "troubles": [dict(trouble) for trouble in troubles],
    }


def _table_json(table: TableStatus) -> dict[str, Any]:
    stale_keys = {digest: list(keys) for digest, keys in table.stale.items()}
    return {
        "rows": table.rows,
        "made": list(table.made_keys),
        "missing": list(table.missing),
        "stale": stale_keys,
        "obstacle": table.obstacle,
    }


def _digest_notes(log: pa.Table) -> dict[str, str]:
    """Return a note on each digest from the run log: its seed, scale and version."""
    with duckdb.connect() as connection:
        connection.register("log", log)
        rows = connection.execute("SELECT DISTINCT config_hash, seed, scale, core_version FROM log").fetchall()
    return {digest: f" (seed {seed}, scale {scale:g}, version {version})" for digest, seed, scale, version in rows if digest}


def _troubles(log: pa.Table, dataset: str) -> list[dict[str, Any]]:
    """Return the latest write of each table if it failed, or gave other content than the same config gave before."""
    with duckdb.connect() as connection:
        connection.register("log", log)
        latest = connection.execute(
            f"""
            SELECT status, table_name, first_partition, last_partition, message FROM log WHERE dataset_id = ?
            QUALIFY row_number() OVER (PARTITION BY table_name ORDER BY finished_at DESC) = 1
            AND (status NOT IN ('{COMPLETED}', '{KEPT}') OR (status = '{COMPLETED}' AND message IS NOT NULL))
            ORDER BY table_name LIMIT {_MAX_TROUBLES}
            """,
            [dataset],
        )
        names = [name for name, *_ in latest.description or ()]
        return [dict(zip(names, row, strict=True)) for row in latest.fetchall()]

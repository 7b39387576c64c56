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

from plotsim_pipeline.run import Found, Request, find, obstacles, planned
from plotsim_pipeline.status import Step, TableStatus, chosen, ranges
from plotsim_pipeline.stores.log import COMPLETED, KEPT

_TROUBLES = 5


def show_status(request: Request, console: Console, as_json: bool) -> bool:
    """Print what a store holds of a dataset; return whether that is whole and made from the config as it is."""
    found = find(request)
    with dg.DagsterInstance.get() as instance:
        todo = planned(request, found, instance)
    only = chosen(found.plan, request.tables)
    found = replace(found, tables=tuple(table for table in found.tables if not only or table.table in only))
    log = found.store.logged()
    known, troubles = _digests(log), _troubles(log, found.plan.name)
    whole = not any(table.due for table in found.tables)
    if as_json:
        print(json.dumps(_told(found, todo, troubles), indent=2))
        return whole
    console.print(_table(found, known))
    for digest in sorted({digest for table in found.tables for digest in table.stale}):
        console.print(f"stale: made from {digest}{known.get(digest, '')}; the config is {found.plan.digest}", soft_wrap=True)
    for trouble in troubles:
        console.print(
            "{status}: {table_name} {first_partition}...{last_partition}: {message}".format(**trouble), soft_wrap=True
        )
    if whole:
        console.print(f"{found.plan.name} is whole and made from this config.")
    else:
        reasons = obstacles(request, found)
        for table, reason in reasons.items():
            console.print(f"{table} has to be made anew: {reason}", soft_wrap=True)
        options = " --recreate" * bool(reasons) + " --verify" * request.verify
        command = f"plotsim materialize {found.plan.name}{options}"
        console.print(f"To make it whole: {command}   ({len(todo)} run{'s'[: len(todo) != 1]})", soft_wrap=True)
        for step in todo:
            console.print(f"  {step}", soft_wrap=True)
    return whole


def _table(found: Found, known: Mapping[str, str]) -> Table:
    shown = Table(title=f"{found.plan.name} in {found.store.path}", title_justify="left")
    shown.add_column("table")
    for heading in ("rows", "made", "missing", "stale"):
        shown.add_column(heading, justify="right" if heading == "rows" else "left", overflow="fold")
    for table in found.tables:
        stale = "; ".join(f"{ranges(found.keys, keys)} ({digest})" for digest, keys in table.stale.items())
        outside = f" and {len(table.outside)} others" if table.outside else ""
        made = ("as of " if table.state and table.made else "") + ranges(found.keys, table.made) + outside
        shown.add_row(table.table, f"{table.rows:,}", made, ranges(found.keys, table.missing), stale)
    return shown


def _told(found: Found, todo: Sequence[Step], troubles: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "dataset": found.plan.name,
        "config_hash": found.plan.digest,
        "store": found.store.path,
        "tables": {table.table: _table_told(table) for table in found.tables},
        "runs": [{"partitions": list(step.keys), "assets": list(step.assets)} for step in todo],
        "troubles": [dict(trouble) for trouble in troubles],
    }


def _table_told(table: TableStatus) -> dict[str, Any]:
    stale = {digest: list(keys) for digest, keys in table.stale.items()}
    return {
        "rows": table.rows,
        "made": list(table.made),
        "missing": list(table.missing),
        "stale": stale,
        "obstacle": table.obstacle,
    }


def _digests(log: pa.Table) -> dict[str, str]:
    """Return what the run log knows of each digest, in words."""
    with duckdb.connect() as connection:
        connection.register("log", log)
        found = connection.execute("SELECT DISTINCT config_hash, seed, scale, core_version FROM log").fetchall()
    return {
        digest: f" (seed {seed}, scale {scale:g}, version {version})" for digest, seed, scale, version in found if digest
    }


def _troubles(log: pa.Table, dataset: str) -> list[dict[str, Any]]:
    """Return the latest write of each table if it failed, or gave other content than the same config gave before."""
    with duckdb.connect() as connection:
        connection.register("log", log)
        latest = connection.execute(
            f"""
            SELECT status, table_name, first_partition, last_partition, message FROM log WHERE dataset_id = ?
            QUALIFY row_number() OVER (PARTITION BY table_name ORDER BY finished_at DESC) = 1
            AND (status NOT IN ('{COMPLETED}', '{KEPT}') OR (status = '{COMPLETED}' AND message IS NOT NULL))
            ORDER BY table_name LIMIT {_TROUBLES}
            """,
            [dataset],
        )
        names = [name for name, *_ in latest.description or ()]
        return [dict(zip(names, row, strict=True)) for row in latest.fetchall()]

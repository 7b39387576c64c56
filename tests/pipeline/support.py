"""What the pipeline's tests share: making partitions through Dagster, and reading back what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from plotsim_core import Plan, batches, load_config
from plotsim_core.output.partitions import keys_between
from plotsim_core.plan.sql import quoted
from plotsim_pipeline.assets.report import report_assets
from plotsim_pipeline.assets.tables import common_check_assets, resources_of, stage_assets, table_assets
from plotsim_pipeline.partitions import RANGE, partitions_for
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store

_MARKS: dict[str, Any] = {"duckdb": (), "parquet": pytest.mark.slow, "delta": pytest.mark.long}
KINDS = [pytest.param(kind, marks=_MARKS[kind]) for kind in STORES]
"""The stores: DuckDB without a mark; Delta, which writes files as the Parquet store does, among the long proofs."""
DUCKDB_FIRST = [kind if kind == "duckdb" else pytest.param(kind, marks=pytest.mark.long) for kind in STORES]
"""The stores, for what takes a while with each: all but DuckDB among the long proofs."""
CONFIGS = Path(__file__).parent.parent.parent / "configs"
START, END = RANGE


def plan_of(name: str, scale: float | None = None) -> Plan:
    return load_config(CONFIGS / f"{name}.yaml", scale=scale)


def store_at(kind: str, directory: Path) -> Store:
    return STORES[kind](path=str(directory / ("store.duckdb" if kind == "duckdb" else "files")))


def keys_of(plan: Plan) -> list[str]:
    assert plan.stop is not None
    return keys_between(plan, plan.first, plan.stop)


def materialise(
    plan: Plan,
    store: Store,
    keys: Sequence[str],
    only: Iterable[str] | None = None,
    instance: dg.DagsterInstance | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialise a range of partitions in one run: the tables and the report, or `only` the named assets."""
    partitions = partitions_for(plan)
    wanted = set(only) if only is not None else None
    assets = [*table_assets(plan, partitions), *report_assets(plan, partitions)]
    if wanted is not None:
        assets = [a for a in [*stage_assets(plan, partitions), *assets] if a.key.path[-1] in wanted]
    resources = {"store": store, **resources_of(plan)}
    checks = common_check_assets(plan) if only is None else []
    return dg.materialize(
        [*assets, *checks], resources=resources, tags={START: keys[0], END: keys[-1]}, instance=instance, raise_on_error=True
    )


def content(plan: Plan, store: Store) -> dict[str, tuple[int, str]]:
    """Return the rows of each stored table and a hash of their ordered content."""
    values: dict[str, tuple[int, str]] = {}
    assert plan.stop is not None
    with store.open_tables(plan, plan.first, plan.stop) as stored:
        for name, relation in stored.relations.items():
            rows = stored.connection.sql(f"SELECT * FROM {relation} ORDER BY ALL").fetchall()
            values[name] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()[:16])
    return values


def assert_equals_the_batch(plan: Plan, store: Store, stop: int) -> None:
    """Every table that is stored has exactly the rows of the batch."""
    with store.open_tables(plan, plan.first, stop) as stored:
        assert set(stored.relations) == {table.name for table in plan.tables}
        for table in plan.tables:
            schema, pieces = batches(plan, table.name, plan.first, stop)
            stored.connection.register("batch", pa.Table.from_batches(pieces, schema))
            columns = ", ".join(quoted(column.name) for column in table.columns)
            ours, theirs = f"SELECT {columns} FROM batch", f"SELECT {columns} FROM {stored.relations[table.name]}"
            for one, other in ((ours, theirs), (theirs, ours)):
                difference = stored.connection.sql(f"({one}) EXCEPT ALL ({other})").fetchall()
                assert difference == [], f"{table.name}: {len(difference)} rows differ, such as {difference[0]}"

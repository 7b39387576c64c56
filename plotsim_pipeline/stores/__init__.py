"""Stores, an IO manager each. `STORES` is what `PLOTSIM_STORE` chooses from.

May import: plotsim_core.
"""

import os
from pathlib import Path
from typing import Any

from dagster_duckdb import DuckDBResource

from plotsim_core import UsageError
from plotsim_core.families import Family
from plotsim_pipeline.stores.delta import DeltaStore
from plotsim_pipeline.stores.duckdb import DuckDBStore
from plotsim_pipeline.stores.duckdb_lock import CONNECTION_CONFIG
from plotsim_pipeline.stores.parquet import ParquetStore
from plotsim_pipeline.stores.store import Store

STORES: Family[type[Store]] = Family("store")
for _store in (DuckDBStore, ParquetStore, DeltaStore):
    STORES.add(_store.kind, _store)

KIND_VARIABLE = "PLOTSIM_STORE"
PATH_VARIABLE = "PLOTSIM_STORE_PATH"


def store_from_environment() -> Store:
    """Return the store that the environment names: `PLOTSIM_STORE` (duckdb, parquet or delta) at `PLOTSIM_STORE_PATH`.

    By default a DuckDB file under `data/` of the working directory. Raises UsageError for an unknown store.
    """
    kind = os.environ.get(KIND_VARIABLE, "duckdb")
    if kind not in STORES:
        raise UsageError(f"{KIND_VARIABLE}={kind}: expected one of {', '.join(STORES)}")
    return store_of(kind, os.environ.get(PATH_VARIABLE))


def store_of(kind: str, path: str | None = None) -> Store:
    """Return the store of a kind at a path, by default under `data/` of the working directory. Raises UsageError for an
    unknown kind."""
    if kind not in STORES:
        raise UsageError(f"no store is named {kind!r}: expected one of {', '.join(STORES)}")
    store = STORES[kind]
    return store(path=path or str(Path(store.default_path).absolute()))


def downstream_resources(store: Store, name: str = "duckdb") -> dict[str, Any]:
    """Return what a code location has for people's own assets that read what is stored: dagster-duckdb's resource of that
    name, where the store is a DuckDB file."""
    if not isinstance(store, DuckDBStore):
        return {}
    return {name: DuckDBResource(database=store.path, connection_config=CONNECTION_CONFIG)}

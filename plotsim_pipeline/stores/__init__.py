"""Stores, one IO manager each. `STORES` is what `PLOTSIM_STORE` chooses from."""

import os
from pathlib import Path

from plotsim_core import UsageError
from plotsim_core.families import Family
from plotsim_pipeline.stores.duckdb import DuckDBStore
from plotsim_pipeline.stores.parquet import ParquetStore
from plotsim_pipeline.stores.store import Store

STORES: Family[type[Store]] = Family("store")
STORES.add("duckdb", DuckDBStore)
STORES.add("parquet", ParquetStore)

KIND_VARIABLE = "PLOTSIM_STORE"
PLACE_VARIABLE = "PLOTSIM_STORE_PATH"
_DEFAULT_PLACES = {"duckdb": "data/plotsim.duckdb", "parquet": "data/parquet"}


def store_from_environment() -> Store:
    """Return the store that the environment names: `PLOTSIM_STORE` (duckdb or parquet) at `PLOTSIM_STORE_PATH`.

    By default a DuckDB file under `data/` of the working directory. Raises UsageError for an unknown store.
    """
    kind = os.environ.get(KIND_VARIABLE, "duckdb")
    if kind not in STORES:
        raise UsageError(f"{KIND_VARIABLE}={kind}: expected one of {', '.join(STORES)}")
    place = os.environ.get(PLACE_VARIABLE) or str(Path(_DEFAULT_PLACES[kind]).absolute())
    return STORES[kind](path=place)

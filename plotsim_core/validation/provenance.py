"""The provenance of stored data: its dataset, config digest, seed and scale, compared with a config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from plotsim_core.config.dataset import dataset_name
from plotsim_core.config.read import read
from plotsim_core.errors import UsageError
from plotsim_core.plan.plan import DIGEST
from plotsim_core.plan.resolve import digest
from plotsim_core.plan.sql import quoted
from plotsim_core.run_files import CONFIG_FILE, ORIGIN_TABLE
from plotsim_core.validation.store import PARTITIONS
from plotsim_core.validation.untrusted_files import attach, reading

_MAX_FILES = 1000
"""The largest number of files whose metadata is read."""


@dataclass(frozen=True, order=True)
class Origin:
    """The provenance of stored data, read at `location`; seed and scale are None where they are not stored."""

    location: str
    dataset: str
    digest: str
    seed: int | None = None
    scale: float | None = None


def origins(data: Path) -> list[Origin]:
    """Return the distinct origins stored in a directory or a DuckDB file; empty if there are none.

    Parquet files and a run's DuckDB file carry dataset, digest, seed and scale; a store of partitions a digest each; CSV
    has only the copy of the config beside it. Raises UsageError for a file that is no DuckDB database.
    """
    all_origins = list(_database_origins(data) if data.is_file() else _directory_origins(data))
    distinct: dict[tuple[str, str], Origin] = {}
    for origin in all_origins:
        distinct.setdefault((origin.dataset, origin.digest), origin)
    return list(distinct.values())


def overrides(raw: Any, name: str, stored_origins: list[Origin], seed: int | None, scale: float | None) -> dict[str, Any]:
    """Return the name of the dataset (`name`), and the seed and scale with which the config `raw` has the digest of the
    `stored_origins`; explicit ones are kept. Without origins, the config is trusted.

    Raises UsageError if the data has another origin.
    """
    arguments = {key: value for key, value in (("seed", seed), ("scale", scale)) if value is not None}
    name = dataset_name(name)
    if not stored_origins or not isinstance(raw, Mapping):
        return {"name": name, **arguments}
    matching = {
        origin: candidate
        for origin in stored_origins
        for candidate in _candidates(origin, arguments)
        if digest({**raw, **candidate}) == origin.digest
    }
    names = {origin.dataset for origin in stored_origins if origin.dataset == name} or {
        origin.dataset for origin in matching
    }
    dataset_origins = [origin for origin in stored_origins if origin.dataset in names] or stored_origins
    mismatches = [origin for origin in dataset_origins if origin not in matching]
    if mismatches:
        raise UsageError(_difference_message(mismatches[0], digest({**raw, **arguments})))
    return {"name": dataset_origins[0].dataset or name, **matching[dataset_origins[0]]}


def _candidates(origin: Origin, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the seeds and scales to try: those of the config first, then those of the origin, unless explicit. An integral
    scale is tried as float and int: the data is the same, the digest differs."""
    seeds = [None] if "seed" in arguments or origin.seed is None else [None, origin.seed]
    scales: list[float | None] = [None] if "scale" in arguments or origin.scale is None else [None, origin.scale]
    if scales[-1] is not None and scales[-1] == int(scales[-1]):
        scales.append(int(scales[-1]))
    for seed in seeds:
        for scale in scales:
            values = {key: value for key, value in (("seed", seed), ("scale", scale)) if value is not None}
            yield {**arguments, **values}


def _difference_message(origin: Origin, config_digest: str) -> str:
    parts = [f"{word} {value:g}" for word, value in (("seed", origin.seed), ("scale", origin.scale)) if value is not None]
    parts_text = ", ".join([f"digest {origin.digest}", *parts])
    return (
        f"{origin.location} was not made from this config, seed, scale and version of plotsim: it says "
        f"{f'dataset {origin.dataset}, ' if origin.dataset else ''}{parts_text}; the config has digest {config_digest}"
    )


def _directory_origins(directory: Path) -> Iterator[Origin]:
    databases = sorted(directory.glob("*.duckdb"))
    files = sorted([*directory.glob("*.parquet"), *directory.glob("*/*.parquet"), *directory.glob("*/*/*.parquet")])
    for database in databases:
        yield from _database_origins(database)
    for file in files[:_MAX_FILES]:
        with reading(file, "Parquet"):
            metadata = pq.read_schema(file).metadata or {}
            entries = {key.decode(): value.decode() for key, value in metadata.items() if key.startswith(b"plotsim_")}
        if DIGEST in entries and "plotsim_dataset" in entries:
            yield origin_of(str(file), entries)
    config = directory / CONFIG_FILE
    if not databases and not files and config.exists():
        raw = read(config)
        if isinstance(raw, Mapping):
            yield Origin(str(config), "", digest(raw), raw.get("seed"), raw.get("scale"))


def _database_origins(file: Path) -> Iterator[Origin]:
    with duckdb.connect() as connection:
        attach(connection, file)
        with reading(file, "a DuckDB database"):
            sql = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'written'"
            for schema, table in sorted(connection.sql(sql).fetchall()):
                relation = f"written.{quoted(schema)}.{quoted(table)}"
                if (schema, table) == ("main", ORIGIN_TABLE):
                    rows = connection.sql(f"FROM {relation}")
                    yield from (origin_of(str(file), dict(zip(rows.columns, row, strict=True))) for row in rows.fetchall())
                elif table == PARTITIONS:
                    digests = connection.sql(f"SELECT digest, min(table_name) FROM {relation} WHERE digest <> '' GROUP BY 1")
                    for stored_digest, example in sorted(digests.fetchall()):
                        yield Origin(f"{schema}.{example} in {file}", schema, stored_digest)


def origin_of(location: str, metadata: Mapping[str, str]) -> Origin:
    """Return the origin in the `metadata` of data at a location.

    Raises UsageError if the dataset, seed or scale is missing."""
    try:
        return Origin(
            location,
            metadata["plotsim_dataset"],
            metadata[DIGEST],
            int(metadata["plotsim_seed"]),
            float(metadata["plotsim_scale"]),
        )
    except (KeyError, ValueError):
        raise UsageError(f"{location} cannot be read: it does not say which dataset, seed and scale it is of") from None

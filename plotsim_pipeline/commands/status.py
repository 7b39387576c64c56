"""What a store holds of a dataset, what is missing or made from another config, and the runs that would make it whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan, UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.output.partitions import WHOLE
from plotsim_core.validation.report import tally_schema
from plotsim_pipeline.assets.manifest import MANIFEST
from plotsim_pipeline.assets.metadata import CODE_VERSION
from plotsim_pipeline.assets.report import OVERVIEW
from plotsim_pipeline.partitions import keys_made
from plotsim_pipeline.sensors.reconcile import VALIDATION_REPORT, report_time
from plotsim_pipeline.stores.store import Partition, Store

_MAX_RANGES = 3


@dataclass(frozen=True)
class TableStatus:
    """What a store holds of one table, of the partitions that are asked for: `made_keys` from the config as it is, those
    `missing`, those `stale` by the digest of what they were made from, and those `outside` the window. `obstacle` is why its
    stored partitions cannot take further ones, if they cannot.

    A state has one partition, the last of those asked for: it is made when it is as of its end, or later.
    """

    table: str
    is_state: bool
    rows: int
    made_keys: tuple[str, ...]
    missing: tuple[str, ...]
    stale: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    obstacle: str | None = None

    @property
    def due(self) -> frozenset[str]:
        """The partitions that have to be made."""
        return frozenset(self.missing).union(*self.stale.values())


@dataclass(frozen=True)
class Step:
    """One run: assets, and a range of partitions without a gap; no partitions for what is told of all that is stored, and
    without a window WHOLE alone."""

    keys: tuple[str, ...]
    assets: tuple[str, ...]

    def __str__(self) -> str:
        assets = ", ".join(self.assets)
        return f"{range_text(self.keys)} ({len(self.keys)}): {assets}" if self.keys not in ((), (WHOLE,)) else assets


def stored_schemas(plan: Plan) -> dict[str, tuple[str | None, pa.Schema]]:
    """Return the time column and the schema of every table of a dataset, and of its report, by name."""
    report = tally_schema(plan).with_metadata(plan.origin)
    return {
        **{table.name: (table.time, plan.schema(table)) for table in plan.tables},
        VALIDATION_REPORT: (report_time(plan), report),
    }


def statuses(plan: Plan, store: Store, keys: Sequence[str]) -> list[TableStatus]:
    """Return what a store holds of each table of a dataset and of its report, of the partitions `keys`."""
    made_partitions = store.intact_partitions(plan.name)
    schemas = stored_schemas(plan)
    obstacles = store.obstacles(plan.name, schemas)
    table_statuses = []
    for name, (time, _) in schemas.items():
        partitions = made_partitions.get(name, {})
        obstacle = obstacles.get(name)
        if time is None:
            table_statuses.append(_state_status(plan, name, partitions, keys[-1:], obstacle))
        else:
            table_statuses.append(_partitions_status(plan, name, partitions, keys, obstacle))
    return table_statuses


def _partitions_status(
    plan: Plan, name: str, partitions: Mapping[str, Partition], keys: Sequence[str], obstacle: str | None
) -> TableStatus:
    stale_keys: dict[str, list[str]] = {}
    for key in keys:
        if key in partitions and partitions[key].digest != plan.digest:
            stale_keys.setdefault(partitions[key].digest, []).append(key)
    requested_keys = set(keys)
    return TableStatus(
        table=name,
        is_state=False,
        rows=sum(partition.rows for partition in partitions.values()),
        made_keys=tuple(key for key in keys if key in partitions and partitions[key].digest == plan.digest),
        missing=tuple(key for key in keys if key not in partitions),
        stale={digest: tuple(digest_keys) for digest, digest_keys in stale_keys.items()},
        outside=tuple(key for key in partitions if key not in requested_keys),
        obstacle=obstacle,
    )


def _state_status(
    plan: Plan, name: str, partitions: Mapping[str, Partition], last_keys: Sequence[str], obstacle: str | None
) -> TableStatus:
    partition = next(iter(partitions.values()), Partition(0, plan.digest))
    if partition.digest != plan.digest:
        return TableStatus(name, True, partition.rows, (), (), {partition.digest: tuple(last_keys)}, obstacle=obstacle)
    made_keys = tuple(keys_made(plan, last_keys, partitions, is_state=True))
    return TableStatus(name, True, partition.rows, made_keys, () if made_keys else tuple(last_keys), obstacle=obstacle)


def unreported_assets(plan: Plan, instance: dg.DagsterInstance) -> list[str]:
    """Return which of overview and manifest of a dataset an instance does not know as it is now."""
    names = []
    for name in _overview_assets(plan):
        event = instance.get_latest_materialization_event(dg.AssetKey([plan.name, name]))
        materialization = event.asset_materialization if event is not None else None
        if materialization is None or (materialization.tags or {}).get(CODE_VERSION) != plan.digest:
            names.append(name)
    return names


def steps(
    plan: Plan,
    tables: Sequence[TableStatus],
    keys: Sequence[str],
    instance: dg.DagsterInstance,
    *,
    everything: bool = False,
    only_tables: Sequence[str] = (),
    max_partitions: int | None = None,
    in_one_run: bool = False,
) -> list[Step]:
    """Return the runs that make what is missing and stale of the partitions `keys`: the latest first, with the states, since
    rows of other partitions refer to them.

    `everything` makes what is there as well; `only_tables` is about these tables, without reports; `max_partitions` is how
    many partitions a run has at most; `in_one_run` makes it one run over all that is due, whatever there is in between."""
    requested_tables = [table for table in tables if not only_tables or table.table in only_tables]
    states = {table.table for table in requested_tables if table.is_state and (everything or table.due)}
    needed_tables = {key: _needed_tables(requested_tables, key, everything) for key in keys}
    if states:
        needed_tables[keys[-1]] |= states
    if not only_tables:
        needed_tables = {key: names | {VALIDATION_REPORT} if names else names for key, names in needed_tables.items()}
    if in_one_run:
        due_indexes = [index for index, key in enumerate(keys) if needed_tables[key]]
        all_tables = frozenset().union(*needed_tables.values())
        index_range = range(due_indexes[0], due_indexes[-1] + 1) if due_indexes else range(0)
        needed_tables = {key: all_tables if index in index_range else frozenset() for index, key in enumerate(keys)}
    runs: list[Step] = []
    for names, group in groupby(keys, key=lambda key: needed_tables[key] if in_one_run else needed_tables[key] - states):
        stretch = tuple(group)
        for begin in range(0, len(stretch), max_partitions or len(stretch)):
            chunk = stretch[begin : begin + (max_partitions or len(stretch))]
            chunk_tables = names | states if chunk[-1] == keys[-1] else names
            if chunk_tables:
                assets = tuple(table.table for table in tables if table.table in chunk_tables)
                runs.append(Step(chunk if names else chunk[-1:], assets))
    runs.reverse()
    if only_tables:
        return runs
    overview_assets = _overview_assets(plan) if runs else unreported_assets(plan, instance)
    if runs:
        return [*runs[:-1], Step(runs[-1].keys, (*runs[-1].assets, *overview_assets))]
    return [Step((), tuple(overview_assets))] if overview_assets else []


def _overview_assets(plan: Plan) -> list[str]:
    """Return the assets without partitions: the overview, and the manifest if the config includes it."""
    return [OVERVIEW, MANIFEST] if plan.dataset.manifest.include else [OVERVIEW]


def _needed_tables(tables: Sequence[TableStatus], key: str, everything: bool) -> frozenset[str]:
    """Return the tables that have to be made of a partition, without states, which have no partitions of their own."""
    return frozenset(table.table for table in tables if not table.is_state and (everything or key in table.due))


def chosen(plan: Plan, names: str | None) -> list[str]:
    """Return the tables of a list such as `a,b`. Raises UsageError for one that is not there."""
    table_names = [*(table.name for table in plan.tables), VALIDATION_REPORT]
    tables = [name.strip() for name in (names or "").split(",") if name.strip()]
    for name in tables:
        if name not in table_names:
            raise UsageError(f"{plan.name} has no table named {name!r}; {did_you_mean(name, table_names)}")
    return tables


def keys_in_range(plan: Plan, keys: Sequence[str], text: str | None) -> list[str]:
    """Return the keys of a range such as `A...B`, both included, or `A`. Raises UsageError for what is no such range."""
    if text is None:
        return list(keys)
    if not plan.has_window:
        raise UsageError(f"{plan.name} has no partitions: its config has no window, and its tables are made whole")
    ends = text.split("...")
    for end in ends:
        if end not in keys:
            window = f"{keys[0]} to {keys[-1]}" if keys else "none yet"
            raise UsageError(f"{plan.name} has no partition {end!r}; write A...B or A, of the partitions {window}")
    first, last = keys.index(ends[0]), keys.index(ends[-1])
    if len(ends) > 2 or first > last:
        raise UsageError(f"the range {text!r} ends before it begins; write A...B with the earlier partition first")
    return list(keys[first : last + 1])


def range_text(keys: Sequence[str]) -> str:
    """Return a range of partition keys as people, and `--partition-range`, write it."""
    return keys[0] if len(keys) == 1 else f"{keys[0]}...{keys[-1]}"


def ranges(keys: Sequence[str], included: Iterable[str]) -> str:
    """Return some of the partitions as ranges, the first few."""
    included_keys = set(included)
    parts = [range_text(part) for part in _key_ranges(keys, included_keys)]
    suffix = f" and {len(parts) - _MAX_RANGES} more" if len(parts) > _MAX_RANGES else ""
    return ", ".join(parts[:_MAX_RANGES]) + suffix


def _key_ranges(keys: Sequence[str], included_keys: set[str]) -> Iterator[list[str]]:
    for is_included, group in groupby(keys, key=lambda key: key in included_keys):
        if is_included:
            yield list(group)

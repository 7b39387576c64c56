"""What a store holds of a dataset, what is missing or made from another config, and the runs that would make it whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan, UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.validation.report import PERIODS_SCHEMA
from plotsim_pipeline.manifest import MANIFEST
from plotsim_pipeline.parameters import CODE_VERSION
from plotsim_pipeline.partitions import end_of
from plotsim_pipeline.reconcile import REPORT_TIME, VALIDATION_REPORT
from plotsim_pipeline.report import OVERVIEW
from plotsim_pipeline.stores.store import Partition, Store

_RANGES = 3


@dataclass(frozen=True)
class TableStatus:
    """What a store holds of one table, of the partitions that are asked for: those `made` from the config as it is, those
    `missing`, those `stale` by the digest of what they were made from, and those `outside` the window. `obstacle` is why its
    stored partitions cannot take further ones, if they cannot.

    A state has one partition, the last of those asked for: it is made when it is as of its end, or later.
    """

    table: str
    state: bool
    rows: int
    made: tuple[str, ...]
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
    """One run: assets, and a range of partitions without a gap; no partitions for what is told of all that is stored."""

    keys: tuple[str, ...]
    assets: tuple[str, ...]

    def __str__(self) -> str:
        assets = ", ".join(self.assets)
        return f"{spelled(self.keys)} ({len(self.keys)}): {assets}" if self.keys else assets


def stored_schemas(plan: Plan) -> dict[str, tuple[str | None, pa.Schema]]:
    """Return the time column and the schema of every table of a dataset, and of its report, by name."""
    report = PERIODS_SCHEMA.with_metadata(plan.origin)
    return {
        **{table.name: (table.time, plan.schema(table)) for table in plan.tables},
        VALIDATION_REPORT: (REPORT_TIME, report),
    }


def statuses(plan: Plan, store: Store, keys: Sequence[str]) -> list[TableStatus]:
    """Return what a store holds of each table of a dataset and of its report, of the partitions `keys`."""
    partitions = store.made(plan.name)
    end = end_of(plan, keys[-1]) if keys else ""
    found = []
    for name, (time, schema) in stored_schemas(plan).items():
        stored = partitions.get(name, {})
        obstacle = store.obstacle(plan.name, name, time, schema)
        if time is None:
            found.append(_of_state(plan, name, stored, keys[-1:], end, obstacle))
        else:
            found.append(_of_partitions(plan, name, stored, keys, obstacle))
    return found


def _of_partitions(
    plan: Plan, name: str, stored: Mapping[str, Partition], keys: Sequence[str], obstacle: str | None
) -> TableStatus:
    stale: dict[str, list[str]] = {}
    for key in keys:
        if key in stored and stored[key].digest != plan.digest:
            stale.setdefault(stored[key].digest, []).append(key)
    wanted = set(keys)
    return TableStatus(
        table=name,
        state=False,
        rows=sum(partition.rows for partition in stored.values()),
        made=tuple(key for key in keys if key in stored and stored[key].digest == plan.digest),
        missing=tuple(key for key in keys if key not in stored),
        stale={digest: tuple(some) for digest, some in stale.items()},
        outside=tuple(key for key in stored if key not in wanted),
        obstacle=obstacle,
    )


def _of_state(
    plan: Plan, name: str, stored: Mapping[str, Partition], last: Sequence[str], end: str, obstacle: str | None
) -> TableStatus:
    moment, partition = next(iter(stored.items()), ("", Partition(0, plan.digest)))
    if partition.digest != plan.digest:
        return TableStatus(name, True, partition.rows, (), (), {partition.digest: tuple(last)}, obstacle=obstacle)
    made = bool(stored) and moment >= end
    some, none = tuple(last), ()
    return TableStatus(name, True, partition.rows, some if made else none, none if made else some, obstacle=obstacle)


def untold(plan: Plan, instance: dg.DagsterInstance) -> list[str]:
    """Return which of overview and manifest of a dataset an instance does not know as it is now."""
    names = []
    for name in _of_all(plan):
        event = instance.get_latest_materialization_event(dg.AssetKey([plan.name, name]))
        made = event.asset_materialization if event is not None else None
        if made is None or (made.tags or {}).get(CODE_VERSION) != plan.digest:
            names.append(name)
    return names


def steps(
    plan: Plan,
    tables: Sequence[TableStatus],
    keys: Sequence[str],
    instance: dg.DagsterInstance,
    *,
    everything: bool = False,
    only: Sequence[str] = (),
    at_once: int | None = None,
    one: bool = False,
) -> list[Step]:
    """Return the runs that make what is missing and stale of the partitions `keys`: the latest first, with the states, since
    rows of other partitions refer to them.

    `everything` makes what is there as well; `only` is about these tables, without reports; `at_once` is how many
    partitions a run has at most; `one` makes it one run over all that is due, whatever there is in between.
    """
    wanted = [table for table in tables if not only or table.table in only]
    states = {table.table for table in wanted if table.state and (everything or table.due)}
    needs = {key: _needs(wanted, key, everything) for key in keys}
    if states:
        needs[keys[-1]] |= states
    if not only:
        needs = {key: names | {VALIDATION_REPORT} if names else names for key, names in needs.items()}
    if one:
        places = [place for place, key in enumerate(keys) if needs[key]]
        every = frozenset().union(*needs.values())
        inside = range(places[0], places[-1] + 1) if places else range(0)
        needs = {key: every if place in inside else frozenset() for place, key in enumerate(keys)}
    runs: list[Step] = []
    for names, part in groupby(keys, key=lambda key: needs[key] if one else needs[key] - states):
        stretch = tuple(part)
        for begin in range(0, len(stretch), at_once or len(stretch)):
            chunk = stretch[begin : begin + (at_once or len(stretch))]
            made = names | states if chunk[-1] == keys[-1] else names
            if made:
                assets = tuple(table.table for table in tables if table.table in made)
                runs.append(Step(chunk if names else chunk[-1:], assets))
    runs.reverse()
    if only:
        return runs
    of_all = _of_all(plan) if runs else untold(plan, instance)
    if runs:
        return [*runs[:-1], Step(runs[-1].keys, (*runs[-1].assets, *of_all))]
    return [Step((), tuple(of_all))] if of_all else []


def _of_all(plan: Plan) -> list[str]:
    """Return the assets that are about all that is stored."""
    return [OVERVIEW, MANIFEST] if plan.dataset.manifest.include else [OVERVIEW]


def _needs(tables: Sequence[TableStatus], key: str, everything: bool) -> frozenset[str]:
    """Return which tables have to be made of a partition; states aside, which have none of their own."""
    return frozenset(table.table for table in tables if not table.state and (everything or key in table.due))


def chosen(plan: Plan, names: str | None) -> list[str]:
    """Return the tables of a list such as `a,b`. Raises UsageError for one that is not there."""
    known = [*(table.name for table in plan.tables), VALIDATION_REPORT]
    tables = [name.strip() for name in (names or "").split(",") if name.strip()]
    for name in tables:
        if name not in known:
            raise UsageError(f"{plan.name} has no table named {name!r}; {did_you_mean(name, known)}")
    return tables


def between(plan: Plan, keys: Sequence[str], text: str | None) -> list[str]:
    """Return the keys of a range such as `A...B`, both included, or `A`. Raises UsageError for what is no such range."""
    if text is None:
        return list(keys)
    ends = text.split("...")
    for end in ends:
        if end not in keys:
            window = f"{keys[0]} to {keys[-1]}" if keys else "none yet"
            raise UsageError(f"{plan.name} has no partition {end!r}; write A...B or A, of the partitions {window}")
    first, last = keys.index(ends[0]), keys.index(ends[-1])
    if len(ends) > 2 or first > last:
        raise UsageError(f"the range {text!r} ends before it begins; write A...B with the earlier partition first")
    return list(keys[first : last + 1])


def spelled(keys: Sequence[str]) -> str:
    """Return a range of partition keys as people, and `--partition-range`, write it."""
    return keys[0] if len(keys) == 1 else f"{keys[0]}...{keys[-1]}"


def ranges(keys: Sequence[str], some: Iterable[str]) -> str:
    """Return some of the partitions as ranges, the first few."""
    included = set(some)
    parts = [spelled(part) for part in _parts(keys, included)]
    more = f" and {len(parts) - _RANGES} more" if len(parts) > _RANGES else ""
    return ", ".join(parts[:_RANGES]) + more


def _parts(keys: Sequence[str], some: set[str]) -> Iterator[list[str]]:
    for inside, part in groupby(keys, key=lambda key: key in some):
        if inside:
            yield list(part)

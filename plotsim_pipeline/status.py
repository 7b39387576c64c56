"""What a store holds of a dataset, what is missing or made from another config, and the runs that would make it whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import dagster as dg

from plotsim_core import Plan, UsageError
from plotsim_core.families import did_you_mean
from plotsim_pipeline.manifest import MANIFEST
from plotsim_pipeline.parameters import CODE_VERSION
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.report import OVERVIEW, VALIDATION_REPORT
from plotsim_pipeline.stores.store import Store

_RANGES = 3


@dataclass(frozen=True)
class Held:
    """What a store holds of one table, of the partitions that are asked for: those `made` from the config as it is, those
    `missing`, those `stale` by the digest of what they were made from, and those `outside` the window.

    A state has one partition, the last of those asked for: it is made when it is as of its end, or later.
    """

    table: str
    state: bool
    rows: int
    made: tuple[str, ...]
    missing: tuple[str, ...]
    stale: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outside: tuple[str, ...] = ()

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


def held(plan: Plan, store: Store, keys: Sequence[str]) -> list[Held]:
    """Return what a store holds of each table of a dataset and of its report, of the partitions `keys`."""
    kept = store.held(plan.name)
    states = {table.name for table in plan.tables if table.time is None}
    end = f"{partitions_for(plan).time_window_for_partition_key(keys[-1]).end:%Y-%m-%d %H:%M:%S}" if keys else ""
    names = [*(table.name for table in plan.tables), VALIDATION_REPORT]
    return [
        _state(plan, name, kept.get(name, {}), keys[-1:], end)
        if name in states
        else _held(plan, name, kept.get(name, {}), keys)
        for name in names
    ]


def _held(plan: Plan, name: str, kept: Mapping[str, tuple[int, str]], keys: Sequence[str]) -> Held:
    stale: dict[str, list[str]] = {}
    for key in keys:
        if key in kept and kept[key][1] != plan.digest:
            stale.setdefault(kept[key][1], []).append(key)
    wanted = set(keys)
    return Held(
        table=name,
        state=False,
        rows=sum(rows for rows, _ in kept.values()),
        made=tuple(key for key in keys if key in kept and kept[key][1] == plan.digest),
        missing=tuple(key for key in keys if key not in kept),
        stale={digest: tuple(found) for digest, found in stale.items()},
        outside=tuple(key for key in kept if key not in wanted),
    )


def _state(plan: Plan, name: str, kept: Mapping[str, tuple[int, str]], last: Sequence[str], end: str) -> Held:
    rows = sum(rows for rows, _ in kept.values())
    as_of, digest = next(((moment, digest) for moment, (_, digest) in kept.items()), ("", ""))
    if kept and digest != plan.digest:
        return Held(name, True, rows, (), (), {digest: tuple(last)})
    there = bool(kept) and as_of >= end
    return Held(name, True, rows, tuple(last) if there else (), () if there else tuple(last))


def untold(plan: Plan, instance: dg.DagsterInstance) -> list[str]:
    """Return which of overview and manifest of a dataset an instance does not know as it is now."""
    found = []
    for name in _of_all(plan):
        event = instance.get_latest_materialization_event(dg.AssetKey([plan.name, name]))
        made = event.asset_materialization if event is not None else None
        if made is None or (made.tags or {}).get(CODE_VERSION) != plan.digest:
            found.append(name)
    return found


def steps(
    plan: Plan,
    tables: Sequence[Held],
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
    found: list[Step] = []
    for names, run in groupby(keys, key=lambda key: needs[key] if one else needs[key] - states):
        part = tuple(run)
        for begin in range(0, len(part), at_once or len(part)):
            chunk = part[begin : begin + (at_once or len(part))]
            made = names | states if chunk[-1] == keys[-1] else names
            if made:
                assets = tuple(table.table for table in tables if table.table in made)
                found.append(Step(chunk if names else chunk[-1:], assets))
    found.reverse()
    if only:
        return found
    told = _of_all(plan) if found else untold(plan, instance)
    if found:
        return [*found[:-1], Step(found[-1].keys, (*found[-1].assets, *told))]
    return [Step((), tuple(told))] if told else []


def _of_all(plan: Plan) -> list[str]:
    """Return the assets that are about all that is stored."""
    return [OVERVIEW, MANIFEST] if plan.dataset.manifest.include else [OVERVIEW]


def _needs(tables: Sequence[Held], key: str, everything: bool) -> frozenset[str]:
    """Return which tables have to be made of a partition; states aside, which have none of their own."""
    return frozenset(table.table for table in tables if not table.state and (everything or key in table.due))


def chosen(plan: Plan, names: str | None) -> list[str]:
    """Return the tables of a list such as `a,b`. Raises UsageError for one that is not there."""
    known = [*(table.name for table in plan.tables), VALIDATION_REPORT]
    found = [name.strip() for name in (names or "").split(",") if name.strip()]
    for name in found:
        if name not in known:
            raise UsageError(f"{plan.name} has no table named {name!r}; {did_you_mean(name, known)}")
    return found


def between(plan: Plan, keys: Sequence[str], text: str | None) -> list[str]:
    """Return the keys of a range such as `A...B`, both included, or `A`. Raises UsageError for what is no such range."""
    if text is None:
        return list(keys)
    ends = text.split("...")
    for end in ends:
        if end not in keys:
            there = f"{keys[0]} to {keys[-1]}" if keys else "none yet"
            raise UsageError(f"{plan.name} has no partition {end!r}; write A...B or A, of the partitions {there}")
    first, last = keys.index(ends[0]), keys.index(ends[-1])
    if len(ends) > 2 or first > last:
        raise UsageError(f"the range {text!r} ends before it begins; write A...B with the earlier partition first")
    return list(keys[first : last + 1])


def spelled(keys: Sequence[str]) -> str:
    """Return a range of partition keys as people, and `--partition-range`, write it."""
    return keys[0] if len(keys) == 1 else f"{keys[0]}...{keys[-1]}"


def ranges(keys: Sequence[str], some: Iterable[str]) -> str:
    """Return some of the partitions as ranges, the first few."""
    there = set(some)
    found = [spelled(part) for part in _parts(keys, there)]
    more = f" and {len(found) - _RANGES} more" if len(found) > _RANGES else ""
    return ", ".join(found[:_RANGES]) + more


def _parts(keys: Sequence[str], some: set[str]) -> Iterator[list[str]]:
    for inside, part in groupby(keys, key=lambda key: key in some):
        if inside:
            yield list(part)

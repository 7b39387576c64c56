"""Checks of what rows of several tables owe each other: parts and wholes, what comes first, totals, what is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from plotsim_core.columns.identity import key_column
from plotsim_core.columns.relations import parent_of
from plotsim_core.columns.sibling import EVERY_ROW
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.tables import is_number, moved_by
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.rows import links, unit_column
from plotsim_core.validation.scan import tallied
from plotsim_core.validation.store import Store
from plotsim_core.validation.structure import period_of

_NEAR = 1e-9
"""How far a sum may lie from the stored one, as a share of it: what texts of numbers leave."""
_WRONG, _SUM = quoted("is wrong"), quoted("sum of parts")
"""Names that no column has."""


@dataclass(frozen=True)
class Relation:
    """What the rows of a table owe those of `others`, and how it is judged where all of them are stored."""

    others: tuple[str, ...]
    judge: Callable[[Store], Finding]


def _owed(plan: Plan, table: TablePlan) -> Iterator[Relation]:
    for column in () if table.of else table.columns:
        kind = _KINDS.get(column.spec.word)
        if kind is not None:
            yield from kind(plan, table, column, plan.table(column.spec.type.split(".")[1]))


def _others(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    relations = list(_owed(plan, table))
    return frozenset(name for relation in relations for name in relation.others) if relations else None


def _relations(store: Store, table: TablePlan) -> Iterator[Finding]:
    for relation in _owed(store.plan, table):
        if all(name in store.relations for name in relation.others):
            about = tuple(name for name in relation.others if name != table.name)
            yield replace(relation.judge(store), tables=about)


def _referred(plan: Plan, table: TablePlan, column: ColumnPlan, other: TablePlan) -> Iterator[Relation]:
    if getattr(column.spec.source, "matching", None):
        yield from _matched(plan, table, column, other)
    own, unit = key_column(other.spec), unit_column(plan, table)
    if own is None or column.name in links(table):
        return
    both = f"t.{quoted(column.name)} = o.{quoted(own.name)}"
    theirs = unit_column(plan, other)
    if other.kind in ("child", *EVERY_ROW) and unit is not None and theirs is not None:
        wrong, noun = f"t.{quoted(unit)} <> o.{quoted(theirs)}", "rows refer to a row of another unit"
        if other.name == parent_of(table) and table.time and other.time:
            wrong, noun = (
                f"{wrong} OR t.{quoted(table.time)} <> o.{quoted(other.time)}",
                "rows are not of their row's unit and time",
            )
        elif other.kind in EVERY_ROW and not parent_of(table):
            wrong, noun = f"{wrong} OR {_late(plan, table, other)}", "rows refer to what is of another unit or comes later"
        yield _joined(table, f"{table.name}.{column.name} > {other.name}", other, both, wrong, noun)


def _matched(plan: Plan, table: TablePlan, column: ColumnPlan, other: TablePlan) -> Iterator[Relation]:
    """Give whether rows refer to listed rows that say what their unit's dimension says, for life or at their time."""
    units = next((own for own in plan.own if own.kind == "unit"), None)
    own, listed = key_column(units.spec) if units is not None else None, key_column(other.spec)
    unit = unit_column(plan, table) if units is not table or own is None else own.name
    if units is None or own is None or listed is None or unit is None:
        return
    ((theirs, ours),) = column.spec.source.matching.items()  # type: ignore[attr-defined]
    moved = next(c for c in units.columns if c.name == ours).spec.word == "scd"
    valid = _valid(plan, table, units) if moved else ""
    if valid is None:
        return
    types = [c.type for one, name in ((units, ours), (other, theirs)) for c in one.columns if c.name == name]
    numbers = all(is_number(type_) for type_ in types)
    pair = [f"u.{quoted(ours)}", f"o.{quoted(theirs)}"]
    says, listing = pair if numbers else [f"CAST({value} AS VARCHAR)" for value in pair]
    joined, key = f"t.{quoted(unit)} = u.{quoted(own.name)}{valid}", f"t.{quoted(column.name)} = o.{quoted(listed.name)}"
    some = "*" if moved else f"DISTINCT {quoted(own.name)}, {quoted(ours)}"
    noun = f"rows do not refer to a row whose {theirs} is the {ours} of {units.name}"

    def judge(store: Store, units: TablePlan = units) -> Finding:
        sql = (
            f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {_WRONG}) AS faults FROM "
            f"(SELECT t.*, {says} IS DISTINCT FROM {listing} AS {_WRONG} FROM {store.relation(table)} AS t "
            f"JOIN (SELECT {some} FROM {store.place(units)}) AS u ON {joined} "
            f"LEFT JOIN {store.place(other)} AS o ON {key}) GROUP BY 1 ORDER BY 1"
        )
        return tallied(f"{table.name}.{column.name}", noun, store.arrow(sql))

    yield Relation((other.name, units.name), judge)


def _valid(plan: Plan, table: TablePlan, units: TablePlan) -> str | None:
    """Return the SQL of whether a version `u` is that of the time of a row `t`; None where rows have no time."""
    parts = {c.spec.type: c.name for c in units.columns if c.spec.word == "version"}
    begin, end = (parts.get(f"version.{part}") for part in ("valid_from", "valid_to"))
    if table.time is None or begin is None or end is None:
        return None
    form = "%Y%m%d%H" if plan.grain.name == "hour" else "%Y%m%d"
    starts, stops = (f"CAST(strftime(u.{quoted(name)}, '{form}') AS BIGINT)" for name in (begin, end))
    time = f"t.{quoted(table.time)}"
    return f" AND {time} >= {starts} AND ({stops} IS NULL OR {time} < {stops})"


def _late(plan: Plan, table: TablePlan, other: TablePlan) -> str:
    """Return the SQL of whether a row lies before the one it refers to: by their moments if both show them, as they were,
    else by date."""
    names = [[c.name for c in one.columns if c.spec.word == "timestamp"][:1] for one in (table, other)]
    late = f"t.{quoted(table.time or '')} < o.{quoted(other.time or '')}"
    shown = all(names) and plan.dataset.noise.temporal_jitter == 0
    return f"{late} OR t.{quoted(names[0][0])} <= o.{quoted(names[1][0])}" if shown else late


def _looked_up(plan: Plan, table: TablePlan, column: ColumnPlan, other: TablePlan) -> Iterator[Relation]:
    by = getattr(column.spec.source, "by", None)
    ways = [c.name for c in table.columns if c.spec.type == f"ref.{other.name}" and by in (None, c.name)]
    name = column.spec.type.split(".")[2]
    own = key_column(other.spec)
    key = own.name if own is not None else ""
    theirs = next(c.spec for c in other.columns if c.name == name)
    moved = set() if other.kind in EVERY_ROW else moved_by(theirs, other.spec)
    if moved - {"scd"}:
        return  # what is stored there is how things stand at the latest period
    if moved:
        ways = [c.name for c in table.columns if c.spec.type == "version.row_id"]
        key = ROW_ID
    if not ways or not key:
        return
    both = f"t.{quoted(ways[0])} = o.{quoted(key)}"
    wrong = f"t.{quoted(column.name)} IS DISTINCT FROM o.{quoted(name)}"
    yield _joined(table, f"{table.name}.{column.name}", other, both, wrong, f"values are not those of {other.name}.{name}")


def _joined(table: TablePlan, subject: str, other: TablePlan, both: str, wrong: str, noun: str) -> Relation:
    def judge(store: Store) -> Finding:
        sql = (
            f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {_WRONG}) AS faults FROM "
            f"(SELECT t.*, {wrong} AS {_WRONG} FROM {store.relation(table)} AS t JOIN {store.place(other)} AS o ON {both}) "
            "GROUP BY 1 ORDER BY 1"
        )
        return tallied(subject, noun, store.arrow(sql))

    return Relation((other.name,), judge)


def _added_up(plan: Plan, table: TablePlan, column: ColumnPlan, other: TablePlan) -> Iterator[Relation]:
    ways = _ways(plan, table, other)
    if not ways or table.time is None or other.time is None:
        return
    sums = "count(*)" if column.spec.word == "count" else f"coalesce(sum({quoted(column.spec.type.split('.')[2])}), 0)"
    stored, theirs = f"t.{quoted(column.name)}", ", ".join(quoted(way) for _, way in ways)
    both = " AND ".join(f"t.{quoted(own)} = parts.{quoted(way)}" for own, way in ways)
    time, theirs_time = quoted(table.time), quoted(other.time)

    def judge(store: Store) -> Finding:
        sql = (
            f"WITH parts AS (SELECT {theirs}, {sums} AS {_SUM} FROM {store.relation(other)} GROUP BY {theirs}), "
            f"there AS (SELECT DISTINCT {theirs_time} FROM {store.relation(other)}) "
            f"SELECT t.{time} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {stored} IS NULL OR "
            f"abs({stored} - coalesce({_SUM}, 0)) > {_NEAR} * (1 + abs({stored}))) AS faults "
            f"FROM {store.relation(table)} AS t LEFT JOIN parts ON {both} "
            f"WHERE t.{time} IN (FROM there) GROUP BY 1 ORDER BY 1"
        )
        return tallied(f"{table.name}.{column.name}", f"values are not the sum over {other.name}", store.arrow(sql))

    yield Relation((other.name,), judge)


def _ways(plan: Plan, table: TablePlan, other: TablePlan) -> list[tuple[str, str]]:
    """Return the (own, theirs) columns by which rows of a detail table belong to rows: the key, or unit and date."""
    own = key_column(table.spec)
    if own is not None:
        return [(own.name, c.name) for c in other.columns if c.spec.type == f"ref.{table.name}"][:1]
    pairs = [(unit_column(plan, table), unit_column(plan, other)), (table.time, other.time)]
    return [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]


_KINDS = {"ref": _referred, "lookup": _looked_up, "total": _added_up, "count": _added_up}

CHECKS.add(
    "relations_hold",
    Check(
        "structure",
        "Rows fit the rows they belong to and refer to, totals their parts.",
        True,
        _relations,
        _others,
        lambda *of: _others(*of) or NO_TABLES,
    ),
)

"""The manifest: what is true of a dataset and cannot be read off its tables, for whoever checks what was found in them.

It is a JSON file. Where a kind has many units, what is told of each is a Parquet table beside it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core.config.extensions import extension_versions
from plotsim_core.config.quality import DELIVERED
from plotsim_core.config.segments import Segment
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.effects import effect_occasions
from plotsim_core.engine.slice import full_slice
from plotsim_core.plan.cadence import cadence
from plotsim_core.plan.plan import ColumnPlan, Plan, Population, TablePlan
from plotsim_core.plan.sql import sql_type
from plotsim_core.truth.achieved_correlations import delivered
from plotsim_core.truth.unit_answers import answers
from plotsim_core.version import VERSION

_VALUES_DEPEND_ON = ("numpy", "scipy", "faker", "holidays")
"""Packages of which another version may give other values."""
MANY_UNITS = 10_000
"""So many units of a kind, or more, are a table of their own."""
_UNITS = '"units":[]'
_CSV = {"date": "%Y-%m-%d", "moment": "%Y-%m-%d %H:%M:%S.%f", "true": "true", "false": "false", "nested": "json"}
"""How values stand in CSV files."""


def manifest_files(
    plan: Plan, head: Mapping[str, Any], stop: int | None = None, prefix: str = "manifest"
) -> dict[str, Iterable[str | bytes]]:
    """Return the files of the manifest, name to pieces: what is known at the end of the period before `stop`.

    The JSON has `head` (`manifest_head`) and the units, but for kinds with MANY_UNITS: these have a table each, which the
    JSON names. The same data gives the same bytes. Raises UsageError for an open window without `stop`.
    """
    end = full_slice(plan.population, None, stop).stop
    kinds: list[Mapping[str, Any]] = []
    listed: list[Population] = []
    tables: dict[str, Iterable[str | bytes]] = {}
    for kind, population in zip(head["kinds"], plan.kinds, strict=True):
        if units_by(population, end) < MANY_UNITS:
            kinds.append({**kind, "units": []})
            listed.append(population)
        else:
            name = f"{prefix}.{population.unit}.parquet"
            kinds.append({**kind, "units_file": name})
            tables[name] = _parquet(answers(population, end))
    return {f"{prefix}.json": _json({**head, "kinds": kinds}, listed, end), **tables}


def manifest(plan: Plan, rows: Mapping[str, int] | None = None, stop: int | None = None) -> dict[str, Any]:
    """Return the manifest with all units as what its JSON says. `rows` are those that were made, by table."""
    head, end = manifest_head(plan, rows or {}, stop), full_slice(plan.population, None, stop).stop
    kinds = [{**kind, "units": []} for kind in head["kinds"]]
    content: dict[str, Any] = json.loads("".join(_json({**head, "kinds": kinds}, plan.kinds, end)))
    return content


def _json(head: Mapping[str, Any], populations: Iterable[Population], stop: int) -> Iterator[str]:
    """Yield the manifest as JSON, with the units of some populations in place of their empty lists."""
    *pieces, last_piece = json.dumps(head, ensure_ascii=False, separators=(",", ":")).split(_UNITS)
    for piece, population in zip(pieces, populations, strict=True):
        yield piece + _UNITS[:-1]
        yield from _records(population, stop)
        yield "]"
    yield last_piece + "\n"


class _Pieces(io.RawIOBase):
    """A file that hands on what is written into it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        piece, self._written = b"".join(self._written), []
        return piece


def _parquet(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    """Yield tables of one schema as a Parquet file, in pieces."""
    first_table, sink = next(tables), _Pieces()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), first_table.schema, compression="zstd") as writer:
        for table in chain((first_table,), tables):
            writer.write_table(table)
            yield sink.take()
    yield sink.take()


def _records(population: Population, stop: int) -> Iterator[str]:
    import duckdb  # slow to import, and few need it

    comma = ""
    with duckdb.connect() as connection:
        for units in answers(population, stop):
            connection.register("units", units)
            rows = connection.sql("SELECT CAST(to_json(units) AS VARCHAR) FROM units").fetchall()
            if rows:
                yield comma + ",\n".join(text for (text,) in rows)
                comma = ",\n"


def manifest_head(plan: Plan, rows: Mapping[str, int], stop: int | None = None) -> dict[str, Any]:
    """Return all of the manifest but for the units. `rows` are those that were made, by table."""
    dataset, end = plan.dataset, full_slice(plan.population, None, stop).stop
    holdout = dataset.holdout
    return {
        "about": dataset.about,
        "owners": list(dataset.owners),
        "digest": plan.digest,
        "versions": {"plotsim": VERSION, **{name: version(name) for name in _VALUES_DEPEND_ON}, **extension_versions()},
        "seed": plan.seed,
        "scale": dataset.scale,
        **_time(plan, end),
        "quality": [{"number": n, **issue.model_dump(exclude_none=True)} for n, issue in enumerate(dataset.quality, 1)],
        "effects": [entry for population in plan.populations for entry in _effects(plan, population, end)],
        "checks": [
            {"name": rule.check_name, "table": rule.table, "says": rule.subject, "severity": rule.severity}
            for rule in dataset.checks
        ],
        "holdout": None if holdout is None else holdout.model_dump(),
        "tables": {table.name: _table(plan, table, rows.get(table.name)) for table in plan.tables},
        "csv": {"null": dataset.output.csv_null, "empty_text": '""', **_CSV},
        "warnings": [str(warning) for warning in plan.warnings],
        "kinds": [_kind(population, end) for population in plan.kinds],
    }


def _time(plan: Plan, stop: int) -> dict[str, Any]:
    """Return the window and its date keys up to the period before `stop`; null and none where there is no window."""
    if not plan.has_window:
        return {"window": None, "periods": []}
    window = {"first": plan.grain.label(plan.first), "last": plan.grain.label(stop - 1), "every": plan.grain.name}
    periods = plan.grain.keys(np.arange(plan.first, stop, dtype=np.int64)).tolist()
    zone = {} if plan.grain.zone is None else {"timezone": plan.grain.zone}
    return {"window": {**window, "span": plan.span, **zone}, "periods": periods}


def _effects(plan: Plan, population: Population, stop: int) -> Iterator[dict[str, Any]]:
    """Yield the effects that a population declares, those of a table row by row: what each acts on, and by what it
    multiplies in which periods up to the one before `stop`, as their date keys."""
    is_first = population is plan.population
    kinds = plan.populations if is_first else (population,)
    own_count = len(population.dataset.effects) - (0 if is_first else len(plan.dataset.effects))
    periods = np.arange(plan.first, stop, dtype=np.int64)
    for occasion in (occasion for occasions in effect_occasions(population)[:own_count] for occasion in occasions):
        factors = occasion.factors(plan.grain, periods)
        acting = factors != 1.0
        yield {
            "name": occasion.name,
            "metrics": [m.name for kind in kinds for m in kind.metrics if occasion.acts_on(m.spec)],
            "segments": None if occasion.segments is None else list(occasion.segments),
            "tables": list(occasion.tables),
            "factor": occasion.factor,
            "periods": plan.grain.keys(periods[acting]).tolist(),
            "factors": np.round(factors[acting], 6).tolist(),
        }


def _kind(population: Population, stop: int) -> dict[str, Any]:
    return {
        "unit": population.unit,
        "segments": [_segment(segment.spec, segment.count) for segment in population.segments],
        "metrics": [metric.model_dump(mode="json", exclude_none=True) for metric in population.dataset.metrics],
        "causal_graph": [
            {"driver": metric.follows, "follower": metric.name, "delay": metric.delay, "strength": metric.strength}
            for metric in population.dataset.metrics
            if metric.follows is not None
        ],
        "connections": list(delivered(population, stop)),
    }


def _segment(segment: Segment, count: int) -> dict[str, Any]:
    arm = segment.treatment
    return {
        "name": segment.name,
        "label": segment.label,
        "count": count,
        "archetype": _archetype(segment),
        "lives": _lives(segment),
        "treatment": None if arm is None else arm.model_dump(),
    }


def _lives(segment: Segment) -> dict[str, Any]:
    """Return how a segment's units arrive, how long they stay and what comes after their curve, as it is written."""
    parts = {"arrival": segment.arrival, "tenure": segment.tenure}
    models = {name: None if part is None else part.model_dump(mode="json") for name, part in parts.items()}
    silence = {} if segment.silence is None else {"silence": segment.silence.model_dump(mode="json")}
    return {**models, "span": segment.span, "after": segment.after, **silence}


def _archetype(segment: Segment) -> Any:
    """Return a segment's archetype as it is written: a sentence, or a list of curves."""
    archetype = segment.archetype
    if archetype.curves:
        return [{"curve": piece.curve, "until": piece.until, **piece.parameters} for piece in archetype.curves]
    breaks = "".join(f" @ {period}" for period in archetype.breaks)
    return " > ".join(archetype.words) + breaks


def _table(plan: Plan, stored: TablePlan, rows: int | None) -> dict[str, Any]:
    """Return what is to be known of a table, with its columns as they are before anything is broken on purpose."""
    table = stored.clean
    return {
        "kind": table.kind,
        **_cadence(plan, stored),
        "description": table.description,
        "rows": rows,
        "of": table.shown_table or None,
        **_steps(table),
        "key": list(table.key),
        "time": table.time,
        **({"delivered": DELIVERED} if stored.time == DELIVERED else {}),
        "periods": None if table.periods is None else plan.grain.keys(np.array(table.periods, dtype=np.int64)).tolist(),
        "references": {column: f"{parent}.{key}" for column, parent, key in table.references},
        "columns": {column.name: _column(column) for column in table.columns},
    }


def _cadence(plan: Plan, table: TablePlan) -> dict[str, str]:
    """Return how a table comes, for whoever loads it: `cadence`, `load` and, of a snapshot, `every`."""
    table_cadence = cadence(table, plan.grain.name)
    return {
        "cadence": table_cadence.name,
        "load": table_cadence.load,
        **({} if table_cadence.every is None else {"every": table_cadence.every}),
    }


def _steps(table: TablePlan) -> dict[str, Any]:
    """Return the shares of the steps that rows of a table are, as declared."""
    count = table.spec.row_count
    return {} if count is None or not count.step_names else count.model_dump()


def _column(column: ColumnPlan) -> dict[str, Any]:
    """Return what is to be known of a column; of labels also how their chances follow from their rows."""
    note = {"pii_note": column.spec.pii_note} if column.spec.pii_note else {}
    types = {"type": column.spec.type, "stored_as": sql_type(column.type), "nullable": column.nullable}
    solution = {} if column.intercept is None else {"label": {**column.spec.source.model_dump(), **asdict(column.intercept)}}
    return {**types, "description": column.description, **note, **solution}

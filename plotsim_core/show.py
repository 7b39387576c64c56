"""What a config would make, drawn for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plotsim_core.config.segments import OngoingArrival
from plotsim_core.config.words import enumeration
from plotsim_core.numerics.calendar import Grain, grain_named
from plotsim_core.numerics.curves import position
from plotsim_core.plan.cadence import cadence
from plotsim_core.plan.correlations import HEADINGS, HEADINGS_NOTE
from plotsim_core.plan.plan import MetricPlan, Plan, Population, SegmentPlan
from plotsim_core.tables.row_estimates import Size
from plotsim_core.truth.achieved_correlations import correlations, sample_of

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24
_BOOKKEEPING = 0.001
"""Seconds that Dagster takes per asset and partition in `plotsim materialize`: benchmarks/bookkeeping.md."""
_SPEED = 400_000
"""Rows per second from a config to Parquet: benchmarks/results.md."""
_MANY = 1000
"""Rows of a table from which on it is told how many different texts its columns have: to count them, they are drawn."""
_LONG = 10
"""Seconds of bookkeeping that are worth a remark."""


def sparkline(population: Population, segment: SegmentPlan) -> str:
    """Return a segment's curve as a line of small bars."""
    fractions = (np.arange(_WIDTH) + 0.5) / _WIDTH
    years = np.full(_WIDTH, segment.span / population.grain.per_year)
    heights = position(segment.pieces, fractions, years) * (len(_BARS) - 1)
    return "".join(_BARS[round(height)] for height in heights.tolist())


def show_plan(plan: Plan, sizes: Sequence[Size], console: Console, periods: str | None = None) -> None:
    """Print the window, segments, metrics and tables of a plan, with the expected sizes of its tables in some periods."""
    console.print(Text(f"{plan.name}: {plan.dataset.about}", style="bold"))
    console.print(", ".join(_facts(plan)), highlight=False)
    if plan.dataset.owners:
        console.print(f"owned by {', '.join(plan.dataset.owners)}", highlight=False)
    if plan.dataset.checks:
        tables = dict.fromkeys(rule.table for rule in plan.dataset.checks)
        console.print(f"declared rules: {len(plan.dataset.checks)}, about {enumeration(tables)}", highlight=False)
    console.print()
    for kind in plan.kinds:
        if len(plan.kinds) > 1:
            console.print(Text(f"{kind.unit}: {_unit_count(kind)}", style="bold"))
        segments, metrics = _kind_tables(kind)
        console.print(segments)
        for segment in kind.segments:
            if life_text := _life_text(kind, segment):
                console.print(f"{segment.spec.name}: {life_text}", highlight=False)
        console.print()
        console.print(metrics)
        console.print()
        _show_connections(kind, console)
    console.print(_sizes_table(plan, sizes))
    console.print()
    if periods is not None:
        console.print(f"Sizes are those of {periods}.")
    elif plan.stop is None:
        console.print(f"The window is open: sizes are those of its first {plan.span} {plan.grain.plural}.")
    for note in plan.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)
    for line in varieties(plan, [size.table for size in sizes if size.rows >= _MANY]):
        console.print(line, highlight=False, soft_wrap=True)
    for line in backfill(plan, sum(size.rows for size in sizes)):
        console.print(line, highlight=False, soft_wrap=True)


def _facts(plan: Plan) -> list[str]:
    """Return what is fixed of a whole plan, in words: its window and units where it has them, seed and scale."""
    facts: list[str] = []
    if plan.has_window:
        last = plan.grain.label(plan.stop - 1) if plan.stop is not None else "..."
        length, is_longer = plan.partition.name, plan.partition is not plan.grain
        partitions = f"{_partition_count(plan):,} partitions{f' of a {length}' if is_longer else ''}"
        partitions = partitions if plan.stop is not None else f"a partition each {length}"
        zone = [f"days of {plan.grain.zone}"] if plan.grain.zone is not None else []
        facts += [f"{plan.grain.label(plan.first)} to {last}", *zone, partitions, f"span {plan.span}"]
    units = [_unit_count(plan.population)] if plan.kinds else ["no units"]
    scale = [f"scale {plan.dataset.scale:g}"] if plan.kinds else []
    return [*facts, *([] if plan.has_window else ["no window"]), *units, f"seed {plan.seed}", *scale]


def _sizes_table(plan: Plan, sizes: Sequence[Size]) -> Table:
    """Return the tables of a plan with their sizes: rows per period where there are periods."""
    per_period = [f"per {plan.grain.noun} >"] if plan.has_window else []
    tables = _new_table("table", "kind", "cadence", "rows >", *per_period, "Parquet >")
    for table, size in zip(plan.tables, sizes, strict=True):
        period_rows = [f"{size.per_period:,.0f}"] if plan.has_window else []
        cadence_text = str(cadence(table, plan.grain.name))
        tables.add_row(size.table, table.kind, cadence_text, f"{size.rows:,}", *period_rows, readable(size.bytes))
    tables.add_section()
    total_rows, total_bytes = sum(size.rows for size in sizes), sum(size.bytes for size in sizes)
    tables.add_row("all", "", "", f"{total_rows:,}", *([""] if plan.has_window else []), readable(total_bytes))
    return tables


def varieties(plan: Plan, tables: Sequence[str]) -> list[str]:
    """Return how many different texts columns of some tables have, of which some would repeat if there were no more."""
    texts = [
        (f"{table.name}.{column.name}", column.spec.source.variety(table.spec, plan.population_of(table).dataset))
        for table in plan.tables
        if table.name in tables and not table.shown_table
        for column in table.columns
    ]
    return [f"{name}: {text}." for name, text in texts if text]


def _show_connections(population: Population, console: Console) -> None:
    """Print what the connections of a kind of unit come out as, given the trajectory and in the table."""
    if not population.dataset.connections and not population.dataset.connection_phases:
        return
    end = population.stop if population.stop is not None else population.first + population.span
    units_sample = sample_of(population, end)
    table = _new_table("connection", *(f"{name} >" for name in HEADINGS))
    for expected in correlations(units_sample):
        table.add_row(expected.subject(population), expected.declared, *expected.texts())
    if not table.row_count:
        return
    table.columns[-1].no_wrap = True
    console.print(table)
    is_complete = len(units_sample.periods) == units_sample.length and units_sample.units == units_sample.total_units
    scope = (
        "all units and periods"
        if is_complete
        else f"{units_sample.units:,} of {units_sample.total_units:,} units in {len(units_sample.periods):,} periods"
    )
    console.print(f"{HEADINGS_NOTE} Computed from {scope}.", highlight=False, soft_wrap=True)
    console.print()


def backfill(plan: Plan, rows: int) -> list[str]:
    """Return, in a line or two, how long a backfill of everything takes through Dagster, and whether longer partitions would
    help. An open window is taken as long as its span. Without a window there are no partitions, and nothing to tell."""
    if not plan.has_window:
        return []
    assets, count = len(plan.tables) + 1, _partition_count(plan)
    row_seconds, record_seconds = rows / _SPEED, assets * count * _BOOKKEEPING
    message = f"Made through Dagster in one run: about {_duration(row_seconds + record_seconds)}, "
    message += f"{_duration(record_seconds)} of it for its records ({assets} assets x {count:,} partitions)."
    alternatives = [(grain, assets * _partition_count(plan, grain) * _BOOKKEEPING) for grain in _longer_partitions(plan)]
    if record_seconds < max(_LONG, row_seconds) or not alternatives:
        return [message]
    grain, seconds = next(((grain, duration) for grain, duration in alternatives if duration < _LONG), alternatives[-1])
    return [message, f"With `window.partition: {grain.name}` the records take {_duration(seconds)}: see docs/partitions.md."]


def _partition_count(plan: Plan, length: Grain | None = None) -> int:
    """Return how many partitions, of the plan's or another length, the window has, or the span of an open one."""
    ends = plan.grain.civil_starts(np.array([plan.first, plan.stop_or_span - 1], dtype=np.int64))
    low, high = (length or plan.partition).holding(ends).tolist()
    return int(high - low + 1)


def _longer_partitions(plan: Plan) -> list[Grain]:
    """Return the longer partition lengths that fit the plan's window, the shortest first."""
    names = plan.grain.coarser
    names = names[names.index(plan.partition.name) + 1 :] if plan.partition.name in names else names
    ends = [plan.first] if plan.stop is None else [plan.first, plan.stop]
    edges = plan.grain.civil_starts(np.array(ends, dtype=np.int64))
    grains = [grain_named(name) for name in names]
    return [grain for grain in grains if np.array_equal(grain.civil_starts(grain.holding(edges)), edges)]


def _duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _kind_tables(population: Population) -> tuple[Table, Table]:
    """Return the segments and the metrics of a kind of unit."""
    segments = _new_table("segment", "units >", "archetype", "label")
    for segment in population.segments:
        label = Text(segment.spec.label or "")
        segments.add_row(segment.spec.name, f"{segment.count:,}", sparkline(population, segment), label)
    metrics = _new_table("metric", "type", "distribution", "mean at 0 >", "mean at 1 >", "follows")
    for metric in population.metrics:
        metrics.add_row(*_metric_row(metric))
    return segments, metrics


def _unit_count(population: Population) -> str:
    suffix = " at the start" if any(segment.rate for segment in population.segments) else ""
    return f"{population.units:,} units{suffix}"


def _life_text(population: Population, segment: SegmentPlan) -> str:
    """Return arrivals, tenure and end of a segment's units as text; empty if the config says nothing of them."""
    spec, grain = segment.spec, population.grain
    growth = spec.arrival.growth if isinstance(spec.arrival, OngoingArrival) else None
    growing = "" if growth is None else f" at first, {growth.text()} more"
    clauses = [f"{segment.rate:g} more arrive per {grain.noun}{growing}"] if segment.rate else []
    if spec.tenure is not None:
        clauses.append(f"they stay for {spec.tenure.average:g} {grain.plural} on average")
        if segment.rate and growth is None:
            clauses.append(f"so in the long run about {segment.rate * spec.tenure.average:,.0f} are there")
    if spec.span is not None:
        clauses.append(f"a curve takes {spec.span}")
    if spec.silence is not None:
        clauses.append(f"silent in {spec.silence.share:.1%} of their {grain.plural}")
    return "; ".join([*clauses, *([f"after it: {spec.after}"] if spec.after != "hold" else [])])


def readable(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _metric_row(metric: MetricPlan) -> tuple[str, ...]:
    low, high = metric.spec.means
    driver = f"{metric.spec.follows}, {metric.delay} later" if metric.spec.follows else ""
    ends = (high, low) if metric.spec.polarity == "negative" else (low, high)
    return metric.name, metric.spec.type, metric.spec.family, *(f"{end:.6g}" for end in ends), driver


def _new_table(*headings: str) -> Table:
    """A table with these headings; those that end in `>` stand on the right."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading.removesuffix(" >"), justify="right" if heading.endswith(">") else "left", no_wrap=heading != headings[-1]
        )
    return table

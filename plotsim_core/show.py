"""What a config would make, drawn for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plotsim_core.numerics.shapes import position
from plotsim_core.plan.plan import MetricPlan, Plan, SegmentPlan
from plotsim_core.tables.size import Size

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24


def sparkline(plan: Plan, segment: SegmentPlan) -> str:
    """Return a segment's curve as a line of small bars."""
    along = (np.arange(_WIDTH) + 0.5) / _WIDTH
    years = np.full(_WIDTH, plan.span / plan.grain.per_year)
    heights = position(segment.pieces, along, years) * (len(_BARS) - 1)
    return "".join(_BARS[round(height)] for height in heights.tolist())


def show_plan(plan: Plan, sizes: Sequence[Size], console: Console) -> None:
    """Print the window, segments, metrics and tables of a plan, with the expected sizes of its tables."""
    last = plan.grain.label(plan.stop - 1) if plan.stop is not None else "..."
    partitions = f"{plan.stop - plan.first} partitions" if plan.stop is not None else f"a partition each {plan.grain.name}"
    console.print(Text(f"{plan.name}: {plan.dataset.about}", style="bold"))
    console.print(
        f"{plan.grain.label(plan.first)} to {last}, {partitions}, span {plan.span}, {plan.units:,} units, "
        f"seed {plan.seed}, scale {plan.dataset.scale:g}",
        highlight=False,
    )
    console.print()
    for kind in plan.kinds:
        if plan.others:
            console.print(Text(f"{kind.unit}: {kind.units:,} units", style="bold"))
        for drawn in _kind(kind):
            console.print(drawn)
            console.print()
    tables = _table("table", "kind", "rows >", f"per {plan.grain.name} >", "Parquet >")
    for table, size in zip(plan.tables, sizes, strict=True):
        tables.add_row(size.table, table.kind, f"{size.rows:,}", f"{size.per_period:,.0f}", readable(size.bytes))
    tables.add_section()
    total = sum(size.rows for size in sizes), sum(size.bytes for size in sizes)
    tables.add_row("all", "", f"{total[0]:,}", "", readable(total[1]))
    console.print(tables)
    console.print()
    if plan.stop is None:
        console.print(f"The window is open: sizes are those of its first {plan.span} {plan.grain.name}s.")
    for kind in plan.kinds:
        if kind.endings:
            console.print(f"Units ({kind.unit}) can leave, so rows are an upper bound.")


def _kind(plan: Plan) -> tuple[Table, Table]:
    """Return the segments and the metrics of a kind of unit."""
    segments = _table("segment", "units >", "archetype", "label")
    for segment in plan.segments:
        label = Text(segment.spec.label or "")
        segments.add_row(segment.spec.name, f"{segment.count:,}", sparkline(plan, segment), label)
    metrics = _table("metric", "type", "distribution", "mean at 0 >", "mean at 1 >", "follows")
    for metric in plan.metrics:
        metrics.add_row(*_metric(metric))
    return segments, metrics


def readable(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _metric(metric: MetricPlan) -> tuple[str, ...]:
    low, high = metric.spec.means
    driver = f"{metric.spec.follows}, {metric.delay} later" if metric.spec.follows else ""
    ends = (high, low) if metric.spec.polarity == "negative" else (low, high)
    return metric.name, metric.spec.type, metric.spec.family, *(f"{end:.6g}" for end in ends), driver


def _table(*headings: str) -> Table:
    """A table with these headings; those that end in `>` stand on the right."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading.removesuffix(" >"), justify="right" if heading.endswith(">") else "left", no_wrap=heading != headings[-1]
        )
    return table

"""Watching a run on a terminal: a bar per table while it writes, and what it wrote in the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from plotsim_core.output.format import Progress


class Seconds:
    """A progress callback that measures how long each table takes, and passes on what it is told."""

    def __init__(self, then: Progress) -> None:
        self.spent: dict[str, float] = {}
        self._then = then
        self._table, self._since = "", time.perf_counter()

    def __call__(self, table: str, rows: int) -> None:
        if rows == 0 and table != self._table:
            self.stop()
            self._table, self._since = table, time.perf_counter()
        self._then(table, rows)

    def stop(self) -> None:
        """End the table that is being written."""
        if self._table:
            self.spent[self._table] = time.perf_counter() - self._since


@contextmanager
def progress_bars(expected: Mapping[str, int], quiet: bool) -> Iterator[Seconds]:
    """Give a progress callback for tables of about so many rows: a bar per table on a terminal, nothing otherwise."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn()
    with Bars(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bars:
        tasks = {name: bars.add_task(name, total=max(rows, 1), start=False) for name, rows in expected.items()}

        def show(table: str, rows: int) -> None:
            if rows == 0:
                bars.start_task(tasks[table])
            bars.update(tasks[table], completed=rows)

        yield Seconds(show)


def print_written(rows: Mapping[str, int], seconds: Mapping[str, float], target: str) -> None:
    """Print the rows and seconds of each table to stderr."""
    table = Table(box=None, pad_edge=False)
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    for name, count in rows.items():
        table.add_row(name, f"{count:,}", f"{seconds[name]:.2f}")
    console = Console(stderr=True)
    console.print(table)
    console.print(f"{sum(rows.values()):,} rows in {target}", soft_wrap=True, highlight=False)

"""Tables of a run whose rows are made of each other's are made in one pass, though each is an asset of its own.

The rows of tables that come later in the run wait in temporary files. It saves time and never changes a row: a table whose
rows do not wait is made alone.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.engine.slice import full_slice
from plotsim_core.tables.one_pass import OnePass, made_together, passes

PASSES = "passes"
"""The name of the resource."""


class Passes:
    """The passes of one run in one process. `folder` is for the files."""

    resource: ClassVar[dg.ResourceDefinition]

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[tuple[str, int, int, str]] = set()
        self._passes: dict[tuple[str, int, int, str], OnePass] = {}

    def batches(
        self, plan: Plan, name: str, run_tables: Iterable[str], first: int, stop: int
    ) -> Iterator[pa.RecordBatch] | None:
        """Return the rows of a table in the periods `first` to `stop`, of a pass with other tables of the run; None where it
        is made alone.

        The first of the tables that belong together is made alone: only with the second is it clear that this process makes
        more than one of them.
        """
        span = plan.digest, first, stop
        if (*span, name) not in self._made:
            groups = made_together(plan, [plan.table(other) for other in run_tables])
            group = next((group for group in groups if name in {table.name for table in group}), [])
            pending = [table for table in group if (*span, table.name) not in self._made]
            if len(pending) < len(group):
                new_passes = passes(plan, pending, full_slice(plan.population, first, stop), self._folder)
                self._passes |= {(*span, other): one_pass for other, one_pass in new_passes.items()}
                self._made.update(self._passes)
            self._made.add((*span, name))
        one_pass = self._passes.get((*span, name))
        return None if one_pass is None else one_pass.batches(name)


def _temporary(_: dg.InitResourceContext) -> Iterator[Passes]:
    with TemporaryDirectory(prefix="plotsim-", ignore_cleanup_errors=True) as folder:
        yield Passes(Path(folder))


Passes.resource = dg.ResourceDefinition(_temporary, description="Tables of a run that are made in one pass.")


def run_tables(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, plan: Plan) -> list[str]:
    """Return the tables of a plan that a run makes."""
    names = [table.name for table in plan.tables]
    if context.run.asset_selection:
        names = [name for name in names if dg.AssetKey([plan.name, name]) in context.run.asset_selection]
    steps = context.run.step_keys_to_execute
    return names if steps is None else [name for name in names if f"{plan.name}__{name}" in steps]

"""Names that a config cannot give, since the stages have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import RESERVED, DeclaredTable
from plotsim_core.errors import Problem

STAGE_COLUMNS = ("segment", "trajectory")
"""The columns of the stage `trajectories` beside the keys of the date and the unit."""


def stages(parts: dict[str, Any], scope: Scope) -> Iterator[Problem]:
    """Yield the tables named like a stage, and the columns of a stage that would share a name: it has the keys of the date
    and the unit beside a column for each metric."""
    taken = dict.fromkeys(STAGE_COLUMNS, "a column of the stage trajectories")
    found: dict[str | None, DeclaredTable] = {}
    for declared in parts["tables"]:
        found.setdefault(declared.kind, declared)
        if declared.name.lower() in RESERVED:
            yield Problem(f"{declared.path}.name", f"'{declared.name}' is the name of a stage; choose another")
    for declared in (found[kind] for kind in ("date", "unit") if kind in found):
        for column in declared.table.sourced("id")[:1] if declared.table else ():
            name, place = column.name.lower(), declared.columns.index(column.name)
            if name in taken:
                path = f"{declared.path}.columns[{place}].name"
                yield Problem(path, f"'{column.name}' is {taken[name]}; choose another")
            taken.setdefault(name, f"the key of {declared.name}")
    for path, metric in parts["metrics"]:
        name = metric.name.lower()
        if name in taken and name not in STAGE_COLUMNS:
            yield Problem(f"{path}.name", f"'{metric.name}' is {taken[name]}; choose another")

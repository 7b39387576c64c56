"""Problems of names that are reserved for the stages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import RESERVED, DeclaredTable
from plotsim_core.errors import Problem

STAGE_COLUMNS = ("segment", "trajectory")
"""The columns of the stage `trajectories` beside the keys of the date and the unit."""


def stages(parts: dict[str, Any], scope: Scope) -> Iterator[Problem]:
    """Yield the tables named like a stage, and the columns of a stage that would share a name: the keys of the date and the
    unit, and a column for each metric."""
    holders = dict.fromkeys(STAGE_COLUMNS, "a column of the stage trajectories")
    declarations: list[DeclaredTable] = parts["tables"]
    for declaration in declarations:
        if declaration.name.lower() in RESERVED:
            yield Problem(f"{declaration.path}.name", f"'{declaration.name}' is the name of a stage; choose another")
    dates = [declaration for declaration in declarations if declaration.kind and declaration.kind.is_date_dimension]
    units = [declaration for declaration in declarations if declaration.kind and declaration.kind.is_unit_dimension]
    for declaration in (*dates[:1], *units[:1]):
        for column in [c for c in declaration.table.columns if c.source.is_key][:1] if declaration.table else ():
            name, index = column.name.lower(), declaration.columns.index(column.name)
            if name in holders:
                path = f"{declaration.path}.columns[{index}].name"
                yield Problem(path, f"'{column.name}' is {holders[name]}; choose another")
            holders.setdefault(name, f"the key of {declaration.name}")
    for path, metric in parts["metrics"]:
        name = metric.name.lower()
        if name in holders and name not in STAGE_COLUMNS:
            yield Problem(f"{path}.name", f"'{metric.name}' is {holders[name]}; choose another")

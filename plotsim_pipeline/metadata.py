"""What the catalogue says of a table: its columns, and where their values come from."""

import dagster as dg

from plotsim_core import Plan
from plotsim_core.plan.plan import ColumnPlan, TablePlan
from plotsim_core.tables.build import owner

_STAGE_OF = {
    "metric": "noised_metrics",
    "stage": "noised_metrics",
    "lag": "noised_metrics",
    "true": "correlated_metrics",
    "expected": "metrics",
    "trajectory": "trajectories",
    "bucket": "trajectories",
    "narrative": "trajectories",
    "scd": "trajectories",
}
"""Word of a column to the stage that its values come from."""


def column_schema(plan: Plan, table: TablePlan) -> dg.TableSchema:
    """Return a table's columns with types, descriptions and constraints."""
    single_key = table.key[0] if len(table.key) == 1 else ""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type),
                description=column.comment or None,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.name == single_key),
            )
            for column in table.columns
        ]
    )


def stage_prefix(plan: Plan, table: TablePlan) -> str:
    """Return what the names of the stages begin with that a table is made from: those of a further kind of unit have one."""
    own = owner(plan, table.name)
    return "" if own is plan else f"{own.unit}_"


def stage_of(plan: Plan, table: TablePlan, column: ColumnPlan) -> str | None:
    """Return the stage that a column's values come from; None for those of no stage and for a stage's own columns."""
    stage = _STAGE_OF.get(column.spec.word)
    named = None if stage is None else stage_prefix(plan, table) + stage
    return None if named == table.name else named


def column_lineage(plan: Plan, table: TablePlan) -> dg.TableColumnLineage:
    """Return which columns a table's columns are made of: references of their keys, metrics of the stage they leave."""
    references = {name: (parent, key) for name, parent, key in table.references}
    found = {column.name: _origin(plan, table, column, references) for column in table.columns}
    return dg.TableColumnLineage({name: [origin] for name, origin in found.items() if origin is not None})


def _origin(
    plan: Plan, table: TablePlan, column: ColumnPlan, references: dict[str, tuple[str, str]]
) -> dg.TableColumnDep | None:
    if column.name in references and references[column.name][0] != table.name:
        parent, key = references[column.name]
        return dg.TableColumnDep(dg.AssetKey([plan.name, parent]), key)
    stage = stage_of(plan, table, column)
    if stage is None:
        return None
    lifecycle = owner(plan, table.name).dataset.lifecycle
    tracked = lifecycle.track if lifecycle and column.spec.word == "stage" else "trajectory"
    return dg.TableColumnDep(dg.AssetKey([plan.name, stage]), getattr(column.spec.source, "metric", None) or tracked)

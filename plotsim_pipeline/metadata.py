"""What the catalogue says of a table: its columns, and where their values come from."""

import dagster as dg

from plotsim_core import Plan
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_STAGE_OF = {"metric": "noised_metrics", "true": "correlated_metrics", "expected": "metrics", "trajectory": "trajectories"}


def column_schema(plan: Plan, table: TablePlan) -> dg.TableSchema:
    """Return a table's columns with types, descriptions and constraints."""
    single_key = table.key[0] if len(table.key) == 1 else ""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type),
                description=column.description or None,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.name == single_key),
            )
            for column in table.columns
        ]
    )


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
    stage = _STAGE_OF.get(column.spec.word)
    if stage is None or stage == table.name:
        return None
    return dg.TableColumnDep(dg.AssetKey([plan.name, stage]), column.spec.type.partition(".")[2] or column.name)

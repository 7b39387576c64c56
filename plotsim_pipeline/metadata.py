"""What the catalogue says of a table's columns."""

import dagster as dg

from plotsim_core.plan.plan import TablePlan


def column_schema(table: TablePlan) -> dg.TableSchema:
    """Return a table's columns with types, descriptions and constraints; those of personal data with the tag `pii`."""
    single_key = table.key[0] if len(table.key) == 1 else ""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type),
                description=column.comment or None,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.name == single_key),
                tags={"pii": column.spec.pii_note} if column.spec.pii_note else None,
            )
            for column in table.columns
        ]
    )

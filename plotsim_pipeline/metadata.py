"""What the catalogue says of a table's columns, and of the rows of its partitions."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

# `add_asset_metadata` takes one partition and copies those of all before: seconds per asset for ten years of days.
from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator

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


def add_by_partition(context: dg.OutputContext, metadata: Mapping[str, Mapping[str, Any]]) -> None:
    """Let the materialisation of each partition key have metadata of its own."""
    step = context.step_context
    told: dict[Any, Mapping[str, Any]] = {
        AssetMetadataHandle(asset_key=context.asset_key, partition_key=key): values for key, values in metadata.items()
    }
    before = step._metadata_accumulator.per_output_metadata
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata={**before, **told})

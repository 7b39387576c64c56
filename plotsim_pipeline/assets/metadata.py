"""What the catalogue says of a table's columns, and of the rows of its partitions."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from plotsim_core.plan.plan import TablePlan

CODE_VERSION, DATA_VERSION = "dagster/code_version", "dagster/data_version"
"""The tags of a materialisation that say what it was made from."""

try:  # names that Dagster does not publish: without them row counts are told one partition at a time
    from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator
except ImportError:
    OutputMetadataAccumulator = None  # type: ignore[assignment,misc] # it is there in the version that is checked


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


def add_partition_metadata(context: dg.OutputContext, metadata: Mapping[str, Mapping[str, Any]]) -> None:
    """Let the materialisation of each partition key have metadata of its own.

    Dagster's `add_asset_metadata` takes one partition, and copies all earlier ones each time: seconds per asset for ten
    years of days. So the metadata of all partitions is put into its accumulator at once, if this version has one.
    """
    step, key = context.step_context, context.asset_key
    accumulator = getattr(step, "_metadata_accumulator", None)
    if OutputMetadataAccumulator is None or not isinstance(accumulator, OutputMetadataAccumulator):
        for partition, values in metadata.items():
            step.add_asset_metadata(values, asset_key=key, partition_key=partition)
        return
    handles = {AssetMetadataHandle(asset_key=key, partition_key=name): values for name, values in metadata.items()}
    merged: dict[Any, Mapping[str, Any]] = {**accumulator.per_output_metadata, **handles}
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata=merged)

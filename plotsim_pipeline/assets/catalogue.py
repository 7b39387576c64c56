"""What the catalogue says of an asset: description, group, kinds, owners, tags, and the line of the config it comes from."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import dagster as dg
import yaml

from plotsim_core import Plan, UsageError
from plotsim_core.config.dataset import OWNER
from plotsim_core.config.model import PATTERNS
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.tables import is_number
from plotsim_core.plan.cadence import cadence
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.stages import stage_of
from plotsim_pipeline.assets.lineage import column_lineage
from plotsim_pipeline.assets.metadata import column_schema
from plotsim_pipeline.stores.placement import placement_metadata

LAYER = "layer"
"""The tag that says what an asset is: one of the following."""
STAGE, TABLE, REPORT, OVERVIEW_LAYER = "stage", "table", "report", "whole"
OWNERS_VARIABLE = "PLOTSIM_OWNERS"
_ORIGINS = dg.TableSchema(
    [
        dg.TableColumn("column", description="Column of the table."),
        dg.TableColumn("made_of", description="Columns of other tables and stages that its values are made of."),
    ]
)
_STATE = "State as of the end of the latest partition made."


class Entry(TypedDict):
    """What the catalogue says of an asset, as arguments of `dg.asset` and `dg.AssetOut`."""

    group_name: str
    description: str
    kinds: set[str]
    owners: list[str]
    tags: dict[str, str]
    metadata: dict[str, Any]


def entry_of_table(plan: Plan, table: TablePlan, layer: str, store: str) -> Entry:
    """Return the entry of a table or stage that lies in a store of the kind `store`. Raises UsageError for owners that are
    none."""
    lineage = column_lineage(plan, table)
    return Entry(
        group_name=stage_group(plan) if layer == STAGE else plan.name,
        description=table.description if table.time is not None or not plan.has_window else f"{table.description} {_STATE}",
        kinds={"table", store},
        owners=owners(plan),
        tags={LAYER: layer},
        metadata={
            **placement_metadata(
                plan,
                table.name,
                table.time,
                table.key,
                [column.name for column in table.columns],
                measures(table),
            ),
            "cadence": str(cadence(table, plan.grain.name)),
            "dagster/column_schema": column_schema(table),
            "dagster/column_lineage": lineage,
            **({"column_origins": _origins_table(lineage)} if lineage.deps_by_column else {}),
            **code_reference(plan, table.name),
        },
    )


def measures(table: TablePlan) -> list[str]:
    """Return the columns of a table whose mean the materialisation of each partition tells, so that Dagster plots it."""
    key_columns = {*table.key, *(name for name, _, _ in table.references)}
    numeric_columns = (column for column in table.columns if is_number(column.type))
    if table.time is None or table.spec.is_date_dimension:
        return []
    return [column.name for column in numeric_columns if column.spec.source.is_measure and column.name not in key_columns]


def entry_of_report(
    plan: Plan, name: str, description: str, time: str | None, key: Sequence[str], schema: dg.TableSchema, store: str
) -> Entry:
    """Return the entry of the report of a dataset's partitions: rows of `schema`, told apart by the column of time, where
    there is one, and by `key`. Raises UsageError for owners that are none."""
    row_key = key if time is None else (time, *key)
    return Entry(
        group_name=plan.name,
        description=description,
        kinds={"table", store},
        owners=owners(plan),
        tags={LAYER: REPORT},
        metadata={
            **placement_metadata(plan, name, time, row_key),
            "dagster/column_schema": schema,
            **code_reference(plan),
        },
    )


def overview_entry(plan: Plan, description: str, kind: str) -> Entry:
    """Return the entry of an asset about all that is stored of a dataset: a file of the format `kind`. Raises UsageError for
    owners that are none."""
    return Entry(
        group_name=plan.name,
        description=description,
        kinds={kind},
        owners=owners(plan),
        tags={LAYER: OVERVIEW_LAYER},
        metadata={**code_reference(plan)},
    )


def stage_group(plan: Plan) -> str:
    """Return the group that a dataset's stages are in; everything else of it is in the group of its name."""
    return f"{plan.name}_stages"


def owners(plan: Plan) -> list[str]:
    """Return who owns a dataset's assets: whom its config names, otherwise whom PLOTSIM_OWNERS does, a list with commas.
    Raises UsageError for what is neither an e-mail address nor team:name."""
    if plan.dataset.owners:
        return list(plan.dataset.owners)
    names = [name.strip() for name in os.environ.get(OWNERS_VARIABLE, "").split(",") if name.strip()]
    for name in names:
        if re.fullmatch(OWNER, name) is None:
            raise UsageError(f"{OWNERS_VARIABLE}: expected {PATTERNS[OWNER]}, found {name!r}")
    return names


def code_reference(plan: Plan, name: str = "") -> dict[str, dg.CodeReferencesMetadataValue]:
    """Return, as metadata, the line of the config that declares a table, or that a generated table or a stage follows from;
    without a name the first line. Nothing for a plan that was read from no file."""
    if not plan.file:
        return {}
    line = _config_line(plan, name) if name else 1
    label = f"{Path(plan.file).name}, line {line}"
    return {
        "dagster/code_references": dg.CodeReferencesMetadataValue(
            code_references=[dg.LocalFileCodeReference(file_path=plan.file, line_number=line, label=label)]
        )
    }


def _origins_table(lineage: dg.TableColumnLineage) -> dg.TableMetadataValue:
    """Return column lineage as a table: the open-source UI shows tables, and draws no column lineage."""
    records = [
        dg.TableRecord({"column": name, "made_of": ", ".join(f"{dep.asset_key.path[-1]}.{dep.column_name}" for dep in deps)})
        for name, deps in lineage.deps_by_column.items()
    ]
    return dg.MetadataValue.table(records, schema=_ORIGINS)


def _config_line(plan: Plan, name: str) -> int:
    """Return the number of the line that a table or stage comes from, from 1."""
    table_lines, key_lines = _line_numbers(plan.file, Path(plan.file).stat().st_mtime_ns)
    stage = stage_of(plan, name)
    if stage is not None:
        return key_lines.get((stage[0].unit, "metrics"), 1)
    table = plan.table(name)
    for table_name in (table.name, table.shown_table):
        if table_name in table_lines:
            return table_lines[table_name]
    origin = plan.table(table.shown_table) if table.shown_table and not table_kind(table).is_derived else table
    unit, key = plan.population_of(table).unit, origin.spec.config_key
    return key_lines.get((unit, key)) or key_lines.get((plan.population.unit, key)) or key_lines.get((unit, "metrics"), 1)


@lru_cache(maxsize=256)
def _line_numbers(file: str, modified_ns: int) -> tuple[Mapping[str, int], Mapping[tuple[str, str], int]]:
    """Return the line of each table that a config declares, and of each key of each kind of unit, by (unit, key).

    `modified_ns` is the file's modification time: a file that was edited is read again.
    """
    root = yaml.compose(Path(file).read_text(encoding="utf-8-sig"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    unit_nodes = [item for key, value in _mapping_pairs(root) if key.value == "units" for item in _sequence_items(value)]
    table_lines: dict[str, int] = {}
    key_lines: dict[tuple[str, str], int] = {}
    for node in (root, *unit_nodes):
        unit = next((value.value for key, value in _mapping_pairs(node) if key.value == "unit"), "")
        for key, value in _mapping_pairs(node):
            key_lines[unit, key.value] = key.start_mark.line + 1
            for item in _sequence_items(value) if key.value in SECTIONS else ():
                item_lines = {
                    value.value: key.start_mark.line + 1 for key, value in _mapping_pairs(item) if key.value == "name"
                }
                table_lines.update(item_lines)
    return table_lines, key_lines


def _mapping_pairs(node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode))


def _sequence_items(node: yaml.Node) -> Sequence[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else ()

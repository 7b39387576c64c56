"""What tables are made from, as the catalogue tells it: the assets above a table, and the columns behind each column."""

from collections.abc import Iterator

import dagster as dg

from plotsim_core import Plan
from plotsim_core.config.column_source import POSITION, Origin
from plotsim_core.config.tables import matched_origin
from plotsim_core.plan.plan import ColumnPlan, TablePlan
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.stages import STAGES, stage_names


def stage_before(plan: Plan, name: str) -> str | None:
    """Return the stage that a stage is made from; None for the first and for what is no stage."""
    names = stage_names(plan)
    index = names.index(name) if name in names else 0
    return names[index - 1] if index % len(STAGES) else None


def upstream(plan: Plan, table: TablePlan) -> list[str]:
    """Return what a table or stage is made from: stages, tables that it refers to, and those that it shows.

    An order that adds up its lines is not made from them: they refer to it, and no asset may be above itself.
    """
    if table.name in stage_names(plan):
        previous_stage = stage_before(plan, table.name)
        return [] if previous_stage is None else [previous_stage]
    row_sources = list(table_kind(table).read_tables(plan, table))
    if table.spec.row_stage is not None and not _base_table(plan, table):
        row_sources.append(_stage_prefix(plan, table) + table.spec.row_stage)
    parents = [] if _base_table(plan, table) else [parent for _, parent, _ in table.references if parent != table.name]
    column_sources = [name for column in table.columns for name, _ in _origins(plan, table, column)]
    referred = [name for name in dict.fromkeys([*column_sources, *parents]) if not _is_made_from(plan, name, table)]
    return list(dict.fromkeys([*row_sources, *referred]))


def column_lineage(plan: Plan, table: TablePlan) -> dg.TableColumnLineage:
    """Return which columns of other tables and stages a table's columns are made of."""
    column_origins = {column.name: dict.fromkeys(_origins(plan, table, column)) for column in table.columns}
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(dg.AssetKey([plan.name, table_name]), column) for table_name, column in origins]
            for name, origins in column_origins.items()
            if origins
        }
    )


def _origins(plan: Plan, table: TablePlan, column: ColumnPlan) -> Iterator[Origin]:
    if table.name in stage_names(plan):
        yield from _stage_column_origins(plan, table, column)
        return
    base = _base_table(plan, table)
    if base is not None and any(other.name == column.name for other in base.columns):
        yield base.name, column.name
        return
    yield from table_kind(table).origins(plan, table, column)
    for name, parent, key in table.references:
        if name == column.name and parent != table.name:
            yield parent, key
            for parent_column, source_name in column.spec.source.matched_columns.items():
                yield parent, parent_column
                owner_name, own_column = matched_origin(source_name, table.spec, plan.population_of(table).dimension.spec)
                if owner_name == table.name:
                    yield from _origins(plan, table, table.column(own_column))
                else:
                    yield owner_name, own_column
            yield from ((parent, bound) for bound in column.spec.source.validity or ())
    for source_name, name in column.spec.reads(table.spec):
        owner = plan.table(source_name)
        if source_name != table.name and not owner.column(name).spec.hidden:
            yield source_name, name
        else:
            yield from _origins(plan, owner, owner.column(name))
    summand = column.spec.source.summand
    if summand is not None and summand[1] is None:
        child = plan.table(summand[0])
        yield from ((child.name, name) for name, parent, _ in child.references if parent == table.name)
    stage_origin = column.spec.source.stage_origin(plan.population_of(table).dataset)
    if stage_origin is not None:
        yield _stage_prefix(plan, table) + stage_origin[0], stage_origin[1]


def _stage_column_origins(plan: Plan, table: TablePlan, column: ColumnPlan) -> Iterator[Origin]:
    previous_stage = stage_before(plan, table.name)
    if previous_stage is not None:
        keeps_name = column.spec.source.target_name is not None or not previous_stage.endswith(POSITION[0])
        yield previous_stage, column.name if keeps_name else POSITION[1]


def _base_table(plan: Plan, table: TablePlan) -> TablePlan | None:
    """Return the base table of a view-like table (`of`), whose rows it shows; None for a table with rows of its own."""
    return next((other for other in plan.tables if other.name == table.shown_table), None)


def _is_made_from(plan: Plan, name: str, table: TablePlan) -> bool:
    """Return whether the table `name` is made from `table`, which then is not made from it: it refers to it, directly or
    through others. Of tables that refer to each other, the one is made first whose reference says `nulls`, or that is
    declared first."""
    if _leads(plan, name, table.name, has_nulls=False):
        return True
    is_circle = _leads(plan, name, table.name) and not _leads(plan, table.name, name, has_nulls=False)
    names = [other.name for other in plan.tables]
    return is_circle and names.index(name) > names.index(table.name)


def _leads(plan: Plan, name: str, target: str, has_nulls: bool = True) -> bool:
    """Return whether references lead from a table to another; those that say `nulls` only with `has_nulls`."""
    tables = {table.name: table for table in plan.tables}
    pending, visited = [name], set[str]()
    while pending:
        table = tables.get(pending.pop())
        for column, parent, _ in () if table is None else table.references:
            is_first = table is not None and table.column(column).spec.nulls is None
            if parent not in visited and (has_nulls or is_first):
                visited.add(parent)
                pending.append(parent)
    return target in visited


def _stage_prefix(plan: Plan, table: TablePlan) -> str:
    """Return the prefix of the names of a table's stages: the unit for a further kind of unit, empty for the first."""
    population = plan.population_of(table)
    return "" if population is plan.population else f"{population.unit}_"

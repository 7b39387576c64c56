"""Tables of plotsim's engine layer: `type` and `grain` say which section they stand in, and what a row is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plotsim_core.families import did_you_mean
from plotsim_core.importers.plotsim.columns import read_columns
from plotsim_core.importers.plotsim.schema import Schema, Table
from plotsim_core.importers.plotsim.segments import Group, groups_of
from plotsim_core.importers.reading import Part

Words = dict[str, Any]
_EMPTY_SCALE = 1e-9
"""How many rows of an event there are per unit of its driver where plotsim makes none."""


_USUAL = {
    **{"row_count_source": None, "count": 1, "cdc": False, "log_format": None, "log_filename": None, "parent_table": None},
    **{"children_per_row": None, "pk_prefix": None},
}
"""Keys that few tables read, with their usual values."""


def read_tables(schema: Schema) -> tuple[dict[str, list[Words]], list[Group]]:
    """Return the dimensions, facts and events, and the segments, which are known once all columns are read."""
    sections: dict[str, list[Words]] = {name: [] for name in _SECTIONS.values()}
    columns: dict[str, list[Words]] = {}
    for table in schema.tables.values():
        section = _SECTIONS.get(table.type)
        if section is None:
            hint = did_you_mean(table.type, list(_SECTIONS))
            table.part.problem("type", f"plotsim has no table of type '{table.type}'", hint)
            continue
        target = f"{section}[{len(sections[section])}]"
        columns[table.name] = read_columns(table, schema, target)
        table.part.became(target, f"one of the {section}, {table.name}")
        sections[section].append({"name": table.name})
    groups = groups_of(schema)
    for section, items in sections.items():
        for item in items:
            table = schema.tables[item["name"]]
            item.update(_READERS[section](table, schema, groups) or {})
            item["columns"] = columns[table.name]
            _check_keys(table)
            table.part.settle(_USUAL)
    return sections, groups


def _dimension(table: Table, schema: Schema, groups: list[Group]) -> Words | None:
    part = table.part
    if table.grain == "per_reference":
        lists = [len(source.split(",")) for source in table.sources if source.startswith("static:")]
        count = part.integer("count", 1)
        return {"reference": True, **({"count": count} if count > max(lists, default=1) else {})}
    if table.grain == "per_period":
        return {"per": "period"}
    if table.grain == "per_entity":
        return {"per": "unit"}
    if table.grain == "variable":
        counts = {group.name: group.size * part.integer("count", 1) for group in groups}
        numbers = {*counts.values()}
        return {"per": "unit", "count": counts if len(numbers) > 1 else next(iter(numbers), 1)}
    return _wrong_grain(table, ("per_period", "per_entity", "per_reference", "variable"))


def _fact(table: Table, schema: Schema, groups: list[Group]) -> Words | None:
    part = table.part
    words: Words = {}
    if table.grain == "variable":
        driver = read_driver(part, schema)
        if driver is None:
            part.problem(
                "row_count_source", "is missing", "a fact of the grain variable has one: proportional:METRIC:scale:1"
            )
            return None
        words |= {"row_count_driver": driver[0], **({"row_count_scale": driver[1]} if driver[1] != 1 else {})}
    if table.grain == "per_parent_row":
        words["parent_table"] = part.text("parent_table", is_required=True)
        words["children_per_row"] = _children(part)
    if table.grain not in ("per_entity_per_period", "variable", "per_parent_row"):
        return _wrong_grain(table, ("per_entity_per_period", "variable", "per_parent_row"))
    if part.flag("cdc"):
        words["cdc"] = True
    return words


def _children(part: Part) -> list[int]:
    if isinstance(part.value.get("children_per_row"), Mapping):
        bounds = part.mapping("children_per_row")
        return [bounds.integer("min", 1), bounds.integer("max", 1)] if bounds is not None else [1, 1]
    return [int(number) for number in part.numbers("children_per_row")] or [1, 1]


def _event(table: Table, schema: Schema, groups: list[Group]) -> Words | None:
    part = table.part
    if table.grain != "variable":
        return _wrong_grain(table, ("variable",))
    threshold = next(
        (column for column in table.columns if str(column.value.get("source", "")).startswith("threshold:")), None
    )
    words: Words | None
    if threshold is not None:
        words = _crossing(threshold, schema)
    else:
        driver = read_driver(part, schema)
        if driver is None:
            first = next(iter(schema.metrics), "")
            reason = (
                "it has neither a row_count_source nor a column with a threshold, so plotsim makes no row of it; "
                f"nor does a scale of {_EMPTY_SCALE:g}: raise it, or give it a threshold"
            )
            part.approximated("", reason)
            driver = first, _EMPTY_SCALE
        words = {"trigger": "proportional", "driver": driver[0], **({"scale": driver[1]} if driver[1] != 1 else {})}
    if words is not None:
        for key in ("log_format", "log_filename"):
            if part.has(key):
                words[key] = part.text(key)
    return words


def _crossing(column: Part, schema: Schema) -> Words | None:
    """Return the trigger that a column says: threshold:METRIC:above:0.7:for:3."""
    fields = column.text("source").split(":")[1:]
    metric, side, level, *rest = [*fields, "", "", ""][: max(3, len(fields))]
    periods = rest[1] if len(rest) == 2 and rest[0] == "for" else "1" if not rest else ""
    try:
        limit = float(level)
    except ValueError:
        limit = None
    if metric not in schema.metrics or side not in ("above", "below") or limit is None or not periods.isdecimal():
        hint = "plotsim writes threshold:METRIC:above:0.7:for:3"
        column.problem("source", f"cannot read '{column.text('source')}'", hint)
        return None
    words: Words = {"trigger": "threshold", "metric": metric, side: int(limit) if limit.is_integer() else limit}
    return words if int(periods) == 1 else {**words, "for": int(periods)}


def read_driver(part: Part, schema: Schema) -> tuple[str, float] | None:
    """Return the metric that rows are in proportion to, and how many there are for each unit of it; None if none is said."""
    if not part.has("row_count_source"):
        return None
    source = part.text("row_count_source")
    word, _, rest = source.partition(":")
    metric, _, tail = rest.partition(":")
    scale = tail.removeprefix("scale:") if tail else "1"
    try:
        number = float(scale)
    except ValueError:
        number = -1.0
    if word != "proportional" or metric not in schema.metrics or number < 0 or (tail and not tail.startswith("scale:")):
        hint = "plotsim writes proportional:METRIC:scale:2"
        part.problem("row_count_source", f"cannot read '{source}'", hint)
        return None
    if number == 0:
        part.approximated("row_count_source", f"a scale of 0 makes no rows; {_EMPTY_SCALE:g} makes none either")
        number = _EMPTY_SCALE
    return metric, int(number) if number.is_integer() else number


def _wrong_grain(table: Table, grains: tuple[str, ...]) -> Words | None:
    """Add a problem of a grain that a type of table has not, and return nothing."""
    if table.grain:
        message = f"a table of type {table.type} is not {table.grain}"
        table.part.problem("grain", message, did_you_mean(table.grain, list(grains)))
    return None


def _check_keys(table: Table) -> None:
    """Note keys that say something else than the columns do."""
    part, keys = table.part, table.part.texts("primary_key")
    names = [str(column.value.get("name")) for column in table.columns]
    references = [name for name, source in zip(names, table.sources, strict=True) if source.startswith("fk:")]
    missing_names = [key for key in keys if key not in names]
    own_key = table.key or " and ".join(references) or "its unit and its date"
    if missing_names:
        part.dropped("primary_key", f"there is no column {missing_names[0]}; a row is told by {own_key}")
    elif keys and (keys != [table.key] if table.key else not {*keys} <= {*references}):
        part.approximated("primary_key", f"a row is told by {own_key}")
    is_of_threshold = any(source.startswith("threshold:") for source in table.sources)
    if table.type != "dim" and table.grain in ("variable", "per_parent_row") and not table.key and not is_of_threshold:
        part.approximated("columns", "none is the key of a row, so one is added")
    for target in part.texts("foreign_keys"):
        if f"fk:{target}" not in table.sources:
            part.dropped("foreign_keys", f"no column refers to {target}")


_SECTIONS = {"dim": "dimensions", "fact": "facts", "event": "events"}
_READERS: dict[str, Callable[[Table, Schema, list[Group]], Words | None]] = {
    "dimensions": _dimension,
    "facts": _fact,
    "events": _event,
}


def read_bridge(part: Part, schema: Schema, target: str) -> Words | None:
    """Return a bridge, whose path in the config is `target`."""
    name, sides = part.text("name", is_required=True), part.texts("connects")
    if part.text("type", "bridge") != "bridge":
        part.problem("type", f"expected bridge, found '{part.text('type')}'")
    if len(sides) != 2:
        part.problem("connects", f"expected two tables, found {len(sides)}")
        return None
    for index, side in enumerate(sides):
        if side not in schema.tables:
            part.problem(f"connects[{index}]", f"there is no table '{side}'", did_you_mean(side, list(schema.tables)))
            return None
    if schema.tables[sides[0]].grain == "per_reference" and schema.tables[sides[1]].grain != "per_reference":
        part.approximated("connects", f"a bridge begins at units, so it leads from {sides[1]} to {sides[0]}")
        sides.reverse()
    bounds = part.mapping("cardinality")
    low, high = (bounds.integer("min", 1), bounds.integer("max", 1)) if bounds is not None else (1, 1)
    words: Words = {"name": name, "left": sides[0], "right": sides[1], "cardinality": [low, high]}
    if not part.flag("trajectory_driven", True):
        part.approximated("trajectory_driven", "the higher a unit's position was, the more links it has")
    if not part.flag("directed", True):
        words["directed"] = False
    bridge = Table(part, name, "bridge", "bridge", tuple(part.parts("metrics")), "")
    columns = read_columns(bridge, schema, target)
    part.became(target, f"the bridge {name}")
    return {**words, "columns": columns} if columns else words

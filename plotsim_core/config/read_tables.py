"""Tables as written: their kind, and their words validated by its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from plotsim_core.config.absent_words import MOMENT_OF_UNITS, unknown_word_problems
from plotsim_core.config.model import Part, is_name
from plotsim_core.config.parent_keys import ParentKeys, read_parent_keys
from plotsim_core.config.partial import partial_part
from plotsim_core.config.pydantic_errors import unknown_key, validated, words_of
from plotsim_core.config.read_columns import read_columns
from plotsim_core.config.table_kind import TABLE_FORMS, declared_forms
from plotsim_core.config.table_shape import FOREIGN, PERIOD, TIME, UNIT, OtherKinds, Shape, read_shapes
from plotsim_core.config.tables import DeclaredTable, Table, derived_column
from plotsim_core.config.words import enumeration
from plotsim_core.config.written_tables import list_or_empty, written_per
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import nearest


def read_tables(
    sections: Mapping[str, Any], unit: str, other_kinds: OtherKinds, problems: list[Problem]
) -> list[DeclaredTable]:
    """Return the valid tables of the section `tables`, and add the problems of the others to `problems`."""
    raw = sections.get("tables")
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem("tables", f"expected a list of tables, found {value_text(raw)}"))
        return [DeclaredTable("", "tables", None, None)]
    shapes = read_shapes(sections, unit, problems, other_kinds)
    keys = read_parent_keys(sections, unit, shapes, other_kinds)
    return [
        _shaped_table(f"tables[{index}]", item, shape, parent_keys, problems)
        for index, (item, shape, parent_keys) in enumerate(zip(raw, shapes, keys, strict=True))
    ]


def _shaped_table(
    path: str, raw: Any, shape: Shape | None, parent_keys: ParentKeys, problems: list[Problem]
) -> DeclaredTable:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a table, found {value_text(raw)}"))
        return DeclaredTable("", path, None, None)
    name = raw["name"] if is_name(raw.get("name")) else ""
    spellings = ((kind, shape and kind.of_shape(shape)) for _, kind in TABLE_FORMS.items())
    kind, spelling = next(((kind, spelling) for kind, spelling in spellings if spelling), (None, None))
    if kind is None or not spelling:
        if shape is not None and not shape.is_likely:
            problems.append(_unfit_shape(raw, shape).under(path))
        read_columns(f"{path}.columns", raw.get("columns"), problems)
        return DeclaredTable(name, path, None, None, _column_names(raw), is_open=True)
    words = list(dict.fromkeys([*(word for word in words_of(kind) if word not in kind.older), *kind.shape_words]))
    unknown_words = [key for key in raw if key not in words]
    problems.extend(problem.under(path) for problem in unknown_word_problems(raw, unknown_words, kind.absent, words))
    table_problems: list[Problem] = []
    added_columns = [{"name": name, "type": type_} for name, type_ in parent_keys.added]
    own_columns = spelling.raw.get("columns")
    completed = {
        **{word: value for word, value in spelling.raw.items() if word not in unknown_words or word in spelling.paths},
        "parent_keys": parent_keys.names,
        "added_keys": tuple(name for name, _ in parent_keys.added),
        **({"columns": [*own_columns, *added_columns]} if isinstance(own_columns, list | tuple) and own_columns else {}),
    }
    declared = _read_table("", completed, kind, table_problems)
    if declared.table is not None and declared.table.row_problem is not None:
        table_problems.append(declared.table.row_problem)
    placed = replace(declared, path=path, written=spelling.paths)
    problems.extend(placed.placed(problem) for problem in table_problems)
    return replace(placed, table=None) if unknown_words else placed


def _unfit_shape(raw: Mapping[str, Any], shape: Shape) -> Problem:
    """Return the problem of a table that no kind takes."""
    if shape.is_grid and "rows" in raw:
        message = "has no place here: there is one row for each combination"
        return Problem("rows", message, "leave it out, or say by `where` which of them are kept")
    if "when" in raw:
        return Problem("when", MOMENT_OF_UNITS.message, MOMENT_OF_UNITS.hint)
    if shape.is_grid:
        return _unfit_grid(raw, shape)
    nouns = enumeration(written_per(raw) or ()) or "nothing"
    return Problem("per", f"there is no table per {nouns}", "see docs/tables.md")


def _unfit_grid(raw: Mapping[str, Any], shape: Shape) -> Problem:
    """Return why things cannot be combined."""
    written = [name for name in written_per(raw) or () if name != PERIOD]
    roots = dict(zip(written, shape.part_roots, strict=True))
    of_units = [name for name, root in roots.items() if root == (UNIT,)]
    others = [name for name, root in roots.items() if root not in ((), (UNIT,), FOREIGN)]
    if others:
        is_time = others[0] == TIME
        message = "times of day are no" if is_time else f"rows of {others[0]} have moments, so they are no"
        hint = "combine plain tables without moments, one table of rows per unit, and units of other kinds"
        return Problem("per", f"{message} part of a grid", hint)
    if len(of_units) > 1:
        message = f"{enumeration(of_units)} come with units, and a grid has one of these"
        return Problem("per", message, "leave out all but one")
    hint = f"write per: [{', '.join([*written, PERIOD])}]"
    return Problem("per", f"{of_units[0]} comes with units, and a grid of units has rows in every period", hint)


def read_section(section: str, raw: Any, unit: str, foreign: Sequence[str], problems: list[Problem]) -> list[DeclaredTable]:
    """Return the valid tables of a section but `tables`, and add the problems of the others to `problems`.

    References to `foreign` dimensions do not count for the kind of a table.
    """
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list of tables, found {value_text(raw)}"))
        return [DeclaredTable("", section, None, None)]
    if section == "dimensions":
        raw = _with_child_counts(raw, unit, foreign)
    return [_table(f"{section}[{index}]", section, item, unit, foreign, problems) for index, item in enumerate(raw)]


def _with_child_counts(raw: Sequence[Any], unit: str, foreign: Sequence[str]) -> list[Any]:
    """Return dimensions as written, with `count: 1` for those per unit beside the main one (dim_<unit> or the first): their
    rows are one child of each unit."""
    unit_kinds = [kind for kind in declared_forms().values() if kind.is_unit_dimension]
    unit_tables = [
        item
        for item in raw
        if isinstance(item, Mapping) and any(kind.recognise(_without_foreign(item, foreign), unit) for kind in unit_kinds)
    ]
    main_table = next(
        (item for item in unit_tables if item.get("name") == f"dim_{unit}"), unit_tables[0] if unit_tables else None
    )
    child_ids = [id(item) for item in unit_tables if item is not main_table]
    return [{**item, "count": 1} if id(item) in child_ids else item for item in raw]


def _table(path: str, section: str, raw: Any, unit: str, foreign: Sequence[str], problems: list[Problem]) -> DeclaredTable:
    if isinstance(raw, Part):
        raw = raw.model_dump()
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a table, found {value_text(raw)}"))
        return DeclaredTable("", path, None, None)
    problem_count = len(problems)
    raw, kind = _recognised(path, section, raw, unit, foreign, problems)
    if kind is None:
        problems.append(_unknown_kind(path, section, raw))
        raw, kind = _recognised(path, section, _with_likely_values(section, raw), unit, foreign, [])
    if kind is None:
        name = raw["name"] if is_name(raw.get("name")) else ""
        read_columns(f"{path}.columns", raw.get("columns"), problems)
        return DeclaredTable(name, path, None, None, _column_names(raw), is_open=_is_open(raw))
    declared = _read_table(path, raw, kind, problems)
    return (
        declared if len(problems) == problem_count else replace(declared, table=None, rest=declared.rest or declared.table)
    )


def _read_table(path: str, raw: Mapping[str, Any], kind: type[Table], problems: list[Problem]) -> DeclaredTable:
    """Return a table of a kind, whose words it is written in."""
    name = raw["name"] if is_name(raw.get("name")) else ""
    problem_count = len(problems)
    is_optional = not kind.model_fields["columns"].is_required()
    has_no_columns = is_optional and raw.get("columns") in (None, [], ())
    pairs = [] if has_no_columns else read_columns(_joined(path, "columns"), raw.get("columns"), problems)
    columns = [column for column, _ in pairs if column is not None]
    partial_columns = tuple(column for _, column in pairs if column is not None)
    completed = {**raw, "columns": columns if columns or has_no_columns else [_PLACEHOLDER]}
    table: Table | None = validated(kind.model_validate, completed, path, kind, problems)
    is_whole = len(problems) == problem_count
    rest = (table or partial_part(kind, completed, ("name", "columns"))) if columns and not is_whole else None
    whole_table = table if is_whole else None
    return DeclaredTable(name, path, kind, whole_table, _column_names(raw), rest, partial_columns, _is_open(raw))


def _joined(path: str, word: str) -> str:
    return f"{path}.{word}" if path else word


def _column_names(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the columns of a table as written, empty where one cannot be read."""
    return tuple(
        item["name"] if isinstance(item, Mapping) and is_name(item.get("name")) else ""
        for item in list_or_empty(raw.get("columns"))
    )


def _is_open(raw: Mapping[str, Any]) -> bool:
    """Return whether the columns of a table as written are not all known."""
    return "" in _column_names(raw) or not isinstance(raw.get("columns"), list | tuple | None)


def _recognised(
    path: str, section: str, raw: Mapping[str, Any], unit: str, foreign: Sequence[str], problems: list[Problem]
) -> tuple[Mapping[str, Any], type[Table] | None]:
    """Return a table as written and its kind, if there is one. A misspelt key by which another kind would know the table is
    added to `problems`, and spelt rightly."""

    def kind_of(table: Mapping[str, Any]) -> type[Table] | None:
        written = _without_foreign(table, foreign)
        return next((kind for kind in kinds if kind.recognise(written, unit)), None)

    kinds = declared_forms(section).values()
    kind = kind_of(raw)
    own_words = words_of(kind)
    words = list(dict.fromkeys(word for kind in kinds for word in words_of(kind)))
    for key in raw:
        word = None if key in words or nearest(str(key), own_words) else nearest(str(key), words)
        if word is None or word in raw:
            continue
        respelt = {word if name == key else name: value for name, value in raw.items()}
        other_kind = kind_of(respelt)
        if other_kind not in (None, kind):
            problems.append(unknown_key(f"{path}.{key}", str(key), [word]))
            return respelt, other_kind
    return raw, kind


def _without_foreign(raw: Mapping[str, Any], foreign: Sequence[str]) -> Mapping[str, Any]:
    """Return a table as written without its references to other kinds of unit and to listed rows, which do not count for the
    kind of a dimension."""
    foreign_types = [f"ref.{name}" for name in foreign]
    columns = raw.get("columns")
    if not foreign_types or not isinstance(columns, list | tuple):
        return raw
    return {**raw, "columns": [c for c in columns if not (isinstance(c, Mapping) and c.get("type") in foreign_types)]}


def _distinguishing_words(section: str) -> dict[str, list[Any]]:
    """Return the words that tell kinds apart, those with fixed values, each with its values."""
    choices: dict[str, list[Any]] = {}
    for kind in declared_forms(section).values():
        for name, field in kind.model_fields.items():
            if get_origin(field.annotation) is Literal:
                choices.setdefault(name, []).extend(v for v in get_args(field.annotation) if v not in choices.get(name, ()))
    return choices


def _with_likely_values(section: str, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a table as written whose words that tell kinds apart have the value of which theirs is a misspelling."""
    likely_values = {
        word: nearest(raw[word], [value for value in values if isinstance(value, str)])
        for word, values in _distinguishing_words(section).items()
        if isinstance(raw.get(word), str)
    }
    return {**raw, **{word: value for word, value in likely_values.items() if value is not None}}


def _unknown_kind(path: str, section: str, raw: Mapping[str, Any]) -> Problem:
    """Return the problem of a table that no kind recognises, by the words that distinguish kinds."""
    choices = _distinguishing_words(section)
    known_words = {name for kind in declared_forms().values() for name in words_of(kind)}
    pairs = [(name, value) for name, values in choices.items() for value in values]
    examples = " or ".join(f"`{name}: {value if isinstance(value, str) else value_text(value)}`" for name, value in pairs)
    for key, value in raw.items():
        if key in choices:
            return Problem(f"{path}.{key}", f"expected {examples}, found {value_text(value)}")
        if key not in known_words and nearest(str(key), list(choices)):
            return unknown_key(f"{path}.{key}", str(key), list(choices))
    return Problem(path, "cannot tell what kind of table this is", f"give {examples}")


_PLACEHOLDER = derived_column("placeholder", "placeholder")
"""The column in the place of invalid ones, so that the rest of their table is still checked."""

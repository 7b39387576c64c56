"""What could be read of a config: the valid parts of its sections, each with the path where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from plotsim_core.config.calendar import Calendar, Rhythm
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.connections import Connection, ConnectionPhase
from plotsim_core.config.data_rule import DataRule
from plotsim_core.config.dataset import LISTS, Dataset
from plotsim_core.config.effects import Lifecycle, Noise, Season
from plotsim_core.config.holdout import EntityFeatures, Holdout
from plotsim_core.config.metrics import Metric
from plotsim_core.config.model import Part, mentioned
from plotsim_core.config.named_effects import Effect
from plotsim_core.config.output import Manifest, Output
from plotsim_core.config.quality import Issue
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import Segment
from plotsim_core.config.sources import SourceSystem
from plotsim_core.config.star_schema import DATE_DIMENSION, speaks_of_units
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.tables import DeclaredTable
from plotsim_core.config.units import FurtherKind
from plotsim_core.config.window import Window
from plotsim_core.config.written_tables import list_or_empty

_ANY_WINDOW = ("2024-01", "2024-12", "month")
"""The window of a dataset whose own is wrong, so that what does not depend on it is checked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Parts:
    """The valid parts of a config, or of a further kind of unit (`kind`); None where a section is wrong or not written.

    Items of lists come with their paths, which begin at the kind of unit. `tables` are all tables, those that are wrong too.
    `partial_items` are sections, and items of lists, of which something could be read, with the section's name and the path.
    `units` are the kinds of unit that this one may refer to: of the whole config all further ones, in the order in which
    they are read, and it may refer to the first `position` of them. `raw` holds the sections as written, with the tables
    that follow from them, `scope` what is declared, by name. `is_whole` tells parts without any table left out.
    """

    kind: FurtherKind | None = None
    raw: Mapping[str, Any]
    scope: Scope
    metrics: tuple[tuple[str, Metric], ...] = ()
    segments: tuple[tuple[str, Segment], ...] = ()
    connections: tuple[tuple[str, Connection], ...] = ()
    connection_phases: tuple[tuple[str, ConnectionPhase], ...] = ()
    seasonality: tuple[tuple[str, Season], ...] = ()
    effects: tuple[tuple[str, Effect], ...] = ()
    quality: tuple[tuple[str, Issue], ...] = ()
    checks: tuple[tuple[str, DataRule], ...] = ()
    partial_items: tuple[tuple[str, str, Part], ...] = ()
    tables: tuple[DeclaredTable, ...] = ()
    about: str | None = None
    unit: str | None = None
    window: Window | None = None
    lifecycle: Lifecycle | None = None
    calendar: Calendar | None = None
    rhythm: Rhythm | None = None
    sources: tuple[SourceSystem, ...] | None = None
    holdout: Holdout | None = None
    entity_features: EntityFeatures | None = None
    output: Output | None = None
    manifest: Manifest | None = None
    owners: tuple[str, ...] | None = None
    noise: Noise | None = None
    locale: tuple[str, ...] | None = None
    seed: int | None = None
    scale: float | None = None
    units: tuple[Parts, ...] = ()
    position: int = 0
    is_whole: bool = True

    @property
    def path(self) -> str:
        """Where the kind of unit stands; empty for the whole config."""
        return "" if self.kind is None else self.kind.path

    @property
    def has_units(self) -> bool:
        """Whether units are written, rightly or not."""
        return speaks_of_units(self.raw)

    @property
    def has_unit_dimension(self) -> bool:
        """Whether the dimension of the units is among the tables that can be read, where there are units."""
        dimensions = (table for table in self.tables if table.kind is not None and table.kind.is_unit_dimension)
        return not self.has_units or any(table.table is not None for table in dimensions)

    @property
    def inherited_tables(self) -> frozenset[str]:
        """The names of the tables that are the whole dataset's."""
        return frozenset() if self.kind is None else self.kind.inherited_tables

    def declares(self, path: str) -> bool:
        """Return whether what stands at a path is this kind's own."""
        return self.kind is None or self.kind.declares(path)

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset of the parts. One that lacks a part says what it says when that part is left out."""
        values: dict[str, Any] = {
            name: value
            for name in Dataset.model_fields.keys() & {field.name for field in fields(self)}
            if (value := getattr(self, name)) is not None
        }
        values |= {name: tuple(part for _, part in getattr(self, name)) for name in LISTS}
        for section in SECTIONS:
            declared = (table for table in self.tables if table.path.startswith(section))
            values[section] = tuple(table.table for table in declared if table.table is not None)
        values["units"] = tuple(kind.dataset for kind in self.units)
        missing: dict[str, Any] = {"about": "", "unit": self.scope.unit}
        if self.has_units or self.raw.get("window") is not None:
            missing["window"] = Window.model_validate(_ANY_WINDOW)
        return Dataset.model_construct(**{**missing, **values})

    @property
    def kinds(self) -> tuple[Parts, ...]:
        """All kinds of unit, each after those that it may refer to."""
        return (*self.units[: self.position], self, *self.units[self.position :])

    @property
    def with_partial_items(self) -> Iterator[tuple[str, Parts]]:
        """Each partial item's path, with the parts in which it stands as if it were sound."""
        for section, path, item in self.partial_items:
            items = sorted([*getattr(self, section), (path, item)], key=_index) if section in LISTS else ()
            sections: dict[str, Any] = {section: tuple(items) or item}
            yield path, replace(self, **sections)

    @property
    def declared_tables(self) -> Iterator[DeclaredTable]:
        """The tables of all kinds of unit, this one's first."""
        for kind in (self, *self.units):
            yield from kind.tables

    @cached_property
    def wrong_words(self) -> frozenset[str]:
        """The words of what could not be read: whatever names one of them may be right."""
        paths = {path for path, _ in self.segments}
        raw_segments = enumerate(list_or_empty(self.raw.get("segments")))
        wrong_segments = [raw for index, raw in raw_segments if f"segments[{index}]" not in paths]
        names = [_declared_names(raw) for raw in wrong_segments if isinstance(raw, Mapping)]
        open_tables = [declaration.name for declaration in self.declared_tables if declaration.is_open]
        stage = ["stage"] if self.lifecycle is None and self.raw.get("lifecycle") is not None else []
        return frozenset(mentioned([*names, *open_tables, *stage]))

    @cached_property
    def known_words(self) -> frozenset[str] | None:
        """All names of a config where the name of a table or a segment could not be read, so that any other word may be that
        name; None where all names are known."""
        raw_segments = list_or_empty(self.raw.get("segments"))
        are_segments_named = all(isinstance(raw, Mapping) and raw.get("name") for raw in raw_segments)
        if are_segments_named and "" not in {*self.scope.tables, *self.scope.foreign}:
            return None
        names = {name for table in self.declared_tables for name in (table.name, *table.columns)}
        names |= {*self.scope.metrics, *self.scope.foreign, *(word for word, _ in SOURCES.items())}
        return frozenset(names | {word for segment in self.scope.segments for word in (segment.name, *segment.attributes)})

    def names_unknown(self, part: Part) -> bool:
        """Return whether a part has words that may be names that could not be read."""
        return self.known_words is not None and not mentioned(part) <= self.known_words

    def sound(self, paths: Sequence[str], by_column: bool = False) -> Parts:
        """Return the parts without those in which something is wrong, at `paths`, and without the tables that name one of
        them: nothing can be said of these yet. With `by_column`, a table of which columns are wrong is there without
        these."""
        wrong_names: set[str] = set()
        wrong_paths = [*paths]
        kinds = [*self.kinds]
        if by_column:
            kinds = [_without_columns(kind, wrong_paths, wrong_names) for kind in kinds]
        kinds = [_without(kind, wrong_paths, wrong_names) for kind in kinds]
        count = -1
        while count != len(wrong_names):
            count = len(wrong_names)
            kinds = [_without_naming(kind, wrong_names) for kind in kinds]
        is_whole = all(len(kind.tables) == len(other.tables) for kind, other in zip(kinds, self.kinds, strict=True))
        root = kinds.pop(self.position)
        locale = None if any(path.startswith("locale") for path in paths) else root.locale
        return replace(root, units=tuple(kinds), is_whole=is_whole, locale=locale)


def _index(item: tuple[str, Part]) -> int:
    """Return the number of an item in its list, by its path."""
    return int(item[0].rpartition("[")[2].removesuffix("]"))


def _declared_names(segment: Mapping[Any, Any]) -> list[str]:
    """Return what a segment as written declares that columns name: itself, its attributes, a treatment."""
    attributes = segment.get("attributes")
    names = [segment.get("name"), *(attributes if isinstance(attributes, Mapping) else ())]
    return [*map(str, names), *(["treatment"] if "treatment" in segment else [])]


def _without_columns(kind: Parts, wrong_paths: list[str], wrong_names: set[str]) -> Parts:
    """Return a kind of unit whose tables are without their wrong columns, as far as nothing else is wrong about them and
    they keep their key, and add the names of these columns to `wrong_names`. `wrong_paths` loses what lies in them."""
    prefix = f"{kind.path}." if kind.path else ""
    tables = []
    for declaration in kind.tables:
        table, path = declaration.table or declaration.rest, f"{prefix}{declaration.path}"
        own_paths = [other for other in wrong_paths if lies_in(other, path)]
        places = {name: f"{path}.columns[{index}]" for index, name in enumerate(declaration.columns)}
        names = {name for name, place in places.items() if any(lies_in(other, place) for other in own_paths)}
        in_columns = [other for other in own_paths if any(lies_in(other, places[name]) for name in names)]
        columns = () if table is None else tuple(column for column in table.columns if column.name not in names)
        has_key = any(column.source.is_key for column in columns)
        is_named = "" not in places
        if table is not None and has_key and is_named and names and len(in_columns) == len(own_paths):
            wrong_paths[:] = [other for other in wrong_paths if other not in in_columns]
            wrong_names |= names
            tables.append(replace(declaration, table=table.model_copy(update={"columns": columns})))
        else:
            tables.append(declaration)
    return replace(kind, tables=tuple(tables))


def lies_in(path: str, begin: str) -> bool:
    """Return whether a path is another one, or leads into what stands there."""
    return path == begin or path.startswith((f"{begin}.", f"{begin}["))


def _without(kind: Parts, wrong_paths: list[str], wrong_names: set[str]) -> Parts:
    """Return a kind of unit without the tables and issues in which something is wrong, and add their names, and those of
    metrics that cannot be read, to `wrong_names`; an empty name stands for one that is not known."""
    prefix = f"{kind.path}." if kind.path else ""

    def is_wrong(path: str) -> bool:
        return any(lies_in(other, f"{prefix}{path}") for other in wrong_paths)

    wrong_names.update(table.name for table in kind.tables if table.table is None or is_wrong(table.path))
    wrong_names.update(kind.wrong_words)
    wrong_names.update({""} & kind.scope.foreign.keys())
    wrong_names.update({DATE_DIMENSION, f"dim_{kind.scope.unit}"} - kind.scope.tables.keys())
    has_unknown_metrics = not kind.scope.metrics and (kind.has_units or kind.raw.get("metrics") is not None)
    names = {"": None} if has_unknown_metrics else kind.scope.metrics
    wrong_names.update(name for name, metric in names.items() if metric is None)
    wrong_names.update(metric.name for path, metric in kind.metrics if is_wrong(path))
    return replace(kind, quality=tuple(entry for entry in kind.quality if not is_wrong(entry[0])))


def _without_naming(kind: Parts, wrong_names: set[str]) -> Parts:
    """Return a kind of unit without the tables and issues that have or name wrong names, and without those of units where
    their dimension is wrong; add the names of the tables to `wrong_names`."""
    tables = [
        table
        for table in kind.tables
        if table.table is not None
        and not wrong_names & {"", table.name}
        and not wrong_names & mentioned(table.table)
        and not kind.names_unknown(table.table)
        and (kind.has_unit_dimension or "unit" not in table.table.knows)
    ]
    sound_names = {table.name for table in tables}
    wrong_names.update(table.name for table in kind.tables if table.name not in sound_names)
    quality = tuple(entry for entry in kind.quality if entry[1].table not in wrong_names)
    return replace(kind, tables=tuple(tables), quality=quality)

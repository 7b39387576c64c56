"""A whole document of plotsim's engine layer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from plotsim_core.config.window import Window
from plotsim_core.families import did_you_mean
from plotsim_core.importers.importer import IMPORTERS, Imported, Importer
from plotsim_core.importers.plotsim.archetypes import Archetype, read_archetype
from plotsim_core.importers.plotsim.metrics import read_metric
from plotsim_core.importers.plotsim.noise import noise_words
from plotsim_core.importers.plotsim.schema import Schema, read_entity, read_table
from plotsim_core.importers.plotsim.sections import (
    read_connections,
    read_features,
    read_holdout,
    read_issues,
    read_lifecycle,
    read_output,
    read_phases,
    read_seasons,
    read_sources,
)
from plotsim_core.importers.plotsim.segments import Group, read_segment
from plotsim_core.importers.plotsim.tables import read_bridge, read_tables
from plotsim_core.importers.reading import Part, Record

Words = dict[str, Any]
_GRAINS = {"daily": "day", "weekly": "week", "monthly": "month"}


class EngineLayer(Importer):
    """plotsim's engine layer, which its builder and its `output/config.yaml` are written in."""

    title = "plotsim's engine layer"
    signs = ("time_window", "entities")
    keys = frozenset(
        (
            *("domain", "time_window", "seed", "metrics", "archetypes", "entities", "tables", "correlations", "stages"),
            *("correlation_phases", "noise", "output", "bridges", "quality", "holdout", "entity_features", "manifest"),
            *("locale", "seasonal_effects", "multi_source", "compensate_correlations", "generation_mode"),
        )
    )

    @classmethod
    def convert(cls, raw: Mapping[str, Any]) -> Imported:
        record = Record()
        config = _config(Part(raw, "", record))
        changed_paths = {note.path for note in record.notes if note.fate != "carried over"}
        notes = [note for note in record.notes if note.fate != "carried over" or note.path not in changed_paths]
        return Imported(config, (*notes, *record.unread(raw)), tuple(record.problems), record.origins)


IMPORTERS.add("plotsim", EngineLayer)


def _config(root: Part) -> Words:
    """Return the sections of a config in the order of the reference."""
    domain, (window, period_count) = _domain(root), _window(root)
    metrics = [read_metric(part) for part in root.parts("metrics", is_required=True)]
    for index, metric in enumerate(metrics):
        metric.part.became(f"metrics[{index}]", f"the metric {metric.name}, of the type {metric.words['type']}")
    schema = Schema(
        record=root.record,
        grain=window[2],
        period_count=period_count,
        metrics={metric.name: metric for metric in metrics},
        entities=tuple(read_entity(part) for part in root.parts("entities", is_required=True)),
        archetype_names=tuple(part.text("name") for part in root.parts("archetypes")),
        tables={table.name: table for table in map(read_table, root.parts("tables", is_required=True))},
    )
    archetypes = _archetypes(root, schema)
    tables, groups = read_tables(schema)
    _spread_lexicons(tables, groups)
    grains = {table.grain for table in schema.tables.values()}
    for grain, what in (("per_period", "of dates"), ("per_entity", "of the unit")):
        if grain not in grains:
            root.approximated("tables", f"none is {grain}: a dimension {what} is added, to which others can refer")
    if root.flag("compensate_correlations"):
        reason = "a connection holds beside what the trajectory does to both metrics; with `pooled` behind it, over all rows"
        root.approximated("compensate_correlations", reason)
    if root.text("generation_mode", "auto") != "auto":
        root.dropped("generation_mode", "there is one way of generating")
    bridges = [read_bridge(part, schema, f"bridges[{index}]") for index, part in enumerate(root.parts("bridges"))]
    sections = {
        "connections": read_connections(root.parts("correlations"), "connections"),
        "connection_phases": read_phases(root),
        "lifecycle": read_lifecycle(root, schema),
        **tables,
        "bridges": [bridge for bridge in bridges if bridge is not None],
        "seasonality": read_seasons(root),
        "sources": read_sources(root),
        "quality": read_issues(root),
        "holdout": read_holdout(root),
        "entity_features": read_features(root),
        "output": read_output(root),
        "manifest": _manifest(root),
        "noise": _noise(root),
        "locale": _locale(root),
        "seed": root.integer("seed"),
    }
    config = {**domain, "window": window, "metrics": [metric.words for metric in metrics]}
    config["segments"] = _segments(schema, archetypes, groups)
    return config | {name: words for name, words in sections.items() if words}


def _domain(root: Part) -> Words:
    part = root.mapping("domain")
    if part is None:
        root.problem("domain", "is missing", "plotsim needs a name and an entity_type in it")
        return {"about": "", "unit": ""}
    name, description = part.text("name", is_required=True), part.text("description")
    unit = part.text("entity_type", is_required=True)
    noun = re.sub(r"\W+", "_", unit.strip().lower(), flags=re.ASCII).strip("_")
    if noun != unit:
        part.approximated("entity_type", f"the unit is called {noun}, which can be a part of names")
    if part.has("entity_label"):
        part.dropped("entity_label", f"several units are called by the plural of {noun}")
    part.record.origins |= {"about": part.at("name"), "unit": part.at("entity_type")}
    part.carried("what the data is about, and what a unit is called")
    return {"about": f"{name}: {description}" if description not in ("", name) else name, "unit": noun}


def _window(root: Part) -> tuple[list[str], int]:
    """Return the window and how many periods it has, 0 where that is not known."""
    part = root.mapping("time_window")
    if part is None:
        root.problem("time_window", "is missing", "plotsim needs a start and an end in it")
        return ["", "", "month"], 0
    start, end = (part.text(name, is_required=True) for name in ("start", "end"))
    granularity = part.text("granularity", "monthly")
    if granularity not in _GRAINS:
        part.problem("granularity", f"plotsim has no granularity '{granularity}'", did_you_mean(granularity, list(_GRAINS)))
    grain = _GRAINS.get(granularity, "month")
    part.became("window", "the window")
    try:
        length = Window(start=start, end=end, every=grain).length
    except (ValidationError, ValueError):  # told of the window when the config is loaded
        length = 0
    return [start, end, grain], length


def _archetypes(root: Part, schema: Schema) -> dict[str, Archetype]:
    archetypes: dict[str, Archetype] = {}
    used_names = {entity.archetype for entity in schema.entities}
    for part in root.parts("archetypes", is_required=True):
        name = part.text("name", is_required=True)
        if name in used_names:
            archetypes[name] = read_archetype(part, list(schema.metrics.values()), schema.period_count)
            part.carried(f"the curve of segments, {name}")
        else:
            part.dropped("", f"no entity is of the archetype {name}")
            part.record.whole.add(part.path)
    return archetypes


def _segments(schema: Schema, archetypes: Mapping[str, Archetype], groups: Sequence[Group]) -> list[Words]:
    is_below = any(table.type == "dim" and table.grain == "variable" for table in schema.tables.values())
    reads_size = is_below or "size" in schema.pools
    known_groups = [group for group in groups if group.archetype in archetypes]
    return [
        read_segment(group, archetypes[group.archetype], schema, f"segments[{index}]", reads_size)
        for index, group in enumerate(known_groups)
    ]


def _spread_lexicons(tables: Mapping[str, Sequence[Words]], groups: Sequence[Group]) -> None:
    """Give narratives a lexicon for each segment, where plotsim has one for each archetype."""
    columns = [column for items in tables.values() for item in items for column in item["columns"]]
    for column in columns:
        lexicons = column.get("lexicons")
        if isinstance(lexicons, Mapping):
            names = {group.name: next((n for n in (group.name, group.archetype) if n in lexicons), "") for group in groups}
            column["lexicons"] = {name: lexicons[other] for name, other in names.items() if other}


def _manifest(root: Part) -> Words:
    part = root.mapping("manifest")
    if part is None:
        return {}
    if part.number("trajectory_sample_rate", 1.0) != 1:
        part.dropped("trajectory_sample_rate", "the manifest tells of all units")
    return {} if part.flag("include", True) else {"include": False}


def _noise(root: Part) -> Any:
    part = root.mapping("noise")
    if part is None:
        return None
    words = noise_words(part)
    if words:
        part.became("noise", "the noise")
    return words


def _locale(root: Part) -> Any:
    locales = root.texts("locale")
    return None if locales in ([], ["en_US"]) else locales[0] if len(locales) == 1 else locales

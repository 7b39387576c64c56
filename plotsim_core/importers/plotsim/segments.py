"""Entities of plotsim's engine layer: those that are alike become the units of a segment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from plotsim_core.families import did_you_mean
from plotsim_core.importers.plotsim.archetypes import Archetype
from plotsim_core.importers.plotsim.families import short
from plotsim_core.importers.plotsim.schema import Entity, Schema

Words = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Group:
    """The entities of a segment, and its name."""

    name: str
    entities: tuple[Entity, ...]

    @property
    def size(self) -> int:
        """How many rows each of its units has in the dimensions that are below it."""
        return self.entities[0].size

    @property
    def archetype(self) -> str:
        """The archetype of its units."""
        return self.entities[0].archetype


def groups_of(schema: Schema) -> list[Group]:
    """Return the segments: entities with the same archetype, stem of their name, size, values and sensitivity."""
    alike: dict[tuple[Any, ...], list[Entity]] = {}
    for entity in schema.entities:
        if entity.archetype and entity.archetype not in schema.archetype_names:
            message = f"there is no archetype '{entity.archetype}'"
            entity.part.problem("archetype", message, did_you_mean(entity.archetype, list(schema.archetype_names)))
        values = [repr(pool.get(entity.name)) for pool in schema.pools.values()]
        sensitivity = entity.part.number("seasonal_sensitivity", 1.0)
        stem = entity.stem[0] if entity.stem[1] >= 0 else ""
        alike.setdefault((entity.archetype, stem, entity.size, sensitivity, *values), []).append(entity)
    stems = Counter(entity.stem[0] for entity in schema.entities)
    groups: dict[str, Group] = {}
    for entities in alike.values():
        name = _unused_name(_group_name(entities, stems), groups)
        groups[name] = Group(name, tuple(entities))
    return [*groups.values()]


def _group_name(entities: Sequence[Entity], stems: Mapping[str, int]) -> str:
    """Return what entities have in common: the stem of their names if all with it are among them, the name of one alone, or
    their archetype."""
    stem, number = entities[0].stem
    if number >= 0 and len(entities) == stems[stem]:
        return stem
    return entities[0].name if len(entities) == 1 else entities[0].archetype


def _unused_name(text: str, taken_names: Container[str]) -> str:
    """Return a text as a name that no other segment has."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII)[:60] or "entities"
    candidates = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(candidate for candidate in candidates if candidate not in taken_names)


def read_segment(group: Group, archetype: Archetype, schema: Schema, target: str, reads_size: bool) -> Words:
    """Return a segment, whose path in the config is `target`. With `reads_size`, a dimension or a column reads sizes."""
    first = group.entities[0]
    words: Words = {"name": group.name, "count": len(group.entities), "archetype": archetype.curves}
    if archetype.label:
        words["label"] = archetype.label
    attributes = {name: _shown(values[first.name]) for name, values in schema.pools.items() if first.name in values}
    if attributes:
        words["attributes"] = attributes
    if archetype.baseline:
        words["baseline"] = dict(archetype.baseline)
    sensitivity = first.part.number("seasonal_sensitivity", 1.0)
    if sensitivity != 1:
        words["seasonal_sensitivity"] = short(sensitivity)
    starts = [entity.part.integer("start_period") for entity in group.entities]
    if any(starts):
        words["arrival"] = {"kind": "explicit", "start_periods": starts}
    treatment = _treatment(group.entities)
    if treatment:
        words["treatment"] = treatment
    schema.record.origins[target] = first.part.path
    schema.record.origins[f"{target}.archetype"] = f"{archetype.part.path}.curve_segments"
    schema.record.origins[f"{target}.baseline"] = f"{archetype.part.path}.metric_overrides"
    for number, entity in enumerate(group.entities):
        _tell(entity, group, number, schema)
        _drop_own_words(entity, reads_size)
    return words


def _tell(entity: Entity, group: Group, number: int, schema: Schema) -> None:
    """Note which segment an entity is a unit of, and whether its name is shown."""
    if entity.name in (group.name, f"{group.name}_{number:04d}") or "name" in schema.pools:
        entity.part.carried(f"a unit of the segment {group.name}")
    else:
        entity.part.approximated("name", f"a unit of the segment {group.name}, and no column shows its name")


def _shown(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _treatment(entities: Sequence[Entity]) -> Words:
    """Return the experiment on some of the entities."""
    arms = [entity.part.text("treatment_group") for entity in entities]
    lifts = [entity.part.number("treatment_lift_log_odds") for entity in entities]
    starts = [entity.part.integer("treatment_start_period") for entity in entities]
    targets = [entity.part.text("treatment_target_metric") for entity in entities]
    treated = [index for index, lift in enumerate(lifts) if lift]
    if not treated:
        for entity in entities:
            for key in ("treatment_group", "treatment_start_period", "treatment_target_metric"):
                if entity.part.has(key) and entity.part.value[key]:
                    entity.part.dropped(key, "nobody in the segment is lifted")
        return {}
    first = treated[0]
    for index in treated:
        if (lifts[index], starts[index], targets[index]) != (lifts[first], starts[first], targets[first]):
            entities[index].part.approximated(
                "treatment_lift_log_odds", "all that are treated in a segment are treated alike"
            )
    words: Words = {"fraction": short(round(len(treated) / len(entities), 6)), "lift_log_odds": short(lifts[first])}
    if starts[first]:
        words["start_period"] = starts[first]
    if arms[first] and arms[first] != "treatment":
        words["treatment_label"] = arms[first]
    control = next((arm for index, arm in enumerate(arms) if index not in treated and arm), "control")
    if control != "control":
        words["control_label"] = control
    if targets[first]:
        words["target_metric"] = targets[first]
    if len(treated) < len(entities):
        reason = f"{len(treated)} of {len(entities)} units of the segment are treated, by lot rather than by name"
        entities[first].part.approximated("treatment_group", reason)
    return words


def _drop_own_words(entity: Entity, reads_size: bool) -> None:
    """Note what single entities say that units here have not."""
    overrides = entity.part.mapping("overrides")
    if overrides is not None and overrides.has("inflection_month"):
        reason = "a unit has no curve of its own; `variation` of its segment, with a `timing`, spreads the curves of units"
        overrides.dropped("inflection_month", reason)
    if entity.part.anything("cross_dim_fks"):
        entity.part.dropped("cross_dim_fks", "which row a unit refers to is drawn, not given")
    if entity.size != 1 and not reads_size:
        entity.part.dropped("size", "no column and no dimension reads it")

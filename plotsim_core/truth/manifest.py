"""The manifest: what is true of a dataset and cannot be read off its tables, for whoever checks what was found in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.columns.identity import key_text, prefix
from plotsim_core.config.connections import Connection
from plotsim_core.config.segments import Segment
from plotsim_core.engine.roster import codes, select
from plotsim_core.plan.plan import Plan
from plotsim_core.version import VERSION

MANIFEST = "manifest.json"


def manifest(plan: Plan, rows: Mapping[str, int]) -> dict[str, Any]:
    """Return what is true of a dataset of which so many `rows` were made, by table: what it was made from, its segments, and
    the units of each kind with the arrays of their keys, segments, arrivals and arms (null: no experiment)."""
    stop = None if plan.stop is None else plan.grain.label(plan.stop - 1)
    return {
        "about": plan.dataset.about,
        "digest": plan.digest,
        "version": VERSION,
        "seed": plan.seed,
        "scale": plan.dataset.scale,
        "window": {"first": plan.grain.label(plan.first), "last": stop, "every": plan.grain.name, "span": plan.span},
        "kinds": [_kind(kind) for kind in plan.kinds],
        "tables": {
            table.name: {
                "rows": rows[table.name],
                "key": list(table.key),
                "references": {column: f"{parent}.{key}" for column, parent, key in table.references},
            }
            for table in plan.tables
            if table.name in rows
        },
    }


def manifest_text(plan: Plan, rows: Mapping[str, int]) -> str:
    """Return the manifest as JSON with sorted keys: the same data gives the same bytes."""
    return json.dumps(manifest(plan, rows), sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"


def _kind(plan: Plan) -> dict[str, Any]:
    dataset = plan.dataset
    return {
        "unit": plan.unit,
        "segments": [_segment(segment.spec, segment.count) for segment in plan.segments],
        "units": _units(plan),
        "causal_graph": [
            {"driver": metric.follows, "follower": metric.name, "delay": metric.delay, "strength": metric.strength}
            for metric in dataset.metrics
            if metric.follows is not None
        ],
        "connections": _connections(dataset.connections),
        "connection_phases": [
            {
                "first": plan.grain.label(plan.first + phase.start_period),
                "last": plan.grain.label(plan.first + phase.end_period),
                "connections": _connections(phase.connections),
            }
            for phase in dataset.connection_phases
        ],
    }


def _segment(segment: Segment, count: int) -> dict[str, Any]:
    arm = segment.treatment
    return {
        "name": segment.name,
        "label": segment.label,
        "count": count,
        "archetype": _archetype(segment),
        "treatment": None if arm is None else arm.model_dump(),
    }


def _archetype(segment: Segment) -> Any:
    """Return a segment's archetype as it is written: a sentence, or a list of curves."""
    found = segment.archetype
    if found.curves:
        return [{"curve": piece.curve, "until": piece.until, **piece.parameters} for piece in found.curves]
    breaks = "".join(f" @ {period}" for period in found.breaks)
    return " > ".join(found.words) + breaks


def _connections(connections: Iterable[Connection]) -> list[dict[str, Any]]:
    return [connection.model_dump() for connection in connections]


def _units(plan: Plan) -> dict[str, list[Any]]:
    """Return who there is, as parallel lists."""
    units = select(plan, 0, plan.units)
    table = next(table for table in plan.own if table.kind == "unit").spec
    arms = [segment.spec.treatment for segment in plan.segments]
    labels = np.array(
        [label for arm in arms for label in ((arm.control_label, arm.treatment_label) if arm else (None, None))],
        dtype=object,
    )
    names = np.array([segment.spec.name for segment in plan.segments], dtype=object)
    periods, places = np.unique(units.arrival, return_inverse=True)
    arrivals = np.array([plan.grain.label(int(period)) for period in periods], dtype=object)
    return {
        "key": key_text(prefix(table), pa.array(codes(plan, units))).to_pylist(),
        "segment": names[units.segment].tolist(),
        "arrival": arrivals[places].tolist(),
        "treatment": labels[2 * units.segment + units.treated].tolist(),
    }

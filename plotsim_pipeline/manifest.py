"""The answer key as an asset: `manifest` says what is true of all that is stored, for whoever checks what they found."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from plotsim_core import Plan
from plotsim_core.truth.manifest import manifest_head, with_units
from plotsim_pipeline.assets import LAYER, POOL, REPORT
from plotsim_pipeline.beside import stored_periods, write_beside
from plotsim_pipeline.stores.store import Store

MANIFEST = "manifest"


def manifest_assets(plan: Plan) -> list[dg.AssetsDefinition]:
    """Return the manifest of a dataset, unless its config leaves it out."""
    return [_manifest(plan)] if plan.dataset.manifest.include else []


def _manifest(plan: Plan) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey([plan.name, MANIFEST]),
        group_name=plan.name,
        description="The answer key, as of the latest stored period: segments, positions, changes, events, causes.",
        deps=[dg.AssetKey([plan.name, table.name]) for table in plan.tables],
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=plan.digest,
        tags={LAYER: REPORT},
        kinds={"json"},
        pool=POOL,
        required_resource_keys={"store"},
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # as in assets.py
        store: Store = context.resources.store
        span = stored_periods(plan, store)
        if span is None:
            return dg.MaterializeResult(metadata={"stored": "no partition of any table yet"})
        rows = {name: sum(count for count, _ in kept.values()) for name, kept in store.held(plan.name).items()}
        head = manifest_head(plan, rows, span[1])
        place = write_beside(store, f"{plan.name}.{MANIFEST}.json", with_units(plan, head, span[1]))
        told = {what: _listed(head["kinds"], what) for what in ("segments", "connections", "causal_graph")}
        return dg.MaterializeResult(
            metadata={
                "manifest": dg.MetadataValue.path(place),
                "as_of": head["window"]["last"],
                **{what: dg.MetadataValue.table(records) for what, records in told.items() if records},
            }
        )

    return _materialise


def _listed(kinds: Iterable[Mapping[str, Any]], what: str) -> list[dg.TableRecord]:
    """Return a list of all kinds of unit as the records of a table; what is no number is told as text."""
    return [
        dg.TableRecord({name: value if isinstance(value, int | float) else _text(value) for name, value in entry.items()})
        for kind in kinds
        for entry in kind[what]
    ]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)

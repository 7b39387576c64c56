"""The answer key as an asset: `manifest` says what is true of all that is stored, for whoever checks what they found."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from plotsim_core import Plan
from plotsim_core.truth.manifest import manifest_files, manifest_head
from plotsim_pipeline.assets.report_files import write_report_file
from plotsim_pipeline.assets.tables import SHARED_RESOURCES, Needs, Run, asset_of_all

MANIFEST = "manifest"


def manifest_assets(plan: Plan, needs: Needs = SHARED_RESOURCES) -> list[dg.AssetsDefinition]:
    """Return the manifest of a dataset, unless its config leaves it out."""
    return [_manifest(plan, needs)] if plan.dataset.manifest.include else []


def _manifest(plan: Plan, needs: Needs) -> dg.AssetsDefinition:
    def tell(run: Run, first: int, stop: int) -> dict[str, Any]:
        plan, store = run.plan, run.store
        rows = {
            name: sum(count for count, _ in partitions.values())
            for name, partitions in store.intact_partitions(plan.name).items()
        }
        head = manifest_head(plan, rows, stop)
        files = manifest_files(plan, head, stop, f"{plan.name}.{MANIFEST}")
        path, *tables = [write_report_file(store, name, pieces) for name, pieces in files.items()]
        section_tables = {
            section: _section_records(head["kinds"], section) for section in ("segments", "connections", "causal_graph")
        }
        return {
            "manifest": dg.MetadataValue.path(path),
            **({"units": dg.MetadataValue.json(tables)} if tables else {}),
            **({"as_of": head["window"]["last"]} if plan.has_window else {}),
            **{section: dg.MetadataValue.table(records) for section, records in section_tables.items() if records},
        }

    description = "The answer key, as of the latest stored period: segments, positions, changes, events, causes."
    return asset_of_all(plan, MANIFEST, description, [table.name for table in plan.tables], "json", needs, tell)


def _section_records(kinds: Iterable[Mapping[str, Any]], section: str) -> list[dg.TableRecord]:
    """Return a section of the manifest, of all kinds of unit, as table records; values other than numbers are text."""
    return [
        dg.TableRecord({name: value if isinstance(value, int | float) else _text(value) for name, value in entry.items()})
        for kind in kinds
        for entry in kind[section]
    ]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)

"""The manifest in Dagster is that of what is stored, and tells the catalogue its gist."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from plotsim_core import from_mapping, manifest
from plotsim_core.config.read import read
from plotsim_pipeline.assets.manifest import manifest_assets
from plotsim_pipeline.assets.tables import resources_of
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import CONFIGS, keys_of, materialise, plan_of, store_at


def metadata_of(store: Store) -> dict[str, dg.MetadataValue]:
    plan = plan_of("saas")
    result = dg.materialize(manifest_assets(plan), resources={"store": store, **resources_of(plan)})
    (event,) = result.asset_materializations_for_node("saas__manifest")
    return dict(event.metadata)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(STORES))
def test_it_is_the_manifest_as_of_what_is_stored(kind: str, tmp_path: Path) -> None:
    """Of half of the window first, then of the whole: the same as the core says, with the rows that are stored."""
    plan, store = plan_of("saas"), store_at(kind, tmp_path)
    assert "manifest" not in metadata_of(store)
    keys = keys_of(plan)
    for count in (6, len(keys)):
        materialise(plan, store, keys[:count], only=["fct_revenue", "dim_company", "evt_churn"])
        table_rows = metadata_of(store)
        written = json.loads(Path(str(table_rows["manifest"].value)).read_text(encoding="utf-8"))
        rows = {
            name: sum(n for n, _ in partitions.values()) for name, partitions in store.intact_partitions(plan.name).items()
        }
        assert set(rows) == {"fct_revenue", "dim_company", "evt_churn"}
        assert written == manifest(plan, rows, plan.first + count)
        assert table_rows["as_of"].value == written["window"]["last"] == plan.grain.label(plan.first + count - 1)
        segments, connections = (table_rows[what] for what in ("segments", "connections"))
        assert isinstance(segments, dg.TableMetadataValue) and isinstance(connections, dg.TableMetadataValue)
        assert [record.data["name"] for record in segments.records] == [s.spec.name for s in plan.population.segments]
        assert len(connections.records) == len(plan.dataset.connections)


def test_a_config_can_leave_it_out() -> None:
    raw = read(CONFIGS / "minimal.yaml")
    assert len(manifest_assets(from_mapping(raw, name="some"))) == 1
    assert manifest_assets(from_mapping({**raw, "manifest": False}, name="some")) == []

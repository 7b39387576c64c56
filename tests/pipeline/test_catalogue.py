"""What the catalogue says of assets and columns: each in its own words, in its group, with its kinds, owners and lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner
from dagster._core.definitions.metadata import normalize_metadata
from dagster._serdes import serialize_value

from plotsim_core import ConfigError, Plan, UsageError, from_mapping, list_templates, load_config, manifest
from plotsim_core.cli import main
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.stages import stage_names
from plotsim_pipeline.assets.tables import Needs
from plotsim_pipeline.datasets import dataset_definitions
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.marks import slow_but
from tests.pipeline.live import BROWSER, seen, served
from tests.pipeline.support import CONFIGS, DUCKDB_FIRST, keys_of, materialise, plan_of, store_at

BUNDLED = list_templates()
OWN_FILES = {"overview": {"html"}, "manifest": {"json"}}


def entries(plan: Plan, kind: str = "duckdb") -> dict[str, dg.AssetSpec]:
    """Return the spec of each asset of a dataset by name."""
    result = dataset_definitions(plan, Needs(store_kind=kind))
    resources = dg.Definitions(resources={"store": STORES[kind](path="unused")})
    return {spec.key.path[-1]: spec for spec in dg.Definitions.merge(result, resources).resolve_all_asset_specs()}


@lru_cache
def bundled(name: str) -> tuple[Plan, dict[str, dg.AssetSpec]]:
    """Return the plan of a bundled dataset and its specs."""
    plan = plan_of(name)
    return plan, entries(plan)


def letters(text: str) -> str:
    """Return the small letters of a text."""
    return re.sub("[^a-z]", "", text.lower())


def described(spec: dg.AssetSpec) -> dict[str, str]:
    """Return the description of each column of an asset."""
    schema = spec.metadata.get("dagster/column_schema")
    return {column.name: column.description or "" for column in schema.columns} if schema is not None else {}


def wrong(texts: dict[str, str], whole: str) -> Iterator[str]:
    """Yield what is wrong with descriptions by name: none, nothing but the name, the same twice."""
    for name, text in texts.items():
        if not letters(text):
            yield f"{whole}.{name} has no description"
        elif letters(text) in letters(name):
            yield f"{whole}.{name} is described by its name: {text}"
        elif not text[:1].isupper() and not text[:1].isdigit():
            yield f"{whole}.{name} begins small: {text}"
    for text, count in Counter(texts.values()).items():
        if count > 1:
            yield f"{whole} says {count} times: {text}"


@pytest.mark.parametrize("name", slow_but(BUNDLED, "saas"))
def test_every_asset_and_column_has_a_description_of_its_own(name: str) -> None:
    """None is empty, none is the name again, and no two of a table, or of the assets of a dataset, are the same."""
    _, specs = bundled(name)
    faults = list(wrong({asset: spec.description or "" for asset, spec in specs.items()}, name))
    faults += [fault for asset, spec in specs.items() for fault in wrong(described(spec), asset)]
    assert faults == []


def test_descriptions_are_as_many_as_what_they_describe() -> None:
    """Over all datasets more than half of the texts are there once: what repeats are keys of the same dimension."""
    texts = [text for name in BUNDLED for spec in bundled(name)[1].values() for text in described(spec).values()]
    assert len(texts) > 1000
    assert len(set(texts)) > len(texts) / 2


MINIMAL = yaml.safe_load((CONFIGS / "minimal.yaml").read_text(encoding="utf-8"))


def with_columns(*columns: dict[str, object]) -> TablePlan:
    """Return the plan of a dimension with some columns."""
    key = {"name": "customer_id", "type": "id"}
    return from_mapping(
        {**MINIMAL, "dimensions": [{"name": "dim_customer", "per": "unit", "columns": [key, *columns]}]}, name="shops"
    ).table("dim_customer")


def test_columns_of_one_source_are_told_apart_and_written_text_stays() -> None:
    head = {"name": "head", "type": "faker.name"}
    table = with_columns(head, {**head, "name": "deputy"}, {**head, "name": "clerk", "description": "Who serves."})
    assert [column.description for column in table.columns[1:]] == [
        "Head: full name of an invented person.",
        "Deputy: full name of an invented person.",
        "Who serves.",
    ]


def test_a_metric_says_its_means_and_what_it_follows() -> None:
    revenue = {
        "name": "mrr",
        "label": "monthly revenue in US dollars",
        "type": "amount",
        "polarity": "positive",
        "range": [0, 50000],
        "mean": [50, 20000],
        "follows": "engagement",
        "delay": 2,
    }
    raw = {**MINIMAL, "metrics": [MINIMAL["metrics"][0], revenue]}
    table = from_mapping(raw, name="shops").table("fct_mrr")
    assert table.columns[-1].description == (
        "Monthly revenue in US dollars, on average from 50 to 20,000 along the trajectory. "
        "It follows engagement by 2 months."
    )


def test_a_state_says_that_it_is_one() -> None:
    plan, specs = bundled("saas")
    for table in plan.tables:
        mask = "State as of the end of the latest partition made." in (specs[table.name].description or "")
        assert mask == (table.time is None), table.name


def test_stages_have_a_group_of_their_own() -> None:
    for name in BUNDLED:
        plan, specs = bundled(name)
        stages = set(stage_names(plan))
        assert {spec.group_name for asset, spec in specs.items() if asset in stages} == {f"{name}_stages"}
        assert {spec.group_name for asset, spec in specs.items() if asset not in stages} == {name}


def test_jobs_leave_the_stages_alone() -> None:
    plan, specs = bundled("saas")
    store = dg.Definitions(resources={"store": STORES["duckdb"](path="unused")})
    result = dg.Definitions.merge(dataset_definitions(plan), store)
    job = result.resolve_job_def("saas")
    selected = {key.path[-1] for key in job.asset_layer.selected_asset_keys}
    assert selected == specs.keys() - set(stage_names(plan))


@pytest.mark.parametrize("kind", STORES)
def test_kinds_say_what_an_asset_is_and_where_it_lies(kind: str) -> None:
    for asset, spec in entries(plan_of("minimal"), kind).items():
        assert spec.kinds == OWN_FILES.get(asset, {"table", kind})


def test_owners_of_the_config_are_in_the_catalogue_the_manifest_and_info(tmp_path: Path) -> None:
    owned = tmp_path / "shops.yaml"
    owned.write_text((CONFIGS / "minimal.yaml").read_text(encoding="utf-8") + "owners: [data@example.org, 'team:shops']\n")
    plan = load_config(owned)
    assert {tuple(spec.owners) for spec in entries(plan).values()} == {("data@example.org", "team:shops")}
    assert manifest(plan)["owners"] == ["data@example.org", "team:shops"]
    assert "owned by data@example.org, team:shops" in CliRunner().invoke(main, ["info", str(owned)]).output
    assert plan.digest == plan_of("minimal").digest  # who owns data does not change it


@pytest.mark.parametrize("owner", ["shops", "team:", "data@example", ""])
def test_what_is_no_owner_is_refused(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"owners\[0\]: expected an e-mail address or a team, as team:name"):
        from_mapping({**MINIMAL, "owners": [owner]}, name="shops")
    if owner:
        monkeypatch.setenv("PLOTSIM_OWNERS", f"data@example.org, {owner}")
        with pytest.raises(UsageError, match="PLOTSIM_OWNERS: expected an e-mail address or a team"):
            entries(plan_of("minimal"))


def test_owners_of_the_environment_are_for_configs_that_name_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLOTSIM_OWNERS", "data@example.org, team:shops")
    assert {tuple(spec.owners) for spec in entries(plan_of("minimal")).values()} == {("data@example.org", "team:shops")}
    plan = from_mapping({**MINIMAL, "owners": ["team:own"]}, name="shops")
    assert {tuple(spec.owners) for spec in entries(plan).values()} == {("team:own",)}


def referenced(spec: dg.AssetSpec) -> str:
    """Return the line of the file that an asset refers to."""
    (reference,) = spec.metadata["dagster/code_references"].code_references
    assert isinstance(reference, dg.LocalFileCodeReference)
    assert reference.line_number is not None and f"line {reference.line_number}" in (reference.label or "")
    return Path(reference.file_path).read_text(encoding="utf-8").splitlines()[reference.line_number - 1].strip()


@pytest.mark.parametrize("name", BUNDLED)
def test_code_references_point_at_the_line_that_declares_a_table(name: str) -> None:
    plan, specs = bundled(name)
    declared = {table["name"] for table in written_tables(plan.raw)}
    for asset in (table.name for table in plan.tables if table.name in declared):
        assert re.search(rf"name: {asset}\b", referenced(specs[asset])), asset
    assert all(referenced(specs[stage]).startswith("metrics:") for stage in stage_names(plan))


def written_tables(raw: dict[str, object]) -> Iterator[dict[str, str]]:
    """Yield the tables that a config declares, of all kinds of unit."""
    for kind in (raw, *raw.get("units", [])):  # type: ignore[misc]
        for section in ("dimensions", "facts", "events", "bridges"):
            yield from kind.get(section, [])


def test_generated_tables_point_at_the_key_that_they_follow_from() -> None:
    _, specs = bundled("minimal")
    lines = {name: referenced(spec).partition(":")[0] for name, spec in specs.items()}
    assert lines["dim_date"] == "window" and lines["dim_customer"] == "unit" and lines["fct_payments"] == "metrics"
    _, specs = bundled("banking")
    assert referenced(specs["dim_customer_crm"]).startswith(("- { name: dim_customer", "- name: dim_customer"))
    assert referenced(specs["source_entity_map"]).startswith("sources:")


def test_a_plan_of_no_file_has_no_code_references() -> None:
    specs = entries(from_mapping(MINIMAL, name="shops"))
    assert not any("dagster/code_references" in spec.metadata for spec in specs.values())


def test_a_line_is_right_after_the_file_was_edited(tmp_path: Path) -> None:
    config = tmp_path / "shops.yaml"
    text = (CONFIGS / "minimal.yaml").read_text(encoding="utf-8")
    config.write_text(text)
    assert referenced(entries(load_config(config))["fct_payments"]).startswith("metrics:")
    config.write_text(f"# one line more\n{text}")
    assert referenced(entries(load_config(config))["fct_payments"]).startswith("metrics:")


def events(instance: dg.DagsterInstance, plan: Plan, name: str) -> dict[str, dict[str, object]]:
    """Return the metadata of the latest materialisation of each partition, in the order in which they came."""
    key = dg.AssetKey([plan.name, name])
    records = instance.fetch_materializations(key, limit=1000).records
    return {str(r.partition_key): dict(r.asset_materialization.metadata) for r in reversed(records)}  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("kind", DUCKDB_FIRST)
def test_a_write_that_keeps_a_later_state_says_that_nothing_was_written(kind: str, tmp_path: Path) -> None:
    """The older partition's materialisation tells the rows that are stored, and as of when."""
    plan, store = plan_of("saas", scale=0.2), store_at(kind, tmp_path)
    keys = keys_of(plan)
    with dg.instance_for_test() as instance:
        materialise(plan, store, keys[5:6], ["dim_company"], instance)
        materialise(plan, store, keys[1:2], ["dim_company"], instance)
        later, older = events(instance, plan, "dim_company").values()
    assert later["written"].value is True and later["as_of"].value == "2023-07-01 00:00:00"  # type: ignore[attr-defined]
    assert "state" not in later
    assert older["written"].value is False and older["as_of"].value == "2023-07-01 00:00:00"  # type: ignore[attr-defined]
    assert older["state"].value == "a later state stays, and nothing was written: as of 2023-07-01 00:00:00"  # type: ignore[attr-defined]
    assert older["dagster/row_count"] == later["dagster/row_count"] == stored(plan, store, "dim_company")


def stored(plan: Plan, store: Store, table: str) -> dg.IntMetadataValue:
    ((rows, _),) = store.intact_partitions(plan.name)[table].values()
    return dg.IntMetadataValue(rows)


@pytest.mark.slow
def test_column_lineage_comes_with_the_last_materialisation_of_a_range(tmp_path: Path) -> None:
    """Not with every one: a range of ten years of days would hold it 3,650 times."""
    plan, store = plan_of("saas", scale=0.2), store_at("duckdb", tmp_path)
    keys = keys_of(plan)
    names = ["fct_revenue", "dim_company", "trajectories"]
    with dg.instance_for_test() as instance:
        materialise(plan, store, keys[:4], names, instance)
        for name in names:
            latest = events(instance, plan, name)
            assert list(latest) == keys[:4]
            assert [key for key, metadata in latest.items() if "dagster/column_lineage" in metadata] == keys[3:4]
        lineage = latest[keys[3]]["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineageMetadataValue)
    assert lineage.value == bundled("saas")[1]["trajectories"].metadata["dagster/column_lineage"]


def test_column_lineage_in_every_partition_would_be_as_large_as_the_page_says() -> None:
    plan, specs = bundled("streaming")
    lineages = [specs[table.name].metadata["dagster/column_lineage"] for table in plan.tables]
    size = sum(len(serialize_value(dg.MetadataValue.column_lineage(lineage))) for lineage in lineages)
    page = (CONFIGS.parent / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert f"it would be {size * 3650 / 1e6:.0f} MB for the tables of `streaming` and ten years of days" in " ".join(
        page.split()
    )


@pytest.mark.slow
def test_no_internal_key_shows(tmp_path: Path) -> None:
    """Neither an asset nor a materialisation shows what only a store reads, and no number is the same every time."""
    plan, store = plan_of("minimal"), store_at("duckdb", tmp_path)
    with dg.instance_for_test() as instance:
        materialise(plan, store, keys_of(plan)[:3], None, instance)
        shown = [metadata for name in ("fct_payments", "dim_customer") for metadata in events(instance, plan, name).values()]
    texts: Sequence[str] = [str(entry) for metadata in shown for entry in metadata.items()]
    for spec in bundled("minimal")[1].values():
        public = {name: value for name, value in spec.metadata.items() if name != "dagster/code_references"}
        texts = [*texts, *(str(entry) for entry in normalize_metadata(public).items())]
    assert [text for text in texts if "plotsim/" in text or "target_rows" in text or "layout" in text] == []


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="no browser is installed (apt-get install chromium)")
def test_the_open_source_ui_shows_the_catalogue(tmp_path: Path) -> None:
    """Kinds, columns, their origins and the line of the config are on an asset's page. Column lineage as Dagster knows it is
    on no page of the open-source UI: not the asset's, not that of its events, not that of its lineage."""
    environment = {"PLOTSIM_DATASETS": "saas", "PLOTSIM_STORE_PATH": str(tmp_path / "store.duckdb")}
    home = tmp_path / "home"
    with served(home, environment) as address:
        command = [str(Path(sys.executable).parent / "dagster"), "asset", "materialize"]
        command += ["-m", "plotsim_pipeline.definitions", "--select", 'key:"saas/fct_revenue"', "--partition", "2023-01-01"]
        variables = {**os.environ, **environment, "DAGSTER_HOME": str(home)}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        asset, profile = f"{address}/assets/saas/fct_revenue", tmp_path / "profile"
        overview = seen(asset, "catalogue", profile)
        events = seen(f"{asset}?view=events", "catalogue_events", profile)
        drawn = seen(f"{asset}?view=lineage&column=mrr&lineageScope=upstream", "catalogue_lineage", profile)
    for text in ("DuckDB", "Table", "Key of the company in dim_company.", "Open saas.yaml, line"):
        assert text in overview
    assert "plotsim/" not in overview
    assert "column_origins" in overview and "partition_row_count" in events and "noised_metrics" in drawn
    assert not any("dagster/column_lineage" in page for page in (overview, events, drawn)) and "mrr" not in drawn

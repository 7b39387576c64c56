"""The numbers that partitions tell: means of metrics, which Dagster plots, and none that is the same everywhere."""

from __future__ import annotations

import io
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from rich.console import Console

from docs.datasets import PAGES, UNTIL
from docs.figures import FIGURES, Figure
from plotsim_core import Plan, batches, list_templates
from plotsim_pipeline.checks.tables import ancestors
from plotsim_pipeline.commands.run import Request, run
from plotsim_pipeline.datasets import definitions_of
from plotsim_pipeline.partitions import periods_in
from plotsim_pipeline.stores.run_log import Writing, means, measured_batches
from tests.pipeline.live import ROOT, asked, served
from tests.pipeline.support import END, START, keys_of, plan_of

pytestmark = pytest.mark.slow

SERIES = """
query ($asset: AssetKeyInput!) {
  assetOrError(assetKey: $asset) { ... on Asset { assetMaterializations(limit: 2000) {
    partition metadataEntries { label ... on FloatMetadataEntry { floatValue } ... on IntMetadataEntry { intValue } }
  } } }
}
"""
Numbers = dict[str, dict[str, float]]


def numbers(events: Iterator[dg.AssetMaterialization]) -> Numbers:
    """Return the numbers of materialisations by name and partition."""
    series: Numbers = defaultdict(dict)
    for event in events:
        for name, value in event.metadata.items():
            if isinstance(value, dg.FloatMetadataValue | dg.IntMetadataValue) and value.value is not None:
                series[name][str(event.partition)] = float(value.value)
    return series


@pytest.fixture(scope="module")
def saas(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, dict[str, list[dg.AssetMaterialization]]]:
    """The materialisations of each asset of saas, stages and all, made in one run."""
    plan, keys = plan_of("saas"), keys_of(plan_of("saas"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLOTSIM_STORE_PATH", str(tmp_path_factory.mktemp("saas") / "store.duckdb"))
        assets = [key for key in definitions_of([plan]).resolve_all_asset_keys() if key.path[0] == plan.name]
        job = definitions_of([plan]).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(asset_selection=assets, tags={START: keys[0], END: keys[-1]})
    outcome: dict[str, list[dg.AssetMaterialization]] = defaultdict(list)
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        outcome[materialization.asset_key.path[-1]].append(materialization)
    return plan, outcome


def test_each_partition_tells_the_mean_of_each_metric(saas: tuple[Plan, dict[str, list[dg.AssetMaterialization]]]) -> None:
    """The mean of what is in the partition, to six digits, under the column's name; nulls do not count."""
    plan, result = saas
    for table, column in (("fct_revenue", "mrr"), ("fct_support_tickets", "nps"), ("noised_metrics", "churn_risk")):
        series = numbers(iter(result[table]))[column]
        assert list(series) == keys_of(plan)
        for key in list(series)[::7]:
            schema, rows = batches(plan, table, *periods_in(plan, key))
            values = pa.Table.from_batches(rows, schema)[column].drop_null().to_pylist()
            assert series[key] == pytest.approx(sum(values) / len(values), rel=1e-5)


def test_no_number_is_the_same_everywhere(saas: tuple[Plan, dict[str, list[dg.AssetMaterialization]]]) -> None:
    """A plot of it would be a flat line; and no name is of the inside."""
    _, result = saas
    assert {"fct_revenue", "validation_report", "trajectories", "dim_company", "dim_date", "overview"} <= set(result)
    flat = [
        f"{asset}: {name}"
        for asset, events in result.items()
        for name, series in numbers(iter(events)).items()
        if len(series) > 1 and len(set(series.values())) == 1
    ]
    assert flat == []
    assert [name for events in result.values() for event in events for name in event.metadata if "plotsim/" in name] == []


def test_means_do_not_depend_on_batches() -> None:
    """Partitions that several batches bring, nulls, numbers that are none, and a partition with nothing but nulls."""
    values = pa.table({"day": [1, 1, 1, 2, 2, 3], "x": [1.0, None, 4.0, float("nan"), 3.0, None], "n": [1, 2, 6, 4, 5, 7]})
    for size in (1, 2, 6):
        writing = Writing("some", "table", ("1", "2", "3"), False, "run", values.schema, measures=("x", "n"))

        def pieces(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
            days = batch.column("day").to_pylist()
            for day in dict.fromkeys(days):
                yield str(day), batch.slice(days.index(day), days.count(day))

        measured_batches(writing, values.to_reader(max_chunksize=size), pieces).read_all()
        assert [means(writing, key) for key in ("1", "2", "3", "4")] == [
            {"x": 2.5, "n": 3.0},
            {"x": 3.0, "n": 4.5},
            {"n": 7.0},
            {},
        ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_says_which_series_shows_its_promise(page: Path) -> None:
    assert FIGURES[page.stem].sentence in re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    assert set(FIGURES) == set(list_templates()) - {"minimal"}


def test_a_series_that_does_not_turn_has_no_figure() -> None:
    """Neither one that turns the other way, nor one whose ranges differ by no more than they vary."""
    figure = Figure("table", "column", ("a", "d"), ("e", "h"), rises=True)
    for values, turns in (
        ([1, 2, 1, 2, 8, 9, 8, 9], True),
        ([8, 9, 8, 9, 1, 2, 1, 2], False),
        ([1, 9, 2, 8, 3, 9, 4, 8], False),
    ):
        assert figure.turns(dict(zip("abcdefgh", values, strict=True))) is turns


@pytest.mark.long
def test_the_turn_of_each_dataset_is_in_what_the_ui_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of each figure is made, the series is read where the UI reads it, and it turns as the page says."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(ROOT / "plotsim_pipeline" / "instance.yaml", home / "dagster.yaml")
    environment = {"PLOTSIM_STORE_PATH": str(tmp_path / "all.duckdb"), "PLOTSIM_DATASETS": ",".join(FIGURES)}
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name, figure in FIGURES.items():
        partitions = f"2025-01-01...{UNTIL}" if name == "streaming" else None
        tables = ",".join(sorted({figure.table, *ancestors(plan_of(name))[figure.table]}))
        run(Request(name, partitions=partitions, tables=tables), Console(file=io.StringIO()))
    with served(home, environment) as address:
        for name, figure in FIGURES.items():
            answer = asked(address, SERIES, asset={"path": [name, figure.table]})["assetOrError"]["assetMaterializations"]
            series = {
                event["partition"]: entry["floatValue"]
                for event in answer
                for entry in event["metadataEntries"]
                if entry["label"] == figure.column
            }
            assert figure.turns(series), f"{name}: {figure.sentence}"

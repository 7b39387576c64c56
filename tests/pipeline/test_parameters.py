"""What a run makes otherwise than the config says: asked in the launchpad or on the command line, recorded, and refused
where it would not go together with what is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
import yaml

from plotsim_core import Plan, load_config, sizes
from plotsim_pipeline.datasets import definitions_of
from plotsim_pipeline.parameters import FIELDS, plan_with
from plotsim_pipeline.runs import PARAMETERS_TAG
from tests.pipeline.live import asked, served
from tests.pipeline.support import CONFIGS, END, START, content, keys_of, materialise, store_at
from tests.pipeline.test_status import KEYS, config, invoke, plan_of

pytestmark = pytest.mark.slow

__all__ = ["config"]
TABLES = ["dim_date", "dim_caller", "fct_calls"]


def launched(
    plan: Plan, parameters: dict[str, Any], keys: tuple[str, ...] = KEYS, only: tuple[str, ...] = ("fct_calls",)
) -> Any:
    """Run the job of a dataset as the launchpad does, with parameters in its config."""
    job = definitions_of([plan]).resolve_job_def(plan.name)
    return job.execute_in_process(
        run_config={"resources": {f"{plan.name}_parameters": {"config": parameters}}},
        asset_selection=[dg.AssetKey([plan.name, name]) for name in only],
        tags={START: keys[0], END: keys[-1]},
        raise_on_error=True,
    )


def test_the_launchpad_changes_seed_scale_and_noise(config: Path, tmp_path: Path) -> None:
    """The rows are those of a config that says so; metadata and run log tell of it."""
    parameters = {"seed": 7, "scale": 2.0, "noise": "messy"}
    result = launched(plan_of(config), parameters)
    same = load_config(config, seed=7, scale=2.0, noise="messy")
    store, expected = store_at("duckdb", tmp_path), store_at("duckdb", tmp_path / "expected")
    materialise(same, expected, keys_of(same), only=["fct_calls"])
    assert content(same, store) == content(same, expected)
    (event, *_) = result.asset_materializations_for_node("calls__fct_calls")
    assert event.metadata["parameters"].value == parameters
    assert event.tags["dagster/code_version"] == same.digest, "so that Dagster knows that it is not made as the config says"
    (row,) = store.run_log().to_pylist()
    assert (json.loads(row["parameters"]), row["seed"], row["scale"]) == (parameters, 7, 2.0)


@pytest.mark.long
def test_compression_is_that_of_the_files(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes no value, so it goes together with what is stored."""
    plan, store = plan_of(config), store_at("parquet", tmp_path)
    materialise(plan, store, KEYS[:1], only=["fct_calls"])
    monkeypatch.setenv("PLOTSIM_STORE", "parquet")
    monkeypatch.setenv("PLOTSIM_STORE_PATH", store.path)
    invoke("run", "calls", "--tables", "fct_calls", "--compression", "gzip")
    values = {
        file.stem: pq.read_metadata(file).row_group(0).column(0).compression
        for file in (tmp_path / "files" / "calls" / "fct_calls").glob("*.parquet")
    }
    assert values == {key: "ZSTD" if key == KEYS[0] else "GZIP" for key in KEYS}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sed": 7}, 'Received unexpected config entry "sed"'),
        ({"seed": "seven"}, 'not valid for expected type "Int"'),
        ({"store": "parquet"}, 'Received unexpected config entry "store"'),
        ({"path": "elsewhere"}, 'Received unexpected config entry "path"'),
        ({"noise": "loud"}, "not in enum type Noise got loud"),
    ],
)
def test_wrong_parameters_are_refused_before_the_run(parameters: dict[str, Any], message: str, config: Path) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match=message):
        launched(plan_of(config), parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"seed": -1}, "seed: expected"),
        ({"scale": 0.0}, "scale: expected"),
        ({"scale": 2.0, "target_rows": 100}, "either the scale or the target rows"),
    ],
)
def test_parameters_that_cannot_be_are_told(parameters: dict[str, Any], message: str, config: Path, tmp_path: Path) -> None:
    with pytest.raises(dg.DagsterConfigMappingFunctionError) as refusal:
        launched(plan_of(config), parameters)
    assert message in str(refusal.value.__cause__)
    assert not (tmp_path / "store.duckdb").exists()


def test_parameters_that_contradict_the_store_are_refused(config: Path, tmp_path: Path) -> None:
    """Partitions of another seed beside those that would stay: refused before there is a run, and nothing changes. The
    command line makes all of them together, and a config that was edited is no parameter."""
    plan, store = plan_of(config), store_at("duckdb", tmp_path)
    materialise(plan, store, KEYS, only=TABLES)
    before = content(plan, store)
    with pytest.raises(dg.DagsterConfigMappingFunctionError) as refusal:
        launched(plan, {"seed": 7}, KEYS[:2])
    assert "they would not go together" in str(refusal.value.__cause__)
    refused = invoke("run", "calls", "--seed", "7", "--tables", "fct_calls", code=1).output
    assert f"holds partitions of digest {plan.digest}" in refused and "dim_date 2024-01-01" in refused
    assert content(plan, store) == before
    invoke("run", "calls", "--seed", "7", "--tables", ",".join(TABLES))
    other = plan_with(plan, {"seed": 7})
    assert {digest for partitions in store.intact_partitions("calls").values() for _, digest in partitions.values()} == {
        other.digest
    }
    materialise(plan, store, KEYS[:1], only=["fct_calls"])  # as after an edit of the file: the rest is stale
    assert {digest for _, digest in store.intact_partitions("calls")["fct_calls"].values()} == {plan.digest, other.digest}


def test_a_run_that_is_repeated_does_not_mix(config: Path, tmp_path: Path) -> None:
    """A run by the command line, repeated from the UI with its tags: of all its partitions it goes; beside tables that were
    made as the config says by now it is refused, and they stay."""
    plan, store = plan_of(config), store_at("duckdb", tmp_path)

    def repeated(only: Sequence[str]) -> bool:
        job = definitions_of([plan]).resolve_job_def(plan.name)
        tags = {START: KEYS[0], END: KEYS[-1], PARAMETERS_TAG: json.dumps({"seed": 7})}
        selection = [dg.AssetKey([plan.name, name]) for name in only]
        return job.execute_in_process(tags=tags, asset_selection=selection, raise_on_error=False).success

    materialise(plan, store, KEYS, only=TABLES)
    before = content(plan, store)
    assert not repeated(["fct_calls"])
    assert content(plan, store) == before
    assert repeated(TABLES)
    digests = {digest for partitions in store.intact_partitions("calls").values() for _, digest in partitions.values()}
    assert digests == {plan_with(plan, {"seed": 7}).digest}


@pytest.mark.long
def test_the_command_line_says_how_near_the_target_is(config: Path, tmp_path: Path) -> None:
    """`--target-rows` solves the scale; what is made is what it says, and whole by these parameters."""
    arguments = ["--target-rows", "5000", "--tables", ",".join(TABLES)]
    shown = invoke("run", "calls", *arguments).output
    plan = load_config(config, target_rows=5000)
    expected = sum(size.rows for size in sizes(plan))
    assert abs(expected - 5000) <= 0.02 * 5000
    assert f"scale {plan.dataset.scale:g} gives about {expected:,} rows" in shown
    assert (
        sum(
            rows
            for partitions in store_at("duckdb", tmp_path).intact_partitions("calls").values()
            for rows, _ in partitions.values()
        )
        == expected
    )
    assert "nothing to do" in invoke("run", "calls", *arguments).output
    tables = json.loads(invoke("status", "calls", *arguments, "--json").output)["tables"]
    assert not any(table["missing"] or table["stale"] for table in tables.values())


def test_plans_are_kept(config: Path) -> None:
    """The same parameters give the same plan, and none the plan itself."""
    plan = plan_of(config)
    assert plan_with(plan, {"seed": 7}) is plan_with(plan, {"seed": 7})
    assert plan_with(plan, {}) is plan


def test_every_parameter_is_described(config: Path) -> None:
    """The launchpad shows what each is, docs/operations.md too, and the config it shows is one."""
    assert all(field.description for field in FIELDS.values())
    page = (CONFIGS.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.split("| parameter | what it does |")[1].split("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(FIELDS)
    (shown,) = re.findall(r"```text\n(resources:.*?)```", page, re.DOTALL)
    parameters = yaml.safe_load(shown)["resources"]["saas_parameters"]["config"]
    assert parameters
    job = definitions_of([load_config(CONFIGS / "saas.yaml")]).resolve_job_def("saas")
    assert dg.validate_run_config(job, yaml.safe_load(shown))


LAUNCH = """
mutation ($config: RunConfigData!) {
  launchRun(executionParams: {
    selector: {repositoryName: "__repository__", repositoryLocationName: "plotsim_pipeline", pipelineName: "calls"}
    runConfigData: $config
    executionMetadata: {tags: [
      {key: "dagster/asset_partition_range_start", value: "2024-01-01"}
      {key: "dagster/asset_partition_range_end", value: "2024-02-01"}
    ]}
  }) { __typename ... on PythonError { message cause { message } } ... on RunConfigValidationInvalid { errors { message } } }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { status } } } }"


@pytest.mark.long
def test_the_launchpad_refuses_before_there_is_a_run(config: Path, tmp_path: Path) -> None:
    """A seed that contradicts the store: the launch says what is stored, there is no run, and nothing has turned red."""
    invoke("run", "calls")
    with served(tmp_path / "home", {}) as address:
        before = asked(address, RUNS)["runsOrError"]["results"]
        wanted = {"resources": {"calls_parameters": {"config": {"seed": 7}}}}
        answer = asked(address, LAUNCH, config=wanted)["launchRun"]
        assert answer["__typename"] != "LaunchRunSuccess"
        assert "they would not go together" in json.dumps(answer), answer
        assert asked(address, RUNS)["runsOrError"]["results"] == before
        assert [run["status"] for run in before] == ["SUCCESS"]

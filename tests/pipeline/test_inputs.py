"""docs/inputs.md is true: its assets run as they stand there, and read what the generator gives."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pandas as pd
import pytest

import plotsim_pipeline
from plotsim_core import generate_tables
from plotsim_pipeline.datasets import BUNDLED
from plotsim_pipeline.stores import store_of
from plotsim_pipeline.stores.types import TYPES
from tests.pipeline.support import END, START, keys_of, materialise, plan_of

pytestmark = pytest.mark.slow

ROOT = BUNDLED.parent
PAGE = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
BEFORE, NOTEBOOK = PAGE.split("## From a notebook")
PLAN = plan_of("saas")
READ = ["fct_revenue", "dim_company", "evt_login"]


@lru_cache(maxsize=1)
def tables() -> dict[str, pd.DataFrame]:
    """Return the tables that the generator makes."""
    return generate_tables(PLAN)


def python(text: str) -> str:
    return "\n\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the page's file and a store with what it reads."""
    folder = tmp_path_factory.mktemp("reading")
    (folder / "mine.py").write_text(python(BEFORE))
    materialise(PLAN, store_of("duckdb", str(folder / "data" / "plotsim.duckdb")), keys_of(PLAN), only=READ)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PLOTSIM_DATASETS", "saas")
        patch.delitem(sys.modules, "plotsim_pipeline.definitions", raising=False)
        patch.delattr(plotsim_pipeline, "definitions", raising=False)  # where another test has imported it
        yield folder
    sys.modules.pop("plotsim_pipeline.definitions", None)


@pytest.fixture(scope="module")
def mine(project: Path) -> ModuleType:
    module = ModuleType("mine")
    exec(compile((project / "mine.py").read_text(), "docs/inputs.md", "exec"), module.__dict__)
    return module


def materialised(mine: ModuleType, name: str, first: str | None = None, last: str | None = None) -> dict[str, Any]:
    """Materialise an asset of the page, for a month or a range of them; return the metadata of its materialisation."""
    asset = getattr(mine, name)
    job = mine.defs.resolve_implicit_global_asset_job_def()
    tags = {START: first, END: last} if first and last else {}
    partition = {"partition_key": first} if first and not last else {}
    result = job.execute_in_process(asset_selection=[asset.key], tags=tags, **partition)
    materialisation = result.asset_materializations_for_node(asset.node_def.name)[-1]
    return {key: value.value for key, value in materialisation.metadata.items()}


def months(first: int, last: int) -> pd.DataFrame:
    revenue = tables()["fct_revenue"]
    return revenue[revenue["date_key"].between(first, last)]


def test_a_partition_and_a_range_are_read(mine: ModuleType) -> None:
    for first, last in ((20240301, 20240301), (20240101, 20240301)):
        keys = [f"{str(day)[:4]}-{str(day)[4:6]}-01" for day in (first, last)]
        metadata = materialised(mine, "revenue_of_month", keys[0], keys[1] if last > first else None)
        assert metadata["rows"] == len(months(first, last)) > 0
        assert metadata["mrr"] == pytest.approx(months(first, last)["mrr"].sum())
    metadata = materialised(mine, "revenue_of_three_months", "2024-03-01")
    expected = months(20240101, 20240301).groupby("date_key")["mrr"].sum()
    assert metadata["months"] == 3 and metadata["mrr"] == pytest.approx(expected.tolist())


def test_the_whole_table_is_read(mine: ModuleType) -> None:
    assert materialised(mine, "logins_in_all")["rows"] == len(tables()["evt_login"])
    industry = tables()["dim_company"].drop_duplicates("company_id").set_index("company_id")["industry"]
    revenue = tables()["fct_revenue"]
    expected = revenue.groupby(revenue["company_id"].map(industry))["mrr"].sum()
    assert materialised(mine, "revenue_by_industry") == pytest.approx(expected.to_dict())


def test_tables_of_ones_own_are_stored(mine: ModuleType) -> None:
    """Partitions by their time, and a table that replaces itself."""
    materialised(mine, "top_companies", "2024-01-01", "2024-03-01")
    top = mine.defs.load_asset_value(["finance", "top_companies"], python_type=pd.DataFrame)
    expected = months(20240101, 20240301).groupby("date_key")["mrr"].nlargest(3)
    assert sorted(top["mrr"]) == sorted(expected) and set(top["date_key"]) == {20240101, 20240201, 20240301}
    for _ in range(2):
        materialised(mine, "companies_by_year")
    by_year = mine.defs.load_asset_value(["finance", "companies_by_year"], python_type=pd.DataFrame)
    assert by_year["companies"].sum() == tables()["dim_company"]["company_id"].nunique()


def test_the_file_is_asked_by_sql_and_by_the_io_manager_of_dagster(mine: ModuleType) -> None:
    by_month = tables()["fct_revenue"].groupby("date_key")["mrr"].sum()
    assert materialised(mine, "best_month") == pytest.approx({"month": by_month.idxmax(), "mrr": by_month.max()})
    assert materialised(mine, "revenue_by_their_query", "2024-03-01")["rows"] == len(months(20240301, 20240301))


def test_the_metadata_are_those_of_the_page(mine: ModuleType) -> None:
    by_key = mine.defs.resolve_assets_def(dg.AssetKey(["saas", "fct_revenue"])).metadata_by_key
    metadata = next(iter(by_key.values()))
    rows = dict(re.findall(r"^\| `([\w/]+)` \| (.*?) \|", PAGE, re.MULTILINE))
    assert f"`{metadata['partition_expr']}`" in rows["partition_expr"] and metadata["schema"] == "saas"
    assert metadata["row_key"].placement.time == "date_key" and set(rows) == {"partition_expr", "schema"}


def test_the_partitions_that_a_project_writes_down_are_those_of_the_dataset(mine: ModuleType) -> None:
    (written,) = re.findall(r"`(dg\.MonthlyPartitionsDefinition\(.*?\))`", PAGE)
    assert eval(written, {"dg": dg}).get_partition_keys() == mine.MONTHS.get_partition_keys()


def test_the_page_has_every_type() -> None:
    table = PAGE.split("| annotation |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+\.\w+)`", re.sub(r"(?m)\|[^|]*\|$", "|", table))) == set(TYPES)


def test_the_notebook_reads(project: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(python(NOTEBOOK), "docs/inputs.md", "exec"), names)
    assert len(names["march"]) == len(months(20240301, 20240301))
    assert len(names["everything"]) == len(tables()["fct_revenue"])
    assert names["tiers"]["companies"].sum() == tables()["dim_company"]["is_current"].sum()


@pytest.mark.long
def test_the_commands_run(project: Path) -> None:
    (commands,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for command in commands.strip().splitlines():
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        environment |= {"PYTHONPATH": str(ROOT), "HOME": str(project)}
        result = subprocess.run(command.split(), cwd=project, env=environment, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0 and "RUN_SUCCESS" in result.stderr + result.stdout, result.stderr[-3000:]

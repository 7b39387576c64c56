"""docs/dbt.md is true: its files and commands, with real dbt, in an environment of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import duckdb
import pytest
import yaml

from plotsim_core import from_mapping, generate_tables
from plotsim_pipeline.datasets import BUNDLED
from plotsim_pipeline.stores import store_of
from tests.pipeline.support import keys_of, materialise, plan_of

ROOT = BUNDLED.parent
PAGE = (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8")
REQUIREMENTS = Path(__file__).parent / "dbt.txt"
FILES = dict(re.findall(r"^`([\w/.]+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
INSTALL, COMMANDS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
OTHER_NAME, OF_FILES = (
    textwrap.dedent(text) for text in re.findall(r"^  ```yml\n(.*?)^  ```", PAGE, re.DOTALL | re.MULTILINE)
)
MODEL = "revenue_by_industry"
GRAPH = f"""
import json
from definitions import defs
graph = defs.resolve_asset_graph()
model = next(key for key in graph.get_all_asset_keys() if key.path[-1] == "{MODEL}")
parents = sorted(key.to_user_string() for key in graph.get(model).parent_keys)
print(json.dumps([parents, [key.name for key in graph.asset_check_keys if key.asset_key == model]]))
"""


def ran(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of an environment that has dbt, and for everything else the packages of the one that runs the tests."""
    place = tmp_path_factory.mktemp("dbt") / "venv"
    ran([sys.executable, "-m", "venv", "--without-pip", str(place)], ROOT, dict(os.environ))
    python = place / "bin" / "python"
    (site,) = place.glob("lib/*/site-packages")
    (site / "main.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "--quiet"]
    ran([*pip, "-r", str(REQUIREMENTS)], ROOT, dict(os.environ))
    dagster = place / "bin" / "dagster"  # a package that is there already is not installed anew, nor its commands
    dagster.write_text(f'#!/bin/sh\nexec "{python}" -m dagster "$@"\n')
    dagster.chmod(0o755)
    named = {"PYTHONPATH": str(ROOT), "PLOTSIM_DATASETS": "saas", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    return {**os.environ, **named}


def test_what_is_installed_is_what_the_page_says() -> None:
    pinned = dict(line.split("==") for line in REQUIREMENTS.read_text().splitlines() if "==" in line)
    assert set(re.findall(r"\w+-\w+", INSTALL)) == {"plotsim-pipeline", *pinned}
    assert "dbt-core<1.12" in INSTALL and pinned["dbt-core"].startswith("1.11.")


@pytest.fixture
def project(environment: dict[str, str], tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A directory with the files of the page, and the variables to run its commands with."""
    assert len(FILES) == 5
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text((ROOT / "plotsim_pipeline" / "instance.yaml").read_text())
    return tmp_path, {**environment, "DAGSTER_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}


def sums(file: Path) -> dict[tuple[int, str], float]:
    """Return what the model has, by month and industry."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(f"SELECT strftime(month, '%Y%m%d')::INT, industry, mrr FROM analytics.{MODEL}").fetchall()
    return {(month, industry): mrr for month, industry, mrr in rows}


def expected() -> dict[tuple[int, str], float]:
    """Return the same of the rows as they are generated."""
    tables = generate_tables(plan_of("saas"), tables=["fct_revenue", "dim_company"])
    industry = tables["dim_company"].drop_duplicates("company_id").set_index("company_id")["industry"]
    revenue = tables["fct_revenue"]
    return dict(revenue.groupby([revenue["date_key"], revenue["company_id"].map(industry)])["mrr"].sum())


def lineage(folder: Path, variables: dict[str, str]) -> list[list[str]]:
    """Return the assets above the model, and its checks, in a code location that `dagster dev` loads: it parses the project
    anew."""
    shutil.rmtree(folder / "analytics" / "target", ignore_errors=True)
    output = ran(["python", "-c", GRAPH], folder, {**variables, "DAGSTER_IS_DEV_CLI": "1"})
    parents, checks = json.loads(next(line for line in output.splitlines() if line.startswith("[[")))
    return [parents, checks]


@pytest.mark.long
def test_the_page_makes_a_model_below_the_tables(project: tuple[Path, dict[str, str]]) -> None:
    """The model has the sums of the generator's rows, its test is a check, and its parents are the datasets' own assets,
    also by a source of another name."""
    folder, variables = project
    output = ran(["sh", "-e", "-c", COMMANDS], folder, variables)
    assert sums(folder / "data" / "plotsim.duckdb") == pytest.approx(expected())
    assert f"not_null_{MODEL}_industry' on '{MODEL}' passed" in output
    above = [["saas/dim_company", "saas/fct_revenue"], [f"not_null_{MODEL}_industry"]]
    assert lineage(folder, variables) == above
    models = FILES["analytics/models/sources.yml"].partition("models:")[2]
    (folder / "analytics" / "models" / "sources.yml").write_text(f"{OTHER_NAME}models:{models}")
    model = folder / "analytics" / "models" / f"{MODEL}.sql"
    model.write_text(model.read_text().replace("source('saas'", "source('raw'"))
    assert lineage(folder, variables) == above


@pytest.mark.long
def test_the_page_reads_parquet(project: tuple[Path, dict[str, str]]) -> None:
    folder, variables = project
    plan = plan_of("saas")
    store = store_of("parquet", str(folder / "data" / "parquet"))
    materialise(plan, store, keys_of(plan), only=["fct_revenue", "dim_company"])
    (folder / "analytics" / "models" / "sources.yml").write_text(OF_FILES)
    ran(["dbt", "build"], folder / "analytics", variables)
    assert sums(folder / "data" / "plotsim.duckdb") == pytest.approx(expected())


SHOP = """
about: A shop, as a project of models that is there already wants it
unit: customer
window: { start: 2024-01, end: 2024-06, every: month }
metrics: [{ name: demand, type: count, polarity: positive, mean: [0.3, 1.5] }]
segments: [{ name: all, count: 60, archetype: growth }]
dimensions:
  - name: raw_customers
    per: unit
    columns:
      - { name: id, type: id }
      - { name: first_name, type: faker.first_name }
      - { name: last_name, type: faker.last_name }
facts:
  - name: raw_orders
    row_count_driver: demand
    columns:
      - { name: id, type: id }
      - { name: customer, type: ref.raw_customers }
      - { name: date_key, type: ref.dim_date }
      - { name: ordered_on, type: lookup.dim_date.date }
      - { name: status, type: choice, values: [placed, shipped, completed, returned], weights: [2, 2, 10, 1] }
  - name: raw_payments
    parent_table: raw_orders
    children_per_row: [1, 2]
    columns:
      - { name: id, type: id }
      - { name: order_id, type: ref.raw_orders }
      - { name: customer, type: ref.raw_customers }
      - { name: date_key, type: ref.dim_date }
      - { name: method, type: choice, values: [card, transfer, coupon] }
      - { name: cents, type: range, range: [100, 9000] }
"""
MODELS = {
    "customers_named.sql": "SELECT id AS customer_id, first_name, last_name FROM {{ source('shop', 'raw_customers') }}",
    "orders_listed.sql": "SELECT id AS order_id, customer AS customer_id, ordered_on, status FROM "
    "{{ source('shop', 'raw_orders') }}",
    "payments_listed.sql": "SELECT id AS payment_id, order_id, method, cents FROM {{ source('shop', 'raw_payments') }}",
    "orders_paid.sql": "SELECT o.*, sum(cents) AS cents, sum(cents) FILTER (method = 'card') AS by_card "
    "FROM {{ ref('orders_listed') }} AS o LEFT JOIN {{ ref('payments_listed') }} USING (order_id) GROUP BY ALL",
    "customers_valued.sql": "SELECT c.*, min(ordered_on) AS first_order, count(order_id) AS orders, sum(cents) AS cents "
    "FROM {{ ref('customers_named') }} AS c LEFT JOIN {{ ref('orders_paid') }} USING (customer_id) GROUP BY ALL",
    "models.yml": """
sources: [{ name: shop, tables: [{ name: raw_customers }, { name: raw_orders }, { name: raw_payments }] }]
models:
  - name: customers_named
    columns: [{ name: customer_id, data_tests: [unique, not_null] }]
  - name: orders_listed
    columns:
      - { name: order_id, data_tests: [unique, not_null] }
      - name: status
        data_tests: [{ accepted_values: { arguments: { values: [placed, shipped, completed, returned] } } }]
      - name: customer_id
        data_tests: [not_null, { relationships: { arguments: { to: ref('customers_named'), field: customer_id } } }]
  - name: payments_listed
    columns:
      - { name: payment_id, data_tests: [unique, not_null] }
      - { name: method, data_tests: [{ accepted_values: { arguments: { values: [card, transfer, coupon] } } }] }
      - { name: order_id, data_tests: [{ relationships: { arguments: { to: ref('orders_listed'), field: order_id } } }] }
  - name: orders_paid
    columns: [{ name: cents, data_tests: [not_null] }, { name: order_id, data_tests: [unique] }]
  - name: customers_valued
    columns: [{ name: customer_id, data_tests: [unique, not_null] }]
""",
}
"""Names, lists, what was paid, what customers are worth; with tests of keys, references and words."""


@pytest.mark.long
def test_a_project_of_customers_orders_and_payments_is_fed(project: tuple[Path, dict[str, str]]) -> None:
    """Models over raw customers, orders and payments, unchanged by what feeds them: all build, all their tests pass, and the
    customers have spent what the payments say."""
    folder, variables = project
    plan = from_mapping(yaml.safe_load(SHOP), name="shop")
    store = store_of("duckdb", str(folder / "data" / "plotsim.duckdb"))
    materialise(plan, store, keys_of(plan), only=[table.name for table in plan.tables])
    models = folder / "analytics" / "models"
    shutil.rmtree(models)
    models.mkdir()
    for name, text in MODELS.items():
        (models / name).write_text(text)
    output = ran(["dbt", "build"], folder / "analytics", variables)
    tests = len(re.findall("unique|not_null|relationships|accepted_values", MODELS["models.yml"]))
    assert f"PASS={5 + tests} WARN=0 ERROR=0 SKIP=0" in output, output[-2000:]
    payments = generate_tables(plan, tables=["raw_payments"])["raw_payments"]
    spent = payments.groupby("customer")["cents"].sum().to_dict()
    with duckdb.connect(str(folder / "data" / "plotsim.duckdb"), read_only=True) as connection:
        valued = dict(connection.execute("SELECT customer_id, cents FROM analytics.customers_valued").fetchall())
    assert {customer: cents for customer, cents in valued.items() if cents is not None} == spent
    assert len(valued) == 60 > len(spent) > 0

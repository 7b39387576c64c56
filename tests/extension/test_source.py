"""Somebody's own column source: a class of some ten lines obeys the laws, and is known wherever a source is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from rich.console import Console

from plotsim_core import ConfigError, Plan, batches, from_mapping, sizes, write_tables
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.quality import LEDGER
from plotsim_core.errors import SchemaError
from plotsim_core.schema import json_schema
from plotsim_core.show import show_plan
from plotsim_core.truth.explain import explain
from plotsim_core.validation.report import check_directory
from plotsim_pipeline.assets.tables import Needs
from plotsim_pipeline.datasets import dataset_definitions
from plotsim_pipeline.stores import STORES
from tests.laws import test_extension as extension
from tests.laws import test_order as order
from tests.laws import test_slice as slices
from tests.laws.made import afresh, chunks_of, made_table
from tests.pipeline.support import keys_of, materialise, store_at

TEXT = """
about: Bars
unit: bar
window: [2024-01, 2024-06, month]
metrics: [{ name: sales, type: amount, polarity: positive, range: [0, 10000], mean: [100, 1000] }]
segments: [{ name: small, count: 7, archetype: growth }, { name: large, count: 5, archetype: decline }]
dimensions:
  - name: dim_bar
    per: unit
    columns: [{ name: bar_id, type: id }, { name: luck, type: dice.6 }]
  - name: dim_drink
    reference: true
    columns: [{ name: drink_id, type: id }, { name: drink, type: "static.beer,wine" }, { name: rank, type: dice.20 }]
facts:
  - name: fct_month
    columns:
      - { name: date_key, type: ref.dim_date }
      - { name: bar_id, type: ref.dim_bar }
      - { name: sales, type: metric.sales }
      - { name: tip, type: tip.sales }
      - { name: throw, type: dice.6 }
quality: [{ table: fct_month, issue: null_injection, rate: 0.2, column: tip }]
"""
CONFIG = yaml.safe_load(TEXT)
CLEAN = {key: value for key, value in CONFIG.items() if key != "quality"}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toys are members of the language as long as a test runs."""
    monkeypatch.setattr(SOURCES, "_members", dict(SOURCES.items()))
    monkeypatch.delitem(sys.modules, "tests.extension.toys", raising=False)
    import_module("tests.extension.toys")
    yield
    sys.modules.pop("tests.extension.toys")


@pytest.fixture
def plan() -> Plan:
    """The plan of a dataset with columns of the toys, one of which is broken on purpose."""
    return from_mapping(CONFIG, name="bars")


def test_its_values_obey_the_law_of_slices(plan: Plan) -> None:
    slices.hold_periods(plan, slices.some_periods(plan))
    slices.hold_units(plan, [1, 6])
    slices.hold_as_of(plan, [plan.first + 2])


def test_its_values_obey_the_law_of_order(plan: Plan) -> None:
    expected = order.everything(plan)
    with chunks_of(5):
        order.hold(plan, order.everything(afresh(plan)), expected)


@pytest.mark.parametrize("extended", [extension.with_segment, extension.with_units, extension.with_columns])
def test_its_values_obey_the_law_of_extension(extended: Any) -> None:
    extension.hold(from_mapping(CLEAN, name="bars"), from_mapping(extended(CLEAN), name="bars"))


def test_its_values_are_its_own(plan: Plan) -> None:
    throws = made_table(plan, "fct_month")["throw"]
    assert pc.min_max(throws).as_py() == {"min": 1, "max": 6}
    assert len(pc.unique(made_table(plan, "fct_month")["tip"])) > 20


def test_a_config_that_misuses_it_is_refused_at_its_column() -> None:
    columns = [{"name": "bar_id", "type": "id"}, {"name": "luck", "type": "dice.1"}, {"name": "tip", "type": "tip.sales"}]
    dimension = {**CONFIG["dimensions"][0], "columns": columns}
    with pytest.raises(ConfigError) as caught:
        from_mapping({**CONFIG, "dimensions": [dimension, CONFIG["dimensions"][1]]}, name="bars")
    assert "dimensions[0].columns[1].type: expected at least 2, found '1'" in str(caught.value)
    dimension = {**dimension, "columns": [columns[0], {"name": "luck", "type": "dice.six"}, columns[2]]}
    with pytest.raises(ConfigError, match=r"columns\[1\].type: expected a whole number, found 'six'"):
        from_mapping({**CONFIG, "dimensions": [dimension, CONFIG["dimensions"][1]]}, name="bars")
    dimension = {**dimension, "columns": columns}
    with pytest.raises(ConfigError, match="'tip' has no place in dim_bar: its rows are not of one bar in one period"):
        from_mapping({**CONFIG, "dimensions": [{**dimension, "columns": [columns[0], columns[2]]}]}, name="bars")


def test_its_argument_may_stand_beside_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docs/extending.md` says."""
    raw = yaml.safe_load(TEXT.replace("{ name: luck, type: dice.6 }", option := "{ name: luck, type: dice, sides: 6 }"))
    with pytest.raises(ConfigError, match=r"write it like dice\.6"):
        from_mapping(raw, name="bars")
    monkeypatch.setattr(sys.modules["tests.extension.toys"].Dice, "beside", True)
    assert made_table(from_mapping(raw, name="bars"), "dim_bar").equals(
        made_table(from_mapping(CONFIG, name="bars"), "dim_bar")
    )
    page = Path(__file__).parents[2].joinpath("docs/extending.md").read_text(encoding="utf-8")
    assert f"With `beside = True` it may stand beside the type instead, as an option: `{option}`" in page


@pytest.mark.slow
def test_it_is_in_the_schema_and_in_the_reference() -> None:
    from docs import reference

    column = json_schema()["$defs"]["column.dice"]
    assert column["description"] == "A throw of a die with so many `sides`."
    listed, _ = json_schema()["$defs"]["table.fact"]["properties"]["columns"]["anyOf"]
    assert {"$ref": "#/$defs/column.dice"} in listed["items"]["anyOf"]
    assert "`dice`" in reference.page() and "#### Column `tip`" in reference.page()


def test_it_is_explained_and_has_a_size(plan: Plan) -> None:
    key = made_table(plan, "dim_bar")["bar_id"][0].as_py()
    explanation = explain(plan, "fct_month", key, "2024-02", "throw")
    assert explanation.value in range(1, 7)
    assert explanation.steps[-1].description == "as stored: Throw, of the column type dice."
    assert {size.table: size.rows for size in sizes(plan)}["fct_month"] == 72
    without = {**CLEAN, "facts": [{**CLEAN["facts"][0], "columns": CLEAN["facts"][0]["columns"][:3]}]}
    large, small = (
        next(size.bytes for size in sizes(from_mapping(raw, name="bars")) if size.table == "fct_month")
        for raw in (CLEAN, without)
    )
    assert large > small
    console = Console(file=StringIO(), width=200)
    show_plan(plan, sizes(plan), console)
    assert "fct_month" in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_ledger_tells_which_of_its_values_are_broken(plan: Plan) -> None:
    _, ledger = batches(plan, LEDGER)
    rows = [row for batch in ledger for row in batch.to_pylist()]
    nulls = made_table(plan, "fct_month")["tip"].null_count
    assert nulls > 0 and [row["column_name"] for row in rows] == ["tip"] * nulls
    assert all(float(row["clean_value"]) >= 0 for row in rows)


def test_it_is_in_the_report(plan: Plan, tmp_path: Path) -> None:
    write_tables(plan, tmp_path, format="parquet")
    report = check_directory(plan, tmp_path, "parquet", plan.first, plan.stop or plan.first)
    subjects = {finding.subject for _, finding in report.findings}
    assert not report.failed and {"fct_month.throw", "dim_bar.luck", "dim_drink.rank"} <= subjects


@pytest.mark.slow
def test_it_is_in_dagster(plan: Plan, tmp_path: Path) -> None:
    resources = dg.Definitions(resources={"store": STORES["duckdb"](path="unused")})
    definitions = dg.Definitions.merge(dataset_definitions(plan, Needs(store_kind="duckdb")), resources)
    specs = {spec.key.path[-1]: spec for spec in definitions.resolve_all_asset_specs()}
    columns = {column.name: column for column in specs["fct_month"].metadata["dagster/column_schema"].columns}
    assert columns["throw"].description == "Throw, of the column type dice."
    origins = specs["fct_month"].metadata["dagster/column_lineage"].deps_by_column["tip"]
    assert [(origin.asset_key.path, origin.column_name) for origin in origins] == [(["bars", "noised_metrics"], "sales")]
    store = store_at("duckdb", tmp_path)
    assert materialise(plan, store, keys_of(plan)).success
    with store.open_tables(plan, plan.first, plan.stop or plan.first) as stored:
        assert stored.connection.sql(f"SELECT count(throw) FROM {stored.relations['fct_month']}").fetchall() == [(72,)]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (pa.array([1]), "fct_month.throw is filled by tests.extension.toys.Dice, which gave 1 values for 12 rows"),
        ([1] * 12, "fct_month.throw is filled by tests.extension.toys.Dice, which gave no pyarrow Array but a list"),
        (pa.array(["1"] * 12), "fct_month.throw is of type string, .* who maintains tests.extension.toys.Dice"),
        (pa.nulls(12, pa.int64()), "fct_month.throw has 12 nulls in 12 rows, .* who maintains tests.extension.toys.Dice"),
    ],
)
def test_what_it_does_wrong_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch, values: Any, says: str) -> None:
    dice = sys.modules["tests.extension.toys"].Dice
    plan = from_mapping(CLEAN, name="bars")
    monkeypatch.setattr(dice, "fill", lambda source, column, table, rows: values)
    with pytest.raises(SchemaError, match=says):
        list(batches(plan, "fct_month", plan.first, plan.first + 1)[1])


@pytest.mark.parametrize("issue", ["null_injection", "late_arrival"])
def test_nulls_that_it_has_not_announced_are_told_where_an_issue_makes_some_too(
    monkeypatch: pytest.MonkeyPatch, issue: str
) -> None:
    """`late_arrival` delivers the rows, which is another way to the same batch."""
    issues = [{"table": "fct_month", "issue": "null_injection", "rate": 0.2, "column": "throw"}]
    issues += [{"table": "fct_month", "issue": issue, "rate": 0.2}] if issue == "late_arrival" else []
    plan = from_mapping({**CLEAN, "quality": issues}, name="bars")
    dice = sys.modules["tests.extension.toys"].Dice
    monkeypatch.setattr(dice, "fill", lambda source, column, table, rows: pa.nulls(len(rows), pa.int64()))
    with pytest.raises(SchemaError, match=r"fct_month.throw has \d+ nulls in \d+ rows, .* tests.extension.toys.Dice"):
        list(batches(plan, "fct_month", plan.first, plan.first + 1)[1])


def test_what_it_raises_is_noted_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = from_mapping(CLEAN, name="bars")
    monkeypatch.setattr(sys.modules["tests.extension.toys"].Dice, "fill", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        list(batches(plan, "fct_month", plan.first, plan.first + 1)[1])
    assert caught.value.__notes__ == ["fct_month.throw is filled by tests.extension.toys.Dice"]

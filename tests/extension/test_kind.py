"""A table kind from outside: a class of a few lines and `add_kind`, and it is in all that is said and done of tables."""

from __future__ import annotations

import copy
from typing import Any

import pyarrow as pa
import pytest
import yaml

from docs import reference
from plotsim_core import (
    ConfigError,
    Plan,
    batches,
    explain,
    from_mapping,
    generate_tables,
    manifest,
    sizes,
    slices,
    validate,
)
from plotsim_core.config.table_kind import TABLE_FORMS
from plotsim_core.plan.cadence import cadence
from plotsim_core.schema import json_schema
from plotsim_core.tables.kind import add_kind
from plotsim_pipeline.assets.catalogue import TABLE, entry_of_table
from plotsim_pipeline.assets.lineage import column_lineage, upstream
from tests.extension.toy_kind import Milestone
from tests.laws.extended import with_segment, with_units
from tests.laws.made import afresh, chunks_of, differing, made_table, unchanged
from tests.laws.test_order import everything, hold
from tests.laws.test_slice import hold_periods, hold_units, some_periods
from tests.laws.test_table_slices import part_rows
from tests.pipeline.support import assert_equals_the_batch, keys_of, materialise, store_at

CONFIG = yaml.safe_load(
    """
about: Members of a gym
unit: member
window: [2024-01, 2024-12, month]
metrics: [{ name: visits, type: count, polarity: positive, mean: [5, 50] }]
segments:
  - { name: keen, count: 23, archetype: growth, arrival: { kind: linear, start: 0, end: 6 } }
  - { name: fading, count: 17, archetype: decline }
dimensions:
  - { name: dim_date, per: period, columns: [{ name: date_key, type: id }] }
  - { name: dim_member, per: unit, columns: [{ name: member_id, type: id }] }
facts:
  - name: fct_month
    columns:
      - { name: date_key, type: ref.dim_date }
      - { name: member_id, type: ref.dim_member }
      - { name: visits, type: metric.visits }
  - name: fct_milestone
    after: 3
    columns:
      - { name: milestone_id, type: id }
      - { name: date_key, type: ref.dim_date }
      - { name: member_id, type: ref.dim_member }
      - { name: visits, type: metric.visits }
      - { name: gift, type: "static.towel,bottle,bag" }
quality: [{ issue: null_injection, table: fct_milestone, column: gift, rate: 0.3 }]
seed: 7
"""
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind is known while a test of this file runs."""
    monkeypatch.setattr(TABLE_FORMS, "_members", dict(TABLE_FORMS.items()))
    add_kind(Milestone)


@pytest.fixture
def plan() -> Plan:
    """The plan of a config with a table of the kind."""
    return from_mapping(CONFIG, name="gym")


def rows_of(plan: Plan, name: str = "fct_milestone") -> pa.Table:
    schema, rows = batches(plan, name)
    return pa.Table.from_batches(rows, schema)


def test_it_makes_rows(plan: Plan) -> None:
    assert plan.table("fct_milestone").kind == "milestone"
    per_unit = rows_of(plan).group_by("member_id").aggregate([("milestone_id", "count")])["milestone_id_count"].to_pylist()
    assert set(per_unit) <= {1, 2, 3} and len(per_unit) > 30


def test_the_law_of_slices(plan: Plan) -> None:
    hold_periods(plan, some_periods(plan))
    hold_units(plan, [1, 11, 24])
    for by in ("periods", "units"):
        assert not differing(part_rows(plan, slices(plan, ["fct_milestone"], 5, by=by)), made_table(plan, "fct_milestone"))


@pytest.mark.slow
def test_the_law_of_order(plan: Plan) -> None:
    expected = everything(plan)
    for cells in (7, 100):
        with chunks_of(cells):
            hold(plan, everything(afresh(plan)), expected)


@pytest.mark.parametrize("extended", [with_segment, with_units])
def test_the_law_of_extension(plan: Plan, extended: Any) -> None:
    config = {name: part for name, part in CONFIG.items() if name != "quality"}
    assert not unchanged(from_mapping(config, name="gym"), from_mapping(extended(config), name="gym"))


def test_schema_reference_and_errors_know_it() -> None:
    schema = json_schema()
    assert {"$ref": "#/$defs/table.milestone"} in schema["properties"]["facts"]["anyOf"][0]["items"]["anyOf"]
    page = "\n".join(reference.kind_page("milestone", [Milestone], schema["$defs"]))
    assert "| `after` | whole number | **required** | After how many periods of its life. |" in page
    wrong = copy.deepcopy(CONFIG)
    wrong["dimensions"][1]["columns"].append({"name": "visits", "type": "metric.visits"})
    with pytest.raises(ConfigError, match=r"in tables of these kinds: .*milestone"):
        from_mapping(wrong, name="gym")


def test_what_is_told_of_it(plan: Plan) -> None:
    table, rows = plan.table("fct_milestone"), rows_of(plan)
    (size,) = (size for size in sizes(plan) if size.table == table.name)
    assert size.rows == rows.num_rows
    assert str(cadence(table, "month")) == "increment, append"
    assert manifest(plan)["tables"]["fct_milestone"]["kind"] == "milestone"
    key, date = rows["milestone_id"][0].as_py(), str(rows["date_key"][0].as_py())
    assert explain(plan, "fct_milestone", key, date, "visits").value == rows["visits"][0].as_py()


def test_the_ledger_and_the_report_hold_it(plan: Plan) -> None:
    tables = generate_tables(plan)
    broken = tables["quality_ledger"]
    assert set(broken["table_name"]) == {"fct_milestone"}
    assert len(broken) == tables["fct_milestone"]["gift"].isna().sum() > 0
    report = validate(plan, tables)
    assert not report.failed, report.text()
    assert len([finding for _, finding in report.findings if finding.subject.startswith("fct_milestone")]) > 5


def test_lineage_and_catalogue_have_it(plan: Plan) -> None:
    table = plan.table("fct_milestone")
    assert set(upstream(plan, table)) == {"noised_metrics", "dim_date", "dim_member"}
    assert set(column_lineage(plan, table).deps_by_column) == {"date_key", "member_id", "visits"}
    assert entry_of_table(plan, table, TABLE, "duckdb")["description"].startswith("Milestones of each member")


@pytest.mark.slow
def test_dagster_makes_it(plan: Plan, tmp_path: Any) -> None:
    store = store_at("duckdb", tmp_path)
    assert materialise(plan, store, keys_of(plan)).success
    assert plan.stop is not None
    assert_equals_the_batch(plan, store, plan.stop)


def test_it_is_refused_twice_and_gone_elsewhere() -> None:
    with pytest.raises(ValueError, match="there is already a table kind named 'milestone'"):
        add_kind(Milestone)


def test_its_misspelt_key_is_known_by_its_kind() -> None:
    """A fact, which has no key of its own, would have no place for the gift's number of the row either."""
    raw = copy.deepcopy(CONFIG)
    fact = raw["facts"][1]
    raw["facts"][1] = {"name": fact["name"], "aftr": fact["after"], "columns": fact["columns"]}
    with pytest.raises(ConfigError) as caught:
        from_mapping(raw, name="gym")
    assert [str(problem) for problem in caught.value.problems] == ["facts[1].aftr: unknown key\n    did you mean 'after'?"]

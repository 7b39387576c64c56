"""Sizes are told before anything is made, and hold within the tolerance stated here."""

from __future__ import annotations

from pathlib import Path

import pytest

import plotsim_core
from docs.datasets import shown
from plotsim_core import Plan
from plotsim_core.config.quality import LEDGER
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.grid import UnitGrid
from tests.laws.made import BUNDLED, DATASETS, bundled, made_table

BYTES = 3.0
"""Bytes are right within this factor."""
NEAR = 0.02
"""Rows are right within this share, or within three standard deviations of their count."""
SCALES = {"saas": 5, "delivery": 2, "minimal": 20}


def allowed(plan: Plan, table: TablePlan, rows: int) -> float:
    """Return how far an estimate may be off: 2 % or three standard deviations of the count, whichever is more. A row that is
    dropped or late is told of in the ledger with all its columns, so entries come together; so do the rows of a grid that
    one unit has in a period."""
    together = 1
    if isinstance(table.spec, UnitGrid):
        together = table.spec.combinations(plan.population)
    if table.kind == LEDGER:
        together = max(len(broken.columns) for broken in plan.tables if broken.issues)
    return max(NEAR * rows, 3.0 * (rows * together) ** 0.5)


@pytest.mark.parametrize("name", DATASETS)
def test_estimates_hold_for_every_table(name: str) -> None:
    """Of every dataset and of every kind of table, whether or not units can leave and rows find what they refer to."""
    plan = bundled(name)
    for table, size in zip(plan.tables, plotsim_core.sizes(plan), strict=True):
        rows = made_table(plan, table.name).num_rows
        assert abs(size.rows - rows) <= allowed(plan, table, rows), (table.name, size.rows, rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["saas", pytest.param("hr", marks=pytest.mark.long)])
def test_estimates_hold_where_units_are_sampled(name: str) -> None:
    """At scale 60 and more, versions and the rows of those who leave too."""
    plan = plotsim_core.load_config(plotsim_core.template(name), scale=60)
    for table, size in zip(plan.tables, plotsim_core.sizes(plan), strict=True):
        if table.form not in ("proportional", "variable", "detail"):  # the most rows, and the longest to make
            rows = made_table(plan, table.name).num_rows
            assert abs(size.rows - rows) <= allowed(plan, table, rows), (table.name, size.rows, rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_bytes_hold_for_every_bundled_config(name: str, tmp_path: Path) -> None:
    plan = shown(plotsim_core.template(name), scale=SCALES.get(name, 1))
    rows = plotsim_core.write_tables(plan, tmp_path, format="parquet")
    for table, size in zip(plan.tables, plotsim_core.sizes(plan), strict=True):
        if rows[table.name] > 1000:
            actual = (tmp_path / f"{table.name}.parquet").stat().st_size
            assert 1 / BYTES < size.bytes / actual < BYTES, table.name


def test_events_of_units_that_stay_are_expected_values() -> None:
    text = plotsim_core.template("saas").read_text(encoding="utf-8")
    plan = plotsim_core.create_from_yaml(text.replace("ends_unit: true", "ends_unit: false") + "\nscale: 3\n")
    (size,) = plotsim_core.sizes(plan, tables=["evt_login"])
    rows = len(plotsim_core.generate_tables(plan, tables=["evt_login"])["evt_login"])
    assert abs(size.rows / rows - 1) < NEAR


def test_a_range_of_periods_is_sized_alone() -> None:
    plan = plotsim_core.load_config(plotsim_core.template("minimal"))
    (size,) = plotsim_core.sizes(plan, periods="2024-02..2024-04", tables=["fct_engagement"])
    assert (size.rows, size.per_period) == (240, 80)


def test_versions_and_links_are_sized_over_more_periods_than_are_looked_at() -> None:
    """Those that follow what another metric was before."""
    plan = plotsim_core.create_from_yaml("""
about: Shops
unit: shop
window: [2023-01-01, 2024-03-31, day]
metrics:
  - { name: visits, type: count, polarity: positive, mean: [2, 30] }
  - { name: mood, type: score, polarity: positive, follows: visits, delay: 2, decay_window: 3, decay_kernel: linear }
segments: [{ name: small, count: 200, archetype: growth }]
dimensions:
  - name: dim_shop
    per: unit
    columns: [{ name: shop_id, type: id }, { name: tier, type: scd, tracks: mood, tiers: [low, mid, top], at: [0.3, 0.6] }]
  - { name: dim_plan, reference: true, columns: [{ name: plan_id, type: id }, { name: plan, type: "static.a,b,c,d" }] }
bridges: [{ name: bridge_plan, left: dim_shop, right: dim_plan, cardinality: [1, 4], driver: mood }]
""")
    result = plotsim_core.generate_tables(plan, tables=["dim_shop", "bridge_plan"])
    for size in plotsim_core.sizes(plan, tables=list(result)):
        assert abs(size.rows / len(result[size.table]) - 1) < 0.1, size


@pytest.mark.slow
def test_a_million_units_are_sized_without_making_them() -> None:
    plan = plotsim_core.load_config(plotsim_core.template("saas"), scale=100_000)
    rows = {size.table: size.rows for size in plotsim_core.sizes(plan)}
    small = {s.table: s.rows for s in plotsim_core.sizes(plotsim_core.load_config(plotsim_core.template("saas"), scale=100))}
    for table in ("dim_company", "dim_user", "fct_revenue", "evt_login"):
        assert abs(rows[table] / (1000 * small[table]) - 1) < 0.02


def test_exact_numbers_are_told_exactly() -> None:
    """Over two years of days, of which an estimate looks at some."""
    tables = [
        {"name": "sales", "rows": 5000, "columns": {"sale_id": "id", "at": "timestamp"}},
        {"name": "lines", "per": "sales", "rows": {"exact": 12000}, "columns": {"line": "sequence"}},
    ]
    raw = {"about": "Sales", "window": ["2023-01-01", "2024-12-31", "day"], "tables": tables}
    sizes = plotsim_core.sizes(plotsim_core.from_mapping(raw, name="sales"))
    assert {size.table: size.rows for size in sizes} == {"sales": 5000, "lines": 12000, "dim_date": 731}

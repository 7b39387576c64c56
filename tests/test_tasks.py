"""Five tasks of somebody new, done with what the pages show: a mock table of users, orders with lines, a tree of managers, a
grid of stock, a log with nested ids."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner

from plotsim_core import ConfigError, from_mapping
from plotsim_core.cli import main
from tests.cases import stored

DOCS = Path(__file__).parents[1] / "docs"


def shown(page: str, *words: str) -> dict[str, Any]:
    """Return the first config or part of one on a page that holds some words."""
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    raw: dict[str, Any] = yaml.safe_load(next(block for block in blocks if all(word in block for word in words)))
    return raw


def database(raw: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    return stored(from_mapping(raw, name="task"))


def test_a_mock_table_of_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file of its own, of as many rows as asked for, with an e-mail address for each."""
    monkeypatch.chdir(tmp_path)
    Path("users.yaml").write_text(yaml.safe_dump(shown("plain.md", "A mock table of users"), sort_keys=False))
    done = CliRunner().invoke(main, ["run", "users.yaml", "--tables", "users", "--rows", "users=2500", "-o", "users.csv"])
    assert done.exit_code == 0, done.output
    with Path("users.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert list(rows[0]) == ["user_id", "name", "email", "born", "plan"]
    assert len({row["user_id"] for row in rows}) == len({row["email"] for row in rows}) == len(rows) == 2500
    assert all(row["name"] and row["born"] < "2025-01-01" for row in rows)


def test_orders_with_lines() -> None:
    """Whoever wants a total adds the column that the error or the page names; lines have the key of their order."""
    raw = shown("tables.md", "name: orders", "name: lines")
    orders, lines = (next(table for table in raw["tables"] if table["name"] == name) for name in ("orders", "lines"))
    lines["columns"].append({"name": "price", "type": "lookup.products.price"})
    orders["columns"].append({"name": "total", "type": "total.lines.price"})
    connection = database(raw)
    assert connection.sql("SELECT count(*) FROM lines ANTI JOIN orders USING (order_id)").fetchall() == [(0,)]
    sums = """
        SELECT count(*), bool_and(n BETWEEN 1 AND 4 AND last = n), max(abs(total - price)) FROM orders JOIN (
          SELECT order_id, count(*) AS n, max(line_no) AS last, sum(price) AS price FROM lines GROUP BY order_id
        ) USING (order_id)
    """
    ((rows, is_numbered, off),) = connection.sql(sums).fetchall()
    assert rows == connection.sql("FROM orders").shape[0] > 100 and is_numbered and off < 1e-6


def test_a_tree_of_managers() -> None:
    """The first try leaves out how: the message says it, or the tree is there."""
    columns: dict[str, Any] = {"staff_id": {"type": "id", "start": 1}, "boss": "ref.staf"}
    raw = {"about": "Staff", "tables": [{"name": "staff", "rows": 300, "columns": columns}]}
    with pytest.raises(ConfigError, match="did you mean 'staff'"):
        database(raw)
    columns["boss"] = {"type": "ref.staff", "roots": 2}
    connection = database(raw)
    tree = """
        WITH RECURSIVE chart AS (
          SELECT staff_id, 0 AS depth FROM staff WHERE boss IS NULL
          UNION ALL SELECT staff.staff_id, depth + 1 FROM staff JOIN chart ON staff.boss = chart.staff_id
        ) SELECT count(*), count(*) FILTER (depth = 0), max(depth) > 2 FROM chart
    """
    assert connection.sql(tree).fetchall() == [(300, 2, True)]


def test_a_grid_of_stock() -> None:
    """Each depot has each product in each month, once."""
    fragment = shown("tables.md", "depots", "stock")
    tables = [table for table in fragment["tables"] if table["name"] != "offers"]
    connection = database({"about": "Stock", "window": ["2024-01", "2024-12", "month"], "tables": tables})
    counted = "SELECT count(*), count(DISTINCT (depot_id, product_id, date_key)), min(on_hand), max(on_hand) FROM stock"
    assert connection.sql(counted).fetchall() == [(2 * 12 * 12, 2 * 12 * 12, 0, 99)]


def test_a_log_with_nested_ids() -> None:
    """Tasks are numbered in their stage, stages in their job; the three tell a task apart. No unit is needed for them."""
    raw = shown("tables.md", "name: jobs", "name: stages", "name: tasks")
    tables = [table for table in raw["tables"] if table["name"] in ("jobs", "stages", "tasks")]
    connection = database({"about": "Logs", "tables": tables})
    assert connection.sql("FROM tasks").columns == ["job_id", "stage", "task"]
    wrong = """
        SELECT count(*) FROM (SELECT max(task) AS last, count(DISTINCT task) AS n, count(*) AS rows FROM tasks
        GROUP BY job_id, stage) WHERE last <> n OR rows <> n OR n > 200
    """
    assert connection.sql(wrong).fetchall() == [(0,)]
    ((stages, mean),) = connection.sql(
        "SELECT count(*), avg(n) FROM (SELECT count(*) AS n FROM tasks GROUP BY job_id, stage)"
    ).fetchall()
    assert stages == connection.sql("FROM stages").shape[0] and abs(mean - 8) < 1

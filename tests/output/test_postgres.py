"""Tables loaded into a real PostgreSQL: rows, types, keys; one transaction, one copy; errors that tell no password."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from plotsim_core import UsageError, from_mapping, write_tables
from plotsim_core.cli import main
from plotsim_core.output.postgres import loading, shown_address
from tests.output.support import RAW, rows
from tests.output.test_money import plan_of
from tests.output.test_sql import asked, postgres_value, psql
from tests.tables.test_keys import RAW as KEYS

SECRET = "hunter2"
NOWHERE = f"postgres://me:{SECRET}@127.0.0.1:1/shops"
TEXTS = ["end\n\\.\nof", "\\N", "tab\there", "back\\slash", "cr\rlf\r\n", "{a,b}", '"', "", "NULL", "Zoë 🙂"]


def plan_named(name: str, **more: Any) -> Any:
    texts = [{**segment, "attributes": {**segment["attributes"], "city": TEXTS}} for segment in RAW["segments"]]
    return from_mapping({**RAW, "segments": texts, **more}, name=name)


def place(server: Any) -> str:
    return str(server.get_uri())


@pytest.mark.slow
def test_a_run_loads_rows_types_and_keys_and_again_leaves_one_copy(postgres: Any, tmp_path: Path) -> None:
    plan = plan_named("loaded", output={"format": "csv", "denormalized": True})
    for _ in range(2):
        result = write_tables(plan, tmp_path, format=place(postgres))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.yaml", "manifest.json"]
    for table in plan.tables:
        types = {column.name: column.type for column in table.columns}
        stored = asked(postgres, f'SELECT * FROM loaded."{table.name}"')
        read = [{name: postgres_value(types[name], value) for name, value in row.items()} for row in stored]
        assert sorted(read, key=repr) == sorted(rows(plan, table.name).to_pylist(), key=repr), table.name
        assert result[table.name] == len(read)
    kinds = {
        (row["table_name"], row["column_name"]): row["data_type"]
        for row in asked(postgres, "SELECT * FROM information_schema.columns WHERE table_schema = 'loaded'")
    }
    assert kinds[("fct_month", "sales")] == "numeric"
    assert kinds[("evt_visit", "at")] == "timestamp without time zone"
    assert kinds[("evt_visit", "yes")] == "boolean"
    assert kinds[("dim_date", "date")] == "date"
    assert kinds[("dim_shop", "extra")] == "jsonb"
    keys = asked(
        postgres,
        "SELECT table_name, constraint_type, count(*) AS n FROM information_schema.table_constraints "
        "WHERE table_schema = 'loaded' AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') GROUP BY 1, 2",
    )
    values = {(row["table_name"], row["constraint_type"]): int(row["n"]) for row in keys}
    assert {name for name, kind in values if kind == "PRIMARY KEY"} == {table.name for table in plan.tables}
    assert values[("fct_month", "FOREIGN KEY")] == 3
    assert values[("evt_visit", "FOREIGN KEY")] == 2
    answer = asked(postgres, "SELECT obj_description('loaded.fct_month'::regclass) AS says")
    assert answer == [{"says": plan.table("fct_month").description}]
    assert asked(postgres, "SELECT plotsim_digest FROM loaded._origin") == [{"plotsim_digest": plan.digest}]


@pytest.mark.slow
def test_keys_of_whole_numbers_are_bigint_and_so_is_what_refers_to_them(postgres: Any, tmp_path: Path) -> None:
    plan = from_mapping(KEYS, name="keyed")
    write_tables(plan, tmp_path, format=place(postgres))
    kinds = {
        (row["table_name"], row["column_name"]): row["data_type"]
        for row in asked(postgres, "SELECT * FROM information_schema.columns WHERE table_schema = 'keyed'")
    }
    for column in [("fct_order", "order_id"), ("fct_line", "order_id"), ("fct_line", "product_id"), ("fct_line", "line_no")]:
        assert kinds[column] == "bigint", column
    assert kinds[("dim_account", "customer_id")] == kinds[("evt_call", "call_id")] == "text"
    stored = asked(postgres, "SELECT product_id FROM keyed.dim_product ORDER BY 1")
    assert [int(row["product_id"]) for row in stored] == list(range(4915112345678, 4915112345728))


@pytest.mark.slow
def test_money_is_loaded_to_the_cent(postgres: Any, tmp_path: Path) -> None:
    plan = plan_of()
    write_tables(plan, tmp_path, format=place(postgres).replace("postgresql://", "postgres://"))
    total = sum(line["net"] for line in rows(plan, "fct_line").to_pylist())
    answer = asked(postgres, "SELECT sum(net) AS net, sum(gross - tax) AS same FROM orders.fct_order")
    assert answer == [{"net": str(total), "same": str(total)}]
    scale = (
        "SELECT numeric_precision || ',' || numeric_scale AS s FROM information_schema.columns WHERE table_name = 'fct_line'"
    )
    assert asked(postgres, f"{scale} AND column_name = 'price'") == [{"s": "18,3"}]


@pytest.mark.slow
def test_after_an_error_everything_is_what_it_was(postgres: Any, tmp_path: Path) -> None:
    """One transaction: nothing of what was loaded before the error is there."""
    plan, other = plan_named("whole"), plan_named("whole", seed=9)
    write_tables(plan, tmp_path, format=place(postgres))
    seen = (
        "SELECT count(*) AS n, max(visit_id) AS last, (SELECT plotsim_seed FROM whole._origin) AS seed FROM whole.evt_visit"
    )
    before = asked(postgres, seen)

    def broken(table: str) -> Iterator[pa.RecordBatch]:
        yield from rows(other, table).cast(other.table(table).schema).to_batches()
        raise OSError("no space left")

    def load() -> None:
        with loading(place(postgres)) as format:
            format.begin(other, other.tables, tmp_path)
            format.write(other, other.table("evt_visit"), broken("evt_visit"), tmp_path)

    with pytest.raises(OSError, match="no space"):
        load()
    assert asked(postgres, seen) == before
    assert before[0]["seed"] == "3"
    write_tables(other, tmp_path, format=place(postgres))
    assert asked(postgres, seen)[0]["seed"] == "9"


def test_tables_of_strangers_stay(postgres: Any, tmp_path: Path) -> None:
    psql(
        postgres,
        text="CREATE SCHEMA theirs; CREATE TABLE theirs.evt_visit (a int); INSERT INTO theirs.evt_visit VALUES (1);",
    )
    with pytest.raises(UsageError, match=r"has a table theirs\.evt_visit that no run has made: drop it"):
        write_tables(plan_named("theirs"), tmp_path, format=place(postgres))
    assert asked(postgres, "SELECT a FROM theirs.evt_visit") == [{"a": "1"}]
    assert list(tmp_path.iterdir()) == []


def test_what_the_server_refuses_is_a_sentence(postgres: Any, tmp_path: Path) -> None:
    psql(postgres, text="CREATE SCHEMA seen; CREATE TYPE seen.fct_month AS (a int);")  # a name that is taken, by no table
    with pytest.raises(UsageError, match=r"^postgres://.* refuses: .*fct_month"):
        write_tables(plan_named("seen"), tmp_path, format=place(postgres))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_loads_validates_and_checks(postgres: Any, tmp_path: Path) -> None:
    url, run = place(postgres), CliRunner().invoke
    done = run(main, ["run", "minimal", "-o", str(tmp_path), "--format", url, "--seed", "4", "--validate"])
    assert done.exit_code == 0, done.output
    assert f"rows in {shown_address(url)}" in done.stderr.replace("\n", "")
    assert (tmp_path / "validation_report.json").exists()
    checked = run(main, ["check", url, "--config", "minimal"])
    assert checked.exit_code == 0, checked.output
    psql(
        postgres,
        text="DELETE FROM minimal.fct_payments WHERE date_key = (SELECT max(date_key) - 100 FROM minimal.fct_payments);",
    )
    assert run(main, ["check", url, "--config", "minimal", "--quiet"]).exit_code == 1
    assert "was not made from this config" in run(main, ["check", url, "--config", "minimal", "--seed", "5"]).stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (NOWHERE, r"^postgres://127\.0\.0\.1:1/shops cannot be opened: .*refused"),
        (f"postgres://me:{SECRET}@127.0.0.1:{SECRET}/x", "cannot read the address of the server"),
        (f"postgres://me:{SECRET}@{SECRET}@127.0.0.1/x", "cannot read the address of the server.*%40 for @"),
        (f"postgres://me:%{SECRET}@127.0.0.1:1/x", "the rest of the address cannot be read"),
        (f"postgres://127.0.0.1:1/x?password={SECRET}&{SECRET}=1", "the rest of the address cannot be read"),
        (f"mysql://me:{SECRET}@127.0.0.1/x", "no format is named 'mysql://'"),
    ],
)
def test_a_server_that_cannot_be_reached_is_a_sentence_without_the_password(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as error:
        write_tables(plan_named("away"), tmp_path, format=url)
    assert SECRET not in str(error.value)
    result = CliRunner().invoke(main, ["run", "minimal", "-o", str(tmp_path), "--format", url])
    assert result.exit_code == 2
    assert SECRET not in result.output


def test_a_password_in_what_the_server_says_is_not_told() -> None:
    from plotsim_core.output.postgres import _said

    error = RuntimeError(f"no such host: {SECRET}@host\nmore")
    assert _said(error, f"postgres://me:{SECRET}@host/x") == "no such host: ***@host"


def test_without_the_extra_the_command_that_installs_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(UsageError, match=r"pip install 'plotsim-core\[postgres\]'"):
        write_tables(plan_named("away"), tmp_path, format=NOWHERE)

"""Shapes that people ask for in public, through Dagster and every store: each comes out right."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from plotsim_core import Plan, from_mapping
from plotsim_core.validation.report import check_store
from tests.cases import EMPTY, LARGE, NUMBERS, TEXTS, WORDS, plan_of, wide
from tests.pipeline.support import KINDS, assert_equals_the_batch, keys_of, materialise, store_at

pytestmark = pytest.mark.slow

WRITERS, OTHER_SEED = 3, 99
SHOPS: dict[str, Any] = {
    "about": "Shops, and who comes to them",
    "unit": "shop",
    "window": {"start": "2024-01", "end": "2024-09", "every": "month"},
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [20, 40]}],
    "segments": [{"name": "all", "count": 60, "archetype": "growth"}],
    "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
    "facts": [
        {
            "name": "fct_visits",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "visits", "type": "metric.visits"},
            ],
        }
    ],
    "events": [
        {
            "name": "evt_visit",
            "trigger": "proportional",
            "driver": "visits",
            "columns": [
                {"name": "visit_id", "type": "id"},
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "at", "type": "timestamp"},
            ],
        }
    ],
}
WRITTEN = ("fct_visits", "evt_visit")
WRITER = """
import json, sys
from pathlib import Path
from tests.pipeline.support import materialise, store_at
from tests.pipeline.test_public_cases import OTHER_SEED, WRITTEN, shops
place, keys = json.loads(sys.argv[1])
plan, store = shops(OTHER_SEED), store_at("duckdb", Path(place))
print("ready", flush=True)
sys.stdin.readline()
for key in keys:
    materialise(plan, store, [key], only=WRITTEN)
"""


def shops(seed: int | None = None) -> Plan:
    return from_mapping(SHOPS, name="shops", seed=seed)


def names(plan: Plan) -> list[str]:
    return [table.name for table in plan.tables]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", [WORDS, NUMBERS, EMPTY], ids=["reserved words", "large numbers", "nulls and empty texts"])
def test_what_is_stored_is_what_is_generated(kind: str, raw: dict[str, Any], tmp_path: Path) -> None:
    """Row by row, of the declared types, and every check passes: names, whole numbers beyond 2^53, texts like nulls."""
    plan, store = plan_of(raw), store_at(kind, tmp_path)
    assert plan.stop is not None
    materialise(plan, store, keys_of(plan), only=names(plan))
    assert_equals_the_batch(plan, store, plan.stop)
    with store.open_tables(plan, plan.first, plan.stop) as stored:
        report = check_store(stored)
        assert not report.failed, report.text()
        if raw is NUMBERS:
            seen = stored.connection.sql(f"SELECT seen, typeof(seen) FROM {stored.relations['fct_visits']}").fetchall()
            assert {value for value, _ in seen} == set(LARGE) and {type_ for _, type_ in seen} == {"BIGINT"}
        if raw is EMPTY:
            notes = Counter(stored.connection.sql(f"SELECT note FROM {stored.relations['evt_visit']}").fetchall())
            assert {note for (note,) in notes} == {*TEXTS, None} and notes["",] > 0 and notes[None,] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_reserved_words_are_asked_for_by_name(kind: str, tmp_path: Path) -> None:
    """`plotsim query` finds them, quoted as SQL wants it."""
    plan, store = plan_of(WORDS), store_at(kind, tmp_path)
    materialise(plan, store, keys_of(plan), only=["order", "user"])
    sql = 'SELECT \'rows \' || count("pivot") AS said FROM "case"."order" JOIN "case"."user" USING ("primary")'
    with store.open_tables(plan, plan.first, plan.stop or 0) as stored:
        ((rows,),) = stored.connection.sql(f'SELECT count(DISTINCT "order") FROM {stored.relations["order"]}').fetchall()
    assert f"rows {rows}" in store.query(sql, ["case"])


def test_a_table_of_500_columns_is_stored(tmp_path: Path) -> None:
    plan, store = plan_of(wide(500, 5)), store_at("duckdb", tmp_path)
    assert plan.stop is not None
    materialise(plan, store, keys_of(plan), only=names(plan))
    assert_equals_the_batch(plan, store, plan.stop)


def many() -> Plan:
    """Sixty tables, all of which refer to others: lists in a chain, children of the unit, facts with details, events."""
    lists = [
        {
            "name": f"dim_list_{n}",
            "reference": True,
            "count": 6 + n,
            "columns": [
                {"name": f"list_{n}_id", "type": "id"},
                {"name": "word", "type": "faker.word"},
                *([{"name": "above_id", "type": f"ref.dim_list_{n - 1}"}] if n else []),
            ],
        }
        for n in range(20)
    ]
    values = {"name": "account_id", "type": "ref.dim_account"}
    keys = [values, {"name": "date_key", "type": "ref.dim_date"}]
    children = [
        {
            "name": f"dim_child_{n}",
            "per": "unit",
            "count": [1, 3],
            "columns": [{"name": f"child_{n}_id", "type": "id"}, values, {"name": "list_id", "type": f"ref.dim_list_{n}"}],
        }
        for n in range(9)
    ]
    orders = [
        {
            "name": f"fct_order_{n}",
            "row_count_driver": f"m{n}",
            "columns": [
                {"name": f"order_{n}_id", "type": "id"},
                *keys,
                {"name": "child_id", "type": f"ref.dim_child_{n}"},
                {"name": "total", "type": f"total.fct_line_{n}.amount"},
            ],
        }
        for n in range(9)
    ]
    amount = {"name": "amount", "type": "range", "range": [1.0, 9.0]}
    lines = [
        {
            "name": f"fct_line_{n}",
            "parent_table": f"fct_order_{n}",
            "children_per_row": [1, 3],
            "columns": [{"name": f"line_{n}_id", "type": "id"}, *keys, amount],
        }
        for n in range(9)
    ]
    events = [
        {
            "name": f"evt_{n}",
            "trigger": "proportional",
            "driver": f"m{n}",
            "scale": 0.5,
            "columns": [
                {"name": f"event_{n}_id", "type": "id"},
                *keys,
                {"name": "order_id", "type": f"ref.fct_order_{n}"},
                {"name": "at", "type": "timestamp"},
            ],
        }
        for n in range(9)
    ]
    account = {"name": "dim_account", "per": "unit", "columns": [{"name": "account_id", "type": "id"}]}
    return from_mapping(
        {
            "about": "The schema of an application",
            "unit": "account",
            "window": {"start": "2024-01", "end": "2024-03", "every": "month"},
            "metrics": [{"name": f"m{n}", "type": "count", "polarity": "positive", "mean": [2, 4]} for n in range(9)],
            "segments": [{"name": "all", "count": 15, "archetype": "growth"}],
            "dimensions": [account, *lists, *children],
            "facts": [*orders, *lines],
            "events": events,
        },
        name="many",
    )


@pytest.mark.long
def test_sixty_tables_are_made_in_one_run_and_refer_to_each_other(tmp_path: Path) -> None:
    """With all checks and the report; every reference resolves, every total is that of its lines."""
    plan, store = many(), store_at("duckdb", tmp_path)
    assert plan.stop is not None and len(plan.tables) >= 58
    assert materialise(plan, store, keys_of(plan)).success
    assert_equals_the_batch(plan, store, plan.stop)
    with store.open_tables(plan, plan.first, plan.stop) as stored:
        report = check_store(stored)
    assert not report.failed, report.text()
    assert len(report.findings_of("references_resolve")) > 100 and len(report.findings_of("relations_hold")) >= 18


def test_a_window_that_ends_in_the_future_has_all_its_partitions(tmp_path: Path) -> None:
    """Dagster would end them today; each is made."""
    year = date.today().year
    plan = from_mapping(
        {**SHOPS, "window": {"start": f"{year}-07", "end": f"{year + 1}-12", "every": "month"}}, name="shops"
    )
    assert plan.stop is not None
    keys, store = keys_of(plan), store_at("duckdb", tmp_path)
    assert len(keys) == 18 and keys[-1] == f"{year + 1}-12-01"
    materialise(plan, store, keys, only=names(plan))
    assert_equals_the_batch(plan, store, plan.stop)
    tables = {
        table.name: len(partitions)
        for table in plan.tables
        for partitions in [store.intact_partitions("shops")[table.name]]
        if table.time
    }
    assert set(tables.values()) == {18}


def partitions_in(connection: duckdb.DuckDBPyConnection, table: str) -> dict[int, tuple[int, str]]:
    """Return the rows of each partition that a file holds of a table, and a hash of them."""
    hashed = "CAST(bit_xor(hash(rows)) AS VARCHAR)"
    answer = connection.sql(f"SELECT date_key, count(*), {hashed} FROM shops.{table} AS rows GROUP BY date_key").fetchall()
    return {key: (count, text) for key, count, text in answer}


@pytest.mark.long
def test_a_reader_among_many_writers_sees_whole_partitions(tmp_path: Path) -> None:
    """Processes replace the partitions of a file by those of another seed, while a reader opens it again and again. It is
    told who has the file, or sees of each partition the old rows or the new, in number and content, and records that count
    what is there. In the end all are new, each once."""
    plan, other = shops(), shops(OTHER_SEED)
    keys = keys_of(plan)
    for place, each in (("file", plan), ("new", other)):
        materialise(each, store_at("duckdb", tmp_path / place), keys, only=WRITTEN)
    file = str(tmp_path / "file" / "store.duckdb")
    states: dict[str, list[dict[int, tuple[int, str]]]] = {}
    for place in ("file", "new"):
        with duckdb.connect(str(tmp_path / place / "store.duckdb"), read_only=True) as connection:
            for table in WRITTEN:
                states.setdefault(table, []).append(partitions_in(connection, table))
    assert all(old[key] != new[key] for old, new in states.values() for key in old)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, json.dumps([str(tmp_path / "file"), keys[n::WRITERS]])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for n in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    mixed = refused = 0
    while any(writer.poll() is None for writer in writers):
        try:
            with duckdb.connect(file, read_only=True) as connection:
                for table, (old, new) in states.items():
                    seen = partitions_in(connection, table)
                    assert set(seen) == set(old)
                    assert all(seen[key] in (old[key], new[key]) for key in seen)
                    mixed += seen not in (old, new)
                    records = connection.sql(f"SELECT sum(row_count) FROM shops._partitions WHERE table_name = '{table}'")
                    assert records.fetchall() == [(sum(count for count, _ in seen.values()),)]
        except duckdb.IOException as error:
            if "PID" not in str(error):
                raise
            refused += 1
        time.sleep(0.05)
    assert [writer.wait() for writer in writers] == [0] * WRITERS, [w.stderr.read()[-2000:] for w in writers if w.stderr]
    assert mixed > 0 and refused > 0
    with duckdb.connect(file, read_only=True) as connection:
        assert {table: partitions_in(connection, table) for table in WRITTEN} == {t: new for t, (_, new) in states.items()}

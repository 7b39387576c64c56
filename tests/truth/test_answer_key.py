"""From the manifest and the ledger alone: the clean data, and every label. Nothing here asks the generator how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from plotsim_core import Plan, write_tables
from plotsim_core.config.quality import LEDGER
from tests.laws.made import DATASETS, bundled, made_table
from tests.marks import slow_but

PAGE = Path(__file__).parents[2] / "docs" / "answer_key.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
MANIFEST, RESTORED, SCORED = BLOCKS
Key = dict[str, Any]


@pytest.fixture(scope="module", params=slow_but(DATASETS, "minimal"))
def key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Key]:
    """The plan of a dataset (to compare with), and what the code of the page finds in the files of a run."""
    plan = bundled(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    write_tables(plan, folder / "out", format="parquet")
    if not plan.dataset.quality:  # without it there is no ledger
        empty = {"table_name", "row_key", "date_key", "action", "issue_number", "column_name", "clean_value"}
        pd.DataFrame(columns=sorted(empty)).to_parquet(folder / "out" / f"{LEDGER}.parquet")
    values: Key = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in (MANIFEST, RESTORED):
            exec(compile(block, PAGE.name, "exec"), values)
    return plan, values


def test_the_clean_tables_come_back(key: tuple[Plan, Key]) -> None:
    """Value by value, but for what wide tables add to rows that were dropped or never came: the ledger does not know it."""
    plan, actual = key
    whole = plan.clean
    for name, rows in actual["restored"].items():
        expected = made_table(whole, name).to_pandas()
        order = list(whole.table(name).key)
        issues = [issue for _, issue in plan.table(name).issues]
        lost = any(issue.drops or issue.issue == "late_delivery" for issue in issues) and "_wide" in name
        columns = [c.name for c in whole.table(plan.table(name).shown_table).columns] if lost else list(expected.columns)
        assert list(rows.columns) == list(expected.columns)
        pd.testing.assert_frame_equal(_plain(rows[columns], order), _plain(expected[columns], order), obj=name)


def _plain(rows: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Rows in the order of their keys, with numbers as numbers and all else as text."""
    rows = rows.sort_values(order, ignore_index=True)
    numbers = rows.select_dtypes(["number", "bool"])
    texts = rows.drop(columns=numbers.columns)
    return pd.concat([numbers.astype("Float64").fillna(pd.NA), texts.where(texts.notna(), None).astype(str)], axis=1)


def _units(actual: Key) -> dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
    """Return the dimension of each kind of unit with its kind and its records by key."""
    tables = actual["manifest"]["tables"]
    dimensions = [name for name, table in tables.items() if table["kind"] == "unit"]
    kinds = {kind["units"][0]["key"]: kind for kind in actual["manifest"]["kinds"]}
    by_table = {}
    for name in dimensions:
        column = next(column for column, text in tables[name]["columns"].items() if text["type"] == "id")
        keys = set(actual["restored"][name][column])
        kind = next(kind for first, kind in kinds.items() if first in keys)
        by_table[name] = (kind, {record["key"]: record for record in kind["units"]})
    return by_table


def _of_units(actual: Key) -> list[tuple[str, pd.DataFrame, dict[str, dict[str, Any]], dict[str, list[str]]]]:
    """Return each table with rows of units, with `unit` and `date` columns, the records of its units, and its columns by
    what they tell."""
    result = []
    tables, units = actual["manifest"]["tables"], _units(actual)
    for name, rows in actual["restored"].items():
        table = tables[name]
        values: dict[str, list[str]] = {}
        for column, text in table["columns"].items():
            values.setdefault(
                text["type"].split(".")[0] if text["type"] != "segment.treatment" else text["type"], []
            ).append(column)
        if table["kind"] == "unit":
            result.append((name, rows.assign(unit=rows[values["id"][0]], date=0), units[name][1], values))
            continue
        for column, to in table["references"].items():
            parent, _, key_name = to.partition(".")
            if parent in units and key_name != "dim_row_id" and table["kind"] in ("fact", "threshold"):
                dates = rows[table["time"]] if table["time"] else 0
                result.append((name, rows.assign(unit=rows[column], date=dates), units[parent][1], values))
                break
    return result


def _at(changes: list[dict[str, Any]], date: int) -> Any:
    return next((change["value"] for change in reversed(changes) if change["since"] <= date), None)


def _is_ever_silent(record: dict[str, Any]) -> bool:
    return any(change["value"] == "silent" for change in record.get("silence") or ())


def test_every_label_can_be_told(key: tuple[Plan, Key]) -> None:
    """Segments, arms, stages, positions, tiers with their dates, events, arrivals and ends: from the records alone."""
    _, actual = key
    dates = {date: place for place, date in enumerate(actual["manifest"]["periods"])}
    seen = 0
    for name, rows, records, _of_unit in _of_units(actual):
        mine = [records[unit] for unit in rows["unit"]]
        days = rows["date"].tolist()
        expected = {
            "segment.name": lambda record, day: record["segment"],
            "segment.treatment": lambda record, day: record["treatment"],
            "stage": lambda record, day: _at(record["stages"], day),
            "trajectory": lambda record, day: record["positions"][dates[day] - dates[record["arrival"]]],
        }
        for word, label in expected.items():
            for column in _of_unit.get(word, []):
                values = [None if pd.isna(value) else value for value in rows[column]]
                assert values == [label(*pair) for pair in zip(mine, days, strict=True)], f"{name}.{column}"
                seen += 1
        for column in _of_unit.get("scd", []):
            since = rows["valid_from"].dt.strftime("%Y%m%d%H")
            versions = sorted(zip(rows["unit"], since, rows[column], strict=True))
            changes = [(k, f"{c['since']:0<10}", c["value"]) for k, r in records.items() for c in r["tiers"]]
            assert versions == sorted(changes), name
            seen += 1
        if actual["manifest"]["tables"][name]["kind"] == "threshold":
            fired = [(unit, day) for unit, record in records.items() for day in record["events"][name]]
            assert sorted(zip(rows["unit"], days, strict=True)) == sorted(fired), name
            seen += 1
        if actual["manifest"]["tables"][name]["kind"] == "fact" and not actual["manifest"]["tables"][name]["of"]:
            last = actual["manifest"]["periods"][-1]
            heard = {unit: record for unit, record in records.items() if not _is_ever_silent(record)}
            lives = rows[rows["unit"].isin(heard)].groupby("unit")["date"].agg(["min", "max"])
            assert lives["min"].to_dict() == {unit: record["arrival"] for unit, record in heard.items()}, name
            assert lives["max"].to_dict() == {unit: record["end"] or last for unit, record in heard.items()}, name
            seen += 1
    assert seen


def test_positions_reach_from_the_arrival_to_the_end(key: tuple[Plan, Key]) -> None:
    _, actual = key
    dates = {date: place for place, date in enumerate(actual["manifest"]["periods"])}
    for kind in actual["manifest"]["kinds"]:
        for record in kind["units"]:
            assert len(record["positions"]) == dates[record["end"] or max(dates)] - dates[record["arrival"]] + 1
            assert all(0 <= position <= 1 for position in record["positions"])


@pytest.mark.parametrize("name", [pytest.param("fields", marks=pytest.mark.long), "healthcare"])
def test_copies_that_were_found_are_counted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last code of the page: of copies that nothing else was done to, looking for equal rows finds all."""
    write_tables(bundled(name), tmp_path / "out", format="parquet")
    monkeypatch.chdir(tmp_path)
    ledger = pd.read_parquet("out/quality_ledger.parquet")
    exec(compile(SCORED, PAGE.name, "exec"), {"pd": pd, "ledger": ledger})
    scores = re.findall(r"(\w+): (\d+) of (\d+) copies found", capsys.readouterr().out)
    assert len(scores) == ledger[ledger["action"] == "copied"]["table_name"].nunique() > 0
    assert all(int(score) == int(copies) for _, score, copies in scores)

"""The manifest says what the tables show, in the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from plotsim_core import from_mapping, manifest, write_tables
from tests.laws.made import afresh, chunks_of
from tests.output.support import RAW, plan_with, rows

STAGES = ("noised_metrics", "correlated_metrics")


def written(directory: Path, **sections: Any) -> dict[str, Any]:
    write_tables(from_mapping({**RAW, **sections}, name="shops"), directory)
    document: dict[str, Any] = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    return document


def test_it_says_who_there_is_and_what_was_declared(tmp_path: Path) -> None:
    actual = written(tmp_path)
    (kind,) = actual["kinds"]
    units = {unit["key"]: unit for unit in kind["units"]}
    shops = rows(plan_with(), "dim_shop").to_pylist()
    assert {key: unit["treatment"] for key, unit in units.items()} == {shop["shop_id"]: shop["arm"] for shop in shops}
    first: dict[str, int] = {}
    for row in rows(plan_with(), "fct_month").to_pylist():
        first.setdefault(row["shop_id"], row["date_key"])
    assert {key: unit["arrival"] for key, unit in units.items()} == first
    segments = [unit["segment"] for unit in kind["units"]]
    assert [segments.count(s["name"]) for s in kind["segments"]] == [s["count"] for s in kind["segments"]] == [12, 8]
    assert [segment["archetype"] for segment in kind["segments"]] == ["growth", "flat > growth @ 4"]
    assert [(edge["driver"], edge["follower"], edge["delay"]) for edge in kind["causal_graph"]] == [("sales", "mood", 1)]
    assert [(pair["metric_a"], pair["metric_b"], pair["declared"]) for pair in kind["connections"]] == [
        ("visits", "sales", 0.4)
    ]
    assert (actual["seed"], actual["window"]["first"], actual["window"]["last"]) == (3, "2024-01", "2024-12")
    assert actual["digest"] == plan_with().digest
    assert {name: table["rows"] for name, table in actual["tables"].items()} == {
        table.name: rows(plan_with(), table.name).num_rows for table in plan_with().tables
    }
    assert actual["tables"]["evt_visit"]["references"]["shop_id"] == "dim_shop.shop_id"


@pytest.mark.slow
def test_it_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    written(tmp_path / "one")
    written(tmp_path / "two")
    text = (tmp_path / "one" / "manifest.json").read_text(encoding="utf-8")
    assert text == (tmp_path / "two" / "manifest.json").read_text(encoding="utf-8")
    assert json.loads(text) == manifest(
        plan_with(), {table.name: rows(plan_with(), table.name).num_rows for table in plan_with().tables}
    )


def test_it_does_not_depend_on_how_units_are_cut() -> None:
    whole = manifest(plan_with())
    with chunks_of(30):
        assert manifest(afresh(plan_with())) == whole


def test_it_knows_no_future() -> None:
    """The manifest of half of the window says the same of that half as the whole one, and nothing of the rest."""
    plan = plan_with()
    half = plan.first + 6
    early, late = (manifest(plan, None, stop)["kinds"][0]["units"] for stop in (half, None))
    last = int(plan.grain.keys(np.array([half - 1]))[0])
    later = {unit["key"]: unit for unit in late}
    assert {unit["key"] for unit in early} == {unit["key"] for unit in late if unit["arrival"] <= last}
    for unit in early:
        whole = later[unit["key"]]
        assert unit["positions"] == whole["positions"][: len(unit["positions"])]
        assert unit["end"] in (whole["end"], None) and (unit["end"] is None or unit["end"] <= last)
        for changes in ("stages", "tiers"):
            assert unit.get(changes) == ([c for c in whole[changes] if c["since"] <= last] if changes in whole else None)


def test_more_units_and_metrics_change_no_record_of_those_that_are_there() -> None:
    more = {"name": "heat", "type": "score", "polarity": "positive"}
    plan = from_mapping({**RAW, "scale": 2, "metrics": [*RAW["metrics"], more]}, name="shops")
    larger = {unit["key"]: unit for unit in manifest(plan)["kinds"][0]["units"]}
    units = manifest(plan_with())["kinds"][0]["units"]
    assert len(larger) == 2 * len(units)
    assert [larger[unit["key"]] for unit in units] == units


def test_outliers_are_those_that_noise_put_there() -> None:
    """With no other noise, exactly the stored values that differ from the true ones."""
    plan = from_mapping({**RAW, "noise": {"outlier_rate": 0.05}}, name="shops")
    values = {(unit["key"], date) for unit in manifest(plan)["kinds"][0]["units"] for date in unit["outliers"]["sales"]}
    stored, true = (rows(plan, stage).to_pandas().set_index(["shop_id", "date_key"])["sales"] for stage in STAGES)
    assert {cell for cell, differs in ((stored - true.round(2)).abs() > 0.005).items() if differs} == values
    assert 5 < len(values) < 30


def test_connections_come_out_as_declared() -> None:
    """Within four standard errors, of 2,000 units; a phase is told with its dates."""
    phase = {"start_period": 3, "end_period": 5, "connections": ["visits opposes sales"]}
    plan = from_mapping({**RAW, "scale": 100, "connection_phases": [phase]}, name="shops")
    whole, during = manifest(plan)["kinds"][0]["connections"]
    assert (whole["first"], during["first"], during["last"]) == (None, 20240401, 20240601)
    for pair in (whole, during):
        assert abs(pair["delivered"] - pair["declared"]) < 0.02 + 4 * pair["error"] < 0.1


def test_it_comes_with_a_part_only_where_it_is_asked_for(tmp_path: Path) -> None:
    """It goes through all periods before, which an increment should not cost."""
    plan, part = plan_with(), "2024-03..2024-04"
    for number, (with_manifest, is_there) in enumerate(((None, False), (False, False), (True, True))):
        write_tables(plan, tmp_path / str(number), periods=part, with_manifest=with_manifest)
        assert (tmp_path / str(number) / "manifest.json").exists() == is_there
    assert json.loads((tmp_path / "2" / "manifest.json").read_text(encoding="utf-8"))["window"]["last"] == "2024-04"
    without = from_mapping({**RAW, "manifest": False}, name="shops")
    write_tables(without, tmp_path / "asked", with_manifest=True)
    assert (tmp_path / "asked" / "manifest.json").exists()


def test_many_units_are_a_table_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same rows, in the same bytes every time; it goes with the older run where units are few again."""
    expected = manifest(plan_with())["kinds"][0]["units"]
    monkeypatch.setattr("plotsim_core.truth.manifest.MANY_UNITS", len(expected))
    (kind,) = written(tmp_path / "one")["kinds"]
    assert "units" not in kind
    table = tmp_path / "one" / kind["units_file"]
    with chunks_of(30):
        written(tmp_path / "two")
    again = pq.read_table(tmp_path / "two" / table.name)
    assert pq.read_table(table).equals(again)
    assert [without_nulls(unit) for unit in again.to_pylist()] == [without_nulls(unit) for unit in expected]
    monkeypatch.setattr("plotsim_core.truth.manifest.MANY_UNITS", len(expected) + 1)
    assert written(tmp_path / "one")["kinds"][0]["units"] == expected
    assert not table.exists()


def without_nulls(unit: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a unit, without what is null: a table has a place for everything."""
    return {name: value for name, value in unit.items() if value is not None}


def test_without_it_there_is_no_file(tmp_path: Path) -> None:
    for number, spelled in enumerate(({"include": False}, False)):
        directory = tmp_path / str(number)
        write_tables(from_mapping({**RAW, "manifest": spelled}, name="shops"), directory)
        assert not (directory / "manifest.json").exists()

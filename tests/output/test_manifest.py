"""The manifest says what the tables show, in the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plotsim_core import from_mapping, write_tables
from tests.output.support import RAW, made, rows


def written(directory: Path, **sections: Any) -> dict[str, Any]:
    write_tables(from_mapping({**RAW, **sections}, name="shops"), directory)
    found: dict[str, Any] = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_it_says_who_there_is_and_what_was_declared(tmp_path: Path) -> None:
    found = written(tmp_path)
    (kind,) = found["kinds"]
    units = kind["units"]
    shops = rows(made(), "dim_shop").to_pylist()
    arms = dict(zip(units["key"], units["treatment"], strict=True))
    assert arms == {shop["shop_id"]: shop["arm"] for shop in shops}
    first: dict[str, str] = {}
    for row in rows(made(), "fct_month").to_pylist():
        first.setdefault(row["shop_id"], f"{row['date_key'] // 10000}-{row['date_key'] // 100 % 100:02d}")
    assert dict(zip(units["key"], units["arrival"], strict=True)) == first
    assert [units["segment"].count(s["name"]) for s in kind["segments"]] == [s["count"] for s in kind["segments"]] == [12, 8]
    assert [segment["archetype"] for segment in kind["segments"]] == ["growth", "flat > growth @ 4"]
    assert [(edge["driver"], edge["follower"], edge["delay"]) for edge in kind["causal_graph"]] == [("sales", "mood", 1)]
    assert kind["connections"] == [{"metric_a": "visits", "metric_b": "sales", "coefficient": 0.4, "pooled": False}]
    assert (found["seed"], found["window"]["first"], found["window"]["last"]) == (3, "2024-01", "2024-12")
    assert found["digest"] == made().digest
    assert {name: table["rows"] for name, table in found["tables"].items()} == {
        table.name: rows(made(), table.name).num_rows for table in made().tables
    }
    assert found["tables"]["evt_visit"]["references"]["shop_id"] == "dim_shop.shop_id"


def test_it_is_the_same_bytes_with_sorted_keys(tmp_path: Path) -> None:
    found = written(tmp_path / "one")
    written(tmp_path / "two")
    text = (tmp_path / "one" / "manifest.json").read_text(encoding="utf-8")
    assert text == (tmp_path / "two" / "manifest.json").read_text(encoding="utf-8")
    assert text == json.dumps(found, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"


def test_without_it_there_is_no_file(tmp_path: Path) -> None:
    for number, manifest in enumerate(({"include": False}, False)):
        directory = tmp_path / str(number)
        write_tables(from_mapping({**RAW, "manifest": manifest}, name="shops"), directory)
        assert not (directory / "manifest.json").exists()

"""Words that have no effect where they stand: refused, or noted where plotsim takes them."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from plotsim_core import ConfigError, from_mapping

RAW: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "window": ["2024-01", "2024-06", "month"],
    "metrics": [{"name": name, "type": "score", "polarity": "positive"} for name in ("mood", "zest")],
    "segments": [{"name": "small", "count": 4, "archetype": "flat"}, {"name": "large", "count": 4, "archetype": "growth"}],
    "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
}


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """Return the shops with changes, each a path and a value."""
    raw = copy.deepcopy(RAW)
    for path, value in changes:
        *way, last = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
        place: Any = raw
        for step in way:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        place[last] = value
    return raw


def noted(*changes: tuple[str, Any]) -> list[str]:
    """Return the notes of the shops with changes, without hints."""
    return [str(note).splitlines()[0] for note in from_mapping(changed(*changes), name="shops").notes]


SEASON = {"months": [3], "strength": 0.2}
FAKER = ("dimensions[0].columns", [{"name": "shop_id", "type": "id"}, {"name": "owner", "type": "faker.name"}])
POOL = ("dimensions[0].columns", [{"name": "shop_id", "type": "id"}, {"name": "city", "type": "pool.city"}])
NESTED = {"name": "inner", "type": "struct", "nested_schema": {"city": "pool.city", "owner": "faker.name"}}
CITIES = [(f"segments[{place}].attributes", {"city": ["Ulm"]}) for place in (0, 1)]
PAIRS = ["mood 0.4 zest"]

NO_SEASON = "has no effect: there is no `seasonality`"
LEVEL = [{"curve": "plateau", "level": 0.5, "until": 1}]
PHASE = {"start_period": 0, "end_period": 2}

NOTES: list[tuple[list[tuple[str, Any]], list[str]]] = [
    ([], []),
    ([("output", {"format": "duckdb", "compression": "zstd"})], [
        "output.compression: has no effect without `format: parquet`"]),
    ([("output", {"format": "parquet", "compression": "zstd"})], []),
    ([("metrics[0].seasonal_sensitivity", 2)], [f"metrics[0].seasonal_sensitivity: {NO_SEASON}"]),
    ([("segments[1].seasonal_sensitivity", 0)], [f"segments[1].seasonal_sensitivity: {NO_SEASON}"]),
    ([("metrics[0].seasonal_sensitivity", 2), ("seasonality", [SEASON])], []),
    ([("seasonality", [{**SEASON, "months": [7, 12]}])], [
        "seasonality[0].months: has no effect: no period of the window begins in these months"]),
    ([("seasonality", [{**SEASON, "months": [6, 7]}])], []),
    ([("seasonality", [{**SEASON, "strength": 0}])], ["seasonality[0].strength: 0 has no effect"]),
    ([("seasonality", [{**SEASON, "months": [12]}]), ("window", {"start": "2024-01", "every": "month", "span": 6})], []),
    ([("seasonality", [SEASON]), *((f"metrics[{n}].seasonal_sensitivity", 0) for n in (0, 1))], [
        "seasonality[0]: has no effect: every metric has a seasonal_sensitivity of 0"]),
    ([("seasonality", [SEASON]), *((f"segments[{n}].seasonal_sensitivity", 0) for n in (0, 1))], [
        "seasonality[0]: has no effect: every segment has a seasonal_sensitivity of 0"]),
    ([("seasonality", [SEASON]), ("metrics[0].seasonal_sensitivity", 0)], []),
    ([CITIES[0]], ["segments[0].attributes.city: has no effect: no column shows it"]),
    ([*CITIES, POOL], []),
    ([*CITIES, ("dimensions[0].columns", [{"name": "shop_id", "type": "id"}, NESTED])], []),
    ([("locale", "de_DE")], ["locale: has no effect: no column is of Faker's texts"]),
    ([("locale", "de_DE"), FAKER], []),
    ([*CITIES, ("locale", "de_DE"), ("dimensions[0].columns", [{"name": "shop_id", "type": "id"}, NESTED])], []),
    ([("connections", PAIRS), ("connection_phases", [{**PHASE, "connections": PAIRS}])], [
        "connection_phases[0].connections[0]: has no effect: `connections` says the same of the whole window"]),
    ([("connections", PAIRS), ("connection_phases", [{**PHASE, "connections": ["mood 0.1 zest"]}])], []),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "notes"), NOTES)
def test_what_plotsim_takes_without_effect_is_noted(changes: list[tuple[str, Any]], notes: list[str]) -> None:
    assert noted(*changes) == notes


def test_plain_tables_say_what_moves_their_rows() -> None:
    exact = {"name": "notes", "per": "calls", "rows": {"exact": 70}, "columns": {"note": "sequence"}}
    calls = {"name": "calls", "rows": 50, "columns": {"call_id": "id", "at": "timestamp"}}
    jobs = {"name": "jobs", "rows": 50, "columns": {"job_id": "id"}}
    parts = {"name": "parts", "per": "jobs", "rows": {"exact": 70}, "columns": {"part": "sequence"}}
    assert noted(("tables", [calls, exact, jobs, parts])) == [
        "tables[1].rows.exact: more rows of calls, or another number in all, give each another part",
        "tables[3].rows.exact: more rows of jobs, or another number in all, give each another part",
    ]


def test_notes_have_the_paths_and_names_that_columns_have_in_the_config() -> None:
    """Once for all columns of a pattern."""
    colours = {"name": "colours", "rows": 9, "columns": {"colour_id": "id", "colour": "faker.color_name"}}
    matching = {"type": "ref.colours", "matching": {"colour": "wanted"}, "count": 2}
    things = {"name": "things", "rows": 9, "columns": {"thing_id": "id", "wanted": "faker.color_name", "ref#": matching}}
    (note,) = noted(("tables", [colours, things]))
    assert note.startswith("tables[1].columns.ref#.matching: its values are not known")


AMOUNT = {"name": "sales", "type": "amount", "polarity": "positive", "range": [0, 10]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("segments[1].variation.size", 0.2)], "variation.size: has no effect: no metric is an amount or a count"),
        ([("segments[1].variation.size", 0.2), ("metrics[1]", AMOUNT)], ""),
        ([("segments[1].variation.size", 0)], ""),
        ([("segments[1].variation", "none")], ""),
        ([("segments[0].variation.timing", 0.1)], "variation.timing: has no effect: the curve is the same all along"),
        ([("segments[1].variation.timing", 0.1)], ""),
        ([("segments[0].span", 3)], r"0\].span: has no effect: the curve is the same all along"),
        ([("segments[0].span", 3), ("segments[0].tenure", {"mean": 3})], ""),
        ([("segments[1].span", 3)], ""),
        ([("segments[0].archetype", "flat > growth"), ("segments[0].variation.timing", 0.1)], ""),
        ([("segments[0].archetype", LEVEL), ("segments[0].variation.timing", 0.1)],
         "variation.timing: has no effect"),
        ([("tables", {})], "tables: expected a list of tables"),
        ([("dimensions[0].columns", [{"name": "shop_id", "type": "id"}, {"name": "x", "type": "varchar"}])],
         r"no column type is named 'varchar'\n.*a type says where values come from"),
    ],
)  # fmt: skip
def test_own_words_without_effect_are_refused(changes: list[tuple[str, Any]], message: str) -> None:
    if not message:
        from_mapping(changed(*changes), name="shops")
        return
    with pytest.raises(ConfigError, match=message):
        from_mapping(changed(*changes), name="shops")

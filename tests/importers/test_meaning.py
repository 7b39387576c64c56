"""What plotsim's engine layer says means the same here: curves, means, sizes, arrivals, arms, weights and names."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plotsim_core import from_mapping, generate_tables
from plotsim_core.importers import EngineLayer, Imported
from plotsim_core.numerics.curves import CURVES
from tests.importers.files import Raw, document

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def bakery() -> Imported:
    return EngineLayer.convert(document(FOLDER / "bakery.yaml"))


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    return generate_tables(from_mapping(document(FOLDER / "bakery.yaml"), name="bakery").clean)


def test_a_compound_curve_adds_up_growing_rates() -> None:
    """plotsim adds up a + b u over the periods, and stretches the sums to go from 0 to 1."""
    for base_rate, acceleration in ((0.05, 0.02), (0.01, 0.5), (0.2, 0.0)):
        u = np.linspace(0, 1, 2001)
        sums = np.cumsum(base_rate + acceleration * u)
        expected = (sums - sums[0]) / (sums[-1] - sums[0])
        actual = CURVES["compound"].value(u, u, base_rate=base_rate, acceleration=acceleration)
        assert np.abs(actual - expected).max() < 2e-3


def test_means_at_the_end_of_the_way_are_those_of_the_parameters(bakery: Imported) -> None:
    means = {metric["name"]: metric["mean"][1] for metric in bakery.config["metrics"] if "mean" in metric}
    expected = {
        "loaves": 12,
        "takings": 400 * math.exp(0.5**2 / 2),
        "queue": 3 * 2,
        "oven_hours": 90 * math.gamma(1.5),
        "warmth": 0,  # from -8 at the other end: what falls has the other polarity
    }
    assert means == pytest.approx(expected, rel=1e-3)
    warmth = next(metric for metric in bakery.config["metrics"] if metric["name"] == "warmth")
    assert (warmth["mean"], warmth["polarity"]) == ([-8, 0], "negative")


def test_overrides_are_the_means_of_a_segment(bakery: Imported) -> None:
    corner = bakery.config["segments"][0]
    assert corner["baseline"]["praise"] == "high"
    assert corner["baseline"]["takings"][1] == pytest.approx(900 * math.exp(0.5**2 / 2), rel=1e-3)


def test_a_unit_has_as_many_rows_below_it_as_its_size_says(tables: dict[str, Any]) -> None:
    """Two clerks for each of a bakery's size; which bakery has how many stands in it too."""
    clerks = tables["dim_clerk"].groupby("bakery_id").size()
    sizes = tables["dim_bakery"].drop_duplicates("bakery_id").set_index("bakery_id")["clerks"]
    assert sorted(sizes) == [2, 3, 4, 4, 4, 5]
    assert (clerks.reindex(sizes.index) == 2 * sizes).all()


def test_units_arrive_and_are_treated_as_entities_were(bakery: Imported) -> None:
    harbour = bakery.config["segments"][-1]
    assert harbour["name"] == "harbour"
    assert harbour["arrival"] == {"kind": "explicit", "start_periods": [0, 2, 0]}
    assert harbour["treatment"]["fraction"] == pytest.approx(1 / 3, abs=1e-6)
    assert (harbour["treatment"]["lift_log_odds"], harbour["treatment"]["start_period"]) == (0.8, 6)


def test_arguments_of_providers_and_keys_of_facts_are_kept(tables: dict[str, Any]) -> None:
    opened = tables["dim_bakery"]["opened"].astype(str)
    assert opened.between("2015-01-01", "2022-12-31").all()
    assert tables["fct_month"]["row_id"].is_unique
    assert set(tables["dim_bakery"]["kind"]) == {"riser", "faller", "waver"}


def test_an_event_without_a_trigger_is_there_and_empty(tables: dict[str, Any]) -> None:
    assert len(tables["evt_closing"]) == 0
    assert list(tables["evt_closing"].columns)[:3] == ["closing_id", "date_key", "bakery_id"]


def _named(names: list[str]) -> Imported:
    raw: Raw = copy.deepcopy(document(FOLDER / "days.yaml"))
    raw["entities"] = [{"name": name, "archetype": "busy"} for name in names]
    raw["tables"][1]["columns"][1] = {"name": "maker", "dtype": "string", "source": "derived:name"}
    result = EngineLayer.convert(raw)
    assert result.problems == ()
    return result


def test_names_are_those_of_entities() -> None:
    names = ["north", "south", "east"]
    frames = generate_tables(from_mapping(_named(names).config, name="lifts"), tables=["dim_lift"])
    assert frames["dim_lift"]["maker"].tolist() == names


def test_numbered_entities_are_units_of_one_segment() -> None:
    names = [f"busy_{number:04d}" for number in range(4)]
    result = _named(names)
    assert [segment["count"] for segment in result.config["segments"]] == [4]
    frames = generate_tables(from_mapping(result.config, name="lifts"), tables=["dim_lift"])
    assert frames["dim_lift"]["maker"].tolist() == names


def test_many_entities_lose_their_names_rather_than_be_segments() -> None:
    result = _named([f"lift{letter}{number}" for letter in "abc" for number in range(50)])
    assert [segment["count"] for segment in result.config["segments"]] == [150]
    assert any(note.path == "tables[1].columns[1].source" and "too many" in note.reason for note in result.losses)


def test_tables_and_keys_that_are_added_are_told() -> None:
    raw = copy.deepcopy(document(FOLDER / "days.yaml"))
    del raw["tables"][3]["columns"][0], raw["tables"][0]
    reasons = {note.path: note.reason for note in EngineLayer.convert(raw).losses}
    assert "a dimension of dates is added" in reasons["tables"]
    assert reasons["tables[2].columns"] == "none is the key of a row, so one is added"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_whatever_stands_in_a_document_is_told_and_never_crashes(seed: int) -> None:
    """Random values in random places, several hundred times: there are problems, or there is a config."""
    generator = np.random.default_rng(seed)
    values: list[Any] = [None, 3, -1, 2.5, "x", "", [], {}, True, [1], {"a": 1}, [[]], "a:b:c", 10**30, math.nan, [None]]
    for number in range(150):
        raw = copy.deepcopy(document(FOLDER / ("bakery.yaml", "days.yaml", "members.yaml")[number % 3]))
        part: Any = raw
        while True:
            keys = list(part) if isinstance(part, dict) else range(len(part))
            key = keys[generator.integers(len(keys))]
            if not isinstance(part[key], dict | list) or not part[key] or generator.random() < 0.2:
                break
            part = part[key]
        part[key] = values[generator.integers(len(values))]
        result = EngineLayer.convert(raw)
        assert isinstance(result.config, dict)

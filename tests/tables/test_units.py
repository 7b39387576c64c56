"""Several kinds of unit in one dataset: each has its own life, and rows of one refer to units of another that are there."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from plotsim_core import Plan, from_mapping, generate_tables, slices
from plotsim_core.engine.foreign_units import all_units, last_periods
from plotsim_core.engine.roster import codes
from tests.laws.made import newcomers, unchanged
from tests.laws.test_table_slices import part_rows

PAGE = (Path(__file__).parents[2] / "docs" / "units.md").read_text(encoding="utf-8")
RAW: dict[str, Any] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])


def plan(**changes: Any) -> Plan:
    return from_mapping({**RAW, **changes}, name="shops")


def with_stores(**changes: Any) -> Plan:
    kind = {**copy.deepcopy(RAW["units"][0]), **changes}
    return plan(units=[kind])


def test_a_reference_is_to_a_unit_that_is_there_in_the_rows_period() -> None:
    tables = generate_tables(plan(scale=4))
    arrived = tables["fct_store"].groupby("store_id")["date_key"].min()
    closed = tables["evt_closed"].set_index("store_id")["date_key"]
    visits = tables["evt_visit"]
    assert (visits["date_key"] >= visits["store_id"].map(arrived)).all()
    assert not (visits["date_key"] >= visits["store_id"].map(closed)).any()
    assert visits["store_id"].nunique() > 0.5 * len(tables["dim_store"])
    assert len(closed) > 0, "no store closes, so nothing is tested"


def test_larger_units_are_referred_to_more_often() -> None:
    """Visits of stores that are there all the time are shared out in proportion to size (chi-square at 0.1 %)."""
    segments = [{"name": "city", "count": 8, "archetype": "growth", "variation": {"size": 0.6}}]
    result = with_stores(segments=segments, events=[])
    tables = generate_tables(result, tables=["evt_visit", "dim_store"])
    visits = tables["evt_visit"]["store_id"].value_counts().reindex(tables["dim_store"]["store_id"]).to_numpy()
    sizes = all_units(result.population.others[0], result.first + 1).units.size
    assert stats.chisquare(visits, sizes / sizes.sum() * visits.sum()).pvalue > 0.001
    assert np.ptp(sizes) > 0.3


def test_shares_are_those_of_size_while_units_come_and_go() -> None:
    """Over all periods each store has the visits that its share of the sizes of those who are there says (chi-square at
    0.1 %); stores that leave before and arrive later have none."""
    ongoing = {"kind": "ongoing", "per_period": 3}
    segments = [
        {"name": "city", "count": 70, "archetype": "growth", "variation": {"size": 0.8}, "arrival": {"kind": "uniform"}},
        {"name": "village", "count": 5, "archetype": "flat"},
        {
            "name": "mall",
            "count": 9,
            "archetype": "flat",
            "tenure": {"mean": 4},
            "arrival": ongoing,
        },
    ]
    kind = {**copy.deepcopy(RAW["units"][0]), "segments": segments}
    loaded_plan = plan(units=[kind], scale=6)
    stores = loaded_plan.population.others[0]
    units, last = all_units(stores, loaded_plan.stop).units, last_periods(stores, loaded_plan.stop)
    tables = generate_tables(loaded_plan, tables=["evt_visit", "dim_store"])
    visits = tables["evt_visit"].groupby("date_key").size()
    expected = np.zeros(len(units))
    for period, key in zip(
        range(loaded_plan.first, loaded_plan.stop),
        loaded_plan.grain.keys(np.arange(loaded_plan.first, loaded_plan.stop)),
        strict=True,
    ):
        present = units.size * ((units.arrival <= period) & (last >= period))
        expected += present / present.sum() * visits.get(key, 0)
    keys = [f"STO-{code}" for code in codes(stores, units)]
    counts = tables["evt_visit"]["store_id"].value_counts().reindex(keys, fill_value=0).to_numpy()
    assert not counts[expected == 0].any()
    often = expected > 5
    assert often.sum() > 100
    assert stats.chisquare(counts[often], expected[often] * counts[often].sum() / expected[often].sum()).pvalue > 0.001


def test_a_crowd_that_has_left_is_passed_by() -> None:
    """Of two thousand stores all but a few are gone: those who are there are found, in proportion to size, and a store more
    takes visits and moves none."""
    crowd = {"name": "gone", "count": 2000, "archetype": "flat", "tenure": {"mean": 1.5}}
    few = {"name": "few", "count": 3, "archetype": "flat", "variation": {"size": 0.8}}
    one = with_stores(segments=[crowd, few], events=[])
    more = with_stores(segments=[crowd, {**few, "count": 4}], events=[])
    names = ["evt_visit", "dim_store"]
    before, after = (generate_tables(result, tables=names) for result in (one, more))
    new = set(after["dim_store"]["store_id"]) - set(before["dim_store"]["store_id"])
    old, fresh = (rows["evt_visit"]["store_id"].to_numpy() for rows in (before, after))
    assert len(new) == 1
    assert not pd.isna(old).any()
    went = np.isin(fresh, list(new))
    assert 0 < went.sum() < len(went)
    assert (fresh == old)[~went].all()


@pytest.mark.slow
def test_units_of_one_kind_change_no_value_of_another() -> None:
    """More customers leave all stores alone; more stores take references, and change nothing else."""
    segments = copy.deepcopy(RAW["segments"])
    segments[0]["count"] += 5
    assert not unchanged(plan(), plan(segments=segments))
    stores = copy.deepcopy(RAW["units"][0]["segments"])
    stores[0]["count"] += 2
    more = with_stores(segments=stores)
    assert not unchanged(plan(), more, new=newcomers(plan(), more))


WARDS: dict[str, Any] = {
    "about": "Patients who are seen by doctors of wards",
    "unit": "patient",
    "window": ["2024-01", "2024-06", "month"],
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [1, 3]}],
    "segments": [{"name": "all", "count": 30, "archetype": "growth"}],
    "tables": [
        {"name": "patients", "per": "patient", "columns": {"patient_id": "id"}},
        {"name": "rooms", "rows": 4, "columns": {"room_id": "id"}},
    ],
}
"""A first kind of unit to which others refer."""
DOCTOR: dict[str, Any] = {
    "unit": "doctor",
    "metrics": [{"name": "load", "type": "count", "polarity": "positive", "mean": [1, 3]}],
    "segments": [{"name": "staff", "count": 8, "archetype": "flat", "arrival": {"kind": "uniform"}}],
    "tables": [
        {"name": "doctors", "per": "doctor", "columns": {"doctor_id": "id", "ward": "ref.wards"}},
        {"name": "shifts", "per": ["doctor", "period", "rooms"], "columns": {"hours": {"type": "range", "range": [1, 9]}}},
        {
            "name": "consults",
            "per": ["doctor", "period"],
            "rows": {"poisson": "load"},
            "columns": {"consult_id": "id", "at": "timestamp", "patient": "ref.patients", "room": "ref.rooms"},
        },
        {"name": "notes", "per": "consults", "rows": [1, 2], "columns": {"number": "sequence", "to": "ref.patients"}},
    ],
}
WARD: dict[str, Any] = {
    "unit": "ward",
    "metrics": [{"name": "beds", "type": "count", "polarity": "positive", "mean": [5, 9]}],
    "segments": [{"name": "wings", "count": 5, "archetype": "growth"}],
    "tables": [{"name": "wards", "per": "ward", "columns": {"ward_id": "id"}}],
}


@pytest.mark.parametrize("units", [[DOCTOR, WARD], [WARD, DOCTOR]], ids=["before", "after"])
def test_kinds_refer_to_each_other_in_any_order(units: list[dict[str, Any]]) -> None:
    """Doctors to wards, whichever is written first, and to patients, the first kind; grids of doctors to rooms of all."""
    wards = from_mapping({**WARDS, "units": units}, name="wards")
    tables = generate_tables(wards)
    for name, column, to, key in (
        ("doctors", "ward", "wards", "ward_id"),
        ("consults", "patient", "patients", "patient_id"),
        ("notes", "to", "patients", "patient_id"),
        ("shifts", "room_id", "rooms", "room_id"),
    ):
        assert set(tables[name][column]) <= set(tables[to][key])
        assert tables[name][column].nunique() > 2
    for population in wards.populations:
        for table in population.unit_tables:
            assert part_rows(wards, slices(wards, [table.name], 3)).to_pandas().equals(tables[table.name])


def test_a_column_named_like_the_units_of_another_kind_refers_to_none() -> None:
    """A number of doctors of each patient leaves doctors free to refer to patients."""
    numbers = {"doctors": {"type": "range", "range": [1, 9]}, "twice": "= doctors * 2"}
    patients = {"name": "patients", "per": "patient", "columns": {"patient_id": "id", **numbers}}
    raw = {**WARDS, "units": [DOCTOR, WARD], "tables": [patients, WARDS["tables"][1]]}
    assert generate_tables(from_mapping(raw, name="wards"))["consults"]["patient"].notna().all()


def test_patients_more_leave_those_alone_who_refer_to_others() -> None:
    raw = {**WARDS, "units": [DOCTOR, WARD]}
    before = from_mapping(raw, name="wards")
    after = from_mapping({**raw, "segments": [{"name": "all", "count": 31, "archetype": "growth"}]}, name="wards")
    assert not unchanged(before, after, new=newcomers(before, after))


def test_a_kind_without_tables_gets_the_star_schema() -> None:
    names = ("unit", "metrics", "segments")
    kind = {name: RAW["units"][0][name] for name in names}
    tables = generate_tables(plan(units=[kind]))
    assert list(tables["fct_footfall"].columns) == ["date_key", "store_id", "footfall"]
    assert set(tables) >= {"dim_store", "fct_mood", "dim_customer", "dim_date"}
    assert len(tables["dim_store"]) == 10


def test_nobody_to_refer_to_is_null() -> None:
    """While no store has arrived, rows refer to none."""
    late = [{"name": "city", "count": 3, "archetype": "growth", "arrival": {"kind": "explicit", "start_periods": [4, 5, 6]}}]
    visits = generate_tables(with_stores(segments=late, events=[]))["evt_visit"]
    early = visits["date_key"] < 20240501
    assert early.any()
    assert (visits["store_id"].isna() == early).all()


def test_noise_is_the_datasets_unless_a_kind_has_its_own() -> None:
    noisy = {"mcar_rate": 0.5}
    both = generate_tables(plan(noise=noisy), tables=["fct_customer", "fct_store"])
    tables = generate_tables(
        from_mapping({**RAW, "noise": noisy, "units": [{**RAW["units"][0], "noise": "clean"}]}, name="shops")
    )
    assert both["fct_store"]["footfall"].isna().any()
    assert both["fct_customer"]["spend"].isna().any()
    assert not tables["fct_store"]["footfall"].isna().any()


@pytest.mark.parametrize("name", ["store_trajectories", "store_noised_metrics"])
def test_stages_of_a_further_kind_are_tables(name: str) -> None:
    rows = generate_tables(plan(), tables=[name])[name]
    assert isinstance(rows, pd.DataFrame)
    assert set(rows.columns) > {"date_key", "store_id"}
    assert len(rows) == len(generate_tables(plan(), tables=["fct_store"])["fct_store"])


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("company", "Companies, one row per company."),
        ("day", "Days, one row per day."),
        ("branch", "Branches, one row per branch."),
        ("sales_rep", "Sales reps, one row per sales rep."),
    ],
)
def test_the_dimension_of_a_unit_is_described_in_words(unit: str, message: str) -> None:
    raw = {
        "about": "Some",
        "unit": unit,
        "window": ["2024-01", "2024-02", "month"],
        "metrics": [{"name": "sales", "type": "count", "polarity": "positive", "mean": [1, 2]}],
        "segments": [{"name": "all", "count": 2, "archetype": "growth"}],
    }
    assert from_mapping(raw, name="some").table(f"dim_{unit}").description == message

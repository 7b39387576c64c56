"""References: to the own table, to what matches or is valid, to distinct rows, to anybody's children, by other columns."""

from __future__ import annotations

import copy
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from plotsim_core import Plan, from_mapping
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice
from plotsim_core.tables.build import find_table
from plotsim_core.tables.slices import make, slices
from tests.laws.made import made_of, made_table

CONFIG = """
about: Staff
unit: employee
window: { start: 2024-01, end: 2024-12, every: month }
metrics: [{ name: work, type: count, polarity: positive, mean: [2, 6] }]
segments:
  - name: core
    count: 25
    archetype: growth
    arrival: { kind: uniform, end: 6 }
    tenure: { mean: 5 }
    attributes: { city: [Bonn, Rome] }
  - name: late
    count: 15
    archetype: flat
    arrival: { kind: ongoing, per_period: 1 }
    span: 12
    attributes: { city: [Oslo] }
dimensions:
  - name: dim_employee
    per: unit
    columns:
      - { name: employee_id, type: id }
      - { name: email, type: faker.email, unique: true }
      - { name: city, type: pool.city }
      - { name: manager_id, type: ref.dim_employee }
      - { name: manager_email, type: ref.dim_employee, column: email, roots: 3 }
      - { name: manager_city, type: lookup.dim_employee.city, by: manager_id }
  - name: dim_post
    per: unit
    count: [1, 4]
    columns:
      - { name: post_id, type: id }
      - { name: employee_id, type: ref.dim_employee }
      - { name: reply_to, type: ref.dim_post }
      - { name: tool_id, type: ref.dim_tool, distinct: true, distribution: zipf, exponent: 2 }
  - name: dim_tool
    reference: true
    columns:
      - { name: tool_id, type: id }
      - { name: sku, type: "static.a,b,c,d,e,f" }
      - { name: kind, type: "static.hand,hand,hand,power,power,power" }
      - { name: fame, type: "static.0,1,1,2,0,6" }
      - { name: part_of, type: ref.dim_tool, roots: 2 }
  - name: dim_rate
    reference: true
    columns:
      - { name: rate_id, type: id }
      - { name: start_at, type: static, value_type: date, values: [2024-01-01, 2024-03-01, 2024-03-15, null, 2024-11-01] }
      - { name: end_at, type: static, value_type: date, values: [2024-04-01, 2024-05-01, 2024-06-01, 2024-02-01, null] }
  - name: dim_place
    reference: true
    count: 40
    columns:
      - { name: place_id, type: id }
      - { name: city, type: choice, values: [Bonn, Oslo, Kyiv] }
facts:
  - name: fct_job
    row_count_driver: work
    columns:
      - { name: job_id, type: id }
      - { name: date_key, type: ref.dim_date }
      - { name: employee_id, type: ref.dim_employee }
      - { name: at, type: timestamp }
      - { name: kind, type: choice, values: [hand, power] }
      - { name: tool_id, type: ref.dim_tool, matching: { kind: kind } }
      - { name: famous_id, type: ref.dim_tool, weights: fame }
      - { name: sku, type: ref.dim_tool, column: sku }
      - { name: rate_id, type: ref.dim_rate, during: { from: start_at, to: end_at } }
      - { name: place_id, type: ref.dim_place, matching: { city: dim_employee.city } }
      - { name: any_post, type: ref.dim_post, of: any }
      - { name: other_post, type: ref.dim_post, of: others }
  - name: fct_step
    parent_table: fct_job
    children_per_row: [1, 3]
    columns:
      - { name: step_id, type: id }
      - { name: date_key, type: ref.dim_date }
      - { name: employee_id, type: ref.dim_employee }
      - { name: same_kind, type: ref.dim_tool, matching: { kind: fct_job.kind }, distinct: true }
      - { name: other_tool, type: ref.dim_tool, distinct: true }
      - { name: weighed_tool, type: ref.dim_tool, distinct: true, weights: fame }
  - { name: fct_state, snapshot_of: dim_employee }
"""
STATES = ("dim_employee", "dim_post")


def config() -> dict[str, Any]:
    """Return a new copy of the config."""
    raw: dict[str, Any] = yaml.safe_load(CONFIG)
    return copy.deepcopy(raw)


@cache
def whole() -> Plan:
    """Return the plan of the config."""
    return from_mapping(config(), name="staff")


@cache
def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    return made_table(whole(), name).to_pylist()


def by_key(name: str, key: str) -> dict[Any, dict[str, Any]]:
    """Return the rows of a table by a column."""
    return {row[key]: row for row in rows(name)}


def test_units_refer_to_units_that_came_before_and_are_there() -> None:
    plan = whole()
    stop = plan.stop
    assert stop is not None
    arrivals: dict[str, int] = {}
    for period in range(plan.first, stop):
        state = made_table(plan, "dim_employee", None, period + 1).to_pylist()
        present = {row["employee_id"] for row in made_table(plan, "fct_state", period, period + 1).to_pylist()}
        for row in state:
            arrivals.setdefault(row["employee_id"], period)
        managers = {row["employee_id"]: row["manager_id"] for row in state}
        assert list(managers.values()).count(None) >= 1
        for employee, manager in managers.items():
            if manager is not None:
                assert arrivals[manager] <= arrivals[employee]
                assert manager in present or employee not in present
            seen = {employee}
            while manager is not None:
                assert manager not in seen
                seen.add(manager)
                manager = managers[manager]


def test_one_unit_has_no_manager_while_all_stay() -> None:
    raw = config()
    for segment in raw["segments"]:
        segment.pop("tenure", None)
    state = made_table(from_mapping(raw, name="staff"), "dim_employee").to_pylist()
    assert [row["manager_id"] for row in state].count(None) == 1
    assert [row["manager_email"] for row in state].count(None) == 3


def test_other_columns_of_the_target_are_referred_to() -> None:
    employees = by_key("dim_employee", "email")
    by_id = by_key("dim_employee", "employee_id")
    for row in rows("dim_employee"):
        assert row["manager_email"] is None or row["manager_email"] in employees
        if row["manager_id"] is not None:
            assert row["manager_city"] == by_id[row["manager_id"]]["city"]
    assert {row["sku"] for row in rows("fct_job")} == set("abcdef")
    assert ("sku", "dim_tool", "sku") in whole().table("fct_job").references


def test_listed_rows_and_children_refer_to_lower_numbers() -> None:
    keys = [row["tool_id"] for row in rows("dim_tool")]
    parts = [row["part_of"] for row in rows("dim_tool")]
    assert parts[:2] == [None, None]
    assert all(keys.index(part) < number for number, part in enumerate(parts) if part is not None)
    assert parts.count(None) == 2
    posts = by_key("dim_post", "post_id")
    for key, post in posts.items():
        number = int(key[-3:])
        assert (post["reply_to"] is None) == (number == 1)
        if post["reply_to"] is not None:
            assert posts[post["reply_to"]]["employee_id"] == post["employee_id"]
            assert int(post["reply_to"][-3:]) < number


def test_matching_reads_the_row_its_parent_and_its_unit() -> None:
    tools, jobs = by_key("dim_tool", "tool_id"), by_key("fct_job", "job_id")
    cities = {row["employee_id"]: row["city"] for row in rows("dim_employee")}
    places = by_key("dim_place", "place_id")
    for job in rows("fct_job"):
        assert tools[job["tool_id"]]["kind"] == job["kind"]
        city = cities[job["employee_id"]]
        assert (job["place_id"] is None) == (city == "Rome")
        assert city == "Rome" or places[job["place_id"]]["city"] == city
    for step in rows("fct_step"):
        assert tools[step["same_kind"]]["kind"] == jobs[step["job_id"]]["kind"]
    assert any(note.path.endswith("columns[9].matching") for note in whole().notes)


@pytest.mark.parametrize("name", ["same_kind", "other_tool", "weighed_tool"])
def test_siblings_refer_to_different_rows(name: str) -> None:
    pairs = Counter((row["job_id"], row[name]) for row in rows("fct_step"))
    assert max(pairs.values()) == 1


def test_distinct_weighted_references_follow_the_weights() -> None:
    steps = rows("fct_step")
    assert {row["weighed_tool"][-1] for row in steps} == {"2", "3", "4", "6"}
    first = Counter(row["weighed_tool"][-1] for row in steps if row["step_id"].endswith("-001"))
    count = sum(first.values())
    for tool, share in {"2": 0.1, "3": 0.1, "4": 0.2, "6": 0.6}.items():
        assert abs(first[tool] / count - share) < 4 * np.sqrt(share * (1 - share) / count)
    pairs = Counter((row["employee_id"], row["tool_id"]) for row in rows("dim_post"))
    assert max(pairs.values()) == 1


def test_a_column_of_the_target_weighs_its_rows() -> None:
    counts = Counter(row["famous_id"][-1] for row in rows("fct_job"))
    assert set(counts) == {"2", "3", "4", "6"}
    count = sum(counts.values())
    for tool, share in {"2": 0.1, "3": 0.1, "4": 0.2, "6": 0.6}.items():
        assert abs(counts[tool] / count - share) < 4 * np.sqrt(share * (1 - share) / count)


def test_references_during_a_time_go_evenly_to_what_is_valid() -> None:
    rates = {
        row["rate_id"]: (row["start_at"] or np.datetime64("0001-01-01"), row["end_at"] or np.datetime64("9999-01-01"))
        for row in rows("dim_rate")
    }
    spring: Counter[str] = Counter()
    for job in rows("fct_job"):
        moment = np.datetime64(job["at"], "us")
        valid = {key for key, (start, end) in rates.items() if np.datetime64(start) <= moment < np.datetime64(end)}
        assert (job["rate_id"] in valid) if valid else job["rate_id"] is None
        if len(valid) == 3:
            spring[job["rate_id"]] += 1
    count = sum(spring.values())
    assert len(spring) == 3
    assert all(abs(number / count - 1 / 3) < 4 * np.sqrt(2 / 9 / count) for number in spring.values())


def test_rows_refer_to_children_of_others() -> None:
    owners = {row["post_id"]: row["employee_id"] for row in rows("dim_post")}
    jobs = rows("fct_job")
    assert all(owners[row["other_post"]] != row["employee_id"] for row in jobs if row["other_post"] is not None)
    is_own = [owners[row["any_post"]] == row["employee_id"] for row in jobs if row["any_post"] is not None]
    assert any(is_own)
    assert not all(is_own)


def test_slices_of_references_equal_the_whole() -> None:
    plan = from_mapping(config(), name="staff")
    stop = plan.stop
    assert stop is not None
    generator = np.random.default_rng(15)
    everything = {name: made_table(whole(), name) for name in ("fct_job", "fct_step", "fct_state")}
    for _ in range(4):
        first = int(generator.integers(plan.first, stop))
        end = int(generator.integers(first + 1, stop + 1))
        for name, expected in everything.items():
            keys = pa.array(plan.grain.keys(np.arange(first, end, dtype=np.int64)))
            part = made_table(plan, name, first, end)
            is_in = pc.is_in(expected[find_table(plan, name).time or ""], keys)
            assert part.equals(expected.filter(is_in).combine_chunks())
    units = units_by(plan.population, stop)
    for name in STATES:
        parts = [made_of(plan, name, Slice(stop - 1, stop, at, min(at + 7, units))) for at in range(0, units, 7)]
        assert pa.concat_tables(parts).combine_chunks().equals(made_table(whole(), name))


@pytest.mark.parametrize("change", ["segment", "units"])
def test_units_more_take_references_and_move_none(change: str) -> None:
    raw, before = config(), whole()
    if change == "segment":
        raw["segments"].append({"name": "new", "count": 12, "archetype": "flat", "attributes": {"city": ["Oslo"]}})
    else:
        for segment in raw["segments"]:
            segment["count"] += 5
    after = from_mapping(raw, name="staff")
    old_units = {row["employee_id"] for row in rows("dim_employee")}
    old_posts = {row["post_id"] for row in rows("dim_post")}
    emails = {row["email"] for row in rows("dim_employee")}
    late = {row["employee_id"]: row for row in made_table(after, "dim_employee").to_pylist()}
    for row in rows("dim_employee"):
        now = late[row["employee_id"]]
        assert now["manager_id"] == row["manager_id"] or now["manager_id"] not in old_units
        is_old_root = row["manager_email"] is None
        assert now["manager_email"] == row["manager_email"] or now["manager_email"] not in emails or is_old_root
    jobs = {row["job_id"]: row for row in made_table(after, "fct_job").to_pylist()}
    moved = 0
    for row in rows("fct_job"):
        now = jobs[row["job_id"]]
        for name in ("any_post", "other_post"):
            assert now[name] == row[name] or now[name] not in old_posts
            moved += now[name] != row[name]
        assert {**now, "any_post": 0, "other_post": 0} == {**row, "any_post": 0, "other_post": 0}
    assert moved
    assert before.table("fct_step").references == after.table("fct_step").references


SHAPES = """
about: Stays and diagnoses
unit: patient
window: { start: 2024-01-01, end: 2024-01-31, every: day }
metrics: [{ name: frailty, type: count, polarity: negative, mean: [0.1, 0.3] }]
segments: [{ name: all, count: 50, archetype: flat }]
tables:
- { name: patients, per: patient, columns: [{ name: patient_id, type: id }] }
- name: icd
  columns: [{ name: icd_id, type: id }, { name: ward, type: "static.a,a,a,a,b,b,b,b" }]
- name: staff
  rows: 150000
  columns:
    - { name: staff_id, type: id }
    - { name: manager_id, type: ref.staff, roots: 3 }
    - { name: level, type: range, range: [1, 9] }
    - { name: manager_level, type: lookup.staff.level }
- name: shifts
  per: staff
  rows: [1, 3]
  columns: [{ name: shift, type: sequence }, { name: icd_id, type: ref.icd, distinct: true }]
- name: stays
  per: [patient, period]
  rows: { poisson: frailty }
  columns:
    - { name: stay_id, type: id }
    - { name: patient_id, type: ref.patients }
    - { name: ward, type: choice, values: [a, b] }
- name: diagnoses
  per: stays
  rows: { 1: 4, 2: 3, 3: 2, 4: 1 }
  columns:
    - { name: diagnosis_id, type: id }
    - { name: icd_id, type: ref.icd, matching: { ward: stays.ward }, distinct: true }
"""


@pytest.mark.slow
def test_references_of_plain_tables_and_of_rows_of_any_table() -> None:
    plan = from_mapping(yaml.safe_load(SHAPES), name="stays")
    staff = made_table(plan, "staff")
    managers, levels = staff["manager_id"].to_pylist(), staff["level"].to_pylist()
    place = {key: number for number, key in enumerate(staff["staff_id"].to_pylist())}
    assert managers[:3] == [None] * 3
    assert all(manager is not None and place[manager] < number for number, manager in enumerate(managers[3:], 3))
    shown = staff["manager_level"].to_pylist()
    assert all(shown[number] == levels[place[manager]] for number, manager in enumerate(managers[3:], 3))
    parts = [make(plan, part).read_all() for part in slices(plan, ["staff"], 5, by="rows")]
    assert pa.concat_tables(parts).combine_chunks().equals(staff)
    shifts = made_table(plan, "shifts")
    assert shifts.group_by(["staff_id", "icd_id"]).aggregate([]).num_rows == shifts.num_rows
    diagnoses, stays = made_table(plan, "diagnoses"), made_table(plan, "stays")
    joined = diagnoses.join(stays.select(["stay_id", "ward"]), "stay_id").join(
        made_table(plan, "icd"), "icd_id", right_suffix="_2"
    )
    assert joined["ward"].equals(joined["ward_2"])
    assert diagnoses.group_by(["stay_id", "icd_id"]).aggregate([]).num_rows == diagnoses.num_rows

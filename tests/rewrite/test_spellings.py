"""What becomes of each old spelling, and what stays as it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from plotsim_core.columns.date_parts import DATE_PARTS, TIME_PARTS
from plotsim_core.config.read import read_text
from plotsim_core.config.rewrite import RULES, canonical, rewritten
from plotsim_core.config.rewrite.places import places
from plotsim_core.config.rewrite.rules import todays_value
from tests.rewrite.test_files import wrong

HERE = Path(__file__).parent
OLD, TODAYS = ((HERE / name).read_text(encoding="utf-8") for name in ("old.yaml", "todays.yaml"))


def test_old_spellings_become_todays() -> None:
    assert rewritten(OLD, "old") == TODAYS
    assert wrong(OLD, HERE / "old.yaml") == []


def test_a_file_with_other_line_breaks_keeps_them() -> None:
    assert rewritten(OLD.replace("\n", "\r\n"), "old") == TODAYS.replace("\n", "\r\n")


def test_every_rule_has_something_to_say() -> None:
    parts = {place.part for place in places(read_text(OLD, "old")) if todays_value(place) != place.value}
    assert parts == {rule.part for rule in RULES}


TABLE = """
dimensions:
  - name: dim_shop
    columns:
      - {{ name: shop_id, type: id }}
      - {column}
"""


@pytest.mark.parametrize(
    "column",
    [
        '{ name: rota, type: static, values: [a, a, b] }',
        '{ name: price, type: "static.2.50,3.10" }',
        '{ name: number, type: "static.1e3,2" }',
        '{ name: only, type: static.7 }',
        '{ name: empty, type: "static.a,,b" }',
        '{ name: open, type: \'static."a,b\' }',
        '{ name: day, type: static, values: [2024-01-01, 2024-01-02], value_type: date }',
        '{ name: look, type: "pool.look:chance", by: chance }',
        '{ name: before, type: "lag.visits:months:2" }',
        '{ name: year, type: "faker.year:minimum" }',
        '{ name: other, type: no_such_type.x }',
        '{ name: 3, type: 4 }',
        '{ name: "day_of_week", type: "string" }',
        '{ name: date, type: int }',
    ],
)  # fmt: skip
def test_what_has_no_other_word_or_cannot_be_read_stays(column: str) -> None:
    text = TABLE.format(column=column)
    assert rewritten(text, "text") == text


@pytest.mark.parametrize(
    ("column", "todays"),
    [
        ("{ name: a, type: 'static.\"x, y\",z' }", '{ name: a, type: choice, values: ["x, y", z] }'),
        ('{ name: a, type: "static.true,no" }', '{ name: a, type: choice, values: ["true", no] }'),
        (
            "{ name: a, type: 'static.1,2', value_type: text }",
            '{ name: a, type: static, values: ["1", "2"], value_type: text }',
        ),
        ("{ type: 'static.x,y', name: a }", "{ type: choice, values: [x, y], name: a }"),
        ("{ name: a, type: lag.visits:periods:1 }", "{ name: a, type: lag.visits, periods: 1 }"),
    ],
)
def test_options_stand_beside_the_type(column: str, todays: str) -> None:
    assert rewritten(TABLE.format(column=column), "text") == TABLE.format(column=todays)


def test_columns_may_be_a_mapping() -> None:
    text = 'dimensions:\n- columns:\n    a: "static.x,y" # two\n    b: { type: lag.z:periods:2 }\n    c: id\n'
    todays = text.replace('"static.x,y"', "{ type: choice, values: [x, y] }").replace("z:periods:2", "z, periods: 2")
    assert rewritten(text, "text") == todays


def test_what_an_alias_names_is_spelt_anew_only_if_it_says_the_same_everywhere() -> None:
    """In the listed table the values are its rows, in the other one each row has one of them."""
    columns = "columns: &both [{ name: a, type: 'static.x,y' }]"
    text = f"dimensions:\n- name: d\n  {columns}\n- {{ name: e, %scolumns: *both }}\n"
    assert rewritten(text % "reference: true, ", "text") == text % "reference: true, "
    assert rewritten(text % "", "text") == (text % "").replace("'static.x,y'", "choice, values: [x, y]")


def test_a_comment_inside_a_part_is_not_lost() -> None:
    text = "connections:\n- metric_a: a\n  metric_b: b # why\n  coefficient: 0.2\n- [a, 0.1, c]\n"
    assert rewritten(text, "text") == text.replace("[a, 0.1, c]", "a 0.1 c")


def test_a_section_under_both_names_stays() -> None:
    text = "stages: 1\nlifecycle: 2\n"
    assert rewritten(text, "text") == text


def test_a_long_list_goes_over_several_lines() -> None:
    names = [f"a long name {number}" for number in range(20)]
    todays = rewritten(TABLE.format(column=f'{{ name: a, type: "static.{",".join(names)}", description: D }}'), "text")
    assert max(map(len, todays.splitlines())) <= 140
    assert read_text(todays, "text")["dimensions"][0]["columns"][1]["values"] == names


def test_a_config_of_a_program_is_not_changed() -> None:
    raw = {"window": ("2024-01", "2024-02", "monthly"), "connections": [("a", 0.5, "b")]}
    assert canonical(raw) == {"window": ["2024-01", "2024-02", "month"], "connections": ["a 0.5 b"]}
    assert raw == {"window": ("2024-01", "2024-02", "monthly"), "connections": [("a", 0.5, "b")]}


@pytest.mark.parametrize(
    "raw", [None, [], {}, 3, {"dimensions": 3}, {"dimensions": [{"columns": [None, 3]}]}, {"units": [1]}]
)
def test_what_is_no_config_is_left_alone(raw: object) -> None:
    assert canonical(raw) == raw


@pytest.mark.slow
@pytest.mark.parametrize("name", ["old", "todays"])
def test_a_config_with_anything_wrong_is_none_to_stumble_over(name: str) -> None:
    """The digest of a file is asked for before anybody has read what is wrong with it."""
    text = (HERE / f"{name}.yaml").read_text(encoding="utf-8")
    raw = read_text(text, name)
    for steps in ways(raw):
        for nonsense in (None, 3, "x", [], {}, [None], {"a": [1]}, [[]], [{}]):
            broken = copy.deepcopy(raw)
            owner = broken
            for step in steps[:-1]:
                owner = owner[step]
            owner[steps[-1]] = nonsense
            canonical(broken)


def ways(value: object, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the steps to each part of a value."""
    if steps:
        yield steps
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in pairs:
        yield from ways(item, (*steps, step))


def test_each_part_of_a_date_in_each_type_is_the_same_in_todays_words() -> None:
    for parts, dimension in (
        (DATE_PARTS, "dim_date\n    per: period"),
        (TIME_PARTS, "dim_time\n    per: time"),
    ):
        for form in ("date", "int", "float", "string", "bool"):
            names = [name for name, part in parts.items() if form in part.forms]
            columns = "".join(f"      - {{ name: {name}, type: {form} }}\n" for name in names)
            key = "date_key" if parts is DATE_PARTS else "time_key"
            table = f"  - name: {dimension}\n    columns:\n      - {{ name: {key}, type: id }}\n{columns}"
            weeks = DAYS.replace("holidays: US", "holidays: US, fiscal_weeks: { pattern: 4-4-5 }")
            text = weeks if "fiscal_week" in names else DAYS
            assert wrong(text.replace("dimensions:\n", f"dimensions:\n{table}"), HERE / "days.yaml") == []


DAYS = """
about: Days
unit: shop
window: [2024-03-01, 2024-04-02, 30 minutes]
calendar: { holidays: US }
rhythm: { holidays: 0.5 }
metrics: [{ name: sales, type: amount, polarity: positive, range: [1, 9] }]
segments: [{ name: all, count: 2, archetype: flat }]
dimensions:
  - name: dim_shop
    per: unit
    columns: [{ name: shop_id, type: id }]
"""


def test_a_holiday_is_shown_whatever_its_column_is_called() -> None:
    table = "  - name: dim_date\n    columns: [{ name: date_key, type: id }, { name: feast, type: calendar.is_holiday }]\n"
    text = DAYS.replace("rhythm: { holidays: 0.5 }\n", "").replace("dimensions:\n", f"dimensions:\n{table}")
    assert wrong(text, HERE / "days.yaml") == []


@pytest.mark.parametrize("type_", ["id", "uuid"])
def test_a_fact_of_whole_periods_with_a_key_stays_where_it_is(type_: str) -> None:
    """In `tables`, rows per period with a key are the dates."""
    columns = f"[{{ name: date_key, type: ref.dim_date }}, {{ name: total_id, type: {type_} }}]"
    text = f"{DAYS}facts:\n  - {{ name: fct_total, per: period, metrics: [sales], columns: {columns} }}\n"
    assert wrong(text, HERE / "days.yaml") == []
    assert "fct_total" in [table["name"] for table in canonical(read_text(text, "days"))["facts"]]

"""Formulas give what Python gives, row by row; nulls pass through; what has no value is null; nothing can be run."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import ConfigError, from_mapping, generate_tables
from plotsim_core.columns.formula_values import formula_value, inputs_of
from plotsim_core.config.calendar import Calendar
from plotsim_core.config.formula import PICK, FormulaError, names, parse_formula
from plotsim_core.config.formula_functions import FUNCTIONS

ROWS: list[dict[str, Any]] = [
    {"a": 3, "b": 2.5, "t": "x"},
    {"a": -7, "b": 0.5, "t": "y"},
    {"a": 4, "b": -1.25, "t": "x"},
    {"a": 10, "b": 100.0, "t": "z"},
]


def computed(formula: str, rows: list[dict[str, Any]] = ROWS) -> list[Any]:
    """Return a formula's value in rows, None for null."""
    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0]}
    with np.errstate(all="ignore"):
        actual = formula_value(parse_formula(formula), inputs_of(columns, {}, len(rows), Calendar()))
    if isinstance(actual, pa.Array):
        return actual.to_pylist()
    return [float(value) if math.isfinite(value) else None for value in actual]


@pytest.mark.parametrize(
    "formula",
    [
        "a + b * 2",
        "-(a - b) / 4",
        "a // 3 + a % 3",
        "b ** 2 - a ** 3",
        "abs(a) + min(a, b, 1) - max(a, b)",
        "round(b * 1.117, 2)",
        "a > b",
        "a >= 3 and b < 2 or not a == 4",
        "'big' if a > 3 else 'small'",
        "t == 'x'",
        "a if t != 'x' else b",
        "+a - -b",
        "(a < b) + 1",
    ],
)
def test_a_formula_gives_what_python_gives(formula: str) -> None:
    allowed = {"__builtins__": {}, "abs": abs, "min": min, "max": max, "round": round}
    expected = [eval(compile(formula, "formula", "eval"), allowed, row) for row in ROWS]  # the test's own formulas
    actual = computed(formula)
    assert actual == [value if isinstance(value, str) else pytest.approx(float(value), abs=1e-12) for value in expected]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("floor(b)", [2, 0, -2, 100]),
        ("round(b)", [3, 1, -1, 100]),
        ("ceil(b)", [3, 1, -1, 100]),
        ("sqrt(a)", [math.sqrt(3), None, 2, math.sqrt(10)]),
        ("log(b)", [math.log(2.5), math.log(0.5), None, math.log(100)]),
        ("exp(a)", [math.exp(3), math.exp(-7), math.exp(4), math.exp(10)]),
        ("where(a > 3, a, b)", [2.5, 0.5, 4, 10]),
        ("coalesce(sqrt(a), 0)", [math.sqrt(3), 0, 2, math.sqrt(10)]),
        ("a / (a - 3)", [None, 0.7, 4, 10 / 7]),
        ("a % 0", [None] * 4),
        ("a // (a - a)", [None] * 4),
        ("10 ** (b * 9)", [10**22.5, 10**4.5, 10**-11.25, None]),
    ],
)
def test_functions_and_what_has_no_value(formula: str, expected: list[float | None]) -> None:
    assert computed(formula) == [None if value is None else pytest.approx(value, rel=1e-12) for value in expected]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("upper(left(t, 2)) + '-' + lower(right(t, 1))", ["AB-d", "X-x", None]),
        ("left(t, 1)", ["a", "X", None]),
        ("left('2024-01-31', 7) + upper('x')", ["2024-01X"] * 3),
        ("text(n * 100000000000 + 60000000000)", ["360000000000", "47500000000", "326666666666.6667"]),
        ("text(n > 0)", ["true", "false", "true"]),
        ("where(true, 1, 2) + where(false, 1, 0)", [1, 1, 1]),
        ("right(t, 9)", ["abCD", "X", None]),
        ("text(n) + '|' + text(n, 2)", ["3|3.00", "-0.125|-0.13", "2.6667|2.67"]),
        ("text(n * 1000000000000 ** 3 * 1000, 2)", [None, None, None]),
        ("where(n > 0, t, null)", ["abCD", None, None]),
        ("where(n > 0, null, n) + 1", [None, 0.875, None]),
        ("coalesce(t, 'none')", ["abCD", "X", "none"]),
        ("is_null(t)", [False, False, True]),
        ("is_null(sqrt(n)) and not is_null(t)", [False, True, False]),
    ],
)
def test_texts_and_nulls(formula: str, expected: list[Any]) -> None:
    rows = [{"t": "abCD", "n": 3.0}, {"t": "X", "n": -0.125}, {"t": None, "n": 8 / 3}]
    assert computed(formula, rows) == expected


def test_every_function_has_been_tried() -> None:
    """But for the draw among them, which test_draws.py tries; those of dates, zones and calendars in files of their own."""
    names = ("test_formulas.py", "test_formula_dates.py", "test_formula_zones.py")
    text = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)
    assert all(f'"{name}(' in text or f" {name}(" in text for name in FUNCTIONS if name != PICK)


@pytest.mark.parametrize(
    ("formula", "hint"),
    [
        ("n = 3", "values are compared by =="),
        ("= n > 3", "leave out the `=`"),
        ("n <> 3", "not equal is !="),
        ("n && m", "write `and`"),
        ("n AND m", "small letters"),
        ("n if n > 3", "say what it is otherwise"),
        ("if(n > 3, 1, 2)", "write where"),
        ("(n + 1", "close every bracket"),
        ('"abc + n', "close every quote"),
        ("'it''s'", "a text with an apostrophe stands in double quotes"),
        ("n ^ 2", "a power is"),
        ("n in (1, 2)", "write a == 'x' or a == 'y'"),
        ("n + 1 # more", "leave out the # and what follows it"),
        ("n n", "write it like round"),
    ],
)
def test_what_other_languages_write_is_answered_with_what_to_write(formula: str, hint: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(formula)
    assert hint in caught.value.problem.hint


@pytest.mark.parametrize(
    "formula", ["a + b", "a > b", "not b", "a and b", "a or b", "min(a, b)", "1 if b > 0 else 2", "round(b, 1)"]
)
def test_a_null_that_is_read_gives_null(formula: str) -> None:
    assert computed(formula, [{"a": 1, "b": None, "t": None}, {"a": 1, "b": 2.0, "t": "x"}])[0] is None
    assert computed("t == 'x'", [{"a": 1, "b": None, "t": None}, {"a": 1, "b": 2.0, "t": "x"}]) == [None, 1.0]


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "().__class__",
        "a.__class__",
        "[x for x in (1, 2)]",
        "lambda: 1",
        "a[0]",
        "f'{a}'",
        "open('x')",
        "eval('1')",
        "(a := 1)",
        "a; b",
        "a = 1",
        "{1: 2}",
        "1j",
        "b'x'",
        "...",
        "None",
        "9e99",
        "a is b",
        "a in b",
        "a & b",
        "~a",
        "abs(*a)",
        "round(a, digits=2)",
        "round(a, b)",
        "where(a, b)",
        "a @ b",
        "await a",
        "",
        "((" * 200,
        "+".join(["a"] * 251),
        "-" * 60 + "a",
        "a\x00",
    ],
)
def test_whatever_is_not_in_the_grammar_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        parse_formula(formula)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        actual = names(text)
    except FormulaError as error:
        actual = [] if error.problem.message else ["no reason"]
    assert all(name.isidentifier() for name in actual)


def config(*columns: dict[str, Any]) -> dict[str, Any]:
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    return {
        "about": "formulas",
        "unit": "shop",
        "window": ["2024-01", "2024-06", "month"],
        "metrics": [{"name": "sales", "type": "amount", "polarity": "positive", "range": [5, 500]}],
        "segments": [{"name": "only", "count": 20, "archetype": "growth"}],
        "noise": {"mcar_rate": 0.2},
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        "facts": [
            {
                "name": "fct_all",
                "columns": [
                    *to_unit,
                    {"name": "sales", "type": "metric.sales"},
                    {"name": "n", "type": "range", "range": [0, 3]},
                    *columns,
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("formula", "type_", "nullable"),
    [
        ("n * 2 + 1", pa.int64(), False),
        ("n / 2", pa.float64(), False),
        ("6 / n", pa.float64(), True),
        ("sales * 2", pa.float64(), True),
        ("coalesce(sales, 0)", pa.float64(), False),
        ("is_null(sales)", pa.bool_(), False),
        ("n > 1", pa.bool_(), False),
        ("sales > 100", pa.bool_(), True),
        ("'some' if n > 0 else 'none'", pa.string(), False),
        ("floor(sales)", pa.int64(), True),
        ("n ** 2", pa.float64(), False),
        ("(n - 2) ** 0.5", pa.float64(), True),
    ],
)
def test_type_and_nulls_follow_from_the_formula(formula: str, type_: pa.DataType, nullable: bool) -> None:
    plan = from_mapping(config({"name": "made", "type": "expression", "formula": formula}), name="formulas")
    column = next(c for c in plan.table("fct_all").columns if c.name == "made")
    assert (column.type, column.nullable) == (type_, nullable)
    rows = generate_tables(plan)["fct_all"]["made"]
    assert rows.isna().any() == nullable


def test_numbers_are_rounded_to_their_decimals() -> None:
    columns = [
        {"name": "four", "type": "expression", "formula": "n / 7"},
        {"name": "two", "type": "expression", "formula": "round(n / 7, 2)"},
        {"name": "one", "type": "expression", "formula": "n / 7", "decimals": 1},
    ]
    rows = generate_tables(from_mapping(config(*columns), name="formulas"))["fct_all"]
    for name, decimals in (("four", 4), ("two", 2), ("one", 1)):
        assert [float(value) for value in rows[name]] == [round(n / 7, decimals) for n in rows["n"]]
    assert isinstance(rows["one"][0], Decimal)


def test_a_formula_of_a_formula_is_computed_in_any_order() -> None:
    columns = [
        {"name": "second", "type": "expression", "formula": "first + 1"},
        {"name": "first", "type": "expression", "formula": "n * 10"},
    ]
    rows = generate_tables(from_mapping(config(*columns), name="formulas"))["fct_all"]
    assert (rows["second"] == rows["n"] * 10 + 1).all()


def test_formulas_that_read_each_other_are_refused() -> None:
    columns = [
        {"name": "second", "type": "expression", "formula": "first + 1"},
        {"name": "first", "type": "expression", "formula": "second * 10"},
    ]
    with pytest.raises(ConfigError, match="depends on itself"):
        from_mapping(config(*columns), name="formulas")


@pytest.mark.parametrize(
    ("formula", "part"),
    [
        ("9**9**9**9", "9 ** 9 ** 9 ** 9"),
        ("n * (1 / 0)", "1 / 0"),
        ("n + log(-1)", "log(-1)"),
        ("n if n > 10 ** 400 else 0", "10 ** 400"),
        ("coalesce(sales, 0 % 0)", "0 % 0"),
    ],
)
def test_a_constant_that_has_no_value_is_refused(formula: str, part: str) -> None:
    """It would be null in every row, in silence."""
    with pytest.raises(ConfigError) as error:
        from_mapping(config({"name": "made", "type": "expression", "formula": formula}), name="formulas")
    problem = f"facts[0].columns[4].formula: `{part}` has no value: it is larger than any number, or not defined"
    assert [str(actual) for actual in error.value.problems] == [problem]


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("n // 0", "`n // 0` has no value: it divides by zero in each row"),
        ("1 + n % (2 - 2)", "it divides by zero in each row"),
        ("coalesce(n / 0.0, 1)", "it divides by zero in each row"),
        ("where(n, 1, 2)", "a number is neither true nor false in .*compare it: n > 0"),
        ("1 if 3 else 2", "a number is neither true nor false in .*compare it: 3 > 0"),
        ("n > 3 and n", "a number is neither true nor false in .*compare it: n > 0"),
        ("not n", "a number is neither true nor false"),
        ("where('yes', 1, 2)", "a text is neither true nor false"),
        ("round()", r"round takes 1 to 2 values.*write round\(number, digits\)"),
        ("round(n, sales)", r"the digits of round.*write round\(number, digits\)"),
        ("left('abc')", r"left takes 2 values.*write left\(text, letters\)"),
        ("age(n)", r"write age\(born, at\)"),
        ("hour(n)", r"is given a number, and takes a moment.*write hour\(moment\)"),
        ("sqrt('a')", r"counts with a text.*write sqrt\(number\)"),
    ],
)
def test_mistakes_say_what_to_write(formula: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        from_mapping(config({"name": "made", "type": "expression", "formula": formula}), name="formulas")


def test_every_function_has_a_form_with_as_many_words() -> None:
    for name, call in FUNCTIONS.items():
        words = call.words.split(", ")
        most = len(words) if call.most is None else call.most
        assert call.least <= len(words) <= most, name

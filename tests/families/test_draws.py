"""Draws: the functions of formulas that take chance, against scipy's distributions, and as columns of tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, slices
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.draws import DRAWS, count_near
from tests.laws.test_table_slices import part_rows

LEVELS = (np.arange(4000) + 0.5) / 4000
ROWS = 20_000
CASES: dict[str, tuple[tuple[float, ...], Any]] = {
    "normal": ((100, 15), stats.norm(100, 15)),
    "lognormal": ((50, 0.8), stats.lognorm(0.8, scale=50 * np.exp(-0.32))),
    "gamma": ((10, 2), stats.gamma(2, scale=5)),
    "beta": ((0.3, 15), stats.beta(4.5, 10.5)),
    "weibull": ((10, 1), stats.expon(scale=10)),
    "poisson": ((4.5,), stats.poisson(4.5)),
    "negative_binomial": ((5, 1.5), stats.nbinom(1.5, 1.5 / 6.5)),
    "uniform": ((3, 9), stats.uniform(3, 6)),
    "exponential": ((7,), stats.expon(scale=7)),
    "zipf": ((1.3, 40), stats.zipfian(1.3, 40)),
    "chance": ((0.3,), stats.bernoulli(0.3)),
}
BOUNDED = [name for name in CASES if DRAWS[name].cdf is not None]


def full(*numbers: float, like: Floats = LEVELS) -> list[Floats]:
    return [np.full(like.shape, float(number)) for number in numbers]


def test_every_draw_has_a_case() -> None:
    assert {*CASES} == {*DRAWS}


@pytest.mark.parametrize("name", CASES)
def test_quantiles_are_scipys(name: str) -> None:
    arguments, expected = CASES[name]
    values = DRAWS[name].drawn(LEVELS, *full(*arguments))
    if name == "chance":  # true where the level is low
        assert values.mean() == pytest.approx(0.3, abs=1 / len(LEVELS))
    else:
        np.testing.assert_allclose(values, expected.ppf(LEVELS), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", BOUNDED)
def test_between_bounds_is_the_rest_of_the_distribution(name: str) -> None:
    """Its cdf is that of scipy's, cut: all values lie inside, none piles up on a bound."""
    arguments, whole = CASES[name]
    low, high = np.ceil(whole.ppf(0.2) * 100) / 100, np.floor(whole.ppf(0.9) * 100) / 100
    values = DRAWS[name].drawn(LEVELS, *full(*arguments, low, high))
    assert low <= values.min() <= values.max() <= high
    start = whole.cdf(np.ceil(low) - 1 if DRAWS[name].values == "whole" else low)
    shares = (whole.cdf(values) - start) / (whole.cdf(high) - start)
    if DRAWS[name].values == "whole":
        assert (shares >= LEVELS - 1e-9).all()
    else:
        np.testing.assert_allclose(shares, LEVELS, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_a_value_is_the_same_alone_and_among_others(name: str) -> None:
    """Also where all parameters are one, or each row has its own."""
    arguments, _ = CASES[name]
    same = full(*arguments)
    varied = [values * np.linspace(1, 0.9, len(LEVELS)) for values in same]
    bounds = full(0.1, 60) if name in BOUNDED and name != "beta" else []
    for given in (same, varied, [*same, *bounds], [*varied, *bounds]):
        values = DRAWS[name].drawn(LEVELS, *given)
        for part in (slice(0, 1), slice(5, 8), slice(3000, None, 7)):
            actual = DRAWS[name].drawn(LEVELS[part], *(argument[part] for argument in given))
            assert actual.tobytes() == values[part].tobytes()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("normal", (1, -1)),
        ("normal", (0, 1, 8, 9)),
        ("beta", (0.2, 20, 2, 3)),
        ("normal", (np.nan, 1)),
        ("chance", (1.2,)),
        ("poisson", (-1,)),
        ("uniform", (3, 1)),
        ("normal", (0, 1, 5, 4)),
        ("poisson", (4, 2.2, 2.8)),
        ("exponential", (1, -5, -2)),
        ("zipf", (1, 0)),
    ],
)
def test_what_cannot_be_drawn_is_null(name: str, arguments: tuple[float, ...]) -> None:
    assert np.isnan(DRAWS[name].drawn(LEVELS[:3], *full(*arguments, like=LEVELS[:3]))).all()


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [("poisson", (0,), 0), ("normal", (5, 0), 5), ("exponential", (0,), 0), ("beta", (1, 20), 1), ("gamma", (0, 2), 0)],
)
def test_a_mean_or_a_spread_of_nothing_is_next_to_it(name: str, arguments: tuple[float, ...], expected: float) -> None:
    np.testing.assert_allclose(DRAWS[name].drawn(LEVELS, *full(*arguments)), expected, atol=1e-6)


def test_an_upper_tail_has_as_many_values_as_rows() -> None:
    """Four sigma away, where levels lie close to 1."""
    values = DRAWS["normal"].drawn(LEVELS, *full(0, 1, 4, 6))
    assert len(np.unique(values)) == len(LEVELS)
    np.testing.assert_allclose(values, stats.truncnorm(4, 6).ppf(LEVELS), atol=1e-6)


def plan(seed: int = 5, rows: int = ROWS, **columns: Any) -> Plan:
    table = {"name": "rows", "rows": rows, "columns": {"row_id": "id", **columns}}
    return from_mapping({"about": "Draws", "seed": seed, "tables": [table]}, name="draws")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_call_draws_for_itself(seed: int) -> None:
    """Two calls of one formula, and two columns of one formula, are independent (five standard errors)."""
    rows = generate_tables(plan(seed, a="= normal(0, 1)", b="= normal(0, 1)", two="= normal(0, 1) + normal(0, 1)"))["rows"]
    limit = 5 / np.sqrt(ROWS)
    assert abs(rows["a"].corr(rows["b"])) < limit
    assert abs(rows["two"].std() - np.sqrt(2)) < limit
    assert stats.kstest(rows["a"], "norm").pvalue > 1e-5


def test_parameters_of_the_row_and_mixtures() -> None:
    rows = generate_tables(
        plan(
            big={"type": "choice", "values": [0, 1], "weights": [3, 1]},
            mean="= where(big == 1, 20, 5)",
            visits="= poisson(mean)",
            mixed="= where(chance(0.25), normal(100, 5), normal(10, 2))",
            none="= where(chance(0.3), null, 1)",
            label='= pick("red", "green", "blue") + "-" + text(big)',
        )
    )["rows"]
    means = rows.groupby("big")["visits"].mean()
    assert means[0] == pytest.approx(5, abs=5 * np.sqrt(5 / ROWS))
    assert means[1] == pytest.approx(20, abs=5 * np.sqrt(20 / (ROWS / 5)))
    assert (rows["mixed"] > 50).mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.19 / ROWS))
    assert rows["none"].isna().mean() == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / ROWS))
    assert stats.chisquare(rows["label"].str.partition("-")[0].value_counts()).pvalue > 1e-5


def test_rows_alone_are_those_of_the_whole() -> None:
    drawn = plan(rows=3000, a="= normal(5, 2, 0, 9)", n="= poisson(uniform(1, 40))", t="= pick('x', 'y') + text(n)")
    whole = generate_tables(drawn)["rows"]
    for parts in (2, 7):
        pd.testing.assert_frame_equal(part_rows(drawn, slices(drawn, ["rows"], parts)).to_pandas(), whole, check_dtype=False)


def test_a_row_or_a_column_more_moves_nothing() -> None:
    before = generate_tables(plan(rows=500, a="= normal(5, 2)"))["rows"]
    after = generate_tables(plan(rows=700, z="= normal(5, 2)", a="= normal(5, 2)"))["rows"]
    assert before["a"].equals(after["a"][:500])
    assert not before["a"].equals(after["z"][:500])


def test_a_hidden_draw_decides_which_rows_are_kept_and_null() -> None:
    table = {
        "name": "rows",
        "per": "parents",
        "rows": 5,
        "where": "dice < 0.4",
        "columns": {
            "number": "sequence",
            "dice": {"type": "expression", "formula": "uniform(0, 1)", "hidden": True},
            "value": {"type": "range", "range": [1, 9], "nulls": {"where": "dice < 0.1"}},
        },
    }
    raw = {"about": "Draws", "tables": [{"name": "parents", "rows": 4000, "columns": {"parent_id": "id"}}, table]}
    rows = generate_tables(from_mapping(raw, name="draws"))["rows"]
    assert len(rows) == pytest.approx(8000, abs=5 * np.sqrt(20_000 * 0.24))
    assert rows["value"].isna().mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.19 / 8000))


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("normal(35)", r"cannot read `normal\(35\)`.*write normal\(mean, sigma\), or between two bounds"),
        ("normal(35, -1)", r"expected sigma from 0 in normal\(mean, sigma\), found -1"),
        ("chance(1.5)", r"expected rate of at most 1 in chance\(rate\), found 1.5"),
        ("poison(3)", "did you mean 'poisson'"),
        ("zipf(1.2, 5, 1, 2)", r"write zipf\(exponent, most\)"),
        ("normal(1, 2, 9, 3)", "expected least < most in .*found 9 and 3"),
        ("uniform(5, 1)", "expected least < most in .*found 5 and 1"),
        ("normal(mean=3, sigma=2)", r"write normal\(mean, sigma\)"),
        ("pick('a', 1)", "would be a text in some rows and a number in others"),
        ("null", "`null` stands alone"),
        ("where(chance(0.1), null, null)", "is always null"),
        ("poisson(3, 100, 200)", "fewer than one of a billion values of poisson\\(mean\\) lie from 100 to 200"),
        ("beta(0.2, 20, 2, 3)", "choose bounds nearer to the mean"),
        ("poisson(1e13)", "expected mean of at most 1e\\+09"),
        ("None", "`None` is no value of a formula.*write null"),
        ("'a' + 1", "counts with a text.*make a text of the number"),
        ("upper(3)", "is given a number, and takes a text"),
        ("left('abc', 0)", "a whole number of letters from 1 to 999"),
        ("text(3, 99)", "text takes a whole number of digits from 0 to 9, or how a date"),
    ],
)
def test_what_cannot_be_meant_is_refused(formula: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        plan(value=f"= {formula}")


def test_a_column_named_null_is_not_taken_for_a_null() -> None:
    with pytest.raises(ConfigError, match="`null` is no value, and rows has a column of that name"):
        plan(null={"type": "range", "range": [1, 2]}, value="= where(chance(0.5), null, 1)")


@pytest.mark.parametrize("word", ["where", "nulls"])
def test_what_is_read_more_than_once_draws_nothing(word: str) -> None:
    columns: dict[str, Any] = {"n": "sequence", "size": "static.1,2"}
    children: dict[str, Any] = {"name": "rows", "per": "parents", "rows": 2, "columns": columns}
    formula = "chance(0.5) and n > 0"
    if word == "where":
        children["where"] = formula
    else:
        columns["size"] = {"type": "static", "values": [1, 2], "nulls": {"where": formula}}
    with pytest.raises(ConfigError, match=r"(?s)takes chance, and is read more than once.*draw it in a hidden column"):
        from_mapping({"about": "x", "tables": [{"name": "parents", "rows": 4, "columns": {"id": "id"}}, children]}, name="x")


def test_the_page_lists_all_with_their_parameters() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formulas.md").read_text(encoding="utf-8")
    calls = re.findall(r"`(\w+)\(([^)]*)\)`", page.partition("## Draws")[2].partition("```yaml")[0])
    assert {name: arguments.split(", ") for name, arguments in calls if name != "pick"} == {
        name: list(draw.parameters) for name, draw in DRAWS.items()
    }


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_a_count_is_the_smallest_that_reaches_its_level(name: str) -> None:
    """Of means from a millionth to a hundred million, one for each row, and of levels near both ends."""
    generator = np.random.default_rng(8)
    means = 10 ** generator.uniform(-6, 8, 20_000)
    levels = np.concatenate([generator.random(19_994), [2.0**-53, 1e-300, 1e-12, 1 - 1e-12, 1 - 2.0**-53, 0.5]])
    shapes = [] if name == "poisson" else [10 ** generator.uniform(-0.6, 2.9, 20_000)]
    family = DISTRIBUTIONS[name]
    parameters = dict(zip(family.parameters, shapes, strict=True))
    counts = DRAWS[name].drawn(levels, means, *shapes)
    is_above = counts > 0
    assert (family.cdf(counts, means, **parameters) >= levels).all()
    below = family.cdf(np.maximum(counts - 1, 0), means, **parameters)
    assert (below < levels)[is_above].all()


def test_where_a_count_is_looked_for_says_nothing_of_it() -> None:
    """A guess saves time: from the worst one the same counts are found."""
    generator = np.random.default_rng(9)
    levels, means = generator.random(3000), generator.uniform(0, 400, 3000)

    def cdf(x: Any, rows: Any) -> Any:
        return DISTRIBUTIONS["poisson"].cdf(x, means[rows])

    expected = DRAWS["poisson"].drawn(levels, means)
    for guess in (np.zeros(3000), np.full(3000, 1e9), np.full(3000, np.nan), generator.uniform(0, 1000, 3000)):
        assert (count_near(cdf, levels, guess) == expected).all()

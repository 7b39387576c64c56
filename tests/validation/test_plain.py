"""A user finds the correlations that `info` and the report tell: given the trajectory, and plain ones of the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy.stats import spearmanr

from docs.correlations import CASES, expected, plan_of
from plotsim_core import Plan, create, generate_tables, manifest, write_tables
from plotsim_core.cli import main
from plotsim_core.numerics.estimates import correlation, rank_correlation
from plotsim_core.truth.achieved_correlations import correlations, sample_of
from plotsim_core.validation import table_correlations
from plotsim_core.validation.report import Report, check_directory

POOLED = {"metric_a": "visits", "metric_b": "sales", "coefficient": 0.7, "pooled": True}
NOISY = {"gaussian_sigma": 0.05, "mcar_rate": 0.1}


def shops(**changes: Any) -> Plan:
    """Shops that grow and shrink, some of which close, with gaps in the values; the metrics lie in different facts."""
    sections: dict[str, Any] = {
        "window": {"start": "2023-01", "end": "2024-12", "every": "month"},
        "metrics": [
            {"name": "visits", "type": "count", "polarity": "positive", "mean": [10, 50]},
            {"name": "sales", "type": "amount", "polarity": "positive", "range": [0, 50_000], "mean": [1000, 5000]},
        ],
        "segments": [
            {"name": "up", "count": 40, "archetype": "growth", "tenure": {"mean": 15}},
            {"name": "down", "count": 60, "archetype": "decline", "variation": {"size": 0.5}},
        ],
        "connections": ["visits 0.5 sales"],
        "noise": NOISY,
    }
    return create(about="Shops", unit="shop", **{**sections, **changes})


def judged(plan: Plan, folder: Path) -> Report:
    """The report on the files of a run in a folder."""
    write_tables(plan, folder, format="parquet")
    assert plan.stop is not None
    return check_directory(plan, folder, "parquet", plan.first, plan.stop)


def rows_of(plan: Plan) -> pd.DataFrame:
    """What a user makes of the tables: both metrics, joined by unit and date."""
    tables = generate_tables(plan, tables=["fct_visits", "fct_sales"])
    keys = ["shop_id", "date_key"]
    both: pd.DataFrame = tables["fct_visits"].merge(tables["fct_sales"], on=keys)[[*keys, "visits", "sales"]]
    return both


def plain_of(rows: pd.DataFrame) -> tuple[float, float]:
    values = rows[["visits", "sales"]].astype(float)
    return tuple(float(values.corr(method).iloc[0, 1]) for method in ("pearson", "spearman"))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Report]:
    plan = shops()
    return plan, judged(plan, tmp_path_factory.mktemp("plain") / "out")


def test_what_is_expected_is_what_pandas_finds_in_the_tables() -> None:
    """Of a dataset no larger than the sample, to the last digits: with gaps, with units that leave, with unequal sizes."""
    plan = shops()
    assert plan.stop is not None
    (answer,) = correlations(sample_of(plan.population, plan.stop))
    np.testing.assert_allclose((answer.pearson[0], answer.ranks[0]), plain_of(rows_of(plan)), atol=1e-6)


def test_the_report_tells_what_pandas_finds_in_the_tables(reported: tuple[Plan, Report]) -> None:
    plan, report = reported
    ((_, answer),) = report.correlations
    np.testing.assert_allclose((answer.pearson[0], answer.ranks[0]), plain_of(rows_of(plan)), atol=1e-6)
    (record,) = json.loads(report.json())["correlations"]
    assert record["subject"] == "visits ~ sales" and record["declared"] == 0.5 and not record["pooled"]
    assert record["pearson"] == answer.pearson[0] and record["ranks_error"] == answer.ranks[1]
    assert f"visits ~ sales  0.50      {'  '.join(answer.texts())}" in report.text()


def test_of_many_rows_those_of_some_units_are_read(
    reported: tuple[Plan, Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error grows by the root of what is left out, and covers the difference."""
    plan, report = reported
    ((_, whole),) = report.correlations
    monkeypatch.setattr(table_correlations, "_ROWS", 400)
    ((_, part),) = judged(plan, tmp_path / "out").correlations
    assert part.pearson != whole.pearson
    assert 1.2 * whole.pearson[1] < part.pearson[1] < 4 * whole.pearson[1]
    assert abs(part.pearson[0] - whole.pearson[0]) < 4 * part.pearson[1]
    assert abs(part.ranks[0] - whole.ranks[0]) < 4 * part.ranks[1]


@pytest.mark.parametrize(("connection", "archetypes", "size"), CASES)
def test_each_number_that_is_declared_is_found_where_it_is_said(
    connection: str, archetypes: tuple[str, ...], size: float
) -> None:
    """`pooled` in the table, all else given the trajectory; the trend or the sizes move the other number far away."""
    answer = expected(plan_of(connection, archetypes, size))
    declared = answer.connection.coefficient
    meant, other = (answer.pearson, answer.conditional) if answer.connection.pooled else (answer.conditional, answer.pearson)
    assert abs(meant[0] - declared) < 0.02 + 4 * meant[1] < 0.08
    shared = archetypes != ("flat",) or size > 0
    assert (abs(other[0] - declared) > 0.15 + 4 * other[1]) == shared


def test_a_phase_and_the_rest_of_the_window_are_told_apart() -> None:
    phase = {"start_period": 6, "end_period": 11, "connections": ["visits -0.6 sales"]}
    plan = shops(connection_phases=[phase], noise=None)
    assert plan.stop is not None
    rest, inside = correlations(sample_of(plan.population, plan.stop))
    rows = rows_of(plan)
    during = rows["date_key"].between(20230701, 20231231)
    for answer, part in ((rest, rows[~during]), (inside, rows[during])):
        np.testing.assert_allclose((answer.pearson[0], answer.ranks[0]), plain_of(part), atol=1e-6)
    assert inside.conditional[0] < -0.4 < 0.4 < rest.conditional[0]


def test_what_no_table_holds_is_not_told() -> None:
    """Whoever has the tables cannot compute it."""
    keys = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    facts = [{"name": "fct_visits", "columns": [*keys, {"name": "visits", "type": "metric.visits"}]}]
    dimension = {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}
    plan = shops(facts=facts, dimensions=[dimension])
    assert plan.stop is not None
    assert list(correlations(sample_of(plan.population, plan.stop))) == []


def test_a_long_window_is_looked_at_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """In runs of periods; what they tell lies within the errors of the whole."""
    module = "plotsim_core.truth.achieved_correlations"
    plan = shops(window={"start": "2023-01-01", "end": "2024-12-31", "every": "day"}, noise=None)
    assert plan.stop is not None
    (whole,) = correlations(sample_of(plan.population, plan.stop))
    monkeypatch.setattr(f"{module}._LONGEST", 200)
    drawn = sample_of(plan.population, plan.stop)
    assert len(drawn.periods) == 200 and len(set(drawn.periods.tolist())) == 200
    assert drawn.periods[0] == plan.first and drawn.periods[-1] == plan.stop - 1
    (part,) = correlations(drawn)
    for one, other in ((part.conditional, whole.conditional), (part.pearson, whole.pearson), (part.ranks, whole.ranks)):
        assert abs(one[0] - other[0]) < 4 * one[1] < 0.4


@pytest.mark.slow
def test_info_tells_the_three_numbers_before_anything_is_made() -> None:
    done = CliRunner().invoke(main, ["info", "saas"], catch_exceptions=False)
    assert "connection" in done.output and "Computed from all units and periods." in done.output
    (line,) = (line for line in done.output.splitlines() if line.startswith("nps ~ engagement"))
    assert line.split()[3] == "0.35" and line.count("±") == 3
    large = CliRunner().invoke(main, ["info", "saas", "--scale", "1000"], catch_exceptions=False)
    assert "of 100,000 units in 24 periods" in large.output


def test_the_manifest_tells_what_is_stored_beside_what_is_delivered() -> None:
    plan = shops()
    ((answer,),) = (kind["connections"] for kind in manifest(plan)["kinds"])
    np.testing.assert_allclose((answer["plain"], answer["ranks"]), plain_of(rows_of(plan)), atol=1e-4)
    assert abs(answer["delivered"] - 0.5) < 0.02 + 4 * answer["error"] < 0.2
    assert 0 < answer["plain_error"] < 0.2 and 0 < answer["ranks_error"] < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("visits 0.7 sales pooled", {"metric_a": "visits", "metric_b": "sales", "coefficient": 0.7, "pooled": True}),
        (
            ["visits", 0.7, "sales", "pooled"],
            {"metric_a": "visits", "metric_b": "sales", "coefficient": 0.7, "pooled": True},
        ),
        ("visits 0.7 sales given_trajectory", ["visits", 0.7, "sales"]),
    ],
)
def test_one_word_asks_for_either(short: Any, long: Any) -> None:
    one, other = shops(connections=[short]), shops(connections=[long])
    assert one.dataset.connections == other.dataset.connections
    pd.testing.assert_frame_equal(rows_of(one), rows_of(other))


def clustered(seed: int, units: int, latent: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two skewed variables of units that each stay as they are for the most part, shape (6 periods, units)."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((2, units)) + 0.5 * rng.standard_normal((2, 6, units)).swapaxes(0, 1)
    first = shared[:, 0]
    second = latent * first + np.sqrt(1 - latent**2) * shared[:, 1]
    return np.exp(first), np.round(second, 1)


@pytest.mark.parametrize("latent", [0.0, 0.5, 0.9])
def test_errors_of_ranks_are_the_spread_of_what_is_found(latent: float) -> None:
    """Over 400 draws the mean error is the standard deviation, which is known within 1/sqrt(800), here times 4 and 3 % for
    the few units."""
    actual = np.array([rank_correlation(*clustered(seed, 60, latent)) for seed in range(400)])
    assert np.mean(actual[:, 1]) / np.std(actual[:, 0]) == pytest.approx(1.0, abs=4 / np.sqrt(800) + 0.03)
    first, second = clustered(0, 60, latent)
    assert actual[0, 0] == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic, abs=1e-12)


def test_too_little_has_no_error_to_tell() -> None:
    nothing = np.full((2, 3), np.nan)
    assert rank_correlation(nothing, nothing) == (0.0, np.inf) == rank_correlation(np.ones((2, 3)), np.ones((2, 3)))
    assert correlation(nothing, nothing)[1] == np.inf

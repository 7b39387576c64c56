"""Loading is quick: the Dagster location loads every config in every process, and needs their names and schemas only."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from plotsim_core import Plan, api, list_templates
from plotsim_core.cli import main
from plotsim_core.config import read
from plotsim_core.engine.correlated import segment_shares
from plotsim_core.engine.slice import full_slice
from plotsim_core.numerics import quantiles
from plotsim_core.numerics.quantiles import QuantileTable, SolvedRows
from plotsim_core.tables.build import build
from tests.marks import slow_but

ROOT = Path(__file__).parents[2]


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[SolvedRows]:
    """What is solved of quantile tables while a test runs, and nothing from before."""
    values: list[SolvedRows] = []

    @cache
    def solved_rows(table: QuantileTable) -> SolvedRows:
        values.append(SolvedRows(table))
        return values[-1]

    monkeypatch.setattr(quantiles, "solved_rows", solved_rows)
    return values


def data(plan: Plan) -> dict[str, list[dict[str, object]]]:
    """Return the rows of all tables in the first two periods."""
    slice_ = full_slice(plan.population, plan.first, plan.first + 2)
    return {table.name: [row for batch in build(plan, table, slice_) for row in batch.to_pylist()] for table in plan.tables}


@pytest.mark.parametrize("name", slow_but(list_templates(), "minimal", "delivery", "saas"))
def test_loading_solves_only_the_rows_that_tell_whether_a_config_can_be(name: str, solved: list[SolvedRows]) -> None:
    plan = api.load_config(api.template(name))
    kinds = (kind for kind in plan.populations if not any(connection.pooled for connection in kind.dataset.connections))
    for metric in (metric for kind in kinds for metric in kind.metrics):
        rows = quantiles.solved_rows(metric.quantiles)
        assert rows.has_values.sum() <= 18, "two for each of the nine positions that correlations are solved at"
        assert not rows.has_deviations.any()


def test_what_is_solved_later_does_not_depend_on_when_or_where(solved: list[SolvedRows]) -> None:
    plan = api.load_config(api.template("minimal"))
    before = pickle.dumps(plan)
    result = data(plan)
    assert sum(len(rows) for rows in result.values()) > 0
    assert any(rows.has_values.any() for rows in solved)
    assert pickle.dumps(plan) == before, "what is solved is no part of a plan"
    copy = pickle.loads(before)
    assert data(copy) == result
    for metric, entry in zip(copy.population.metrics, plan.population.metrics, strict=True):
        assert np.array_equal(segment_shares(metric), segment_shares(entry))


@pytest.mark.slow
def test_loading_imports_neither_pandas_nor_an_optimizer() -> None:
    """They take longer than many a config. Seen in a process of its own, so that nothing else can have imported them."""
    slow = ("pandas", "scipy.optimize", "scipy.stats", "matplotlib")
    load = "import sys; from plotsim_core import api; api.load_config(api.template('saas'))"
    code = f"{load}; print([name for name in {slow} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_listing_the_templates_solves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a config was loaded")

    expected = {name: api.load_config(api.template(name)).dataset.about for name in ("minimal", "delivery")}
    monkeypatch.setattr(api, "from_mapping", refused)
    listed = dict(line.split(maxsplit=1) for line in CliRunner().invoke(main, ["list-templates"]).output.splitlines())
    assert list(listed) == list_templates()
    assert expected.items() <= listed.items()


def test_merge_keys_are_read_up_to_a_bound() -> None:
    """A thousand mappings that merge forty entries load; entries of merged mappings are as YAML says."""
    lines = [f"base: &base {{ {', '.join(f'k{n}: {n}' for n in range(40))} }}", "all:"]
    lines += [f"  - {{ <<: *base, k1: {n} }}" for n in range(1000)]
    text = read.read_text("\n".join(lines), "config")["all"]
    assert len(text) == 1000
    assert text[7] == {**{f"k{n}": n for n in range(40)}, "k1": 7}


JOINED = {
    "alone": lambda n: {},
    "in pairs": lambda n: {"connections": [[f"m{k}", 0.3, f"m{k + 1}"] for k in range(0, n - 1, 2)]},
    "all follow one": lambda n: {"metrics": [metric(k, follows="m0", delay=1) if k else metric(k) for k in range(n)]},
}


def metric(number: int, **more: object) -> dict[str, object]:
    return {"name": f"m{number}", "type": "score", "polarity": "positive", **more}


@pytest.mark.slow
@pytest.mark.parametrize("joined", JOINED)
def test_loading_makes_calls_in_proportion_to_the_metrics(joined: str) -> None:
    """Two hundred take at most 2.3 times the calls that a hundred take: counted, as seconds vary with what else runs."""

    def calls(count: int) -> int:
        raw = {
            "about": "Shops",
            "unit": "shop",
            "window": ["2024-01", "2024-12", "month"],
            "metrics": [metric(k) for k in range(count)],
            "segments": [{"name": "all", "count": 5, "archetype": "growth"}],
            **JOINED[joined](count),
        }
        events = Counter[str]()
        profile = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: events.update((event,)))
        try:
            api.from_mapping(raw, name="shops")
        finally:
            sys.setprofile(profile)
        return events["call"] + events["c_call"]

    calls(10)
    assert calls(200) <= 2.3 * calls(100)

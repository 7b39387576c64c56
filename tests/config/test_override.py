"""Other words than the config's: what is asked of a load or a run is as if the file said it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from plotsim_core import (
    ConfigError,
    Plan,
    UsageError,
    batches,
    create_from_yaml,
    generate_tables,
    load_config,
    sizes,
    template,
)
from plotsim_core.api import from_mapping
from plotsim_core.cli import main
from plotsim_core.config.overrides import with_overrides
from plotsim_core.numerics.scale_solver import scale_to
from tests.marks import slow_but

TWO_KINDS = """
about: Shops and their clients
unit: shop
window: [2024-01, 2024-06, month]
noise: messy
metrics:
  - { name: sales, type: amount, polarity: positive, range: [10, 500] }
  - { name: mood, type: score, polarity: positive, noise: { gaussian_sigma: 0.2 } }
segments: [{ name: all, count: 3, archetype: growth }]
units:
  - unit: client
    noise: realistic
    metrics:
      - { name: visits, type: count, polarity: positive, noise: dirty }
      - { name: calls, type: count, polarity: positive }
    segments: [{ name: some, count: 4, archetype: growth }]
"""


def whole(plan: Plan) -> dict[str, str]:
    return {name: frame.to_csv() for name, frame in generate_tables(plan).items()}


def written(text: str) -> Plan:
    return create_from_yaml(text)


def test_noise_is_that_of_all_metrics() -> None:
    """It takes the place of the dataset's, the metrics' own and that of further kinds; everything else stays."""
    raw = written(TWO_KINDS).raw
    bare = TWO_KINDS.replace("noise: messy\n", "").replace("    noise: realistic\n", "")
    bare = bare.replace(", noise: { gaussian_sigma: 0.2 }", "").replace(", noise: dirty", "")
    assert whole(from_mapping(raw, name="x", noise="none")) == whole(written(bare))
    messy = bare.replace("window:", "noise: slightly_messy\nwindow:")
    assert whole(from_mapping(raw, name="x", noise="slightly messy")) == whole(written(messy))
    assert whole(from_mapping(raw, name="x", noise="none")) != whole(from_mapping(raw, name="x", noise="slightly messy"))


def test_what_is_given_is_as_if_the_file_said_it(tmp_path: Path) -> None:
    """The digest is that of a file with these words; compression is none of the data's."""
    file = tmp_path / "mine.yaml"
    text = template("minimal").read_text(encoding="utf-8")
    file.write_text(text.replace("seed: 42", "seed: 7") + "noise: messy\nscale: 2.0\n")
    given = load_config(template("minimal"), seed=7, scale=2.0, noise="messy", compression="gzip")
    assert given.digest == load_config(file).digest
    assert (given.dataset.output.format, given.dataset.output.compression) == ("parquet", "gzip")


def test_what_is_no_config_stays_what_it_is() -> None:
    """Errors are those of the config, not of what was to be put into it."""
    assert with_overrides([1], seed=3) == [1]
    with pytest.raises(ConfigError, match="expected keys and values"):
        from_mapping([1], name="x", seed=3, noise="none")
    with pytest.raises(ConfigError, match="metrics"):
        from_mapping({"about": "x", "metrics": "y", "units": 3}, name="x", noise="none")


def test_an_unknown_noise_is_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"no noise is named 'mesy'; did you mean 'messy'\?"):
        load_config(template("minimal"), noise="mesy")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minimal", "saas", "retail"])
@pytest.mark.parametrize("rows", slow_but([60_000, 3_000_000], 60_000))
def test_target_rows_come_near(name: str, rows: int) -> None:
    """The tables together are expected to have within 1 % of what was asked."""
    plan = load_config(template(name), target_rows=rows)
    assert sum(size.rows for size in sizes(plan)) == pytest.approx(rows, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows"), [("ecommerce", 20_000), ("saas", 60_000), ("retail", 30_000), ("minimal", 3000)])
def test_as_many_rows_are_made_as_were_asked_for(name: str, rows: int) -> None:
    """Within 2 %, or three standard deviations of the count: orders that find no visit are no orders."""
    plan = load_config(template(name), target_rows=rows)
    count = sum(batch.num_rows for table in plan.tables for batch in batches(plan, table.name)[1])
    assert plan.notes == ()
    assert abs(count - rows) <= max(0.02 * rows, 3 * rows**0.5)


@pytest.mark.slow
def test_a_target_that_no_scale_reaches_is_told_with_the_nearest() -> None:
    """A segment has one unit at least, and a dataset its dates and listed rows; and no scale is above a million."""
    plan = load_config(template("ecommerce"), target_rows=1000)
    (note,) = plan.notes
    rows = sum(batch.num_rows for table in plan.tables for batch in batches(plan, table.name)[1])
    assert f"the nearest that whole units allow to 1,000 rows is about {rows:,}" in str(note)
    (note,) = load_config(template("minimal"), target_rows=10**13).notes
    assert "the nearest that the largest scale allows to 10,000,000,000,000 rows is about 2,000,000,012" in str(note)
    output = CliRunner().invoke(main, ["info", "ecommerce", "--target-rows", "1000"]).output
    assert "note: scale: the nearest that whole units allow" in output


def test_target_rows_below_what_a_dataset_has_at_least() -> None:
    """A segment has a unit at least, so the nearest there is is given, whatever was asked."""
    plan = load_config(template("minimal"), target_rows=1)
    assert plan.population.units == len(plan.population.segments)
    with pytest.raises(UsageError, match="either the scale or the target rows"):
        load_config(template("minimal"), target_rows=100, scale=2.0)


@pytest.mark.parametrize("target", [3.0, 250.0, 98_765.0])
def test_the_nearest_scale_is_found(target: float) -> None:
    """Of what grows in steps, and has a part that does not grow."""

    def size(scale: float) -> float:
        return 40.0 + 12 * max(1, round(7 * scale))

    actual, reached = scale_to(size, target, 1.0, 1e-6, 1e6)
    assert size(actual) == reached
    assert abs(reached - target) <= max(0.01 * target, 6.0, 52.0 - target)


def test_the_command_line_takes_them(tmp_path: Path) -> None:
    """A run by other words writes what it says, and check and explain take the noise that the data does not tell."""
    arguments = ["--target-rows", "3000", "--noise", "none", "--seed", "5"]
    done = CliRunner().invoke(main, ["run", "minimal", "-o", str(tmp_path), "--compression", "snappy", *arguments])
    assert done.exit_code == 0, done.output
    assert pq.read_metadata(tmp_path / "fct_payments.parquet").row_group(0).column(0).compression == "SNAPPY"
    judged = ["check", str(tmp_path), "--config", "minimal"]
    assert CliRunner().invoke(main, [*judged, "--noise", "none", "--quiet"]).exit_code == 0
    assert CliRunner().invoke(main, judged).exit_code == 2, "another noise is another config"
    document = json.loads((tmp_path / "manifest.json").read_text())
    assert sum(table["rows"] for table in document["tables"].values()) == pytest.approx(3000, rel=0.01)
    refused = CliRunner().invoke(main, ["run", "minimal", "-o", str(tmp_path), "--format", "csv", "--compression", "snappy"])
    assert refused.exit_code == 2 and "--compression is that of Parquet" in refused.output


def test_rows_in_all_keep_the_bounds_and_the_spread_of_what_each_has() -> None:
    raw: dict[str, Any] = {
        "about": "Users",
        "tables": [
            {"name": "users", "rows": 10, "columns": {"user_id": "id"}},
            {"name": "orders", "per": "users", "rows": [1, 5], "columns": {"order_id": "id"}},
            {"name": "visits", "per": "users", "rows": {"negative_binomial": [3, 0.5]}, "columns": {"visit_id": "id"}},
            {"name": "cards", "per": "users", "rows": 2, "columns": {"card_id": "id"}},
        ],
    }
    tables = with_overrides(raw, table_rows={"orders": 40, "visits": 20, "cards": 7})["tables"]
    assert [table["rows"] for table in tables[1:]] == [
        {"exact": 40, "between": [1, 5]},
        {"exact": 20, "shape": 0.5},
        {"exact": 7},
    ]
    raw["tables"][2]["rows"] = {"exact": 9, "zipf": 1.5}
    assert with_overrides(raw, table_rows={"visits": 20})["tables"][2]["rows"] == {"exact": 20, "zipf": 1.5}
    raw["tables"][2]["rows"] = {"poisson": 2, "betwen": [1, 5]}
    with pytest.raises(ConfigError, match="betwen: unknown key"):  # in the place of which nothing is put in silence
        from_mapping(with_overrides(raw, table_rows={"visits": 20}), name="users")
    raw["tables"][2]["rows"] = 2
    with pytest.raises(ConfigError, match="10 rows of users can have 10 to 50, found 60"):
        from_mapping(with_overrides(raw, table_rows={"orders": 60}), name="users")

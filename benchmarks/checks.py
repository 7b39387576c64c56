"""What checks cost a backfill: ten years of days in one run, with the checks of its tables and without.

    python -m benchmarks.checks [--years 10] [--times 3]

writes benchmarks/checks.md. Both runs make the same tables into a new DuckDB file, on a new instance each; the ratio is that
of their CPU times, run in turn. With the report, which is made of what the checks find, and without it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import dagster as dg

from plotsim_core import Plan, from_mapping
from plotsim_core.output.partitions import keys_between
from plotsim_pipeline.assets.report import report_assets
from plotsim_pipeline.assets.tables import common_check_assets, resources_of, table_assets
from plotsim_pipeline.dagster_home import batched_instance, prepare_home
from plotsim_pipeline.partitions import RANGE, partitions_for
from plotsim_pipeline.stores import STORES

PAGE = Path(__file__).with_suffix(".md")


def plan_of(years: int) -> Plan:
    """Return a dataset of days with two facts, an event and a history."""
    end = date(2014, 1, 1) + timedelta(days=365 * years - 1)
    return from_mapping(
        {
            "about": "Days of shops",
            "unit": "shop",
            "window": {"start": "2014-01-01", "end": end.isoformat(), "every": "day"},
            "metrics": [
                {"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 30]},
                {"name": "mood", "type": "score", "polarity": "positive"},
            ],
            "connections": [{"metric_a": "visits", "metric_b": "mood", "coefficient": 0.4}],
            "segments": [{"name": "all", "count": 20, "archetype": "growth"}],
        },
        name="shops",
    )


@contextmanager
def instance_of(batched: bool) -> Iterator[dg.DagsterInstance]:
    """Give a new instance: with the event log in batches, as `plotsim materialize` has it, or Dagster's own."""
    home = tempfile.mkdtemp()
    os.environ["DAGSTER_HOME"] = home
    prepare_home()
    try:
        with batched_instance() if batched else dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        shutil.rmtree(home)


def seconds(plan: Plan, checked: bool, batched: bool, reported: bool) -> float:
    """Return the CPU seconds of one run over all partitions, of the tables and, if it is `reported`, the report."""
    assert plan.stop is not None
    keys, partitions = keys_between(plan, plan.first, plan.stop), partitions_for(plan)
    assets = [*table_assets(plan, partitions), *report_assets(plan, partitions)[:reported]]
    every = dg.AssetSelection.assets(*assets)
    with tempfile.TemporaryDirectory() as directory, instance_of(batched) as instance:
        store = STORES["duckdb"](path=f"{directory}/store.duckdb")
        begin = time.process_time()
        result = dg.materialize(
            [*assets, *common_check_assets(plan)],
            selection=every if checked else every.without_checks(),
            resources={"store": store, **resources_of(plan)},
            instance=instance,
            tags=dict(zip(RANGE, (keys[0], keys[-1]), strict=True)),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        spent = time.process_time() - begin
        assert result.success and bool(result.get_asset_check_evaluations()) == checked
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    plan = plan_of(options.years)
    lines = []
    cases = [("tables", "in batches"), ("tables and report", "in batches"), ("tables", "Dagster's own")]
    for what, log in cases:
        batched, reported = log == "in batches", what != "tables"
        times = options.times if batched else 1
        measured = [[seconds(plan, checked, batched, reported) for checked in (True, False)] for _ in range(times)]
        with_checks, without = (median(row[place] for row in measured) for place in (0, 1))
        ratio = median(row[0] / row[1] for row in measured)
        lines.append(f"| {what} | {log} | {without:.1f} | {with_checks:.1f} | {ratio:.2f} |")
        print(lines[-1], flush=True)
    head = [
        "| run of | event log | CPU s without checks | CPU s with checks | ratio |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    how_often = f"{options.times} runs of each kind in turn, one with Dagster's own log"
    days = f"{365 * options.years:,} days, {len(plan.tables)} tables and the report; {how_often}."
    PAGE.write_text("\n".join([f"{_INTRODUCTION}\n{days}\n", *head, *lines, ""]), encoding="utf-8")


_INTRODUCTION = """# What checks cost a backfill

`python -m benchmarks.checks` wrote this page. It makes a dataset of days in one run through Dagster, with all checks of its
tables and without any, and compares the CPU times. Where no checks are run, the report judges the tables by itself.
"""

if __name__ == "__main__":
    main()

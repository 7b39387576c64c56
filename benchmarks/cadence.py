"""What snapshots and change logs cost: ten years of days of a thousand units, in one go and a day alone, beside a fact.

Run `python -m benchmarks.cadence`; it prints seconds. Each is measured with nothing remembered from before.
"""

from __future__ import annotations

import time
from typing import Any

from plotsim_core import batches, from_mapping

_KEYS = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "customer_id", "type": "ref.dim_customer"}]
CONFIG: dict[str, Any] = {
    "about": "Customers for ten years",
    "unit": "customer",
    "window": ["2015-01-01", "2024-12-31", "day"],
    "metrics": [
        {"name": "mood", "type": "score", "polarity": "positive"},
        {"name": "spend", "type": "amount", "polarity": "positive", "range": [1, 100]},
    ],
    "segments": [
        {"name": "new", "count": 500, "archetype": "growth > decline", "arrival": {"kind": "uniform", "end": 1500}},
        {"name": "old", "count": 500, "archetype": "decline"},
    ],
    "dimensions": [
        {
            "name": "dim_customer",
            "per": "unit",
            "columns": [
                {"name": "customer_id", "type": "id"},
                {"name": "name", "type": "faker.name"},
                {"name": "email", "type": "faker.email"},
                {"name": "since", "type": "ref.dim_date"},
                {"name": "tier", "type": "scd", "tracks": "mood", "tiers": ["low", "mid", "top"], "at": [0.3, 0.6]},
                {"name": "phase", "type": "bucket", "labels": ["early", "middle", "late"]},
            ],
        }
    ],
    "facts": [
        {"name": "fct_spend", "columns": [*_KEYS, {"name": "spend", "type": "metric.spend"}]},
        {"name": "snp_daily", "snapshot_of": "dim_customer"},
        {"name": "snp_monthly", "snapshot_of": "dim_customer", "every": "month"},
    ],
    "events": [
        {
            "name": "evt_gone",
            "trigger": "threshold",
            "metric": "mood",
            "below": 0.05,
            "for": 3,
            "ends_unit": True,
            "columns": [{"name": "gone_id", "type": "id"}, *_KEYS],
        },
        {"name": "log_customer", "changes_of": "dim_customer"},
    ],
}
TABLES = ("fct_spend", "dim_customer", "log_customer", "snp_daily", "snp_monthly")


def main() -> None:
    """Print a line for each table: rows and seconds in one go, and of the last day alone."""
    plan = from_mapping(CONFIG, name="cadence")
    assert plan.stop is not None
    for table in TABLES:
        cells = [table.ljust(14)]
        for first in (plan.first, plan.stop - 1):
            plan = from_mapping(CONFIG, name="cadence")  # of which nothing is known
            begin = time.perf_counter()
            rows = sum(batch.num_rows for batch in batches(plan, table, first, plan.stop)[1])
            cells.append(f"{rows:>9,} rows in {time.perf_counter() - begin:6.2f} s")
        print("  ".join(cells))


if __name__ == "__main__":
    main()

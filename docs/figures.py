"""The figure of each dataset: the series in Dagster's plots that shows what its page promises.

A materialisation tells the mean of each metric of its partition, so a table's plots draw it by partition. A figure names
one, and two ranges of partitions between which it turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_ERRORS = 3.0
"""The means of two ranges differ if they are so many standard errors apart."""


@dataclass(frozen=True)
class Figure:
    """`column` of `table`, whose mean over the partitions of `later` (first and last day they begin on) lies above that over
    `earlier` if it `rises`, and below it otherwise."""

    table: str
    column: str
    earlier: tuple[str, str]
    later: tuple[str, str]
    rises: bool

    @property
    def sentence(self) -> str:
        """What the page says of it."""
        where = "above" if self.rises else "below"
        first, second = (f"{begin} to {end}" for begin, end in (self.earlier, self.later))
        return f"The plot of `{self.column}` of `{self.table}` in Dagster shows it: {second} lies {where} {first}."

    def turns(self, series: Mapping[str, float]) -> bool:
        """Return whether a series by partition turns as it should, by more than the spread within the ranges explains."""
        before, after = (_within(series, bounds) for bounds in (self.earlier, self.later))
        difference = float(np.mean(after) - np.mean(before)) * (1 if self.rises else -1)
        error = np.sqrt(np.var(before, ddof=1) / len(before) + np.var(after, ddof=1) / len(after))
        return difference > _ERRORS * float(error)


def _within(series: Mapping[str, float], bounds: tuple[str, str]) -> Sequence[float]:
    begin, end = bounds
    return [value for key, value in series.items() if begin <= key <= end]


FIGURES = {
    "banking": Figure("fct_account_activity", "balance", ("2023-01-01", "2023-04-01"), ("2024-04-01", "2024-06-01"), False),
    "delivery": Figure("fct_day", "parcels", ("2024-10-01", "2024-10-31"), ("2024-12-01", "2024-12-23"), True),
    "ecommerce": Figure("evt_review", "stars", ("2024-03-01", "2024-05-31"), ("2024-09-01", "2024-12-31"), True),
    "education": Figure("fct_week", "attendance", ("2024-09-02", "2024-11-25"), ("2025-05-19", "2025-06-23"), True),
    "healthcare": Figure("fct_reading", "symptom_burden", ("2024-09-02", "2024-11-25"), ("2024-12-02", "2025-02-24"), True),
    "hr": Figure("fct_employee_month", "engagement", ("2022-06-01", "2023-02-01"), ("2023-03-01", "2023-06-01"), False),
    "marketing": Figure(
        "fct_campaign_day", "cost_per_click", ("2024-04-01", "2024-06-30"), ("2024-09-01", "2024-10-31"), True
    ),
    "retail": Figure("fct_store_week", "margin_pct", ("2023-01-02", "2023-06-26"), ("2023-10-02", "2024-03-25"), False),
    "saas": Figure("fct_revenue", "mrr", ("2023-01-01", "2023-06-01"), ("2024-09-01", "2024-12-01"), True),
    "streaming": Figure("fct_viewing_day", "minutes", ("2025-01-01", "2025-02-28"), ("2025-06-01", "2025-08-31"), False),
}
"""Dataset to its figure."""

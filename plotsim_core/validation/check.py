"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from plotsim_core.families import Family
from plotsim_core.validation.store import Store

Category = Literal["structure", "time", "values", "behaviour"]

TALLY = pa.schema([("date_key", pa.int64()), ("checked", pa.int64()), ("faults", pa.int64())])
"""What a check that counts rows gives: how many it looked at and how many are wrong, by period (null: a state)."""


@dataclass(frozen=True)
class Finding:
    """What a check says of one subject (`fct_revenue.mrr`, `mrr ~ nps`). `numbers` are all measured or derived."""

    subject: str
    passed: bool
    message: str
    numbers: dict[str, float] = field(default_factory=dict)
    tally: pa.Table | None = None


@dataclass(frozen=True)
class Check:
    """A question to stored data. `blocking` ones mean broken data; the others are warnings."""

    category: Category
    says: str
    blocking: bool
    find: Callable[[Store], Iterator[Finding]]


CHECKS: Family[Check] = Family("check")

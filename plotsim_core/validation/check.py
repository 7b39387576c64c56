"""Checks, the tables they judge, and their findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import pyarrow as pa

from plotsim_core.families import Family
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.validation.store import StoredData

Category = Literal["structure", "time", "values", "behaviour", "rules"]

TALLY = pa.schema([("date_key", pa.int64()), ("checked", pa.int64()), ("faults", pa.int64())])
"""The counts of a check of rows, by period (null for a table without time): rows checked, and faults among them."""

NO_TABLES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finding:
    """The result of a check for one subject (`fct_revenue.mrr`, `mrr ~ nps`). `numbers` are all measured or derived.

    `tables` are first the judged table, then the others that share its subject, such as the parent of a reference. A check
    names the others, `Check.findings` adds the first. A finding that is not `judged`, for lack of data, has passed, and its
    message gives the reason.
    """

    subject: str
    passed: bool
    message: str
    numbers: dict[str, float] = field(default_factory=dict)
    tally: pa.Table | None = None
    tables: tuple[str, ...] = ()
    judged: bool = True


def unjudged(subject: str, reason: str, numbers: dict[str, float] | None = None) -> Finding:
    """Return the finding of a subject that cannot be judged, with the `reason`."""
    return Finding(subject, True, f"not judged: {reason}", numbers or {}, judged=False)


def _no_tables(population: Population, table: TablePlan) -> frozenset[str]:
    return NO_TABLES


@dataclass(frozen=True)
class Check:
    """A check of each stored table. Failures of `blocking` ones mean broken data; the others are warnings.

    `reads(population, table)` are the other tables whose rows are read to judge a table; None where the check does not
    apply. `about(population, table)` are those of them that findings are about as well.
    """

    category: Category
    description: str
    blocking: bool
    find: Callable[[StoredData, TablePlan], Iterator[Finding]]
    reads: Callable[[Population, TablePlan], frozenset[str] | None]
    about: Callable[[Population, TablePlan], frozenset[str]] = _no_tables

    def findings(self, store: StoredData, table: TablePlan) -> Iterator[Finding]:
        """Yield the findings for a stored table; none where the check does not apply."""
        if self.reads(store.population, table) is not None:
            for finding in self.find(store, table):
                yield replace(finding, tables=(table.name, *finding.tables))


CHECKS: Family[Check] = Family("check")
"""The checks that every dataset has; `catalogue.checks_of` are those of one, with the rules that it declares."""

"""Checks, the tables they judge, and their findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import pyarrow as pa

from plotsim_core.config.quality import LEDGER
from plotsim_core.families import Family
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.validation.store import StoredData

Category = Literal["structure", "time", "values", "behaviour"]

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


def _no_tables(plan: Plan, table: TablePlan) -> frozenset[str]:
    return NO_TABLES


@dataclass(frozen=True)
class Check:
    """A check of each stored table. Failures of `blocking` ones mean broken data; the others are warnings.

    `reads(plan, table)` are the other tables whose rows are read to judge a table; None where the check does not apply.
    `about(plan, table)` are those of them that findings are about as well.
    """

    category: Category
    description: str
    blocking: bool
    find: Callable[[StoredData, TablePlan], Iterator[Finding]]
    reads: Callable[[Plan, TablePlan], frozenset[str] | None]
    about: Callable[[Plan, TablePlan], frozenset[str]] = _no_tables

    def findings(self, store: StoredData, table: TablePlan) -> Iterator[Finding]:
        """Yield the findings for a stored table; none where the check does not apply."""
        if self.reads(store.plan, table) is not None:
            for finding in self.find(store, table):
                yield replace(finding, tables=(table.name, *finding.tables))


CHECKS: Family[Check] = Family("check")


@dataclass(frozen=True)
class Question:
    """A check of one table: `reads` are the other tables it reads, `about` those whose rows it judges as well."""

    check: str
    table: str
    reads: frozenset[str]
    about: frozenset[str]


def questions(plan: Plan) -> list[Question]:
    """Return the pairs of checks and tables that apply to a dataset, in the order of checks and tables.

    Tables with injected issues are judged by the ledger, so a check that reads one also reads the ledger.
    """
    clean = plan.clean or plan
    broken_tables = {table.name for table in plan.tables if table.issues}
    result = []
    for name, check in CHECKS.items():
        for kind in (clean, *clean.others):
            for table in kind.own:
                reads = check.reads(kind, table)
                if reads is not None:
                    ledger = {LEDGER} if broken_tables & {table.name, *reads} else set()
                    reads = (reads | ledger) - {table.name}
                    result.append(Question(name, table.name, reads, check.about(kind, table) - {table.name}))
    return result

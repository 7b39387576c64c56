"""The checks of a dataset: those that every dataset has, and the rules that it declares; and what they ask of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from plotsim_core.config.quality import LEDGER
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.check import CHECKS, Check
from plotsim_core.validation.declared import declared_checks


@lru_cache(maxsize=64)
def checks_of(plan: Plan) -> dict[str, Check]:
    """Return the checks of a dataset by name, in the order in which they are reported."""
    return {**dict(CHECKS.items()), **declared_checks(plan)}


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
    broken_tables = {table.name for table in plan.tables if table.issues}
    result = []
    for name, check in checks_of(plan).items():
        for population in plan.populations:
            for table in (stored.clean for stored in plan.tables_of(population)):
                reads = check.reads(population, table)
                if reads is not None:
                    ledger = {LEDGER} if broken_tables & {table.name, *reads} else set()
                    reads = (reads | ledger) - {table.name}
                    result.append(Question(name, table.name, reads, check.about(population, table) - {table.name}))
    return result

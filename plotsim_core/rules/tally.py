"""The SQL of counts by period, and of lists of columns."""

from __future__ import annotations

from collections.abc import Iterable

from plotsim_core.config.data_rule import RuleRows
from plotsim_core.plan.sql import quoted

IS_WRONG, PERIOD = quoted("is wrong"), quoted("the period")
"""Column aliases that no table has."""
ROUNDING = 1e-9
"""The relative error of a number that is computed of many doubles."""


def row_tally(rows: RuleRows, relation: str, is_checked: str, is_wrong: str) -> str:
    """Return the SQL that counts the checked rows of a relation, and those of them that are wrong, by period. Rows of which
    nothing can be said (null) are not checked."""
    return (
        f"SELECT {PERIOD} AS date_key, count({IS_WRONG}) AS checked, count(*) FILTER (WHERE {IS_WRONG}) AS faults FROM "
        f"(SELECT {rows.period} AS {PERIOD}, {is_wrong} AS {IS_WRONG} FROM {relation} WHERE {is_checked}) "
        "GROUP BY 1 ORDER BY 1"
    )


def columns_text(names: Iterable[str]) -> str:
    """Return columns as a list in SQL."""
    return ", ".join(map(quoted, names))


def all_present(names: Iterable[str]) -> str:
    """Return the SQL condition that no column is null."""
    return " AND ".join(f"{quoted(name)} IS NOT NULL" for name in names)


def differs(a: str, b: str, tolerance: float) -> str:
    """Return the SQL condition that two numbers differ by more than a tolerance, and what the sum of doubles may add."""
    return f"abs({a} - {b}) > {tolerance!r}::DOUBLE + {ROUNDING} * (1 + abs({a}))"

"""The SQL of counts by period, and of lists of columns."""

from __future__ import annotations

from collections.abc import Iterable

from plotsim_core.config.data_rule import RuleRows
from plotsim_core.plan.sql import quoted

IS_WRONG, PERIOD = quoted("is wrong"), quoted("the period")
"""Column aliases that no table has."""


def row_tally(rows: RuleRows, relation: str, is_checked: str, is_wrong: str) -> str:
    """Return the SQL that counts the checked rows of a relation, and those of them that are wrong, by period. Rows of which
    nothing can be said (null) are not checked."""
    return (
        f"SELECT {PERIOD} AS date_key, count({IS_WRONG}) AS checked, count(*) FILTER (WHERE {IS_WRONG}) AS faults FROM "
        f"(SELECT {rows.period} AS {PERIOD}, {is_wrong} AS {IS_WRONG} FROM {relation} WHERE {is_checked}) "
        "GROUP BY 1 ORDER BY 1"
    )


def columns_text(names: Iterable[str], table: str = "") -> str:
    """Return columns as a list in SQL, of a relation called `table`."""
    return ", ".join(f"{f'{table}.' if table else ''}{quoted(name)}" for name in names)


def all_present(names: Iterable[str], table: str = "") -> str:
    """Return the SQL condition that no column is null."""
    return " AND ".join(f"{f'{table}.' if table else ''}{quoted(name)} IS NOT NULL" for name in names)

"""What one check says of a store."""

from __future__ import annotations

from plotsim_core.validation.check import CHECKS
from plotsim_core.validation.report import Report, report_of
from plotsim_core.validation.store import StoredData


def report_of_check(check: str, store: StoredData) -> Report:
    """Return the report of one check, asked of every table."""
    tables = ((kind, table) for kind in store.kinds for table in kind.tables)
    return report_of(store, [(check, finding) for kind, table in tables for finding in CHECKS[check].findings(kind, table)])

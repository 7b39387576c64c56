"""The report: every check run over a store, with a score that says what is worth knowing at a glance."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.errors import Problem
from plotsim_core.plan.declared import HEADINGS, Correlations
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.check import CHECKS, TALLY, Finding
from plotsim_core.validation.plain import table_correlations
from plotsim_core.validation.store import Store, directory_store, tables_store
from plotsim_core.validation.unheld import unheld

REPORT_TEXT = "validation_report.txt"
"""The report for people, beside the tables of a run."""
BROKEN_CAP = 49
"""The highest score of data with a broken key or reference."""
_OPEN = 3
"""So many subjects of a check that were not judged are listed in the text; the record has them all."""

PERIODS_SCHEMA = pa.schema(
    [
        pa.field("date_key", pa.int64(), nullable=False),
        pa.field("check_name", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("checked", pa.int64(), nullable=False),
        pa.field("faults", pa.int64(), nullable=False),
    ]
)
"""One row per period, check and subject: how many rows were looked at and how many are wrong."""


@dataclass(frozen=True)
class Report:
    """What the checks found, as (name of the check, finding), and how long each check took; and of a report on all that is
    stored, the correlations of connected metrics as a user finds them, each with the plan of its kind of unit."""

    plan: Plan
    first: int
    stop: int
    findings: tuple[tuple[str, Finding], ...]
    seconds: dict[str, float]
    correlations: tuple[tuple[Plan, Correlations], ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a check that means broken data failed."""
        return any(CHECKS[name].blocking and not finding.passed for name, finding in self.findings)

    @property
    def warned(self) -> bool:
        """Whether any other check failed."""
        return any(not CHECKS[name].blocking and not finding.passed for name, finding in self.findings)

    @property
    def score(self) -> int:
        """From 0 to 100: the share of what was judged that passed, averaged over the categories in which something was
        judged; 0 where nothing was, at most `BROKEN_CAP` for broken data. `judged` says how much that is."""
        score = _percent((name, finding.passed) for name, finding in self.findings if finding.judged)
        return min(score, BROKEN_CAP) if self.failed else score

    @property
    def judged(self) -> int:
        """From 0 to 100: the share of what the config declares that could be judged, averaged over the categories."""
        return _percent((name, finding.judged) for name, finding in self.findings)

    @property
    def verdict(self) -> str:
        """The score in words, and of how much it is one."""
        return f"score {self.score}" if self.judged == 100 else f"score {self.score} ({self.judged} % judged)"

    def of(self, check: str) -> list[Finding]:
        """Return what one check found."""
        return [finding for name, finding in self.findings if name == check]

    def periods(self) -> pa.Table:
        """Return the counts of the checks that count rows, by period; see `PERIODS_SCHEMA`."""
        parts = []
        for name, finding in self.findings:
            if finding.tally is not None:
                dated = finding.tally.filter(finding.tally["date_key"].is_valid())
                labels = [pa.repeat(pa.scalar(text), len(dated)) for text in (name, finding.subject)]
                columns = [dated["date_key"], *labels, dated["checked"], dated["faults"]]
                parts.append(pa.table(columns, schema=PERIODS_SCHEMA))
        whole = pa.concat_tables(parts) if parts else PERIODS_SCHEMA.empty_table()
        return whole.sort_by([("date_key", "ascending"), ("check_name", "ascending"), ("subject", "ascending")])

    def text(self) -> str:
        """Return the report for people: a line per check, and one for each thing that is wrong."""
        grain = self.plan.grain
        lines = [f"{self.plan.name}, {grain.label(self.first)} to {grain.label(self.stop - 1)}: {self.verdict}"]
        for check in CHECKS:
            found = self.of(check)
            if not found:
                continue
            wrong = [finding for finding in found if not finding.passed]
            open_ = [finding for finding in found if not finding.judged]
            judged = len(found) - len(open_)
            mark = "FAIL" if wrong and CHECKS[check].blocking else "warn" if wrong else "ok  " if judged else "–   "
            more = f", {len(open_)} not judged" if open_ else ""
            lines.append(f"  {mark} {check}: {judged - len(wrong)} of {judged}{more}")
            lines += [f"         {finding.subject}: {finding.message}" for finding in (*wrong, *open_[:_OPEN])]
            lines += [f"         and {len(open_) - _OPEN} more that were not judged"] if len(open_) > _OPEN else []
        lines += [f"  {line}" for line in _correlation_lines(self.correlations)]
        lines += [f"  note {warning}" for warning in _texts((*self.plan.warnings, *self.plan.notes))]
        return "\n".join(lines)

    def json(self) -> str:
        """Return the report for machines."""
        return json.dumps(self.record(), indent=2, sort_keys=True)

    def record(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "dataset": self.plan.name,
            "digest": self.plan.digest,
            "seed": self.plan.seed,
            "scale": self.plan.dataset.scale,
            "first": self.plan.grain.label(self.first),
            "last": self.plan.grain.label(self.stop - 1),
            "score": self.score,
            "judged": self.judged,
            "failed": self.failed,
            "warned": self.warned,
            "notes": _texts((*self.plan.warnings, *self.plan.notes)),
            "correlations": [
                {
                    "subject": pair.subject(plan),
                    "declared": pair.connection.coefficient,
                    "pooled": pair.connection.pooled,
                    **{
                        f"{name}{part}": _finite(number)
                        for name in ("given", "pearson", "ranks")
                        for part, number in zip(("", "_error"), getattr(pair, name), strict=True)
                    },
                }
                for plan, pair in self.correlations
            ],
            "checks": [
                {
                    "check": name,
                    "category": CHECKS[name].category,
                    "subject": finding.subject,
                    "passed": finding.passed,
                    "judged": finding.judged,
                    "blocking": CHECKS[name].blocking,
                    "message": finding.message,
                    "numbers": {key: _finite(value) for key, value in finding.numbers.items()},
                }
                for name, finding in self.findings
            ],
        }


def check_store(store: Store) -> Report:
    """Run every check over a store."""
    findings: list[tuple[str, Finding]] = []
    seconds: dict[str, float] = {}
    kinds = store.kinds
    for name, check in CHECKS.items():
        begin = time.perf_counter()
        findings += [(name, f) for kind in kinds for table in kind.tables for f in check.findings(kind, table)]
        seconds[name] = time.perf_counter() - begin
    correlations = tuple((kind.plan, pair) for kind in kinds for pair in table_correlations(kind))
    return replace(report_of(store, findings, seconds), correlations=correlations)


def report_of(store: Store, findings: Sequence[tuple[str, Finding]], seconds: Mapping[str, float] | None = None) -> Report:
    """Return the report of what checks found in a store, of tables that are missing in it, and of what none can show."""
    missing = [table.name for table in store.plan.tables if store.misses(table.name)]
    absent = [("references_resolve", Finding(name, False, "the table is not there", tables=(name,))) for name in missing]
    open_ = unheld(store.plan, store.first, store.stop)
    return Report(store.plan, store.first, store.stop, (*absent, *findings, *open_), dict(seconds or {}))


def check_directory(plan: Plan, directory: Path, format: str, first: int, stop: int) -> Report:
    """Run every check over the files that a run wrote into a directory, for the periods `first` to `stop`."""
    with directory_store(plan, directory, format, first, stop) as store:
        return check_store(store)


def check_tables(plan: Plan, tables: Mapping[str, pa.Table], first: int, stop: int) -> Report:
    """Run every check over Arrow tables by their names, for the periods `first` to `stop`."""
    with tables_store(plan, tables, first, stop) as store:
        return check_store(store)


def _percent(results: Iterable[tuple[str, bool]]) -> int:
    """Return in how many of a hundred a result (check, flag) is true, averaged over the categories of checks; 0 of none."""
    of: dict[str, list[bool]] = defaultdict(list)
    for name, true in results:
        of[CHECKS[name].category].append(true)
    return int(100 * float(np.mean([np.mean(flags) for flags in of.values()]))) if of else 0


def _correlation_lines(pairs: Sequence[tuple[Plan, Correlations]]) -> list[str]:
    """Return the correlations as lines of a table, with its headings."""
    if not pairs:
        return []
    rows = [("correlation", *HEADINGS), *((pair.subject(plan), pair.declared, *pair.texts()) for plan, pair in pairs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _texts(problems: tuple[Problem, ...]) -> list[str]:
    return [" ".join(str(problem).split()) for problem in problems]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


__all__ = ["PERIODS_SCHEMA", "REPORT_TEXT", "TALLY", "Report", "check_directory", "check_store", "check_tables"]

"""The validation report: the findings of every check of a store, with a score."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.arrow import ArrowArray, ArrowChunks, schema_of
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.plan.correlations import HEADINGS, Correlations
from plotsim_core.plan.plan import Plan, Population
from plotsim_core.validation.catalogue import checks_of
from plotsim_core.validation.check import TALLY, Check, Finding
from plotsim_core.validation.store import StoredData, directory_store, tables_store
from plotsim_core.validation.table_correlations import table_correlations
from plotsim_core.validation.unmeasured import unmeasured

"""The file name of the text report, beside the tables of a run."""
BROKEN_CAP = 49
"""The highest score of data with a broken key or reference."""
_MAX_UNJUDGED = 3
"""The number of unjudged subjects of a check in the text; the record lists all."""

PERIODS_SCHEMA = schema_of(
    [
        pa.field("date_key", pa.int64(), nullable=False),
        pa.field("check_name", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("checked", pa.int64(), nullable=False),
        pa.field("faults", pa.int64(), nullable=False),
    ]
)
"""One row per period, check and subject: the rows checked, and the faults among them."""


def tally_schema(plan: Plan) -> pa.Schema:
    """Return the schema of tallies: `PERIODS_SCHEMA`, without its dates where there is no window."""
    return schema_of(field for field in PERIODS_SCHEMA if plan.has_window or field.name != "date_key")


@dataclass(frozen=True)
class Report:
    """The findings of checks, as (name of the check, finding), and the seconds each check took. A report on a whole store
    also has the plain correlations of connected metrics, each with its population."""

    plan: Plan
    first: int
    stop: int
    findings: tuple[tuple[str, Finding], ...]
    seconds: dict[str, float]
    correlations: tuple[tuple[Population, Correlations], ...] = ()

    @property
    def span(self) -> str:
        """The judged periods as text; empty where there is no window."""
        label = self.plan.grain.label
        return f"{label(self.first)} to {label(self.stop - 1)}" if self.plan.has_window else ""

    @property
    def checks(self) -> Mapping[str, Check]:
        """The checks of the dataset by name, in the order of the report."""
        return checks_of(self.plan)

    @property
    def failed(self) -> bool:
        """Whether a blocking check failed."""
        return any(self.checks[name].blocking and not finding.passed for name, finding in self.findings)

    @property
    def warned(self) -> bool:
        """Whether any other check failed."""
        return any(not self.checks[name].blocking and not finding.passed for name, finding in self.findings)

    @property
    def score(self) -> int:
        """The percentage of judged findings that passed, averaged over the categories with judged findings; 0 without any,
        at most `BROKEN_CAP` for broken data. `judged` is the coverage of the score."""
        score = self._percent((name, finding.passed) for name, finding in self.findings if finding.judged)
        return min(score, BROKEN_CAP) if self.failed else score

    @property
    def judged(self) -> int:
        """The percentage of findings that could be judged, averaged over the categories."""
        return self._percent((name, finding.judged) for name, finding in self.findings)

    def _percent(self, results: Iterable[tuple[str, bool]]) -> int:
        """Return the percentage of true flags of (check, flag), averaged over the categories of checks; 0 without any."""
        category_flags: dict[str, list[bool]] = defaultdict(list)
        for name, flag in results:
            category_flags[self.checks[name].category].append(flag)
        return int(100 * float(np.mean([np.mean(flags) for flags in category_flags.values()]))) if category_flags else 0

    @property
    def verdict(self) -> str:
        """The score as text, with the judged percentage if it is not 100, and without metrics with what it covers."""
        notes = [f"{self.judged} % judged"] if self.judged != 100 else []
        if not self.plan.kinds:
            categories = dict.fromkeys(self.checks[name].category for name, finding in self.findings if finding.judged)
            notes.append(f"of {enumeration(list(categories))}: there are no metrics")
        return f"score {self.score} ({', '.join(notes)})" if notes else f"score {self.score}"

    def findings_of(self, check: str) -> list[Finding]:
        """Return the findings of one check."""
        return [finding for name, finding in self.findings if name == check]

    def tallies(self) -> pa.Table:
        """Return the tallies of checks by period, and without a window those of the whole; see `tally_schema`."""
        schema = tally_schema(self.plan)
        parts = []
        for name, finding in self.findings:
            if finding.tally is not None:
                rows = finding.tally.filter(finding.tally["date_key"].is_valid()) if self.plan.has_window else finding.tally
                labels = {"check_name": name, "subject": finding.subject}
                columns: dict[str, ArrowArray | ArrowChunks] = {
                    **{column: rows[column] for column in rows.column_names},
                    **{label: pa.repeat(pa.scalar(text), len(rows)) for label, text in labels.items()},
                }
                parts.append(pa.table([columns[column] for column in schema.names], schema=schema))
        result = pa.concat_tables(parts) if parts else schema.empty_table()
        return result.sort_by([(name, "ascending") for name in schema.names[:-2]])

    def text(self) -> str:
        """Return the report as text: a line per check, and one per failure."""
        span = f", {self.span}" if self.span else ""
        lines = [f"{self.plan.name}{span}: {self.verdict}"]
        for check in self.checks:
            findings = self.findings_of(check)
            if not findings:
                continue
            failures = [finding for finding in findings if not finding.passed]
            unjudged = [finding for finding in findings if not finding.judged]
            judged_count = len(findings) - len(unjudged)
            mark = (
                "FAIL"
                if failures and self.checks[check].blocking
                else "warn"
                if failures
                else "ok  "
                if judged_count
                else "–   "
            )
            suffix = f", {len(unjudged)} not judged" if unjudged else ""
            lines.append(f"  {mark} {check}: {judged_count - len(failures)} of {judged_count}{suffix}")
            lines += [f"         {finding.subject}: {finding.message}" for finding in (*failures, *unjudged[:_MAX_UNJUDGED])]
            lines += (
                [f"         and {len(unjudged) - _MAX_UNJUDGED} more that were not judged"]
                if len(unjudged) > _MAX_UNJUDGED
                else []
            )
        lines += [f"  {line}" for line in _correlation_lines(self.correlations)]
        lines += [f"  note {warning}" for warning in _texts((*self.plan.warnings, *self.plan.notes))]
        return "\n".join(lines)

    def json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.record(), indent=2, sort_keys=True)

    def record(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "dataset": self.plan.name,
            "digest": self.plan.digest,
            "seed": self.plan.seed,
            "scale": self.plan.dataset.scale,
            "first": self.plan.grain.label(self.first) if self.plan.has_window else None,
            "last": self.plan.grain.label(self.stop - 1) if self.plan.has_window else None,
            "score": self.score,
            "judged": self.judged,
            "failed": self.failed,
            "warned": self.warned,
            "notes": _texts((*self.plan.warnings, *self.plan.notes)),
            "correlations": [
                {
                    "subject": pair.subject(population),
                    "declared": pair.connection.coefficient,
                    "pooled": pair.connection.pooled,
                    **{
                        f"{name}{part}": _finite(number)
                        for name, estimate in (("given", pair.conditional), ("pearson", pair.pearson), ("ranks", pair.ranks))
                        for part, number in zip(("", "_error"), estimate, strict=True)
                    },
                }
                for population, pair in self.correlations
            ],
            "checks": [
                {
                    "check": name,
                    "category": self.checks[name].category,
                    "subject": finding.subject,
                    "passed": finding.passed,
                    "judged": finding.judged,
                    "blocking": self.checks[name].blocking,
                    "message": finding.message,
                    "numbers": {key: _finite(value) for key, value in finding.numbers.items()},
                }
                for name, finding in self.findings
            ],
        }


Answers = Mapping[tuple[str, str], Sequence[Finding]]
"""Findings by the names of the check and of the table that it was asked of."""


def check_store(store: StoredData, answers: Answers = MappingProxyType({})) -> Report:
    """Run every check over a store, but those whose `answers` are known."""
    findings: list[tuple[str, Finding]] = []
    seconds: dict[str, float] = {}
    kinds = store.kinds
    for name, check in checks_of(store.plan).items():
        begin = time.perf_counter()
        for kind in kinds:
            for table in kind.tables:
                answer = answers.get((name, table.name))
                findings += [(name, finding) for finding in (check.findings(kind, table) if answer is None else answer)]
        seconds[name] = time.perf_counter() - begin
    correlations = tuple((kind.population, pair) for kind in kinds for pair in table_correlations(kind))
    return replace(report_of(store, findings, seconds), correlations=correlations)


def report_of(
    store: StoredData, findings: Sequence[tuple[str, Finding]], seconds: Mapping[str, float] | None = None
) -> Report:
    """Return the report of findings in a store, with those of missing tables and of metrics without a fact."""
    missing = [table.name for table in store.plan.tables if store.is_missing(table.name)]
    missing_findings = [
        ("references_resolve", Finding(name, False, "the table is not there", tables=(name,))) for name in missing
    ]
    unjudged = unmeasured(store.plan, store.first, store.stop)
    return Report(store.plan, store.first, store.stop, (*missing_findings, *findings, *unjudged), dict(seconds or {}))


def check_directory(plan: Plan, directory: Path, format: str, first: int, stop: int) -> Report:
    """Run every check over the files that a run wrote into a directory, for the periods `first` to `stop`."""
    with directory_store(plan, directory, format, first, stop) as store:
        return check_store(store)


def check_tables(plan: Plan, tables: Mapping[str, pa.Table], first: int, stop: int) -> Report:
    """Run every check over Arrow tables by their names, for the periods `first` to `stop`."""
    with tables_store(plan, tables, first, stop) as store:
        return check_store(store)


def _correlation_lines(pairs: Sequence[tuple[Population, Correlations]]) -> list[str]:
    """Return the correlations as lines of a table, with its headings."""
    if not pairs:
        return []
    rows = [
        ("correlation", *HEADINGS),
        *((pair.subject(population), pair.declared, *pair.texts()) for population, pair in pairs),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _texts(problems: tuple[Problem, ...]) -> list[str]:
    return [" ".join(str(problem).split()) for problem in problems]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


__all__ = ["TALLY", "Answers", "Report", "check_directory", "check_store", "check_tables", "tally_schema"]

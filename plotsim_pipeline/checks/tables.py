"""The checks of stored tables: on the table each finding is about, judged where the rows are.

A question (a check of one table) that reads no table but those a table is made from is asked in that table's own step, when
its rows are stored, and blocks what depends on the table. So is what rows of an earlier table owe to it: the total of orders
is judged where their lines are made. What needs tables that are not made from each other is asked in one step after all.

A check has one result per run, and names the partitions that are broken. One that was found broken before and is not judged
by a run is reported again after it, so it stays red until it is sound, whatever else is made.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import dagster as dg

from plotsim_core import Plan
from plotsim_core.config.quality import LEDGER
from plotsim_core.validation.catalogue import Question, checks_of, questions
from plotsim_core.validation.check import Check, Finding
from plotsim_pipeline.assets.lineage import upstream
from plotsim_pipeline.checks.evaluations import IN_STORE, Broken, broken_in, evaluation, latest
from plotsim_pipeline.checks.findings import Findings
from plotsim_pipeline.partitions import partition_of
from plotsim_pipeline.sensors.reconcile import lost_partitions
from plotsim_pipeline.stores.store import Store

_MAX_LISTED = 40
"""How many findings a check's result lists, those that failed first."""
_STILL_BROKEN = "found broken before, and not made or judged since (executing the check judges all that is stored)"
_FINDINGS = dg.TableSchema([dg.TableColumn("subject"), dg.TableColumn("passed", "bool"), dg.TableColumn("found")])


@dataclass(frozen=True)
class Judge:
    """Who judges stored tables: the periods `first` to `stop`, which are the partitions `keys`; `covers_all` tells whether
    these are all that is stored, and not what a run has just made."""

    plan: Plan
    store: Store
    findings: Findings
    first: int
    stop: int
    keys: tuple[str, ...]
    covers_all: bool
    instance: dg.DagsterInstance

    def ask(self, asked_questions: Iterable[Question]) -> None:
        """Answer those questions that have no answer yet.

        A table of which anything is stored that was made from another config is no witness: what it says is not judged.
        """
        open_questions = self.findings.unanswered(asked_questions, self.first, self.stop)
        if not open_questions:
            return
        current_tables = {
            table for table, digests in self.store.digests(self.plan.name).items() if digests == {self.plan.digest}
        }
        judged_tables = {question.table for question in open_questions}
        tables_with_issues = {table.name for table in self.plan.tables if table.issues}
        with self.store.open_tables(self.plan, self.first, self.stop) as stored:
            relations = {
                name: relation for name, relation in stored.relations.items() if name in current_tables | judged_tables
            }
            stored = replace(stored, relations=relations)
            has_ledger = LEDGER in relations or not tables_with_issues
            self.findings.ask(
                stored, [q for q in open_questions if has_ledger or not tables_with_issues & {q.table, *q.reads}]
            )

    def findings_of(self, asked_questions: Sequence[Question], table: str) -> list[Finding]:
        """Return what is found about a table, of what can be judged: what refers to a table that is not there cannot."""
        answers = (
            finding for question in asked_questions for finding in self.findings.answer(question, self.first, self.stop)
        )
        return [finding for finding in answers if table in finding.tables]


@dataclass(frozen=True)
class Verdict:
    """What a check says: whether it passed, in words, and which partitions are broken."""

    passed: bool
    description: str
    broken: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredCheck:
    """A check of a stored table: `run_questions` are its questions when the table was made, `all_questions` those when it is
    judged alone. `verdict` judges, once the questions are answered; a failure is an error (`is_error`) or a warning."""

    name: str
    table: str
    description: str
    blocking: bool
    is_error: bool
    verdict: Callable[[Judge, "StoredCheck"], Verdict]
    run_questions: tuple[Question, ...] = ()
    all_questions: tuple[Question, ...] = ()

    def key(self, plan: Plan) -> dg.AssetCheckKey:
        """Return the key of the check in Dagster."""
        return dg.AssetCheckKey(dg.AssetKey([plan.name, self.table]), self.name)

    def spec(self, plan: Plan, upstream_tables: Iterable[str] = ()) -> dg.AssetCheckSpec:
        """Return how Dagster knows the check, judged when `upstream_tables` are made."""
        asset = dg.AssetKey([plan.name, self.table])
        deps = [dg.AssetKey([plan.name, name]) for name in upstream_tables if name != self.table]
        return dg.AssetCheckSpec(
            self.name, asset=asset, description=self.description, blocking=self.blocking, additional_deps=deps
        )

    def questions(self, judge: Judge) -> tuple[Question, ...]:
        """Return what has to be asked for a judge."""
        return self.all_questions if judge.covers_all else self.run_questions

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        return dg.AssetCheckSeverity.ERROR if self.is_error else dg.AssetCheckSeverity.WARN


@dataclass(frozen=True)
class CheckPlan:
    """Where each check of a dataset is judged: `by_table` in the step of its table, `common` in the step after all
    tables, `further_questions` what that step asks for tables whose own step has the check."""

    by_table: Mapping[str, tuple[StoredCheck, ...]]
    common: tuple[StoredCheck, ...]
    further_questions: tuple[Question, ...]


@lru_cache(maxsize=64)
def check_plan(plan: Plan) -> CheckPlan:
    """Return where each check that a config can trigger is judged."""
    all_questions = questions(plan)
    ancestry = ancestors(plan)
    is_local = {q: q.reads <= ancestry[q.table] for q in all_questions}
    home_tables = {q: q.table if is_local[q] else _home_table(q, ancestry) for q in all_questions}
    of_tables: dict[str, tuple[StoredCheck, ...]] = {}
    common_checks: list[StoredCheck] = []
    parents = frozenset().union(*ancestry.values())
    for table in plan.tables:
        local_checks: list[StoredCheck] = []
        for name, check in checks_of(plan).items():
            related_questions = [q for q in all_questions if q.check == name and table.name in {q.table, *q.about}]
            local_questions = [q for q in related_questions if home_tables[q] == table.name]
            if local_questions:
                local_checks.append(_stored_check(name, check, table.name, True, local_questions, related_questions))
            elif related_questions:
                common_checks.append(
                    _stored_check(name, check, table.name, table.name not in parents, related_questions, related_questions)
                )
        of_tables[table.name] = tuple(local_checks)
    common_questions = {question for check in common_checks for question in check.run_questions}
    further_questions = tuple(q for q in all_questions if not is_local[q] and q not in common_questions)
    return CheckPlan(of_tables, tuple(common_checks), further_questions)


def ancestors(plan: Plan) -> dict[str, frozenset[str]]:
    """Return the tables that each table is made from, directly or not."""
    names = {table.name for table in plan.tables}
    parent_tables = {table.name: {name for name in upstream(plan, table) if name in names} for table in plan.tables}
    ancestry: dict[str, frozenset[str]] = {}

    def climb(name: str) -> frozenset[str]:
        if name not in ancestry:
            ancestry[name] = frozenset()  # a ring of references ends here
            ancestry[name] = frozenset(parent_tables[name]).union(*(climb(parent) for parent in parent_tables[name]))
        return ancestry[name]

    return {name: climb(name) for name in names}


def _home_table(question: Question, ancestry: Mapping[str, frozenset[str]]) -> str | None:
    """Return the table whose step can answer a question: one that the question is about, and that is made from all tables
    the question reads; None if there is none."""
    table_names = {question.table, *question.reads}
    return next((t for t in sorted(question.about) if table_names <= ancestry.get(t, frozenset()) | {t}), None)


def _stored_check(
    name: str,
    check: Check,
    table: str,
    may_block: bool,
    run_questions: Sequence[Question],
    all_questions: Sequence[Question],
) -> StoredCheck:
    return StoredCheck(
        name,
        table,
        check.description,
        check.blocking and may_block,
        check.blocking,
        _findings_verdict,
        tuple(run_questions),
        tuple(all_questions),
    )


def in_store(table: str) -> StoredCheck:
    """Return the check that partitions which Dagster takes for made are in the store, with the rows that were written."""
    description = "Every partition that was made is in the store, with as many rows as were written."
    return StoredCheck(IN_STORE, table, description, True, True, _in_store_verdict)


def table_checks(checked: CheckPlan, table: str) -> tuple[StoredCheck, ...]:
    """Return the checks that are judged in the step of a table."""
    return checked.by_table.get(table, ())


def evaluations(
    judge: Judge, checks: Sequence[StoredCheck], further: Sequence[Question] = ()
) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of each check, and report what has to be known besides: that partitions which are not judged now are
    broken still, and what was found about tables together with these.

    A result is in the log before the evaluation that follows it, so a check shows red as long as any partition is broken.
    """
    run_questions = [question for check in checks for question in check.questions(judge)]
    judge.ask([*run_questions, *further])
    result_keys = {(check.table, check.name) for check in checks}
    for check in checks:
        key, verdict = check.key(judge.plan), check.verdict(judge, check)
        still_broken = broken_in(latest(judge.instance, key)).without(judge.keys)
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=verdict.passed,
            severity=check.severity,
            description=verdict.description,
            metadata={**verdict.metadata, **still_broken.union(verdict.broken).metadata},
        )
        if verdict.passed and still_broken.keys:
            message = f"{_STILL_BROKEN}: {still_broken}"
            event = evaluation(key, still_broken, False, message, check.severity, check.blocking)
            judge.instance.report_runless_asset_event(event)
    for question in dict.fromkeys((*run_questions, *further)):
        for name in sorted({question.table, *question.about}):
            if (name, question.check) not in result_keys:
                _report_related(judge, question, name)


def _report_related(judge: Judge, question: Question, table: str) -> None:
    """Report to a table that is not judged itself what was found about it together with another: what is broken, or that
    what was broken is sound."""
    key = dg.AssetCheckKey(dg.AssetKey([judge.plan.name, table]), question.check)
    findings = judge.findings_of([question], table)
    verdict, previous = _verdict_of(judge, findings), latest(judge.instance, key)
    was_broken = previous is not None and not previous.passed
    if not findings or (verdict.passed and not was_broken):
        return
    broken = broken_in(previous).without(judge.keys).union(verdict.broken)
    passed = verdict.passed and not broken.keys
    check = checks_of(judge.plan)[question.check]
    severity = dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
    message = verdict.description if verdict.passed == passed else f"{_STILL_BROKEN}: {broken}"
    event = evaluation(key, broken, passed, message, severity, check.blocking)
    judge.instance.report_runless_asset_event(event)


def _findings_verdict(judge: Judge, check: StoredCheck) -> Verdict:
    return _verdict_of(judge, judge.findings_of(check.questions(judge), check.table))


def _verdict_of(judge: Judge, findings: Sequence[Finding]) -> Verdict:
    failures = [finding for finding in findings if not finding.passed]
    message = "; ".join(f"{finding.subject}: {finding.message}" for finding in failures[:5])
    judged_count = sum(finding.judged for finding in findings)
    count_text = f"{judged_count} checked" + (
        f", {len(findings) - judged_count} not judged" if judged_count < len(findings) else ""
    )
    listed_findings = [*failures, *(finding for finding in findings if finding.passed)][:_MAX_LISTED]
    records = [dg.TableRecord({"subject": f.subject, "passed": f.passed, "found": f.message}) for f in listed_findings]
    return Verdict(
        passed=not failures,
        description=message or (count_text if findings else "nothing to judge yet: what it is compared with is not stored"),
        broken=_broken_partitions(judge, failures),
        metadata={
            "checked": judged_count,
            "not judged": len(findings) - judged_count,
            "failed": len(failures),
            **({"findings": dg.MetadataValue.table(records, schema=_FINDINGS)} if records else {}),
        },
    )


def _broken_partitions(judge: Judge, failures: Sequence[Finding]) -> tuple[str, ...]:
    """Return the partitions whose rows are at fault, of those that are judged."""
    days = {
        day
        for finding in failures
        if finding.tally is not None
        for day, faults in zip(finding.tally["date_key"].to_pylist(), finding.tally["faults"].to_pylist(), strict=True)
        if faults and day is not None
    }
    keys = {partition_of(judge.plan, day) for day in days}
    return tuple(key for key in judge.keys if key in keys)


def _in_store_verdict(judge: Judge, check: StoredCheck) -> Verdict:
    """Return the verdict of `in_store`: after a run its partitions are written; judged alone, lost partitions fail it."""
    if not judge.covers_all:
        return Verdict(True, f"{len(judge.keys)} partitions as written")
    lost_keys = lost_partitions(judge.plan, judge.store, judge.instance, check.table)
    message = f"{len(lost_keys)} partitions are not in the store as they were written: {Broken(tuple(lost_keys))}"
    return Verdict(not lost_keys, message if lost_keys else "all there", tuple(lost_keys), {"lost": len(lost_keys)})

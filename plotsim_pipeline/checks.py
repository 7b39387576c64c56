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
from plotsim_core.validation.check import CHECKS, Finding, Question, questions
from plotsim_pipeline.evaluations import IN_STORE, Broken, broken_in, evaluation, latest
from plotsim_pipeline.findings import Findings
from plotsim_pipeline.lineage import upstream
from plotsim_pipeline.partitions import partition_of
from plotsim_pipeline.reconcile import lost_partitions
from plotsim_pipeline.stores.store import Store

_SHOWN = 40
"""How many findings a check's result lists, those that failed first."""
_STILL = "found broken before, and not made or judged since (executing the check judges all that is stored)"
_FINDINGS = dg.TableSchema([dg.TableColumn("subject"), dg.TableColumn("passed", "bool"), dg.TableColumn("found")])


@dataclass(frozen=True)
class Judge:
    """Who judges stored tables: the periods `first` to `stop`, which are the partitions `keys`; `everything` tells whether
    these are all that is stored, and not what a run has just made."""

    plan: Plan
    store: Store
    findings: Findings
    first: int
    stop: int
    keys: tuple[str, ...]
    everything: bool
    instance: dg.DagsterInstance

    def ask(self, asked: Iterable[Question]) -> None:
        """Answer those questions that have no answer yet.

        A table of which anything is stored that was made from another config is no witness: what it says is not judged.
        """
        open_questions = self.findings.unanswered(asked, self.first, self.stop)
        if not open_questions:
            return
        current = {table for table, digests in self.store.digests(self.plan.name).items() if digests == {self.plan.digest}}
        judged = {question.table for question in open_questions}
        dirty = {table.name for table in self.plan.tables if table.issues}
        with self.store.opened(self.plan, self.first, self.stop) as stored:
            visible = {name: place for name, place in stored.relations.items() if name in current | judged}
            stored = replace(stored, relations=visible)
            ledger = LEDGER in visible or not dirty
            self.findings.ask(stored, [q for q in open_questions if ledger or not dirty & {q.table, *q.reads}])

    def of(self, asked: Sequence[Question], table: str) -> list[Finding]:
        """Return what is found about a table, of what can be judged: what refers to a table that is not there cannot."""
        answers = (finding for question in asked for finding in self.findings.of(question, self.first, self.stop))
        return [finding for finding in answers if table in finding.tables]


@dataclass(frozen=True)
class Verdict:
    """What a check says: whether it passed, in words, and which partitions are broken."""

    passed: bool
    says: str
    broken: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredCheck:
    """A check of a stored table: `asked` are its questions when the table was made, `anytime` those when it is judged alone.
    `verdict` judges, once the questions are answered; what fails is an `error` or a warning."""

    name: str
    table: str
    says: str
    blocking: bool
    error: bool
    verdict: Callable[[Judge, "StoredCheck"], Verdict]
    asked: tuple[Question, ...] = ()
    anytime: tuple[Question, ...] = ()

    def key(self, plan: Plan) -> dg.AssetCheckKey:
        """Return the key of the check in Dagster."""
        return dg.AssetCheckKey(dg.AssetKey([plan.name, self.table]), self.name)

    def spec(self, plan: Plan, after: Iterable[str] = ()) -> dg.AssetCheckSpec:
        """Return how Dagster knows the check, judged when the tables `after` are made."""
        asset = dg.AssetKey([plan.name, self.table])
        deps = [dg.AssetKey([plan.name, name]) for name in after if name != self.table]
        return dg.AssetCheckSpec(self.name, asset=asset, description=self.says, blocking=self.blocking, additional_deps=deps)

    def questions(self, judge: Judge) -> tuple[Question, ...]:
        """Return what has to be asked for a judge."""
        return self.anytime if judge.everything else self.asked

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        return dg.AssetCheckSeverity.ERROR if self.error else dg.AssetCheckSeverity.WARN


@dataclass(frozen=True)
class CheckPlan:
    """Where each check of a dataset is judged: `of_tables` in the step of its table, `together` in the step after all
    tables, `further` what that step asks for tables whose own step has the check."""

    of_tables: Mapping[str, tuple[StoredCheck, ...]]
    together: tuple[StoredCheck, ...]
    further: tuple[Question, ...]


@lru_cache(maxsize=64)
def check_plan(plan: Plan) -> CheckPlan:
    """Return where each check that a config can trigger is judged."""
    asked = questions(plan)
    above = ancestors(plan)
    at_home = {q: q.reads <= above[q.table] for q in asked}
    home = {q: q.table if at_home[q] else _home(q, above) for q in asked}
    of_tables: dict[str, tuple[StoredCheck, ...]] = {}
    together: list[StoredCheck] = []
    parents = frozenset().union(*above.values())
    for table in plan.tables:
        checks: list[StoredCheck] = []
        for name in CHECKS:
            mine = [q for q in asked if q.check == name and table.name in {q.table, *q.about}]
            here = [q for q in mine if home[q] == table.name]
            if here:
                checks.append(_check(name, table.name, True, here, mine))
            elif mine:
                together.append(_check(name, table.name, table.name not in parents, mine, mine))
        of_tables[table.name] = tuple(checks)
    known = {question for check in together for question in check.asked}
    further = tuple(q for q in asked if not at_home[q] and q not in known)
    return CheckPlan(of_tables, tuple(together), further)


def ancestors(plan: Plan) -> dict[str, frozenset[str]]:
    """Return the tables that each table is made from, directly or not."""
    names = {table.name for table in plan.tables}
    direct = {table.name: {name for name in upstream(plan, table) if name in names} for table in plan.tables}
    above: dict[str, frozenset[str]] = {}

    def climb(name: str) -> frozenset[str]:
        if name not in above:
            above[name] = frozenset()  # a ring of references ends here
            above[name] = frozenset(direct[name]).union(*(climb(parent) for parent in direct[name]))
        return above[name]

    return {name: climb(name) for name in names}


def _home(question: Question, above: Mapping[str, frozenset[str]]) -> str | None:
    """Return the table in whose step a question about it can be asked that needs later tables than the one it is asked of;
    None where there is none."""
    involved = {question.table, *question.reads}
    return next((t for t in sorted(question.about) if involved <= above.get(t, frozenset()) | {t}), None)


def _check(name: str, table: str, may_block: bool, asked: Sequence[Question], anytime: Sequence[Question]) -> StoredCheck:
    check = CHECKS[name]
    return StoredCheck(
        name, table, check.says, check.blocking and may_block, check.blocking, _of_findings, tuple(asked), tuple(anytime)
    )


def in_store(table: str) -> StoredCheck:
    """Return the check that partitions which Dagster takes for made are in the store, with the rows that were written."""
    says = "Every partition that was made is in the store, with as many rows as were written."
    return StoredCheck(IN_STORE, table, says, True, True, _in_store)


def table_checks(checked: CheckPlan, table: str) -> tuple[StoredCheck, ...]:
    """Return the checks that are judged in the step of a table."""
    return checked.of_tables.get(table, ())


def evaluations(
    judge: Judge, checks: Sequence[StoredCheck], further: Sequence[Question] = ()
) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of each check, and report what has to be known besides: that partitions which are not judged now are
    broken still, and what was found about tables together with these.

    A result is in the log before the evaluation that follows it, so a check shows red as long as any partition is broken.
    """
    asked = [question for check in checks for question in check.questions(judge)]
    judge.ask([*asked, *further])
    results = {(check.table, check.name) for check in checks}
    for check in checks:
        key, verdict = check.key(judge.plan), check.verdict(judge, check)
        remaining = broken_in(latest(judge.instance, key)).without(judge.keys)
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=verdict.passed,
            severity=check.severity,
            description=verdict.says,
            metadata={**verdict.metadata, **remaining.and_also(verdict.broken).metadata},
        )
        if verdict.passed and remaining.keys:
            says = f"{_STILL}: {remaining}"
            event = evaluation(key, remaining, False, says, check.severity, check.blocking)
            judge.instance.report_runless_asset_event(event)
    for question in dict.fromkeys((*asked, *further)):
        for name in sorted({question.table, *question.about}):
            if (name, question.check) not in results:
                _report_related(judge, question, name)


def _report_related(judge: Judge, question: Question, table: str) -> None:
    """Report to a table that is not judged itself what was found about it together with another: what is broken, or that
    what was broken is sound."""
    key = dg.AssetCheckKey(dg.AssetKey([judge.plan.name, table]), question.check)
    found = judge.of([question], table)
    verdict, before = _verdict(judge, found), latest(judge.instance, key)
    was_broken = before is not None and not before.passed
    if not found or (verdict.passed and not was_broken):
        return
    broken = broken_in(before).without(judge.keys).and_also(verdict.broken)
    passed = verdict.passed and not broken.keys
    check = CHECKS[question.check]
    severity = dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
    says = verdict.says if verdict.passed == passed else f"{_STILL}: {broken}"
    event = evaluation(key, broken, passed, says, severity, check.blocking)
    judge.instance.report_runless_asset_event(event)


def _of_findings(judge: Judge, check: StoredCheck) -> Verdict:
    return _verdict(judge, judge.of(check.questions(judge), check.table))


def _verdict(judge: Judge, found: Sequence[Finding]) -> Verdict:
    wrong = [finding for finding in found if not finding.passed]
    says = "; ".join(f"{finding.subject}: {finding.message}" for finding in wrong[:5])
    judged = sum(finding.judged for finding in found)
    counted = f"{judged} checked" + (f", {len(found) - judged} not judged" if judged < len(found) else "")
    listed = [*wrong, *(finding for finding in found if finding.passed)][:_SHOWN]
    records = [dg.TableRecord({"subject": f.subject, "passed": f.passed, "found": f.message}) for f in listed]
    return Verdict(
        passed=not wrong,
        says=says or (counted if found else "nothing to judge yet: what it is compared with is not stored"),
        broken=_broken(judge, wrong),
        metadata={
            "checked": judged,
            "not judged": len(found) - judged,
            "failed": len(wrong),
            **({"findings": dg.MetadataValue.table(records, schema=_FINDINGS)} if records else {}),
        },
    )


def _broken(judge: Judge, wrong: Sequence[Finding]) -> tuple[str, ...]:
    """Return the partitions whose rows are at fault, of those that are judged."""
    days = {
        day
        for finding in wrong
        if finding.tally is not None
        for day, faults in zip(finding.tally["date_key"].to_pylist(), finding.tally["faults"].to_pylist(), strict=True)
        if faults and day is not None
    }
    keys = {partition_of(judge.plan, day) for day in days}
    return tuple(key for key in judge.keys if key in keys)


def _in_store(judge: Judge, check: StoredCheck) -> Verdict:
    """Judge what is there: of a run, that it has just been written; of everything, whatever the instance takes for made."""
    if not judge.everything:
        return Verdict(True, f"{len(judge.keys)} partitions as written")
    lost = lost_partitions(judge.plan, judge.store, judge.instance, check.table)
    says = f"{len(lost)} partitions are not in the store as they were written: {Broken(tuple(lost))}"
    return Verdict(not lost, says if lost else "all there", tuple(lost), {"lost": len(lost)})

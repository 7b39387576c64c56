"""What the checks of a run have found so far, so that each question is answered once in a run: by the step of a table, by
that of the checks, or by the report, whichever comes first. A step in a process of its own starts with none."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import dagster as dg

from plotsim_core import Plan
from plotsim_core.validation.catalogue import Question, checks_of, questions
from plotsim_core.validation.check import Finding
from plotsim_core.validation.report import Answers, Report, report_of
from plotsim_core.validation.store import StoredData
from plotsim_pipeline.stores.store import Store

FINDINGS = "findings"
"""The name of the resource."""


class Findings:
    """The answers of one run, by question and periods."""

    resource: ClassVar[dg.ResourceDefinition]

    def __init__(self) -> None:
        self._answers: dict[tuple[Question, int, int], tuple[Finding, ...]] = {}
        self._whole: set[tuple[Question, int, int]] = set()
        self._reports: dict[tuple[int, int], Report] = {}

    def unanswered(self, questions: Iterable[Question], first: int, stop: int) -> list[Question]:
        """Return those of some questions that have no answer for the periods `first` to `stop`."""
        return [question for question in dict.fromkeys(questions) if (question, first, stop) not in self._answers]

    def answer(self, question: Question, first: int, stop: int) -> tuple[Finding, ...]:
        """Return the answer to a question; nothing for one that was not asked."""
        return self._answers.get((question, first, stop), ())

    def ask(self, stored: StoredData, questions: Sequence[Question]) -> None:
        """Answer questions from what is stored. What refers to a table that is not there is left out."""
        kinds = {table.name: kind for kind in stored.kinds for table in kind.tables}
        for question in questions:
            kind = kinds.get(question.table)
            check = checks_of(stored.plan)[question.check]
            answer = () if kind is None else tuple(check.findings(kind, kind.population.table(question.table)))
            complete_findings = tuple(finding for finding in answer if stored.relations.keys() >= set(finding.tables))
            key = question, stored.first, stored.stop
            self._answers[key] = complete_findings
            if complete_findings == answer and {question.table, *question.reads} <= stored.relations.keys():
                self._whole.add(key)

    def whole_answers(self, first: int, stop: int) -> Answers:
        """Return the answers for the periods `first` to `stop` for which all tables were there that the check reads."""
        return {
            (question.check, question.table): self._answers[question, first, stop]
            for question, *periods in self._whole
            if periods == [first, stop]
        }

    def report(self, plan: Plan, store: Store, first: int, stop: int) -> Report:
        """Return the report of the periods `first` to `stop`: of what has been found, and of what was not asked yet."""
        if (first, stop) not in self._reports:
            all_questions = questions(plan)
            with store.open_tables(plan, first, stop) as stored:
                self.ask(stored, self.unanswered(all_questions, first, stop))
                answers = [(question.check, f) for question in all_questions for f in self.answer(question, first, stop)]
                self._reports[first, stop] = report_of(stored, answers)
        return self._reports[first, stop]

    def forget(self, table: str) -> None:
        """Forget the answers that a table that is written anew has a part in, and every report."""
        self._reports.clear()
        self._answers = {
            key: answer for key, answer in self._answers.items() if table not in {key[0].table, *key[0].reads, *key[0].about}
        }
        self._whole.intersection_update(self._answers)


Findings.resource = dg.ResourceDefinition(lambda _: Findings(), description="What the checks of a run have found so far.")

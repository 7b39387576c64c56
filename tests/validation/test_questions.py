"""What can be asked of a dataset's tables is known from its config, before anything is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.datasets import shown
from plotsim_core import Plan, load_config, template
from plotsim_core.validation.catalogue import checks_of, questions
from plotsim_core.validation.report import Report, check_store
from tests.marks import slow_but
from tests.validation.test_datasets import BUNDLED, stored

EVERYTHING = Path(__file__).parent.parent.parent / "benchmarks" / "everything.yaml"


def _report(name: str, directory: Path) -> tuple[Plan, Report]:
    plan = load_config(EVERYTHING) if name == "everything" else shown(template(name))
    with stored(plan, directory) as store:
        return plan, check_store(store)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*BUNDLED, *slow_but(["everything"])])
def test_what_is_found_is_what_was_asked(name: str, tmp_path: Path) -> None:
    """Over a whole dataset every question is answered, nothing else is, and a finding is about no table that the question
    does not name. So a check that a config cannot trigger exists for no table."""
    plan, report = _report(name, tmp_path)
    questions_by_key = {(question.check, question.table): question for question in questions(plan)}
    values = [(check, finding) for check, finding in report.findings if finding.tables]
    assert not any(finding.judged for _, finding in report.findings if not finding.tables), "of what no table shows"
    answered = {(check, finding.tables[0]) for check, finding in values}
    assert answered == set(questions_by_key)
    for check, finding in values:
        table, *others = finding.tables
        assert set(others) <= questions_by_key[check, table].about, (check, finding.subject)
    for question in questions_by_key.values():
        about = {t for check, f in values if (check, f.tables[0]) == (question.check, question.table) for t in f.tables}
        assert about == {question.table, *question.about}, question
    assert {question.check for question in questions_by_key.values()} <= set(checks_of(plan))

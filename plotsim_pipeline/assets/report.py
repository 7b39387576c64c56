"""Judgement as assets: `validation_report` per partition, and `overview` of all that is stored.

The checks themselves stand on the tables that they are about (checks/tables.py); the report is made of what they found.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.tables.stages import stage_names
from plotsim_core.validation.charts import Picture, pictures
from plotsim_core.validation.glances import stage_glance
from plotsim_core.validation.html_page import page
from plotsim_core.validation.report import Report, check_store, tally_schema
from plotsim_pipeline.assets.catalogue import entry_of_report
from plotsim_pipeline.assets.drawings import drawing_metadata
from plotsim_pipeline.assets.report_files import write_report_file
from plotsim_pipeline.assets.tables import SHARED_RESOURCES, Needs, Run, asset_of_all, partitioned_asset
from plotsim_pipeline.checks.tables import Judge, StoredCheck, Verdict, in_store
from plotsim_pipeline.sensors.reconcile import REPORT_TIME, VALIDATION_REPORT, report_time

OVERVIEW = "overview"
NOTHING_BROKEN = "nothing_broken"
_KEY = ("check_name", "subject")
_COLUMNS = {
    REPORT_TIME: "Date key of the period that was judged.",
    "check_name": "Name of the check.",
    "subject": "What was judged: a table, a column of it or a metric.",
    "checked": "Number of rows that the check looked at.",
    "faults": "Number of rows that are wrong.",
}
_TALLIES = "What the checks counted, by period."
_MAX_DRAWINGS = 12
"""How many drawings of a picture are kept as metadata; the page has them all."""


def report_assets(
    plan: Plan, partitions: dg.TimeWindowPartitionsDefinition | None, needs: Needs = SHARED_RESOURCES
) -> list[dg.AssetsDefinition]:
    """Return the report of a dataset's partitions, and the overview of the whole."""
    return [_validation_report(plan, partitions, needs), _overview(plan, needs)]


def _validation_report(
    plan: Plan, partitions: dg.TimeWindowPartitionsDefinition | None, needs: Needs
) -> dg.AssetsDefinition:
    subject = "period, check and subject" if plan.has_window else "check and subject"
    description = f"Stored data judged against the config: one row per {subject}."

    def rows(run: Run, first: int, stop: int) -> tuple[pa.Table, Mapping[str, Any]]:
        report = run.findings.report(run.plan, run.store, first, stop)
        for line in report.text().splitlines():
            run.context.log.info(line)
        schema = tally_schema(run.plan).with_metadata({**run.plan.origin, "description": _TALLIES})
        metadata = {**_score(report), "checks": dg.MetadataValue.table(_records(report))}
        return report.tallies().cast(schema), metadata

    return partitioned_asset(
        plan,
        VALIDATION_REPORT,
        partitions,
        needs,
        entry=entry_of_report(
            plan, VALIDATION_REPORT, description, report_time(plan), _KEY, _column_schema(plan), needs.store_kind
        ),
        deps=[table.name for table in plan.tables],
        checks=[in_store(VALIDATION_REPORT), _nothing_broken()],
        rows=rows,
    )


def _column_schema(plan: Plan) -> dg.TableSchema:
    fields = tally_schema(plan)
    return dg.TableSchema([dg.TableColumn(field.name, str(field.type), _COLUMNS[field.name]) for field in fields])


def _nothing_broken() -> StoredCheck:
    description = "No check of any table that means broken data failed in these partitions."
    return StoredCheck(NOTHING_BROKEN, VALIDATION_REPORT, description, True, True, _nothing_broken_verdict)


def _nothing_broken_verdict(judge: Judge, check: StoredCheck) -> Verdict:
    report = judge.findings.report(judge.plan, judge.store, judge.first, judge.stop)
    failures = [(name, f) for name, f in report.findings if report.checks[name].blocking and not f.passed]
    message = "; ".join(f"{name}: {finding.subject}: {finding.message}" for name, finding in failures[:5])
    return Verdict(not failures, message or report.verdict, (), {**_score(report), "failed": len(failures)})


def _overview(plan: Plan, needs: Needs) -> dg.AssetsDefinition:
    def tell(run: Run, first: int, stop: int) -> dict[str, Any]:
        plan, store = run.plan, run.store
        with store.open_tables(plan, first, stop) as stored:
            report = check_store(stored, run.findings.whole_answers(first, stop))
            overview_pictures = pictures(stored, report)
            path = write_report_file(store, f"{plan.name}.html", [page(stored, report, overview_pictures)])
        return {
            **_score(report),
            **{
                f"{picture.name}_at_a_glance": drawing_metadata(picture.name, [picture.glance])
                for picture in overview_pictures
                if picture.glance
            },
            **_glances(plan, first, stop),
            "report": dg.MetadataValue.md(f"```\n{report.text()}\n```"),
            "page": dg.MetadataValue.path(path),
            **{picture.name: _picture_metadata(picture) for picture in overview_pictures if not picture.is_folded},
        }

    description = "Pictures of the stages and the score of all that is stored, and the report as a page."
    return asset_of_all(plan, OVERVIEW, description, [VALIDATION_REPORT], "html", needs, tell)


def _score(report: Report) -> dict[str, Any]:
    """Return the score, and the share of what the config declares that was judged, as metadata."""
    return {"score": report.score, "judged": report.judged}


def _glances(plan: Plan, first: int, stop: int) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the means of the metrics and the values of one unit as small pictures, of each kind of unit."""
    names = [name for name in stage_names(plan) if name.endswith("metrics")]
    glances = {name: stage_glance(plan, name, first, stop) for name in names if not name.endswith("correlated_metrics")}
    return {
        f"{name}_at_a_glance": drawing_metadata(name, [glance.drawing])
        for name, glance in glances.items()
        if glance is not None
    }


def _records(report: Report) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "check": name,
                "passed": sum(f.passed and f.judged for f in report.findings_of(name)),
                "of": len(report.findings_of(name)),
                "not judged": sum(not f.judged for f in report.findings_of(name)),
                "worst": next((f"{f.subject}: {f.message}" for f in report.findings_of(name) if not f.passed), ""),
            }
        )
        for name in report.checks
    ]


def _picture_metadata(picture: Picture) -> dg.MarkdownMetadataValue:
    """Return a picture as metadata, with its first `_MAX_DRAWINGS` drawings."""
    return dg.MetadataValue.md(
        f"{picture.description}\n\n{drawing_metadata(picture.name, picture.drawings[:_MAX_DRAWINGS]).md_str}"
    )

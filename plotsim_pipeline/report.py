"""Judgement as assets: `validation_report` per partition with its checks, and `overview` of all that is stored."""

import base64
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.validation.check import CHECKS, Finding
from plotsim_core.validation.page import page
from plotsim_core.validation.pictures import Picture, pictures
from plotsim_core.validation.report import PERIODS_SCHEMA, Report, check_store
from plotsim_pipeline.assets import SHARED, Needs, asked, asset_of_all
from plotsim_pipeline.beside import write_beside
from plotsim_pipeline.catalogue import entry_of_report
from plotsim_pipeline.parameters import CODE_VERSION, NOTHING, said
from plotsim_pipeline.partitions import backfill_policy, periods_of
from plotsim_pipeline.stores.store import Store

VALIDATION_REPORT, OVERVIEW = "validation_report", "overview"
_KEY = ("date_key", "check_name", "subject")
_COLUMNS = {
    "date_key": "Date key of the period that was judged.",
    "check_name": "Name of the check.",
    "subject": "What was judged: a table, a column of it or a metric.",
    "checked": "Number of rows that the check looked at.",
    "faults": "Number of rows that are wrong.",
}
_PERIODS = dg.TableSchema([dg.TableColumn(one.name, str(one.type), _COLUMNS[one.name]) for one in PERIODS_SCHEMA])
_SHOWN = 40
"""How many findings a check's result lists, those that failed first."""
_DRAWINGS = 12
"""How many drawings of a picture are kept as metadata; the page has them all."""
_FINDINGS = dg.TableSchema([dg.TableColumn("subject"), dg.TableColumn("passed", "bool"), dg.TableColumn("found")])


def report_assets(
    plan: Plan, partitions: dg.TimeWindowPartitionsDefinition, needs: Needs = SHARED
) -> list[dg.AssetsDefinition]:
    """Return the report of a dataset's partitions, and the overview of the whole."""
    return [_validation_report(plan, partitions, needs), _overview(plan, needs)]


def _validation_report(plan: Plan, partitions: dg.TimeWindowPartitionsDefinition, needs: Needs) -> dg.AssetsDefinition:
    key = dg.AssetKey([plan.name, VALIDATION_REPORT])
    says = "What the checks counted, by period."
    description = "Stored data judged against the config: one row per period, check and subject."
    entry = entry_of_report(plan, description, _KEY, _PERIODS, needs.store_kind)

    @dg.asset(
        key=key,
        group_name=entry.group,
        description=entry.description,
        kinds=entry.kinds,
        owners=entry.owners,
        tags=entry.tags,
        metadata=entry.metadata,
        deps=[dg.AssetKey([plan.name, table.name]) for table in plan.tables],
        partitions_def=partitions,
        backfill_policy=backfill_policy(),
        code_version=plan.digest,
        pool=needs.pool,
        io_manager_key=needs.store,
        required_resource_keys={needs.store},
        resource_defs={needs.parameters: NOTHING},
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, description=check.says, blocking=check.blocking)
            for name, check in CHECKS.items()
        ],
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # as in assets.py
        made, store, parameters = asked(context, plan, needs)
        first, stop = periods_of(plan, partitions, context.partition_keys)
        with store.opened(made, first, stop) as stored:
            report = check_store(stored)
        for line in report.text().splitlines():
            context.log.info(line)
        table: pa.Table = report.periods().cast(PERIODS_SCHEMA.with_metadata({**made.origin, "description": says}))
        return dg.MaterializeResult(
            value=table,
            metadata={
                "score": report.score,
                "checks": dg.MetadataValue.table(_records(report)),
                "seconds": round(sum(report.seconds.values()), 3),
                **said(made, parameters),
            },
            tags={CODE_VERSION: made.digest},
            check_results=[_check_result(name, report.of(name)) for name in CHECKS],
        )

    return _materialise


def _overview(plan: Plan, needs: Needs) -> dg.AssetsDefinition:
    def tell(plan: Plan, store: Store, first: int, stop: int) -> dict[str, Any]:
        with store.opened(plan, first, stop) as stored:
            report = check_store(stored)
            drawn = pictures(stored, report)
            place = write_beside(store, f"{plan.name}.html", [page(stored, report, drawn)])
        return {
            "score": report.score,
            **{f"{picture.name}_at_a_glance": _drawn(picture, [picture.glance]) for picture in drawn if picture.glance},
            "report": dg.MetadataValue.md(f"```\n{report.text()}\n```"),
            "page": dg.MetadataValue.path(place),
            **{picture.name: _shown(picture) for picture in drawn if not picture.folded},
        }

    says = "Pictures of the stages and the score of all that is stored, and the report as a page."
    return asset_of_all(plan, OVERVIEW, says, [VALIDATION_REPORT], "html", needs, tell)


def _check_result(name: str, findings: list[Finding]) -> dg.AssetCheckResult:
    wrong = [finding for finding in findings if not finding.passed]
    says = "; ".join(f"{finding.subject}: {finding.message}" for finding in wrong[:5])
    return dg.AssetCheckResult(
        check_name=name,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR if CHECKS[name].blocking else dg.AssetCheckSeverity.WARN,
        description=says or f"{len(findings)} checked",
        metadata={
            "checked": len(findings),
            "failed": len(wrong),
            "findings": dg.MetadataValue.table(
                [
                    dg.TableRecord({"subject": finding.subject, "passed": finding.passed, "found": finding.message})
                    for finding in [*wrong, *(finding for finding in findings if finding.passed)][:_SHOWN]
                ],
                schema=_FINDINGS,
            ),
        },
    )


def _records(report: Report) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "check": name,
                "passed": sum(f.passed for f in report.of(name)),
                "of": len(report.of(name)),
                "worst": next((f"{f.subject}: {f.message}" for f in report.of(name) if not f.passed), ""),
            }
        )
        for name in CHECKS
    ]


def _shown(picture: Picture) -> dg.MarkdownMetadataValue:
    """Return a picture as metadata: of many drawings, the first."""
    drawn = _drawn(picture, picture.drawings[:_DRAWINGS]).md_str
    return dg.MetadataValue.md(f"{picture.says}\n\n{drawn}")


def _drawn(picture: Picture, drawings: Sequence[str]) -> dg.MarkdownMetadataValue:
    encoded = [base64.b64encode(drawing.encode()).decode() for drawing in drawings]
    return dg.MetadataValue.md(" ".join(f"![{picture.name}](data:image/svg+xml;base64,{text})" for text in encoded))

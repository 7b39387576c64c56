"""Alerts: what somebody has to know is posted as JSON to the URL that `PLOTSIM_ALERT_URL` names.

A sensor reads what Dagster has noted since its last tick: the runs that ended, and the events that belong to no run.
Dagster's own `run_failure_sensor` would not do: it moves on when its body fails, so what is not posted is lost, and it does
not see runs that no code location launched, such as those of `plotsim materialize`.
"""

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, Literal, get_args
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import dagster as dg

from plotsim_core import UsageError
from plotsim_pipeline.checks.evaluations import FRESH
from plotsim_pipeline.partitions import RANGE
from plotsim_pipeline.runs import PARTITION

URL_VARIABLE, UI_VARIABLE = "PLOTSIM_ALERT_URL", "PLOTSIM_UI_URL"
RUN_FAILED, CHECK_FAILED, FRESHNESS_MISSED = "run_failed", "check_failed", "freshness_missed"
_INTERVAL_SECONDS, _POST_SECONDS, _TICK_SECONDS = 30, 10.0, 30.0
"""Seconds between ticks, that one post may take, and after which a tick leaves the rest to the next."""
_MAX_RUNS, _MAX_EVENTS, _MAX_KEYS, _MAX_LETTERS = 100, 1000, 20, 1000
"""How many ended runs and events are read at a time; how many partitions and letters of a message an alert has."""
_REFUSED_STATUSES, _MAX_REFUSALS = {400, 413, 415, 422}, 5
"""The answers that speak of the alert and not of the receiver's state, and after how many of them an alert is given up."""
_End = Literal[dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED]
_ENDS: tuple[_End, ...] = get_args(_End)
_NO_RUN = ""


class NotPosted(Exception):
    """An alert was not taken. `refused`: because of what it says."""

    def __init__(self, message: str, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True)
class Alert:
    """What is posted, as a JSON object. `partitions` are keys, or ranges `A...B` of them; `moment` is ISO 8601, in UTC."""

    kind: str
    dataset: str
    assets: Sequence[str]
    partitions: Sequence[str]
    check: str | None
    message: str
    run_id: str | None
    run_url: str | None
    moment: str


@dataclass(frozen=True)
class Cursor:
    """How far the sensor has read: the number of the last run's end, and the place among the events without a run; and the
    alerts that it has read and not posted yet, with how often the first of them was refused."""

    ended: int
    runless: str
    waiting: tuple[Alert, ...] = ()
    refusals: int = 0

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        fields = json.loads(text)
        return cls(**{**fields, "waiting": tuple(Alert(**alert) for alert in fields["waiting"])})

    def text(self) -> str:
        return json.dumps(asdict(self))


def alert_sensors(name: str, datasets: dg.Definitions) -> list[dg.SensorDefinition]:
    """Return the sensor `<name>_alerts` of some datasets, which is on from the start; none where `PLOTSIM_ALERT_URL` is not
    set. Raises UsageError for what is no URL of a web server."""
    url = os.environ.get(URL_VARIABLE, "").strip()
    if not url:
        return []
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{URL_VARIABLE}: expected where alerts are posted, such as https://alerts.example.com/hook")
    assets = [asset for asset in datasets.assets or () if isinstance(asset, dg.AssetsDefinition)]
    steps = {key.to_python_identifier(): key for asset in assets for key in asset.keys}

    @dg.sensor(
        name=f"{name}_alerts",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Posts failed runs, failed blocking checks and late partitions to {parts.hostname}.",
    )
    def _sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        origin = context.code_location_origin
        news = News(context.instance, steps, origin.location_name if origin is not None else None)
        cursor, summary = tick(news, url, context.cursor)
        context.update_cursor(cursor)
        return dg.SkipReason(summary)

    return [_sensor]


def tick(news: "News", url: str, text: str | None) -> tuple[str, str]:
    """Post what is new since a cursor, in order; return the cursor of the next tick, and what was done.

    Raises NotPosted if nothing was, and nothing is noted either: then the same is tried again.
    """
    if text is None:
        return news.now().text(), "begins with what happens from now on"
    cursor, post_count, problem, deadline = Cursor.parse(text), 0, None, time.monotonic() + _TICK_SECONDS
    while problem is None and time.monotonic() < deadline:
        if not cursor.waiting:
            next_cursor = news.after(cursor)
            if next_cursor is None:
                break
            cursor = next_cursor
            continue
        try:
            post(url, cursor.waiting[0])
            post_count += 1
            cursor = replace(cursor, waiting=cursor.waiting[1:], refusals=0)
        except NotPosted as error:
            cursor, problem = _cursor_after_refusal(cursor) if error.refused else cursor, error
    if problem is not None and cursor.text() == text:
        raise problem
    suffix = f", {len(cursor.waiting)} to be tried again: {problem}" if problem else ""
    return cursor.text(), f"posted {post_count}{suffix}"


def _cursor_after_refusal(cursor: Cursor) -> Cursor:
    """Return the cursor after one more refusal of its first alert; after the last one, the alert is dropped."""
    if cursor.refusals + 1 < _MAX_REFUSALS:
        return replace(cursor, refusals=cursor.refusals + 1)
    dg.get_dagster_logger("plotsim").error("refused %d times and given up: %s", _MAX_REFUSALS, cursor.waiting[0])
    return replace(cursor, waiting=cursor.waiting[1:], refusals=0)


class _NoRedirect(HTTPRedirectHandler):
    """No redirects: a redirected post would become a request without the alert."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def post(url: str, alert: Alert) -> None:
    """Post an alert. Raises NotPosted unless the answer is a success; messages name only the host: a URL may be secret."""
    body = json.dumps(asdict(alert)).encode()
    request = Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 # alert_sensors sees to that
    host = urlsplit(url).hostname
    try:
        with build_opener(_NoRedirect).open(request, timeout=_POST_SECONDS):
            return
    except HTTPError as error:
        raise NotPosted(f"{host} answers {error.code} {error.reason}", error.code in _REFUSED_STATUSES) from None
    except (OSError, HTTPException) as error:
        raise NotPosted(f"{host} cannot be reached: {getattr(error, 'reason', None) or error}") from None


@dataclass(frozen=True)
class News:
    """What Dagster has noted of some assets, by the names of their steps: `location` is the code location that they belong
    to, None for any."""

    instance: dg.DagsterInstance
    steps: Mapping[str, dg.AssetKey]
    location: str | None

    @property
    def datasets(self) -> set[str]:
        return {key.path[0] for key in self.steps.values()}

    def now(self) -> Cursor:
        """Return the cursor after all that there is."""
        storage_ids = [
            record.storage_id for kind in _ENDS for record in self.instance.fetch_run_status_changes(kind, 1).records
        ]
        return Cursor(
            max(storage_ids, default=-1), self.instance.get_records_for_run(_NO_RUN, limit=1, ascending=False).cursor
        )

    def after(self, cursor: Cursor) -> Cursor | None:
        """Return the cursor after what comes next, with its alerts; None if nothing does."""
        records = [
            record
            for kind in _ENDS
            for record in self.instance.fetch_run_status_changes(
                dg.RunStatusChangeRecordsFilter(kind, after_storage_id=cursor.ended),
                _MAX_RUNS,
                ascending=True,
            ).records
        ]
        for record in sorted(records, key=lambda record: record.storage_id)[:_MAX_RUNS]:
            cursor = replace(cursor, ended=record.storage_id, waiting=tuple(self.of_run(record.event_log_entry)))
            if cursor.waiting:
                break
        if records:
            return cursor
        kinds = {dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.FRESHNESS_STATE_CHANGE}
        events = self.instance.get_records_for_run(_NO_RUN, cursor.runless, kinds, _MAX_EVENTS)
        if not events.records:
            return None
        entries = [record.event_log_entry for record in events.records]
        alerts = [*self.of_checks(entries, [], None), *self.of_states(entries)]
        return replace(cursor, runless=events.cursor, waiting=tuple(alerts))

    def of_run(self, end: dg.EventLogEntry) -> Iterator[Alert]:
        """Yield the alerts of a run that has ended: that it failed, by dataset, and its checks."""
        run = self.instance.get_run_by_id(end.run_id)
        if run is None or not self._is_ours(run):
            return
        kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
        entries = [record.event_log_entry for record in self.instance.get_records_for_run(run.run_id, of_type=kinds).records]
        if end.get_dagster_event().is_run_failure:
            yield from self._failure_alerts(
                run, end, [entry for entry in entries if entry.get_dagster_event().is_step_failure]
            )
        yield from self.of_checks(entries, _run_partitions(run), run.run_id)

    def _is_ours(self, run: dg.DagsterRun) -> bool:
        """Return whether a run is of this code location, or of none, as those of `plotsim materialize`."""
        origin = run.remote_job_origin
        return self.location in (None, origin.location_name) if origin is not None else True

    def _failure_alerts(
        self, run: dg.DagsterRun, end_entry: dg.EventLogEntry, steps: Sequence[dg.EventLogEntry]
    ) -> Iterator[Alert]:
        failures = [(entry.step_key or "", _reason(entry.get_dagster_event().step_failure_data.error)) for entry in steps]
        selected_keys = sorted(key for key in run.asset_selection or () if self._is_known(key))
        jobs = {job: name for name in self.datasets for job in (name, f"{name}_increment", f"{name}_overview")}
        dataset_names = (
            {self._dataset_of(name) for name, _ in failures}
            or {key.path[0] for key in selected_keys}
            or {jobs.get(run.job_name)}
        )
        for dataset in sorted(name for name in dataset_names if name is not None):
            dataset_failures = [(name, reason) for name, reason in failures if self._dataset_of(name) == dataset]
            failed_keys = sorted(self.steps[name] for name, _ in dataset_failures if name in self.steps)
            assets = failed_keys or [key for key in selected_keys if key.path[0] == dataset]
            reasons = "; ".join(f"{name.replace('__', '.')}: {reason}" for name, reason in dataset_failures)
            message = (
                reasons
                or _reason(getattr(end_entry.get_dagster_event().event_specific_data, "error", None))
                or end_entry.message
            )
            yield _new_alert(
                RUN_FAILED, dataset, assets, _run_partitions(run), None, message, run.run_id, end_entry.timestamp
            )

    def _is_known(self, key: dg.AssetKey) -> bool:
        return self.steps.get(key.to_python_identifier()) == key

    def _dataset_of(self, step: str) -> str | None:
        """Return the dataset of a step, which makes an asset or executes a check; None for a step of another location."""
        if step in self.steps:
            return self.steps[step].path[0]
        return next((name for name in sorted(self.datasets, reverse=True) if step.startswith(f"{name}__")), None)

    def of_checks(
        self, entries: Iterable[dg.EventLogEntry], partitions: Sequence[str], run_id: str | None
    ) -> Iterator[Alert]:
        """Yield an alert for each check of an asset that failed and is blocking, or named FRESH. Its partitions are those
        that its evaluations name, or else the given ones."""
        failures: dict[tuple[dg.AssetKey, str], list[tuple[dg.AssetCheckEvaluation, float]]] = {}
        for entry in entries:
            event = entry.get_dagster_event()
            if event.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                continue
            evaluation = event.asset_check_evaluation_data
            is_blocking = bool(evaluation.blocking) and evaluation.severity is dg.AssetCheckSeverity.ERROR
            is_relevant = is_blocking or evaluation.check_name == FRESH
            if is_relevant and not evaluation.passed and self._is_known(evaluation.asset_key):
                failures.setdefault((evaluation.asset_key, evaluation.check_name), []).append((evaluation, entry.timestamp))
        for (key, name), evaluations in failures.items():
            keys = sorted({evaluation.partition for evaluation, _ in evaluations if evaluation.partition})
            last_evaluation, moment = evaluations[-1]
            kind = FRESHNESS_MISSED if name == FRESH else CHECK_FAILED
            message = last_evaluation.description or f"the check {name} failed"
            yield _new_alert(kind, key.path[0], [key], keys or partitions, name, message, run_id, moment)

    def of_states(self, entries: Iterable[dg.EventLogEntry]) -> Iterator[Alert]:
        """Yield an alert for each asset that fails its freshness policy now and did not before."""
        for entry in entries:
            event = entry.get_dagster_event()
            if event.event_type != dg.DagsterEventType.FRESHNESS_STATE_CHANGE:
                continue
            change: Any = event.event_specific_data
            if change.new_state == "FAIL" and self._is_known(change.key):
                message = "the asset fails its freshness policy: it was not materialised in time"
                yield _new_alert(
                    FRESHNESS_MISSED,
                    change.key.path[0],
                    [change.key],
                    [],
                    None,
                    message,
                    None,
                    change.state_change_timestamp,
                )


def _new_alert(
    kind: str,
    dataset: str,
    assets: Iterable[dg.AssetKey],
    partitions: Sequence[str],
    check: str | None,
    message: str,
    run_id: str | None,
    moment: float,
) -> Alert:
    suffix = f" ({len(partitions)} partitions)" if len(partitions) > _MAX_KEYS else ""
    ui_url = os.environ.get(UI_VARIABLE, "").strip().rstrip("/")
    return Alert(
        kind=kind,
        dataset=dataset,
        assets=[key.to_user_string() for key in assets],
        partitions=list(partitions[:_MAX_KEYS]),
        check=check,
        message=message.strip()[:_MAX_LETTERS] + suffix,
        run_id=run_id,
        run_url=f"{ui_url}/runs/{run_id}" if ui_url and run_id else None,
        moment=datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds"),
    )


def _run_partitions(run: dg.DagsterRun) -> list[str]:
    """Return the partition or the range of partitions of a run, as people write it."""
    first, last = (run.tags.get(tag) or run.tags.get(PARTITION) for tag in RANGE)
    if first is None or last is None:
        return []
    return [first if first == last else f"{first}...{last}"]


def _reason(error: Any) -> str:
    """Return the message of an error's root cause, without the class name of a Dagster error."""
    while error is not None and error.cause is not None and error.cls_name != dg.Failure.__name__:
        error = error.cause
    return re.sub(r"^dagster[\w.]*: ", "", error.message.strip()) if error is not None else ""

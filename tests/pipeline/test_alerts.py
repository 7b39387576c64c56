"""Alerts reach a web server: failed runs, failed blocking checks, missed freshness; none twice, none lost, no others."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from plotsim_core import Plan, UsageError
from plotsim_pipeline.checks.evaluations import FRESH
from plotsim_pipeline.datasets import BUNDLED, definitions_of
from plotsim_pipeline.sensors import alerts
from tests.pipeline.live import asked, launch, served, until
from tests.pipeline.receiver import Receiver, receiver
from tests.pipeline.support import END, START
from tests.pipeline.test_component import component, config
from tests.pipeline.test_schedules import small

DOCS = BUNDLED.parent / "docs"
UI = "https://dagster.example.com"
FACT = dg.AssetKey(["shops", "fct_visits"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as heard:
        monkeypatch.setenv("PLOTSIM_ALERT_URL", heard.url)
        monkeypatch.setenv("PLOTSIM_UI_URL", f"{UI}/")
        yield heard


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance on disk."""
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(tmp_path / "store.duckdb"))
    (tmp_path / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as instance:
        yield instance


class Sensor:
    """The sensor of a plan's code location with the cursor of its last tick, which begins."""

    def __init__(self, plan: Plan, instance: dg.DagsterInstance) -> None:
        self.definition = definitions_of([plan]).get_repository_def().get_sensor_def("plotsim_alerts")
        self.instance = instance
        self.cursor: str | None = None
        assert "begins" in self.tick()

    def tick(self) -> str:
        """Evaluate it as the daemon does; return what it says."""
        with dg.build_sensor_context(self.instance, cursor=self.cursor) as context:
            text = self.definition.evaluate_tick(context)
        self.cursor = text.cursor
        return str(text.skip_message)


@dg.asset(
    key=FACT,
    partitions_def=dg.DailyPartitionsDefinition("2024-01-01"),
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("keys_unique", asset=FACT, blocking=True)],
)
def doubled() -> dg.MaterializeResult:  # type: ignore[type-arg]
    """A table whose rows are stored twice."""
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, description="12 of 24 rows repeat a key")])


def broken(instance: dg.DagsterInstance) -> str:
    """Make three days of that table; return the id of the run, which fails for it."""
    tags = {START: "2024-03-01", END: "2024-03-03"}
    return dg.materialize([doubled], instance=instance, tags=tags, run_config=QUIET, raise_on_error=False).run_id


@pytest.mark.slow
def test_a_failed_run_and_its_failed_check_are_posted_once(
    hook: Receiver, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """With dataset, assets, partitions, check, reason and a link; the failed run as the page shows it."""
    sensor = Sensor(small(), instance)
    run_id = broken(instance)
    assert sensor.tick() == "posted 2"
    failed, check = hook.alerts
    (shown,) = re.findall(r"```json\n(.*?)```", (DOCS / "alerts.md").read_text(), re.DOTALL)
    expected = json.loads(shown)
    assert list(failed) == list(expected)
    same = ("kind", "dataset", "assets", "partitions", "check", "message")
    assert {name: failed[name] for name in same} == {name: expected[name] for name in same}
    assert (failed["run_id"], failed["run_url"]) == (run_id, f"{UI}/runs/{run_id}")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", failed["moment"])
    assert (check["kind"], check["check"], check["assets"]) == ("check_failed", "keys_unique", ["shops/fct_visits"])
    assert check["partitions"] == ["2024-03-01...2024-03-03"]
    assert check["message"] == "12 of 24 rows repeat a key"
    assert sensor.tick() == "posted 0"
    assert hook.posts == 2


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_while_the_receiver_is_down(
    hook: Receiver, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Ticks fail with the reason and without the path of the URL; when it is up again all come, in their order."""
    sensor = Sensor(small(), instance)
    first = broken(instance)
    hook.status = 503
    assert sensor.tick() == "posted 0, 2 to be tried again: 127.0.0.1 answers 503 Service Unavailable"
    second = broken(instance)
    for _ in range(10):
        with pytest.raises(Exception, match=r"127\.0\.0\.1 answers 503") as raised:
            sensor.tick()
        assert "/hook" not in str(raised.value)
    assert not hook.alerts
    hook.status = 200
    assert sensor.tick() == "posted 4"
    assert [(alert["run_id"], alert["kind"]) for alert in hook.alerts] == [
        (run_id, kind) for run_id in (first, second) for kind in ("run_failed", "check_failed")
    ]
    assert sensor.tick() == "posted 0"


@pytest.mark.slow
def test_an_alert_that_is_refused_keeps_the_next_waiting_for_five_ticks(
    hook: Receiver, instance: dg.DagsterInstance, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sensor = Sensor(small(), instance)
    broken(instance)
    hook.status = 422
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            assert "422" in sensor.tick()
    assert "given up: Alert(kind='run_failed'" in caplog.text
    hook.status = 200
    assert sensor.tick() == "posted 1"
    assert [alert["kind"] for alert in hook.alerts] == ["check_failed"]


@pytest.mark.slow
def test_only_success_in_time_is_success(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """No redirect, no silence, no closed port."""
    alert = alerts.Alert("run_failed", "shops", [], [], None, "why", None, None, "now")
    alerts.post(hook.url, alert)
    monkeypatch.setattr(alerts, "_POST_SECONDS", 1.0)
    for status, reason in ((302, "answers 302"), (0, "cannot be reached")):
        hook.status = status
        start_time = time.monotonic()
        with pytest.raises(alerts.NotPosted, match=reason):
            alerts.post(hook.url, alert)
        assert time.monotonic() - start_time < 5
    with pytest.raises(alerts.NotPosted, match=r"cannot be reached: .*Connection refused"):
        alerts.post("http://127.0.0.1:1/", alert)
    assert len(hook.alerts) == 1


@pytest.mark.slow
def test_a_run_that_does_not_get_as_far_as_a_step_is_posted(
    hook: Receiver, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Such as one whose process is gone: with the assets that it was to make, and Dagster's words."""
    sensor = Sensor(small(), instance)
    job = definitions_of([small()]).resolve_job_def("shops")
    result = instance.create_run_for_job(job, asset_selection={FACT}, tags={"dagster/partition": "2024-03-01"})
    instance.report_run_failed(result, "The process 7 of this run is gone")
    assert sensor.tick() == "posted 1"
    (alert,) = hook.alerts
    assert (alert["assets"], alert["partitions"]) == (["shops/fct_visits"], ["2024-03-01"])
    assert alert["message"] == "The process 7 of this run is gone"


@pytest.mark.slow
def test_runs_of_others_are_not_posted(hook: Receiver, instance: dg.DagsterInstance) -> None:
    """Of another dataset, or of nothing that this package knows; nor a run that succeeds, nor a failed check that does not
    block."""
    sensor = Sensor(small(), instance)

    @dg.asset(check_specs=[dg.AssetCheckSpec("mild", asset="other")], name="other")
    def other() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False)])

    @dg.asset(key_prefix="banking")
    def stranger() -> None:
        raise ValueError("not yours")

    assert dg.materialize([other], instance=instance, run_config=QUIET).success
    assert not dg.materialize([stranger], instance=instance, raise_on_error=False, run_config=QUIET).success
    instance.report_runless_asset_event(evaluation("mild", blocking=True, severity=dg.AssetCheckSeverity.WARN))
    instance.report_runless_asset_event(evaluation("strict", blocking=True, passed=True))
    instance.report_runless_asset_event(evaluation("strict", blocking=False))
    assert sensor.tick() == "posted 0"
    assert json.loads(sensor.cursor or "")["ended"] > 0
    assert not hook.posts


def evaluation(name: str, **more: object) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(asset_key=FACT, check_name=name, **{"passed": False, "metadata": {}, **more})  # type: ignore[arg-type]


@pytest.mark.slow
def test_checks_that_are_reported_without_a_run_are_posted_by_asset_and_check(
    hook: Receiver, instance: dg.DagsterInstance
) -> None:
    """One alert for all partitions of a tick, with the first twenty of them and their number; a late partition is missed
    freshness, whatever its severity."""
    sensor = Sensor(small(), instance)
    keys = [f"2024-03-{day:02}" for day in range(1, 31)]
    for key in keys:
        instance.report_runless_asset_event(evaluation("rows", blocking=True, partition=key, description="empty"))
    late = evaluation(FRESH, partition="2024-03-30", description="late", severity=dg.AssetCheckSeverity.WARN)
    instance.report_runless_asset_event(late)
    assert sensor.tick() == "posted 2"
    rows, fresh = hook.alerts
    assert (rows["kind"], rows["check"], rows["partitions"]) == ("check_failed", "rows", keys[:20])
    assert rows["message"] == "empty (30 partitions)"
    assert (fresh["kind"], fresh["check"], fresh["partitions"]) == ("freshness_missed", "fresh", ["2024-03-30"])
    assert (fresh["assets"], fresh["run_id"], fresh["run_url"]) == (["shops/fct_visits"], None, None)
    assert sensor.tick() == "posted 0"


def test_the_variables_of_the_page_are_those_of_the_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of docs/alerts.md set what it reads."""
    (block,) = re.findall(r"```bash\n(.*?)```", (DOCS / "alerts.md").read_text(), re.DOTALL)
    result = subprocess.run(["bash", "-ec", f"{block}env"], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    variables = dict(line.split("=", 1) for line in result.stdout.splitlines() if line.startswith("PLOTSIM_"))
    assert set(variables) == {alerts.URL_VARIABLE, alerts.UI_VARIABLE}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert [sensor.name for sensor in alerts.alert_sensors("plotsim", dg.Definitions())] == ["plotsim_alerts"]


def test_there_is_a_sensor_only_where_a_url_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the code location and in components, on from the start; what is no URL is refused with what to write."""
    config(tmp_path, "shop")
    store = {"kind": "duckdb", "path": "data/plotsim.duckdb"}

    def names() -> list[str]:
        sensors = [*(definitions_of([small()]).sensors or ()), *(component(tmp_path, "shop", store=store).sensors or ())]
        ours = [sensor for sensor in sensors if sensor.name.endswith("_alerts")]  # type: ignore[union-attr]
        assert all(sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in ours)  # type: ignore[union-attr]
        return [sensor.name for sensor in ours]

    monkeypatch.delenv("PLOTSIM_ALERT_URL", raising=False)
    assert names() == []
    monkeypatch.setenv("PLOTSIM_ALERT_URL", "http://127.0.0.1:9/hook")
    assert names() == ["plotsim_alerts", "shop_alerts"]
    for wrong in ("alerts.example.com", "ftp://example.com", "https://"):
        monkeypatch.setenv("PLOTSIM_ALERT_URL", wrong)
        with pytest.raises(UsageError, match="PLOTSIM_ALERT_URL: expected where alerts are posted"):
            names()


ONE = """
from datetime import timedelta

import dagster as dg

from plotsim_pipeline.sensors.alerts import alert_sensors
from plotsim_pipeline.datasets import dataset_definitions, load_dataset
from plotsim_pipeline.stores import store_from_environment


@dg.asset(key_prefix="minimal", freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(seconds=61)))
def watched() -> None:
    pass


@dg.asset(key_prefix="minimal", check_specs=[dg.AssetCheckSpec("sound", asset=["minimal", "judged"], blocking=True)])
def judged():
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, description="it is not")])


def located():
    jobs = [dg.define_asset_job(asset.key.path[-1], [asset]) for asset in (watched, judged)]
    dataset = dataset_definitions(load_dataset("minimal"))
    both = dg.Definitions.merge(dataset, dg.Definitions([watched, judged], jobs=jobs))
    sensors, resources = alert_sensors("plotsim", both), {"store": store_from_environment()}
    return dg.Definitions.merge(both, dg.Definitions(sensors=sensors, resources=resources, executor=dg.in_process_executor))


defs = located()
"""
TWO = """
from plotsim_pipeline.datasets import definitions_of, load_datasets

defs = definitions_of(*load_datasets())
"""
WORKSPACE = """
load_from:
  - python_file: {relative_path: one.py, location_name: one}
  - python_file: {relative_path: two.py, location_name: two}
"""
TICKS = """query ($location: String!) {
  sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: $location}) {
    ... on Sensors { results { name sensorState { ticks { status skipReason } } } }
  }
}"""


def ticks(address: str, location: str) -> list[str]:
    """Return what the ticks of the sensor of a code location ended with, the latest first."""
    sensors = asked(address, TICKS, location=location)["sensorsOrError"]["results"]
    (ours,) = [sensor for sensor in sensors if sensor["name"] == "plotsim_alerts"]
    return [tick["skipReason"] or tick["status"] for tick in ours["sensorState"]["ticks"]]


@pytest.mark.long
def test_alerts_of_a_daemon(tmp_path: Path) -> None:
    """With `dagster dev` on the settings of the project: a run that cannot write and one whose blocking check fails are
    posted once each, though another code location has the same dataset and the sensor, and the receiver is down at first.
    An asset that fails its freshness policy is posted when the daemon of open-source Dagster notes it."""
    for name, text in (("one.py", ONE), ("two.py", TWO), ("workspace.yaml", WORKSPACE), ("file", "in the way")):
        (tmp_path / name).write_text(text)
    with receiver(503) as heard:
        environment = {
            "PLOTSIM_DATASETS": "minimal",
            "PLOTSIM_STORE_PATH": str(tmp_path / "file" / "store.duckdb"),
            "PLOTSIM_ALERT_URL": heard.url,
            "PLOTSIM_UI_URL": UI,
            "FRESHNESS_DAEMON_INTERVAL_SECONDS": "2",
        }
        with served(tmp_path / "home", environment, tmp_path / "workspace.yaml") as address:
            until("the first ticks", 180, lambda: all(ticks(address, location) for location in ("one", "two")))
            fresh = launch(address, "watched", location="one")
            unwritten = launch(address, "minimal_increment", ["2024-03-01", "2024-04-01"], location="one")
            judged = launch(address, "judged", location="one")
            until("a tick that fails", 240, lambda: "FAILURE" in ticks(address, "one"))
            assert not heard.alerts
            heard.status = 200
            until("missed freshness", 240, lambda: any(a["kind"] == "freshness_missed" for a in heard.alerts))
            count = len(ticks(address, "one")), len(ticks(address, "two"))
            until(
                "one tick more", 120, lambda: len(ticks(address, "one")) > count[0] and len(ticks(address, "two")) > count[1]
            )
    posted = sorted((alert["kind"], alert["run_id"] or "", alert["assets"], alert["check"]) for alert in heard.alerts)
    assert posted == sorted(
        [
            ("check_failed", judged, ["minimal/judged"], "sound"),
            ("run_failed", judged, ["minimal/judged"], None),
            ("run_failed", unwritten, failed_of(heard, unwritten), None),
            ("freshness_missed", "", ["minimal/watched"], None),
        ]
    )
    (alert,) = [alert for alert in heard.alerts if alert["run_id"] == unwritten]
    assert alert["partitions"] == ["2024-03-01...2024-04-01"]
    assert alert["run_url"] == f"{UI}/runs/{unwritten}"
    assert "cannot be written" in alert["message"]
    assert fresh not in {alert["run_id"] for alert in heard.alerts}


def failed_of(heard: Receiver, run_id: str) -> list[str]:
    """Return the assets that the alert of a run names: tables of the dataset, one at least."""
    (assets,) = [alert["assets"] for alert in heard.alerts if alert["run_id"] == run_id]
    assert assets and all(asset.startswith("minimal/") for asset in assets)
    return list(assets)

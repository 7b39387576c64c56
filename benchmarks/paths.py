"""How far a reader has to go: the files, functions and moves between files of three journeys through the code.

`python -m benchmarks.paths` writes the table of docs/reading.md. A journey is a call that is traced: loading the nine
lines of `configs/minimal.yaml`, making one value and storing it in DuckDB, materialising one partition of one table by
Dagster. Counted are the files of the two packages in which a function ran, the functions, and the moves: calls of a
function from one in another file. What runs at import is not counted.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = tuple(str(ROOT / name) for name in ("plotsim_core", "plotsim_pipeline"))
CONFIG = ROOT / "configs" / "minimal.yaml"
PAGE = ROOT / "docs" / "reading.md"


@dataclass
class Journey:
    """The functions (file and first line) that ran, and the number of moves between files."""

    functions: set[tuple[str, int]] = field(default_factory=set)
    moves: int = 0

    @property
    def files(self) -> set[str]:
        """The files in which a function ran."""
        return {file for file, _ in self.functions}

    def record(self, frame: FrameType, event: str, argument: Any) -> None:
        """Count a call, as the profiler of Python tells it."""
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(PACKAGES) or frame.f_code.co_name == "<module>":
            return
        self.functions.add((file, frame.f_code.co_firstlineno))
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGES):
            caller = caller.f_back
        self.moves += int(caller is not None and caller.f_code.co_filename != file)


def trace(call: Callable[[], Any]) -> Journey:
    """Return the journey of a call."""
    journey = Journey()
    sys.setprofile(journey.record)
    try:
        call()
    finally:
        sys.setprofile(None)
    return journey


def load() -> None:
    """Load nine lines of YAML."""
    from plotsim_core import load_config

    load_config(CONFIG)


def store_value(folder: Path) -> Callable[[], None]:
    """Return a call that makes a fact of one period and puts its rows into a DuckDB file."""
    import duckdb
    import pyarrow as pa

    from plotsim_core import batches, load_config

    plan = load_config(CONFIG)

    def call() -> None:
        schema, stream = batches(plan, "fct_payments", plan.first + 2, plan.first + 3)
        rows = pa.RecordBatchReader.from_batches(schema, stream)
        # one thread: rows that another one asks for are made where no profiler sees it
        with duckdb.connect(folder / "value.duckdb", config={"threads": 1}) as connection:
            connection.register("rows", rows)
            connection.execute("CREATE TABLE fct_payments AS SELECT * FROM rows")

    return call


def partition(folder: Path) -> Callable[[], None]:
    """Return a call that materialises one partition of a fact, in DuckDB, by Dagster."""
    import os

    import dagster as dg

    os.environ |= {"PLOTSIM_DATA": str(folder), "DAGSTER_HOME": str(folder)}
    from plotsim_core import load_config
    from plotsim_pipeline.datasets import definitions_of

    definitions = definitions_of([load_config(CONFIG)], {})
    job = definitions.resolve_implicit_global_asset_job_def()

    def call() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            key = dg.AssetKey(["minimal", "fct_payments"])
            result = job.execute_in_process(instance=instance, asset_selection=[key], partition_key="2024-03-01")
            assert result.success

    return call


def spine() -> tuple[int, int]:
    """Return how many files of the packages the page names, and their lines."""
    names = set(re.findall(r"\(\.\./(plotsim_[^)#]+\.py)\)", PAGE.read_text(encoding="utf-8")))
    return len(names), sum(len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in names)


def main() -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journeys = {
            "nine lines of YAML to a plan": load,
            "one value to DuckDB": store_value(folder),
            "one partition by Dagster": partition(folder),
        }
        lines = ["| journey | files | functions | moves between files |", "| --- | --: | --: | --: |"]
        for title, call in journeys.items():
            journey = trace(call)
            lines.append(f"| {title} | {len(journey.files)} | {len(journey.functions)} | {journey.moves:,} |")
    files, count = spine()
    text = "\n".join([*lines, "", f"This page names {files} files of the packages, {count:,} lines in all."])
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(r"(?s)(?<=<!-- paths -->\n).*(?=<!-- /paths -->)", f"{text}\n", page), encoding="utf-8")


if __name__ == "__main__":
    main()

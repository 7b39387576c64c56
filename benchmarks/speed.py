"""Rows per second, stage by stage, table by table and from the config to Parquet; peak memory of each scale.

    python benchmarks/speed.py            # scales 1 and 100
    python benchmarks/speed.py 10 50      # these scales
    python benchmarks/speed.py --full     # 1, 100 and 1000

Each scale is measured in a process of its own. The table is printed and written to benchmarks/results.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import plotsim_core

TEMPLATE = "saas"
RESULTS = Path(__file__).with_name("results.md")
STAGES = ("trajectories", "metrics", "correlated_metrics", "noised_metrics")


def measure(scale: float) -> dict[str, Any]:
    """Return {what: [rows, seconds]} and the peak memory in MB of one scale, in this process."""
    path = plotsim_core.template(TEMPLATE)
    start = time.perf_counter()
    plan = plotsim_core.load_config(path, scale=scale)
    with tempfile.TemporaryDirectory() as directory:
        written = plotsim_core.write_tables(plan, directory, format="parquet")
    found = {"config to Parquet": [sum(written.values()), time.perf_counter() - start]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    for seed, name in enumerate((*STAGES, *(table.name for table in plan.tables))):
        fresh = plotsim_core.load_config(path, scale=scale, seed=seed)  # another seed shares no work with the one before
        start = time.perf_counter()
        rows = sum(batch.num_rows for batch in plotsim_core.batches(fresh, name)[1])
        found[name] = [rows, time.perf_counter() - start]
    return {"units": plan.units, "peak": peak, "found": found}


def apart(scale: float) -> dict[str, Any]:
    """Measure one scale in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", str(scale)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def markdown(measured: dict[float, dict[str, Any]]) -> str:
    """Return the measurements as a page."""
    system = f"{platform.machine()}, Python {platform.python_version()}, one process"
    lines = ["# Speed", "", f"`{TEMPLATE}`, {system}. Written by `python benchmarks/speed.py`.", ""]
    for scale, result in measured.items():
        lines += [f"## Scale {scale:g}: {result['units']:,} units, peak memory {result['peak']:,.0f} MB", ""]
        lines += ["| what | rows | seconds | rows per second |", "|---|---:|---:|---:|"]
        for what, (rows, seconds) in result["found"].items():
            lines.append(f"| {what} | {rows:,} | {seconds:.3f} | {rows / seconds:,.0f} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scales", nargs="*", type=float, default=[1, 100])
    parser.add_argument("--full", action="store_true", help="measure scale 1000 as well")
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one is not None:
        print(json.dumps(measure(asked.one)))
        return
    page = markdown({scale: apart(scale) for scale in [*asked.scales, *([1000] if asked.full else [])]})
    RESULTS.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()

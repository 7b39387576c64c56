"""Rows per second and peak memory of plain tables: one, what belongs to its rows, and one whose rows have moments.

    python benchmarks/plain.py                      # 1 and 10 million rows
    python benchmarks/plain.py 1 10 100             # these millions of rows
    python benchmarks/plain.py 1 10 100 --parquet   # written to Parquet, too

Each table is made in a process of its own. Memory has to stay what it is: at the last size it is at most 1.2 times that of
the one before, or the exit code is 1. The page is printed and written to benchmarks/plain.md.
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

import plotsim_core

CONFIG = """\
about: Logs of a cluster
unit: team
window: {{ start: 2024-01-01, end: 2024-12-31, every: day }}
metrics: [{{ name: load, type: count, polarity: positive, mean: [1, 3] }}]
segments: [{{ name: all, count: 3, archetype: growth }}]
tables:
- {{ name: teams, per: team, columns: [{{ name: team_id, type: id }}] }}
- name: owners
  rows: 1000
  columns: [{{ name: owner_id, type: id }}]
- name: jobs
  rows: {jobs}
  columns: [{{ name: job_id, type: id }}, {{ name: owner, type: ref.owners }}, {{ name: cost, type: range, range: [1, 9] }}]
- name: stages
  per: jobs
  rows: [1, 7]
  columns: [{{ name: stage, type: sequence }}, {{ name: cost, type: range, range: [1, 9] }}]
- name: calls
  rows: {rows}
  rhythm: {{ weekdays: workdays, hours: office_hours }}
  columns: [{{ name: call_id, type: id }}, {{ name: at, type: timestamp }}, {{ name: owner_id, type: ref.owners }}]
"""
TABLES = {"jobs": "plain", "stages": "per row of a plain one", "calls": "with moments"}
MILLION = 1_000_000
ALLOWED = 1.2
PAGE = Path(__file__).with_suffix(".md")


def measure(name: str, rows: int, is_written: bool) -> tuple[int, float, float]:
    """Return the rows of a table, the CPU seconds that they take, and the peak memory in MB of this process."""
    jobs = rows // 4 if name == "stages" else rows  # a job has four stages on average
    plan = plotsim_core.create_from_yaml(CONFIG.format(jobs=jobs, rows=rows))
    start = time.process_time()
    if is_written:
        with tempfile.TemporaryDirectory() as directory:
            count = plotsim_core.write_tables(plan, directory, format="parquet", tables=[name])[name]
    else:
        count = sum(batch.num_rows for batch in plotsim_core.batches(plan, name)[1])
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return count, seconds, peak


def apart(name: str, rows: int, is_written: bool) -> tuple[int, float, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--one", name, str(rows), *(["--parquet"] if is_written else [])]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    count, seconds, peak = json.loads(process.stdout)
    return count, seconds, peak


def main() -> int:
    """Measure what the command line asks for; return 1 if memory grows with the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millions", nargs="*", type=int, default=[1, 10])
    parser.add_argument("--parquet", action="store_true", help="write Parquet as well")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.one[0], int(options.one[1]), options.parquet)))
        return 0
    lines = ["# Plain tables", "", f"{platform.machine()}, Python {platform.python_version()}, one process each."]
    is_flat = True
    for is_written in [False, True] if options.parquet else [False]:
        lines += ["", "## Written to Parquet" if is_written else "## Made, and not kept", ""]
        lines += ["| table | rows | CPU seconds | rows per second | peak memory, MB |", "|---|---:|---:|---:|---:|"]
        for name, what in TABLES.items():
            peaks = []
            for millions in options.millions:
                rows, seconds, peak = apart(name, millions * MILLION, is_written)
                peaks.append(peak)
                lines.append(f"| {what} | {rows:,} | {seconds:.1f} | {rows / seconds:,.0f} | {peak:,.0f} |")
                print(lines[-1], file=sys.stderr)
            is_flat = is_flat and (len(peaks) < 2 or peaks[-1] <= ALLOWED * peaks[-2])
    page = "\n".join(lines) + "\n"
    PAGE.write_text(page, encoding="utf-8")
    print(page)
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())

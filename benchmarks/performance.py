"""What was measured, point by point: a JSON file for each, and docs/performance.md of them all.

    python -m benchmarks.performance        # write the page again

The scripts that measure call `save`. Figures are ratios of one run, so that they say the same on another machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("measured")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
INTRODUCTION = """\
# Performance

What things cost, and how that grows: ratios of one run on one machine, beside version 0.5 where that can do the same. Each
table comes from a script in `benchmarks/`, which `make bench` runs; the numbers are in `benchmarks/measured/` as JSON.
What can be counted, and not only timed, is a test: `tests/pipeline/test_checkpoints.py`, `tests/test_work_once.py`.
"""
POINTS = {
    "increments": (
        "One new day",
        """\
A scheduled run adds a day to a store that holds the days before. What is known of each unit then (which crossing is
complete, which band it is in since when) lies beside the tables in `_checkpoints/`: at the last period, and at ever fewer
before it. It saves time and never changes a value: files that are missing, broken or of another config are passed over.
Dimensions of units are written as the rows that came or ended. `alone` is a day without a store (`plotsim run --periods`),
which goes through all days before; `made` is the day with what is known, without the store's own writing; `stored` is that
with the writing, into DuckDB. Facts of streaming come late: a day delivers rows of several days before, which are made anew
for it.""",
    ),
    "reports": (
        "The report of one day",
        """\
All checks of the last day that is stored. Rows and entries of the ledger are cut to the day, and to what its rows may
refer to, before what is broken on purpose is restored; `before` is the tree without that.""",
    ),
    "one_pass": (
        "One pass",
        """\
Tables whose rows belong or refer to rows of each other are made together, a part of the periods after the other, so that a
block of metrics and the rows that several of them look back to are made once for all. The rows of a table that is written
later wait in files: beside the output of a run, and for a run of Dagster, where the second and later tables that belong
together are made so, in the folder for temporary files (`TMPDIR`).""",
    ),
    "startup": (
        "Start-up",
        """\
CPU time of whole commands, as multiples of what importing NumPy, SciPy, Arrow and pydantic takes, which all of them need but
`--help`. About half of an idle run is the import of Dagster and the opening of its instance. With the first array that Arrow
makes it imports pandas, if that is installed, which takes nearly as long as all the imports: an idle run makes none. A
partition by Dagster loads the code location with its eleven datasets; `PLOTSIM_DATASETS` names those that are needed.""",
    ),
    "memory": (
        "Memory",
        "The most that a process of its own held while it wrote all tables; of that DuckDB has a limit of 256 MB, and half "
        "a MB for each column.",
    ),
}
"""Each point: its heading, and what it says."""


def save(name: str, rows: list[dict[str, Any]]) -> None:
    """Write the rows of a point, print them, and write the page again."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(rows)))
    PAGE.write_text(page(), encoding="utf-8")


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as a Markdown table; what is None is empty."""
    names = list(rows[0])
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return lines + [f"| {' | '.join('' if row[name] is None else str(row[name]) for name in names)} |" for row in rows]


def page() -> str:
    """Return the page of all points that were measured."""
    parts = [INTRODUCTION]
    for name, (heading, words) in POINTS.items():
        file = FOLDER / f"{name}.json"
        if file.exists():
            rows = table(json.loads(file.read_text(encoding="utf-8")))
            parts.append("\n".join([f"## {heading}", "", words, "", *rows, "", f"`python -m benchmarks.{name}`", ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

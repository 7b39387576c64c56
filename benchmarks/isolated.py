"""Figures of functions that each run in a process of its own, with the packages of this checkout or of another one."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.performance import save

Figures = Callable[[str, float, Path | None], list[dict[str, Any]]]
"""The rows of the table of a dataset at a scale, beside a checkout of an older version if there is one."""


def cpu_seconds(point: str, function: str, *arguments: Any, old: Path | None = None) -> float:
    """Return what a function of `benchmarks.<point>` gives in a process of its own, with the packages of `old`."""
    path = [str(Path(__file__).parents[1])] if old is None else [str(old), str(Path(__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    code = f"import benchmarks.{point} as m; m.main()"
    command = [sys.executable, "-c", code, "--measure", json.dumps([function, *arguments])]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/")
    return float(run.stdout.split()[-1])


def measure(
    point: str,
    about: str | None,
    functions: Mapping[str, Callable[..., float]],
    figures: Figures,
    datasets: Mapping[str, float],
    older: str,
) -> None:
    """Save the figures of a point, or print what one of its functions gives where a process is asked for that. `datasets`
    are their scales; `older` says which checkout `--old` names."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=Path, help=older)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        pa.set_cpu_count(1)
        name, *arguments = json.loads(options.measure)
        print(functions[name](*arguments))
        return
    save(point, [row for dataset, scale in datasets.items() for row in figures(dataset, scale, options.old)])

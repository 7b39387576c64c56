"""One random config: loaded, its tables written, and judged by its own checks, all through the public functions."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.robustness.configs import Composed, composed
from benchmarks.robustness.words import words_of
from plotsim_core import ConfigError, api
from plotsim_core.validation.check import CHECKS
from plotsim_core.validation.report import Report, check_directory


@dataclass(frozen=True)
class Alarm:
    """What a check said against data that is sound."""

    check: str
    subject: str
    message: str
    blocking: bool


@dataclass(frozen=True)
class Trial:
    """What became of one random config: its `rows`, a `crash` (the traceback, empty for none), `alarms`, how many findings
    there are by check as (judged, all), how often it has each word of the language, how many parts were `dropped`."""

    seed: int
    size: str
    rows: int = 0
    seconds: float = 0.0
    crash: str = ""
    refused: str = ""
    alarms: tuple[Alarm, ...] = ()
    findings: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    words: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0


def tried(seed: int, kept: Path | None = None) -> Trial:
    """Make and judge the config of a seed. What crashes or alarms is `kept` as YAML, if a folder is given."""
    begin = time.perf_counter()
    try:
        config = composed(seed)
    except ConfigError as error:
        return Trial(seed, "", refused=str(error))
    except Exception:
        return Trial(seed, "", crash=traceback.format_exc())
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows, report = _made(config, Path(folder))
        except Exception:
            found = Trial(seed, config.size, crash=traceback.format_exc())
        else:
            alarms = tuple(
                Alarm(name, finding.subject, finding.message, CHECKS[name].blocking)
                for name, finding in report.findings
                if not finding.passed
            )
            found = Trial(seed, config.size, rows, 0.0, "", "", alarms, _judged(report))
    if kept is not None and (found.crash or found.alarms):
        (kept / f"{seed}.yaml").write_text(yaml.safe_dump(config.raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
    spent, words = time.perf_counter() - begin, words_of(config.plan)
    return Trial(
        seed, config.size, found.rows, spent, found.crash, "", found.alarms, found.findings, words, len(config.dropped)
    )


def _made(config: Composed, folder: Path) -> tuple[int, Report]:
    plan, format = config.plan, config.plan.dataset.output.format
    stop = plan.stop if plan.stop is not None else plan.first + plan.span
    periods = f"{plan.grain.label(plan.first)}..{plan.grain.label(stop - 1)}"
    rows = api.write_tables(plan, folder, periods=periods)
    return sum(rows.values()), check_directory(plan, folder, format, plan.first, stop)


def _judged(report: Report) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for name, finding in report.findings:
        judged, every = counts.get(name, (0, 0))
        counts[name] = (judged + getattr(finding, "judged", True), every + 1)
    return counts

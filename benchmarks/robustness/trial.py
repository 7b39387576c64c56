"""One random config: loaded, its tables written, and judged by its own checks, all through the public functions."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from benchmarks.robustness.configs import Composed, composed
from benchmarks.robustness.draw import Draw
from benchmarks.robustness.words import words_of
from plotsim_core import ConfigError, api
from plotsim_core.validation.report import Report, check_directory

_IN_PART = 0.25
"""So many configs are judged a second time, by their later periods alone, as a run of some partitions is."""


@dataclass(frozen=True)
class Alarm:
    """What a check said against data that is sound."""

    check: str
    subject: str
    message: str
    blocking: bool

    def __str__(self) -> str:
        return f"{'BLOCKING' if self.blocking else 'soft'} {self.check} {self.subject}: {self.message}"


@dataclass(frozen=True)
class Trial:
    """What became of one random config: the `rows` made, a `crash` (the traceback, empty for none), what the language said
    where nothing that loads was left (`refused`), `alarms`, how many findings there are by category as (judged, all), how
    often it has each word of the language, how many parts were `dropped` until it loaded."""

    seed: int
    size: str = ""
    rows: int = 0
    seconds: float = 0.0
    crash: str = ""
    refused: str = ""
    alarms: tuple[Alarm, ...] = ()
    findings: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    words: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0

    @property
    def broken(self) -> bool:
        """Whether a check that means broken data alarmed."""
        return any(alarm.blocking for alarm in self.alarms)

    def __str__(self) -> str:
        parts = [f"seed {self.seed}, {self.size or '-'}: {self.rows:,} rows, {self.seconds:.1f} s"]
        parts += [f"CRASH {self.crash.strip().splitlines()[-1]}"] if self.crash else []
        parts += [f"REFUSED {self.refused}"] if self.refused else []
        return "; ".join([*parts, *map(str, self.alarms)])


def tried(seed: int, keep: Path | None = None) -> Trial:
    """Make and judge the config of a seed. What crashes or alarms is kept as YAML in the folder `keep`, if it is given."""
    begin = time.perf_counter()
    try:
        config = composed(seed)
    except ConfigError as error:
        return Trial(seed, refused=str(error))
    except Exception:  # noqa: BLE001  a crash is what is looked for
        return Trial(seed, crash=traceback.format_exc())
    trial = Trial(seed, config.size, words=words_of(config.plan), dropped=len(config.dropped))
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows, reports = _made(config, Path(folder))
        except Exception:  # noqa: BLE001
            trial = replace(trial, crash=traceback.format_exc())
        else:
            alarms = tuple(dict.fromkeys(alarm for report in reports for alarm in _alarms(report)))
            trial = replace(trial, rows=rows, alarms=alarms, findings=_judged(reports[0]))
    if keep is not None and (trial.crash or trial.alarms):
        text = yaml.safe_dump(config.raw, sort_keys=False, allow_unicode=True)
        (keep / f"random_{seed}.yaml").write_text(f"# {trial}\n{text}", encoding="utf-8")
    return replace(trial, seconds=time.perf_counter() - begin)


def _made(config: Composed, folder: Path) -> tuple[int, list[Report]]:
    plan, format = config.plan, config.plan.dataset.output.format
    stop = plan.stop if plan.stop is not None else plan.first + plan.span
    periods = f"{plan.grain.label(plan.first)}..{plan.grain.label(stop - 1)}"
    rows = api.write_tables(plan, folder, periods=periods)
    reports = [check_directory(plan, folder, format, plan.first, stop)]
    draw = Draw(config.seed)
    if stop - plan.first > 1 and draw.chance(_IN_PART):
        reports.append(check_directory(plan, folder, format, draw.whole(plan.first + 1, stop - 1), stop))
    return sum(rows.values()), reports


def _alarms(report: Report) -> Iterable[Alarm]:
    for name, finding in report.findings:
        if not finding.passed:
            yield Alarm(name, finding.subject, " ".join(finding.message.split()), report.checks[name].blocking)


def _judged(report: Report) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for name, finding in report.findings:
        category = report.checks[name].category
        judged, every = counts.get(category, (0, 0))
        counts[category] = (judged + finding.judged, every + 1)
    return counts

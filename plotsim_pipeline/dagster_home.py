"""The Dagster home: where runs and events are kept, with telemetry off; and what one types where one is."""

import os
import shutil
import sys
from pathlib import Path
from typing import Literal, NoReturn

import dagster as dg
import yaml

from plotsim_core import UsageError
from plotsim_core.output.atomic import folder_lock

VARIABLE = "DAGSTER_HOME"
_ROOT = Path(__file__).resolve().parent.parent
CHECKOUT = _ROOT if (_ROOT / "Makefile").is_file() and (_ROOT / "pyproject.toml").is_file() else None
"""The checkout that this package is imported from; None for a package that is installed."""
_SETTINGS, _WORKSPACE = (Path(__file__).with_name(name) for name in ("instance.yaml", "workspace.yaml"))
_STORAGES = {"storage", "run_storage", "event_log_storage", "schedule_storage", "instance_class"}
"""The sections of a dagster.yaml that keep events elsewhere, or otherwise, than Dagster does by default."""
_MAKE = {"run": "make run DATASET={}", "query": 'make query SQL="{}"', "ui": "make ui"}
_PLOTSIM = {"run": "plotsim materialize {}", "query": 'plotsim query "{}"', "ui": "plotsim ui"}


def home() -> Path:
    """Return the Dagster home in force: `DAGSTER_HOME`, or `.dagster_home` of the checkout in which one works, or else of
    the working directory."""
    home_path = os.environ.get(VARIABLE)
    if home_path:
        return Path(home_path).expanduser().resolve()
    directory = Path.cwd()
    return (CHECKOUT if CHECKOUT and directory.is_relative_to(CHECKOUT) else directory) / ".dagster_home"


def prepare_home() -> Path:
    """Return the Dagster home in force, made if it is not there, and in the environment as `DAGSTER_HOME`.

    Raises UsageError for one that cannot be made.
    """
    directory = home()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with folder_lock(
            directory
        ):  # Dagster makes its files without a lock: of several that are first at once, some would fail
            if not (directory / "dagster.yaml").exists():
                shutil.copyfile(_SETTINGS, directory / "dagster.yaml")
            os.environ[VARIABLE] = str(directory)
            if not (directory / "history").exists():
                with dg.DagsterInstance.get():
                    pass
    except OSError as error:
        raise UsageError(
            f"{directory}: the Dagster home cannot be made here ({error.strerror}); name another folder with {VARIABLE}"
        ) from None
    return directory


def batched_instance() -> dg.DagsterInstance:
    """Return the instance of `DAGSTER_HOME`. This process writes its events in batches, if the home keeps them where Dagster
    does by default.

    Nothing of this is noted in the home: whoever opens it next needs no more than Dagster. Where Dagster has not the parts
    that batches are made of, it is Dagster's own instance.
    """
    directory = os.environ.get(VARIABLE, "")
    settings = Path(directory, "dagster.yaml")
    sections = yaml.safe_load(settings.read_text(encoding="utf-8")) if settings.is_file() else None
    if not directory or _STORAGES & set(sections or ()):
        return dg.DagsterInstance.get()
    try:
        from plotsim_pipeline.event_log import BATCHES, BatchedEventLog
    except ImportError:
        return dg.DagsterInstance.get()
    if not BATCHES:
        return dg.DagsterInstance.get()
    event_log = {"module": BatchedEventLog.__module__, "class": BatchedEventLog.__name__, "config": {"base_dir": directory}}
    return dg.DagsterInstance.local_temp(directory, overrides={"event_log_storage": event_log})


def command(name: Literal["run", "query", "ui"], argument: str = "") -> str:
    """Return what one types where one is: a target of make in the checkout, a command of `plotsim` elsewhere."""
    return (_MAKE if Path.cwd() == CHECKOUT else _PLOTSIM)[name].format(argument)


def open_ui(port: int, pool: str | None) -> NoReturn:
    """Become the Dagster UI and its daemon on the home in force, with the datasets of this package's code location.

    A pool that the home does not know yet gets its limit of one run, so that the first runs of a new home take turns.
    """
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        if pool and pool not in instance.event_log_storage.get_concurrency_keys():
            instance.event_log_storage.set_concurrency_slots(pool, 1)
    # `dagster dev` says that `dg dev` supersedes it, which is another package and wants a project in the working directory
    command_prefix = [sys.executable, "-W", "ignore", "-m", "dagster"]
    os.execv(sys.executable, [*command_prefix, "dev", "-w", str(_WORKSPACE), "-p", str(port)])  # noqa: S606

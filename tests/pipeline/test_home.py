"""The Dagster home is at home anywhere: where it lies, who can open it, and what a Dagster with other names makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from plotsim_core import UsageError
from plotsim_pipeline import dagster_home
from plotsim_pipeline.datasets import BUNDLED
from plotsim_pipeline.event_log import BatchedEventLog
from tests.pipeline.live import LOADED, asked, free_port, until
from tests.pipeline.test_event_log import SECTION

pytestmark = pytest.mark.slow

ROOT = BUNDLED.parent
KEYS = ["2024-01-01", "2024-02-01", "2024-03-01"]
HIDE = """
import builtins
import dagster._core.storage.event_log as log

imported = builtins.__import__

def hide(module, name):
    def without(wanted, globals=None, locals=None, fromlist=(), level=0):
        if wanted == module and name in (fromlist or ()) and globals["__name__"].startswith("plotsim_pipeline."):
            raise ImportError(f"cannot import name {name!r} from {module!r}")
        return imported(wanted, globals, locals, fromlist, level)
    builtins.__import__ = without

def hide_method(name):
    base = log.SqliteEventLogStorage
    class Hiding(type(base)):
        def __getattribute__(cls, attribute):
            if attribute == name:
                raise AttributeError(name)
            return super().__getattribute__(attribute)
    log.SqliteEventLogStorage = Hiding(base.__name__, (base,), {})
    assert not hasattr(log.SqliteEventLogStorage, name)
"""
"""Takes names of Dagster's away from this package; Dagster itself has them still."""
HIDDEN = {
    "table": "hide('dagster._core.storage.event_log.schema', 'SqlEventLogStorageTable')",
    "method": "hide_method('_store_asset_event_tags')",
    "class": "hide('dagster._core.storage.event_log', 'SqliteEventLogStorage')",
    "metadata": "hide('dagster._core.execution.context.metadata_logging', 'OutputMetadataAccumulator')",
}
MAKE = f"""
from plotsim_pipeline.__main__ import main
wanted = ["--partition-range", "{KEYS[0]}...{KEYS[-1]}", "--tables", "fct_payments"]
main(["run", "minimal", *wanted], standalone_mode=False)
"""
STRANGER = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("plotsim_core", "plotsim_pipeline"):
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Blocked())
"""
"""Makes an environment in which this package is not installed."""
READ = """
import json
import dagster as dg

with dg.DagsterInstance.get() as instance:
    key = dg.AssetKey(["minimal", "fct_payments"])
    events = instance.fetch_materializations(key, limit=100).records
    (run,) = instance.get_runs()
    print(json.dumps({
        "status": run.status.value,
        "partitions": sorted(instance.get_materialized_partitions(key)),
        "rows": {e.partition_key: e.asset_materialization.metadata["dagster/partition_row_count"].value for e in events},
        "log": len(instance.all_logs(run.run_id)),
    }))
"""


def python(directory: Path, *code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory, with the Dagster home and the store in it."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "PLOTSIM_"))}
    named = {"DAGSTER_HOME": str(directory / "home"), "PLOTSIM_DATASETS": "minimal", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "\n".join(code)]
    whole = {**surroundings, **named, **more}
    return subprocess.run(command, cwd=directory, env=whole, capture_output=True, text=True, timeout=300, check=False)


def run_record(directory: Path, *before: str) -> dict[str, object]:
    """Return what Dagster knows of the only run in the home of a directory, and of a table that it made."""
    done = python(directory, *before, READ)
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def home_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a dataset was made in a new home."""
    directory = tmp_path_factory.mktemp("made")
    done = python(directory, MAKE)
    assert done.returncode == 0, done.stderr[-3000:]
    return directory


def test_a_home_is_open_to_whoever_has_dagster(home_directory: Path) -> None:
    """An environment without this package opens the home, and reads the run that ours wrote in batches."""
    answer = run_record(home_directory, STRANGER)
    assert (answer["status"], answer["partitions"]) == ("SUCCESS", KEYS)
    assert answer["rows"] == dict.fromkeys(KEYS, 80)


def test_a_stranger_cannot_open_a_home_that_names_the_class(home_directory: Path, tmp_path: Path) -> None:
    """What the homes of version 0.5 are like, and why the settings name it no more; the package itself opens them still,
    and without the section they are open to all."""
    (tmp_path / "home").mkdir()
    settings = tmp_path / "home" / "dagster.yaml"
    settings.write_text(f"telemetry: {{enabled: false}}\n{SECTION}")
    assert python(tmp_path, MAKE).returncode == 0
    expected = run_record(home_directory)
    assert run_record(tmp_path) == expected
    refused = python(tmp_path, STRANGER, READ)
    assert refused.returncode == 1
    assert "plotsim_pipeline.event_log" in refused.stderr
    settings.write_text("telemetry: {enabled: false}\n")
    assert run_record(tmp_path, STRANGER) == expected


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, None) for name in HIDDEN),
        pytest.param("table", SECTION, marks=pytest.mark.long),
        pytest.param("method", SECTION, marks=pytest.mark.long),
    ],
    ids=lambda value: value if value in HIDDEN else "0.5" if value else "today",
)
def test_a_dagster_with_other_names_does_the_same_slower(
    name: str, settings: str | None, home_directory: Path, tmp_path: Path
) -> None:
    """Where a private name is gone, Dagster's own takes its place: partitions, rows of each, and the log are the same."""
    if settings is not None:
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "dagster.yaml").write_text(f"telemetry: {{enabled: false}}\n{settings}")
    done = python(tmp_path, HIDE, HIDDEN[name], MAKE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Falling back" not in done.stderr, "nothing was tried that could not be done"
    assert run_record(tmp_path) == run_record(home_directory)


def test_the_events_of_a_command_are_written_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the home that Dagster has by default, and without a word of it in the settings; a home that keeps its events
    elsewhere is left as it is."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    dagster_home.prepare_home()
    with dagster_home.batched_instance() as instance:
        assert isinstance(unwrapped(instance), BatchedEventLog)
        assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "1000"
        assert instance.run_monitoring_enabled, "the settings of the home hold"
    with dg.DagsterInstance.get() as instance:
        assert not isinstance(unwrapped(instance), BatchedEventLog)
    (tmp_path / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: {tmp_path / 'elsewhere'}}}}}\n")
    with dagster_home.batched_instance() as instance:
        assert not isinstance(unwrapped(instance), BatchedEventLog)


def unwrapped(instance: dg.DagsterInstance) -> object:
    """Return the event log of an instance, which may be wrapped."""
    return getattr(instance.event_log_storage, "_event_log_storage", instance.event_log_storage)


@pytest.mark.parametrize(
    ("directory", "variable", "expected"),
    [
        ("{root}", None, "{root}/.dagster_home"),
        ("{root}/docs", None, "{root}/.dagster_home"),
        ("{tmp}", None, "{tmp}/.dagster_home"),
        ("{tmp}", "{tmp}/mine", "{tmp}/mine"),
        ("{root}", "{tmp}/mine", "{tmp}/mine"),
        ("{tmp}", "relative", "{tmp}/relative"),
    ],
)
def test_where_the_home_is(
    directory: str, variable: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DAGSTER_HOME`, or `.dagster_home` of the checkout in which one works, or else of the working directory."""
    places = {"root": str(ROOT), "tmp": str(tmp_path)}
    monkeypatch.chdir(directory.format(**places))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    if variable is not None:
        monkeypatch.setenv("DAGSTER_HOME", variable.format(**places))
    assert str(dagster_home.home()) == expected.format(**places)


def test_what_to_type_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the checkout a target of its Makefile, elsewhere a command of `plotsim`."""
    monkeypatch.chdir(ROOT)
    assert [dagster_home.command("run", "hr"), dagster_home.command("query", "SELECT 1"), dagster_home.command("ui")] == [
        "make run DATASET=hr",
        'make query SQL="SELECT 1"',
        "make ui",
    ]
    monkeypatch.chdir(tmp_path)
    assert [dagster_home.command("run", "hr"), dagster_home.command("query", "SELECT 1"), dagster_home.command("ui")] == [
        "plotsim materialize hr",
        'plotsim query "SELECT 1"',
        "plotsim ui",
    ]


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its place, the reason, and what to do."""
    (tmp_path / ".dagster_home").write_text("in the way")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(UsageError, match=r"\.dagster_home: .* \(File exists\); name another folder with DAGSTER_HOME"):
        dagster_home.prepare_home()


def test_the_workspace_of_the_package_is_that_of_the_checkout() -> None:
    """So that `plotsim ui` and `make ui` have one code location, whose schedules are on or off in both."""
    assert (ROOT / "plotsim_pipeline" / "workspace.yaml").read_text() == (ROOT / "workspace.yaml").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a virtual environment with both packages installed from wheels; what they need comes
    from the environment of the tests."""
    place = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
    sources = [str(ROOT / "plotsim_core"), str(ROOT)]
    called([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(place), *sources])
    called([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")])
    python = place / "venv" / "bin" / "python"
    wheels = [str(wheel) for wheel in place.glob("*.whl")]
    called([*pip, "--python", str(python), "install", "--no-deps", "--no-index", *wheels])
    (packages,) = (place / "venv" / "lib").glob("python*/site-packages")
    (packages / "needed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    return python.parent


def called(command: Sequence[str], **more: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr[-3000:]
    return str(done.stdout)


@pytest.mark.long
def test_an_installed_package_is_used_from_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    """Nothing is written beside the package; the home is in the working directory; what it proposes to type works there;
    and `plotsim ui` opens that home."""
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DAGSTER_", "PLOTSIM_")) and name != "PYTHONPATH"
    }
    surroundings |= {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "PLOTSIM_DATASETS": "minimal"}
    surroundings["PYTHONDONTWRITEBYTECODE"] = "1"
    before = files_of(installed.parent)
    text = called(["plotsim", "materialize", "minimal"], cwd=tmp_path, env=surroundings)
    assert files_of(installed.parent) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dagster_home", "data"]
    assert "make " not in text
    query = next(line for line in text.splitlines() if line.startswith("A first query:")).partition(":")[2].strip()
    assert query.startswith("plotsim query ")
    assert "2024" in called(["bash", "-c", query], cwd=tmp_path, env=surroundings)
    assert "plotsim ui" in text
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            ["plotsim", "ui", "--port", str(port)], cwd=tmp_path, env=surroundings, stdout=log, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}"
        until("the UI", 120, lambda: asked(address, LOADED)["repositoriesOrError"].get("nodes"))
        (run,) = asked(address, "{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]["results"]
        assert run["status"] == "SUCCESS"
        pools = asked(address, "{ instance { concurrencyLimits { concurrencyKey slotCount } } }")["instance"]
        assert pools["concurrencyLimits"] == [{"concurrencyKey": "plotsim_store", "slotCount": 1}]
    finally:
        running.terminate()
        running.wait(timeout=90)
    assert "Supersession" not in (tmp_path / "log").read_text()
    assert files_of(installed.parent) == before


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}

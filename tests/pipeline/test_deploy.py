"""A team can deploy it: the image has what its processes need, compose.yaml starts them, and they do the work together."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml

from plotsim_core import load_config
from plotsim_pipeline.partitions import key_of
from plotsim_pipeline.stores import STORES
from tests.pipeline.deployed import DEPLOY, ROOT, Image, Stack, compose, image, instructions, pip_steps, postgres
from tests.pipeline.live import LOADED, asked, backfill, catalogue, materialised, runs, served, until
from tests.pipeline.support import assert_equals_the_batch

PAGE = (ROOT / "docs" / "deploy.md").read_text()
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
DAYS = 6
SWITCH_ON = """
mutation ($name: String!) {
  startSchedule(scheduleSelector: {
    repositoryName: "__repository__", repositoryLocationName: "plotsim_pipeline", scheduleName: $name
  }) { __typename }
}
"""
SINCE_YESTERDAY = r"""
UPDATE instigators SET instigator_body =
  regexp_replace(instigator_body, '"start_timestamp": [0-9.]+', '"start_timestamp": ' || extract(epoch FROM now()) - 86400)
"""
"""A schedule that was switched on a day ago: its latest tick is due."""
EVENTS = "SELECT count(*) FROM event_logs"


def pinned(text: str) -> set[tuple[str, str]]:
    """Return the names, as an index spells them, and versions that a lock or a list of pip states."""
    pins = re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", text.lower(), re.MULTILINE)
    return {(re.sub("[-_.]+", "-", name), version) for name, version in pins}


def own_services() -> dict[str, dict]:
    return {name: service for name, service in compose()["services"].items() if "build" in service}


def test_the_dockerfile_copies_what_is_there() -> None:
    """Each source is there and not ignored; all packages are among them; pip installs both distributions from them."""
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    sources = [source for word, rest in instructions() if word == "COPY" for source in rest.split()[:-1]]
    for source in sources:
        assert (ROOT / source).exists() and f"!{source}" in ignored
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = {"configs", "plotsim_core", "plotsim_pipeline"}
    assert packages | {"pyproject.toml", "hatch_build.py", "deploy/requirements.txt", project["readme"]} <= set(sources)
    (step,) = pip_steps()
    locked, entry = (command.split() for command in step.split("&&"))
    assert locked == ["pip", "install", "--require-hashes", "-r", "requirements.txt"]
    assert entry == ["pip", "install", "--no-deps", "--no-build-isolation", "./plotsim_core", "."]


def test_the_image_has_the_python_of_ci_and_is_not_root() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (python,) = [
        step["with"]["python-version"] for step in workflow["jobs"]["ci"]["steps"] if "python" in step.get("uses", "")
    ]
    words = dict(instructions())
    assert words["FROM"] == f"python:{python}-slim"
    assert words["USER"] == "1000"
    (preparation,) = [rest for word, rest in instructions() if word == "RUN" and "useradd" in rest]
    folders = set(shlex.split(preparation.split("install -d")[1]))
    for service in own_services().values():  # a new volume takes its owner from the folder of the image
        assert {mount.split(":")[1] for mount in service["volumes"] if not mount.startswith("./")} <= folders


def test_each_service_says_what_it_needs() -> None:
    """Health check, environment, volumes, restart; what is mounted is there; nobody from outside reaches any port."""
    services = compose()["services"]
    assert set(services) == {"postgres", "code", "webserver", "daemon"}
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"] and service["environment"] and service["volumes"]
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith("./") else source in compose()["volumes"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert int(services["code"]["environment"]["DAGSTER_EVENT_BATCH_SIZE"]) > 1
    assert services["code"]["hostname"]


def test_both_instances_queue_alike() -> None:
    """What DuckDB needs of the queue is the same on one machine, in a deployment and in the values for Kubernetes."""
    alone, deployed = (ROOT / "plotsim_pipeline" / "instance.yaml", DEPLOY / "dagster.yaml")
    limits = yaml.safe_load(deployed.read_text())["concurrency"]
    assert yaml.safe_load(alone.read_text())["concurrency"] == limits
    (values,) = map(yaml.safe_load, re.findall(r"```yml\n(.*?)```", PAGE, re.DOTALL))
    pools, several = values["concurrency"]["pools"], values["concurrency"]["runs"]
    assert {"default_limit": pools["defaultLimit"], "granularity": pools["granularity"]} == limits["pools"]
    assert several["maxConcurrentRuns"] == limits["runs"]["max_concurrent_runs"]


def test_the_page_names_the_services_and_variables_there_are() -> None:
    """Each command speaks of services of compose.yaml; the table has every variable that it reads."""
    text = (DEPLOY / "compose.yaml").read_text()
    services = compose()["services"]
    for line in COMMANDS:
        if line.startswith("docker compose ") and (rest := line.split()[2:])[0] in (
            "exec",
            "run",
            "stop",
            "start",
            "restart",
        ):
            named = [word for word in rest[1:] if not word.startswith("-")]
            assert set(named[:1] if rest[0] in ("exec", "run") else named) <= set(services), line
    optional = {name for service in services.values() for name, value in service["environment"].items() if value is None}
    variables = optional | set(re.findall(r"\$\{(\w+)", text))
    assert variables == set(re.findall(r"`([A-Z_]+)`", PAGE.split("## What each part is")[0])) | {
        "DAGSTER_POSTGRES_PASSWORD"
    }
    assert any("DAGSTER_POSTGRES_PASSWORD" in line for line in COMMANDS)


def test_dagster_plus_reads_its_file() -> None:
    """Dagster's own client reads it, and takes the image that `deploy/Dockerfile` makes."""
    (location,) = load_dagster_cloud_yaml((DEPLOY / "dagster_cloud.yaml").read_text()).locations
    assert location.code_source is not None and location.code_source.module_name == "plotsim_pipeline.definitions"
    assert location.image is not None and location.build is None


@pytest.fixture(scope="module")
def built_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return image(tmp_path_factory.mktemp("image"))


@pytest.mark.long
def test_the_image_has_the_versions_that_are_tested(built_image: Image) -> None:
    """All from wheels, as the image has no compiler, and each in the version of the tests."""
    assert set(re.findall(r"Building wheel for (\S+)", built_image.log)) == {"plotsim-core", "plotsim-pipeline"}
    pins = pinned((ROOT / "requirements.txt").read_text())
    listed = subprocess.run(
        [built_image.programs / "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    others = pinned(listed.stdout) - pins
    assert {name for name, _ in others} <= {"pip", "plotsim-core", "plotsim-pipeline"}


@pytest.fixture
def stack(tmp_path: Path, built_image: Image, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """PostgreSQL is up; nothing else is."""
    pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    dotenv = {"DAGSTER_POSTGRES_PASSWORD": "not@guessed", "PLOTSIM_DATASETS": "library"}
    stack = Stack(tmp_path, built_image, dotenv, Path())
    with postgres(tmp_path, stack.environment("postgres"), stack.ports["5432"]) as programs:
        stack.database = programs
        yield stack


def answer(stack: Stack, sql: str) -> str:
    done = stack.run("postgres", ["psql", "-U", "dagster", "-d", "dagster", "-v", "ON_ERROR_STOP=1", "-Atc", sql])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def follow(stack: Stack, line: str, directory: Path) -> str:
    """Run a command of the page that goes into a container, with its redirections, in `directory`; return what it says."""
    words = [word for word in shlex.split(line)[3:] if word not in ("-T", "--rm")]
    streams = {}
    for sign, stream, mode in ((">", "stdout", "wb"), ("<", "stdin", "rb")):
        if sign in words:
            streams[stream] = (directory / words[words.index(sign) + 1]).open(mode)
            words = words[: words.index(sign)]
    done = stack.run(words[0], words[1:], **streams)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout or ""


@pytest.mark.long
def test_the_services_do_the_work_of_a_team(stack: Stack, tmp_path: Path) -> None:
    """Every service becomes healthy; the daemon launches what a schedule asks for and a backfill; the store then equals the
    batch. The commands of the page do what it says. Three ways to serve the code serve the same."""
    config = tmp_path / "volumes" / "configs" / "library.yaml"
    config.parent.mkdir(parents=True)
    start = datetime.now(UTC).date() - timedelta(days=DAYS)
    config.write_text(Path(__file__).with_name("living.yaml").read_text().replace("START", str(start)))
    plan = load_config(config)
    today = plan.grain.read(f"{datetime.now(UTC):%Y-%m-%d}")
    keys = [key_of(plan, period) for period in range(plan.first, today)]
    inside = [line for line in COMMANDS if re.match(r"docker compose (exec|run) ", line)]
    with stack.up():
        until("loading the code location", 60, lambda: asked(stack.address, LOADED)["repositoriesOrError"].get("nodes"))
        deployed = catalogue(stack.address)
        asked(stack.address, SWITCH_ON, name="library_increment")
        answer(stack, SINCE_YESTERDAY)
        until("the tick and its run", 240, lambda: [run["status"] for run in by_schedule(stack)] == ["SUCCESS"])
        until("the partition of the tick", 30, lambda: set(materialised(stack.address, plan).values()) == {1})
        backfill(stack.address, plan.name, [table.name for table in plan.tables], keys)
        until("the backfill", 240, lambda: set(materialised(stack.address, plan).values()) == {DAYS})
        until("rest", 120, lambda: {run["status"] for run in runs(stack.address)} == {"SUCCESS"})
        events = int(answer(stack, EVENTS))
        for line in [line for line in inside if "pg_restore" not in line]:
            follow(stack, line.replace(" saas", " library"), tmp_path)
        assert int(answer(stack, EVENTS)) == events, "retention.sql deletes what is new"
        follow(stack, next(line for line in inside if "retention.sql" in line) + " -v days=0", tmp_path)
        assert 0 < int(answer(stack, EVENTS)) < events
        assert answer(stack, f"{EVENTS} WHERE step_key <> '' AND dagster_event_type NOT LIKE 'ASSET_%'") == "0"
        assert set(materialised(stack.address, plan).values()) == {DAYS}
        assert {run["status"] for run in runs(stack.address)} == {"SUCCESS"}
    assert_equals_the_batch(plan, STORES["duckdb"](path=str(tmp_path / "volumes" / "data" / "plotsim.duckdb")), today)
    follow(stack, next(line for line in inside if "pg_restore" in line), tmp_path)
    assert int(answer(stack, EVENTS)) == events
    environment = {"PLOTSIM_CONFIGS": str(config.parent), "PLOTSIM_DATASETS": "library"}
    for program in ("dg", "dagster"):
        with served(tmp_path / program, environment, program=program) as address:
            assert catalogue(address) == deployed


def by_schedule(stack: Stack) -> list[dict]:
    return [run for run in runs(stack.address) if any(tag["key"] == "dagster/schedule_name" for tag in run["tags"])]

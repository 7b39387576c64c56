"""deploy/ without containers: what the Dockerfile installs, in an environment of its own; what compose.yaml says of each
service, as a process on this machine. Only host names, ports and the roots of paths are others."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plotsim_pipeline.datasets import BUNDLED
from tests.pipeline.live import until

ROOT = BUNDLED.parent
DEPLOY = ROOT / "deploy"
HOME = "/opt/dagster"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """Return the instructions of the Dockerfile, each with the rest of its line, without comments and continued lines."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


def pip_steps() -> list[str]:
    """Return the RUN instructions that call pip, without what only a builder of images reads."""
    steps = [re.sub(r"^(--mount=\S+\s+)+", "", rest) for word, rest in instructions() if word == "RUN"]
    return [step for step in steps if step.startswith("pip ")]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


@dataclass(frozen=True)
class Image:
    """What the Dockerfile makes: the programs it installs, and the environment that it sets."""

    programs: Path
    environment: Mapping[str, str]
    log: str


def image(directory: Path) -> Image:
    """Do the COPY, ENV and pip steps of the Dockerfile below `directory`."""
    programs = directory / "environment" / "bin"
    subprocess.run([sys.executable, "-m", "venv", str(programs.parent)], check=True)
    path = {"PATH": f"{programs}:{SYSTEM_PATH}", "HOME": str(directory)}
    environment: dict[str, str] = {}
    place, log = directory, ""
    for word, rest in instructions():
        if word == "WORKDIR":
            place = directory / rest.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, place / target)
        elif word == "RUN" and (step := re.sub(r"^(--mount=\S+\s+)+", "", rest)) in pip_steps():
            log += subprocess.run(step, shell=True, cwd=place, env=path, check=True, capture_output=True, text=True).stdout
    return Image(programs, environment, log)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stack:
    """The services of compose.yaml on this machine, and what is said in deploy/.env."""

    directory: Path
    image: Image
    dotenv: Mapping[str, str]
    database: Path
    """The folder of PostgreSQL's programs."""
    ports: dict[str, int] = field(default_factory=lambda: {port: free_port() for port in ("3000", "4000", "5432")})
    services: dict[str, Any] = field(default_factory=lambda: compose()["services"])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['3000']}"

    def root(self, service: str) -> Path:
        """Return where the file system of a container begins, with its volumes and mounts in place."""
        root = self.directory / "containers" / service
        home = root / HOME[1:]
        if not home.exists():
            home.mkdir(parents=True)
            for source, target in self.mounts(service).items():
                self._mount(source, root / target[1:])
        return root

    def _mount(self, source: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = DEPLOY / source
        if source.startswith("./") and file.is_file():
            target.write_text(self.local(file.read_text()))
        else:
            volume = self.directory / "volumes" / source.removeprefix("./")
            volume.mkdir(parents=True, exist_ok=True)
            target.symlink_to(volume)

    def local(self, text: str, service: str = "") -> str:
        """Return a text with the ports, host names and paths of this machine."""
        text = re.sub(r"\b(3000|4000|5432)\b", lambda match: str(self.ports[match[0]]), text)
        text = re.sub(
            r"^(\s*host: )code$|\b0\.0\.0\.0\b", lambda match: f"{match[1] or ''}127.0.0.1", text, flags=re.MULTILINE
        )
        for place in [HOME, *self.mounts(service).values()] if service else ():
            if not place.startswith(f"{HOME}/"):
                text = re.sub(rf"(?<![\w.-]){re.escape(place)}(?![\w.-])", f"{self.root(service)}{place}", text)
        return text

    def mounts(self, service: str) -> dict[str, str]:
        """Return where each volume or file of a service lies in its container."""
        return dict(mount.split(":")[:2] for mount in self.services[service].get("volumes", ()))

    def environment(self, service: str) -> dict[str, str]:
        """Return the environment of a service: that of the image and of compose.yaml, and nothing of this process."""
        values = dict(self.image.environment) if service != "postgres" else {}
        for name, value in self.services[service]["environment"].items():
            if value is not None:
                values[name] = re.sub(r"\$\{(\w+)[:?-][^}]*\}", lambda match: self.dotenv[match[1]], str(value))
            elif name in self.dotenv:
                values[name] = self.dotenv[name]
        values = {name: self.local(value, service) for name, value in values.items()}
        if "DAGSTER_POSTGRES_HOST" in values:
            assert values["DAGSTER_POSTGRES_HOST"] in self.services
            values["DAGSTER_POSTGRES_HOST"] = "127.0.0.1"
        programs = self.database if service == "postgres" else self.image.programs
        if service == "postgres":  # in its container, a client is trusted and finds the server by itself
            password = values["POSTGRES_PASSWORD"]
            values |= {"PGHOST": "127.0.0.1", "PGPORT": str(self.ports["5432"]), "PGPASSWORD": password}
        return {"PATH": f"{programs}:{SYSTEM_PATH}", "HOME": str(self.directory), **values}

    def run(self, service: str, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as in the container of a service."""
        words = [self.local(word, service) for word in command]
        place = self.root(service) / HOME[1:]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.run(words, env=self.environment(service), cwd=place, timeout=120, check=False, **streams)

    def healthy(self, service: str) -> bool:
        """Return what the health check of a service says."""
        kind, *command = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(service, command).returncode == 0

    @contextmanager
    def started(self, service: str) -> Iterator[None]:
        """Run the process of a service once those that it depends on are healthy; wait until it is itself."""
        for other, condition in self.services[service].get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"} and self.healthy(other), other
        assert not self.healthy(service), f"{service} is healthy before it runs"
        command = [self.local(word, service) for word in self.services[service]["command"]]
        home = self.root(service) / HOME[1:]
        command[0] = str(self.image.programs / command[0])
        with (self.directory / f"{service}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self.environment(service), cwd=home, stdout=log, stderr=log, start_new_session=True
            )
        try:
            until(f"health of {service}", 180, lambda: self.healthy(service))
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    @contextmanager
    def up(self) -> Iterator[Stack]:
        """Run all services but PostgreSQL, in the order in which they depend on each other."""
        with ExitStack() as running:
            for service in sorted(self.services, key=lambda name: len(self.services[name].get("depends_on", {}))):
                if service != "postgres":
                    running.enter_context(self.started(service))
            yield self


@contextmanager
def postgres(directory: Path, settings: Mapping[str, str], port: int) -> Iterator[Path]:
    """Run a PostgreSQL server with the user, password and database that its image makes of `settings`; it asks for the
    password. Give the folder of its programs."""
    import pgserver

    data = directory / "postgres"
    server = pgserver.get_server(data)
    programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
    user, password, database = (settings[f"POSTGRES_{name}"] for name in ("USER", "PASSWORD", "DB"))
    server.psql(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'")
    server.psql(f"CREATE DATABASE {database} OWNER {user}")
    server.cleanup()
    access = data / "pg_hba.conf"
    access.write_text(re.sub(r"^(host\s.*)trust$", r"\1scram-sha-256", access.read_text(), flags=re.MULTILINE))
    listening = f"-h 127.0.0.1 -p {port} -c unix_socket_directories="
    pgserver.pg_ctl(["-w", "-l", str(data / "log"), "-o", listening, "start"], pgdata=data, user=server.system_user)
    try:
        yield programs
    finally:
        pgserver.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=data, user=server.system_user)

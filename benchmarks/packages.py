"""Both distributions as people get them: built, installed into clean environments of each Python, and used.

    python -m benchmarks.packages [--python PATH ...]

writes benchmarks/packages.md. An interpreter that is not named is `python3.11` to `python3.14`, where one runs by that name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_suffix(".md")
FOLDERS = {"plotsim-core": ROOT / "plotsim_core", "plotsim-pipeline": ROOT}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LOCK = ROOT / "deploy" / "requirements.txt"
DATASET = "saas"
KEY, PARTITION = "saas/fct_revenue", "2024-03-01"
TABLES = f"from plotsim_core import load_template; print(*(table.name for table in load_template({DATASET!r}).tables))"
PLATFORM = "import platform; print(platform.python_version(), platform.system(), platform.machine())"


@dataclass(frozen=True)
class Files:
    """What is built of one distribution."""

    sdist: Path
    wheel: Path
    wheel_of_sdist: Path

    @property
    def is_same(self) -> bool:
        """Whether the wheel of the sdist has the bytes of the wheel of the tree."""
        return self.wheel.read_bytes() == self.wheel_of_sdist.read_bytes()


def build(source: Path, directory: Path) -> Files:
    """Build a distribution of the tree, and a wheel of its sdist once more."""
    hatchling = [sys.executable, "-m", "hatchling", "build", "-d"]
    subprocess.run([*hatchling, str(directory), "-t", "sdist", "-t", "wheel"], cwd=source, check=True, capture_output=True)
    (sdist,) = directory.glob("*.tar.gz")
    (wheel,) = directory.glob("*.whl")
    unpacked = directory / "unpacked"
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    again = directory / "again"
    (folder,) = unpacked.iterdir()
    subprocess.run([*hatchling, str(again), "-t", "wheel"], cwd=folder, check=True, capture_output=True)
    return Files(sdist, wheel, again / wheel.name)


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and the folder in which its commands run."""

    folder: Path

    def run(self, *command: str, **variables: str) -> str:
        """Run a program of the environment and return what it prints. Raises RuntimeError with its output if it fails."""
        inherited = {
            name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "PLOTSIM", "DAGSTER"))
        }
        program = self.folder / "bin" / command[0]
        done = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=inherited | variables, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def install(self, *arguments: str) -> None:
        """Install what pip is told to."""
        self.run("python", "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", *arguments)

    def packages(self) -> dict[str, str]:
        """Return the versions of all that is installed, by name."""
        listed = json.loads(self.run("python", "-m", "pip", "list", "--format=json"))
        return {package["name"].lower(): package["version"] for package in listed}


def environment(python: str, folder: Path) -> Environment:
    """Make an empty environment of an interpreter."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    return Environment(folder)


def checksum(venv: Environment) -> str:
    """Return the checksum of a dataset, as `tests/known` has it, of what the command writes."""
    venv.run("plotsim", "run", DATASET, "-o", "out", "--format", "csv")
    total = hashlib.sha256()
    for table in venv.run("python", "-c", TABLES).split():
        total.update((venv.folder / "out" / f"{table}.csv").read_bytes())
    return total.hexdigest()


def generator(python: str, folder: Path, core: Path) -> str:
    """Install the generator alone, in the newest versions of what it needs; return a row of the page."""
    venv = environment(python, folder)
    venv.install(str(core))
    packages = venv.packages()
    dagster = [name for name in packages if name.startswith("dagster")]
    if dagster or "plotsim_pipeline" in venv.run("python", "-c", "import plotsim_core, sys; print(*sys.modules)").split():
        raise RuntimeError(f"the generator brought {dagster}")
    venv.run("plotsim", "--help")
    known = json.loads((ROOT / "tests" / "known" / "checksums.json").read_text())[DATASET]
    values = "as published" if checksum(venv) == known else "other values"
    versions = ", ".join(f"{name} {packages[name]}" for name in ("numpy", "scipy", "pandas", "pyarrow", "duckdb", "faker"))
    return f"| {venv.run('python', '-c', PLATFORM).strip()} | {len(packages)} | {versions} | {values} |"


def pipeline(python: str, folder: Path, wheels: Iterable[Path]) -> str:
    """Install both distributions on the lock of the image and make a partition; return a row of the page."""
    venv = environment(python, folder)
    venv.install("--require-hashes", "-r", str(LOCK))
    venv.install("--no-deps", "--no-index", *map(str, wheels))
    venv.run("python", "-m", "pip", "check")
    if "materialize" not in venv.run("plotsim", "--help"):
        raise RuntimeError("the commands of the pipeline do not join plotsim")
    home = venv.folder / "home"
    home.mkdir()
    variables = {"DAGSTER_HOME": str(home), "PLOTSIM_DATASETS": DATASET}
    select = ("--select", f'key:"{KEY}"', "--partition", PARTITION)
    venv.run("dagster", "asset", "materialize", "-m", "plotsim_pipeline.definitions", *select, **variables)
    answer = venv.run("plotsim", "query", f"SELECT 'rows: ' || count(*) AS n FROM {KEY.replace('/', '.')}", **variables)
    (rows,) = re.findall(r"rows: (\d+)", answer)
    return f"| {venv.run('python', '-c', PLATFORM).strip()} | {len(venv.packages())} | {int(rows):,} |"


def interpreters(named: Sequence[str]) -> dict[str, str | None]:
    """Return an interpreter for each Python to try, or None where there is none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    pythons: dict[str, str | None] = dict.fromkeys(PYTHONS)
    for python in (*named, *(f"python{version}" for version in PYTHONS)):
        try:
            version = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            continue
        pythons[version] = pythons.get(version) or python
    return pythons


def page(built: dict[str, Files], alone: list[str], both: list[str], missing: list[str]) -> str:
    """Return the page."""
    sizes = [
        f"| {name} | {files.wheel.stat().st_size / 1e3:,.0f} kB | {files.sdist.stat().st_size / 1e3:,.0f} kB | "
        f"{'the same bytes' if files.is_same else 'OTHER BYTES'} |"
        for name, files in built.items()
    ]
    untried = f"\nNot tried, since no interpreter was there: Python {', '.join(missing)}.\n" if missing else ""
    return f"""# Both distributions, installed

`make packages` wrote this page. It builds both distributions, installs the wheels into clean environments and uses them.

| distribution | wheel | sdist | a wheel of the sdist, beside one of the tree |
| --- | ---: | ---: | --- |
{chr(10).join(sizes)}

plotsim-core alone, with the newest versions of what it needs; Dagster is not among them. `plotsim run {DATASET}` writes the
dataset, whose checksum is compared with `tests/known/checksums.json`:

| Python | packages | versions | values |
| --- | ---: | --- | --- |
{chr(10).join(alone)}

Both, on `deploy/requirements.txt` with its hashes; `dagster asset materialize` makes {KEY} of {PARTITION}:

| Python | packages | rows |
| --- | ---: | ---: |
{chr(10).join(both)}
{untried}"""


def main() -> None:
    """Try every Python and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], help="an interpreter to try")
    pythons = interpreters(parser.parse_args().python)
    with tempfile.TemporaryDirectory() as directory:
        built = {name: build(source, Path(directory) / name) for name, source in FOLDERS.items()}
        alone, both = [], []
        for version, python in pythons.items():
            if python is None:
                continue
            print(f"Python {version}: {python}", flush=True)
            alone.append(generator(python, Path(directory) / f"core-{version}", built["plotsim-core"].wheel))
            both.append(pipeline(python, Path(directory) / f"both-{version}", [files.wheel for files in built.values()]))
            print(alone[-1], both[-1], sep="\n", flush=True)
        PAGE.write_text(page(built, alone, both, [version for version, python in pythons.items() if python is None]))


if __name__ == "__main__":
    main()

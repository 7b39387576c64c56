"""Two distributions of one tree: what each states of itself, what it needs, and that it is the same however it is built."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from functools import cache
from importlib.metadata import EntryPoint, distribution, packages_distributions, requires
from pathlib import Path

import pytest
from click.testing import CliRunner
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.packages import FOLDERS, LOCK, PYTHONS, build
from plotsim_core.cli import main
from plotsim_core.cli.group import PIPELINE_COMMANDS
from plotsim_core.version import VERSION

ROOT = Path(__file__).parents[1]
CORE, PIPELINE = "plotsim-core", "plotsim-pipeline"
PACKAGES = {CORE: ROOT / "plotsim_core", PIPELINE: ROOT / "plotsim_pipeline"}
REQUIREMENTS = ROOT / "requirements.txt"
PIN = re.compile(
    r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)(?: ; [^\\]+)? \\\n"  # a name, its extras, a version, a marker
    r"((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.MULTILINE,
)
ADDRESS = re.compile(
    r"pypi\.org|pythonhosted\.|npmjs\.|anaconda\.|(?<!emit)-{1,2}(extra-)?index-url|\[\[?tool\.uv\.index", re.IGNORECASE
)
THEIR_OWN = {"polars"}
"""What is imported where somebody's own assets ask for it."""
NOT_IMPORTED = {
    "dagster-dg-cli",  # the command dg
    "dagster-postgres",  # named in deploy/dagster.yaml
    "dagster-webserver",  # the UI
    "psycopg2-binary",  # what dagster-postgres opens its database with
    "s3fs",  # what fsspec loads for s3://
    "typer",  # held back for dg
}
REFUSING = """
import sys
class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
sys.meta_path.insert(0, Refusing())
from plotsim_core.cli import main
from plotsim_core.cli.group import PIPELINE_COMMANDS
main(["run", "minimal", "-o", sys.argv[1], "--format", "parquet", "--validate"])
"""


@cache
def metadata(name: str) -> ProjectMetadata:
    """Return what a distribution states of itself, as its backend reads it."""
    return ProjectMetadata(str(FOLDERS[name]), PluginManager())


@cache
def owners() -> dict[str, set[str]]:
    """Return the distributions that are installed here, by the modules that they bring."""
    return {module: set(map(canonicalize_name, names)) for module, names in packages_distributions().items()}


def declared(name: str) -> dict[str, Requirement]:
    """Return what a distribution needs, its extras included, by name."""
    core = metadata(name).core
    lines = [*core.dependencies, *(line for extra in core.optional_dependencies.values() for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def modules_needed(package: Path) -> set[str]:
    """Return the top names of the modules that the files of a package import, wherever in them that stands."""
    names: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return names - sys.stdlib_module_names


def closure(names: set[str]) -> set[str]:
    """Return distributions with all that they need where they are installed here, extras left out."""
    waiting, closed = list(names), set()
    while waiting:
        name = waiting.pop()
        if name in closed:
            continue
        closed.add(name)
        for requirement in map(Requirement, requires(name) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return closed


def tracked() -> list[Path]:
    """Return the files of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_version_is_in_one_place() -> None:
    """Both read plotsim_core/version.py; the pipeline needs the generator of its own version."""
    assert metadata(CORE).version == metadata(PIPELINE).version == VERSION
    assert str(declared(PIPELINE)[CORE].specifier) == f"=={VERSION}"
    for folder in FOLDERS.values():
        assert VERSION not in (folder / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", FOLDERS)
def test_metadata_are_complete(name: str) -> None:
    """With a line for each Python that is tried, and the addresses that an index shows beside a package."""
    core = metadata(name).core
    assert core.name == name and core.description and core.keywords and core.authors
    assert core.license_expression == "Apache-2.0" and core.license_files == ["LICENSE"]
    assert (FOLDERS[name] / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert core.readme.startswith("# ") and core.readme_content_type == "text/markdown"
    assert set(core.urls) == {"Homepage", "Documentation", "Repository", "Issues", "Changelog"}
    pythons = re.findall(r"Programming Language :: Python :: (3\.\d+)", "\n".join(core.classifiers))
    assert core.requires_python == f">={pythons[0]}" and tuple(pythons) == PYTHONS[: len(pythons)]
    assert "Typing :: Typed" in core.classifiers and (PACKAGES[name] / "py.typed").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_imported_is_declared_and_no_more(name: str) -> None:
    modules = modules_needed(PACKAGES[name]) - {"plotsim_core", "plotsim_pipeline"}
    imported = {owner for module in modules for owner in owners().get(module, {module})}
    assert imported - set(declared(name)) - closure({"pydantic"}) <= THEIR_OWN
    assert set(declared(name)) - imported <= NOT_IMPORTED | {CORE}


def test_commands_belong_to_one_distribution_each() -> None:
    """plotsim is the generator's, the commands that join it are the pipeline's."""
    assert metadata(CORE).core.scripts == {"plotsim": "plotsim_core.cli:main"}
    assert not metadata(PIPELINE).core.scripts
    commands = metadata(PIPELINE).core.entry_points["plotsim.commands"]
    joined = {entry.name for entry in distribution(PIPELINE).entry_points if entry.group == "plotsim.commands"}
    assert set(commands) == joined == set(PIPELINE_COMMANDS)


@pytest.mark.parametrize("name", PIPELINE_COMMANDS)
def test_a_command_of_the_pipeline_says_where_it_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("plotsim_core.cli.group.entry_points", lambda **group: ())
    result = CliRunner().invoke(main, [name, "saas"])
    assert result.exit_code == 2
    assert result.output == f"'{name}' is a command of plotsim-pipeline, which is not installed beside plotsim-core\n"


def test_a_command_that_cannot_be_imported_names_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("status", "no_such_module:status", "plotsim.commands")
    monkeypatch.setattr("plotsim_core.cli.group.entry_points", lambda **group: (entry,))
    result = CliRunner().invoke(main, ["status", "saas"])
    assert result.exit_code == 2
    assert result.output.startswith("'status' is a command of no_such_module, which cannot be imported: No module named")


@pytest.mark.slow
def test_the_generator_works_where_only_its_own_needs_are(tmp_path: Path) -> None:
    """In a process that refuses to import whatever is installed here and does not come with plotsim-core."""
    needs = closure({canonicalize_name(Requirement(line).name) for line in metadata(CORE).core.dependencies})
    refused = {module for module, names in owners().items() if not needs & names} - {"plotsim_core", "_distutils_hack"}
    assert {"dagster", "fsspec", "psutil", "psycopg2"} <= refused
    code = f"REFUSED = {refused | {'plotsim_pipeline'}!r}\n{REFUSING}"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "validation_report.html").exists()


@pytest.mark.long
def test_the_readme_of_the_generator_is_true(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its commands and its code run."""
    monkeypatch.chdir(tmp_path)
    readme = metadata(CORE).core.readme
    for line in re.findall(r"^plotsim ([^#\n]+)", readme, re.MULTILINE):
        done = CliRunner().invoke(main, line.split())
        assert done.exit_code == 0, done.output
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})


def test_the_lock_pins_everything_by_hash() -> None:
    """The image has nothing that the tests do not have, in the same versions and files."""
    whole, image = (
        {canonicalize_name(name): (version, hashes) for name, version, hashes in PIN.findall(file.read_text())}
        for file in (REQUIREMENTS, LOCK)
    )
    for file, pins in ((REQUIREMENTS, whole), (LOCK, image)):
        assert len(pins) == len(re.findall(r"^[^\s#]", file.read_text(), re.MULTILINE))
    assert image.items() <= whole.items()
    for name in FOLDERS:
        for other, requirement in declared(name).items():
            assert other == CORE or requirement.specifier.contains(image[other][0])


def test_no_file_names_a_registry() -> None:
    """Packages come from whatever index is configured where they are installed."""
    named = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if (match := ADDRESS.search(path.read_bytes().decode("utf-8", "replace")))
    ]
    assert named == []
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.long
def test_a_wheel_of_the_sdist_is_that_of_the_tree(name: str, tmp_path: Path) -> None:
    """Byte for byte; it has the files of its package and the bundled configs, and nothing else."""
    files = build(FOLDERS[name], tmp_path)
    assert files.is_same
    package = PACKAGES[name]
    expected = {str(path.relative_to(ROOT)) for path in tracked() if package in path.parents}
    if name == CORE:
        expected -= {f"plotsim_core/{file}" for file in ("LICENSE", "README.md", "pyproject.toml")}
        expected |= {f"plotsim_core/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    with zipfile.ZipFile(files.wheel) as wheel:
        assert {file for file in wheel.namelist() if ".dist-info/" not in file} == expected


@pytest.mark.long
def test_pip_takes_both_from_the_tree_and_neither_from_an_index(tmp_path: Path) -> None:
    """Into an environment that has all they need, from no index at all; without the second, there is no Dagster in it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    (packages,) = tmp_path.glob("lib/python*/site-packages")
    for place in Path(pytest.__file__).parents[1].iterdir():
        if "plotsim" not in place.name:
            (packages / place.name).symlink_to(place)
    install = [
        str(tmp_path / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-build-isolation",
        "--no-compile",
    ]

    def commands() -> str:
        plotsim = [str(tmp_path / "bin" / "plotsim"), "--help"]
        return subprocess.run(plotsim, cwd=tmp_path, env={}, check=True, capture_output=True, text=True).stdout

    refused = subprocess.run([*install, "."], cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert refused.returncode != 0 and f"{CORE}=={VERSION}" in refused.stderr
    subprocess.run([*install, "./plotsim_core"], cwd=ROOT, env={}, check=True, capture_output=True)
    assert "explain" in commands() and "materialize" not in commands()
    subprocess.run([*install, "./plotsim_core", "."], cwd=ROOT, env={}, check=True, capture_output=True)
    assert "materialize" in commands()

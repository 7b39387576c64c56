"""The command line: what each command says and writes, its exit codes, and that errors are sentences."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

import plotsim_core
from plotsim_core.cli import main
from plotsim_core.cli.group import COMMANDS
from plotsim_core.run_files import REPORT_FILES
from plotsim_core.schema import json_schema
from tests.laws.made import BUNDLED
from tests.marks import slow_but

BROKEN = "about: x\nunit: company\nwindow: [2024-01, 2024-12]\nsegmnts: []\nmetrics: [{name: a, type: scor}]\n"


def _plotsim(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def _warned(directory: Path) -> Path:
    """A config that loads with a warning: its correlations cannot quite hold together."""
    text = plotsim_core.template("minimal").read_text(encoding="utf-8")
    third = "metrics:\n- { name: use, type: score, polarity: positive }"
    pairs = "connections: [use 0.7 engagement, use 0.7 payments, engagement -0.1 payments]\n"
    path = directory / "warned.yaml"
    path.write_text(text.replace("metrics:", third) + pairs, encoding="utf-8")
    assert plotsim_core.load_config(path).warnings
    return path


def test_run_writes_every_table_the_config_and_a_closing_table(tmp_path: Path) -> None:
    actual = _plotsim("run", "minimal", "-o", tmp_path / "data", "--format", "parquet")
    names = {path.name for path in (tmp_path / "data").iterdir()}
    tables = ("dim_date", "dim_customer", "fct_engagement", "fct_payments")
    assert names == {"config.yaml", "manifest.json", *(f"{table}.parquet" for table in tables)}
    assert re.search(r"fct_engagement +960 +\d+\.\d\d", actual.stderr)
    assert actual.stdout == ""
    assert str(tmp_path / "data") in actual.stderr


def test_run_takes_seed_scale_periods_and_tables_and_says_nothing_when_quiet(tmp_path: Path) -> None:
    options = ("--seed", "7", "--scale", "0.5", "--periods", "2024-02..2024-03", "--tables", "fct_payments,trajectories")
    actual = _plotsim("run", "minimal", "-o", tmp_path, "--format", "parquet", *options, "--quiet")
    assert actual.output == ""
    assert pq.read_metadata(tmp_path / "fct_payments.parquet").num_rows == 2 * 40
    assert (tmp_path / "trajectories.parquet").exists()
    assert not (tmp_path / "dim_date.parquet").exists()
    config = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    assert (config["seed"], config["scale"]) == (7, 0.5)


def test_run_with_validate_writes_the_report(tmp_path: Path) -> None:
    _plotsim("run", "minimal", "-o", tmp_path, "--format", "parquet", "-v")
    assert (tmp_path / REPORT_FILES[0]).read_text(encoding="utf-8").startswith("minimal, 2024-01 to 2024-12: score ")
    assert json.loads((tmp_path / REPORT_FILES[1]).read_text(encoding="utf-8"))["score"] > 49
    text = (tmp_path / REPORT_FILES[2]).read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "<svg" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch.yaml",),
        ("minimal", "--tables", "fct_payment"),
        ("minimal", "--periods", "2030-01"),
        ("minimal", "--periods", "soon"),
        ("minimal", "--format", "xlsx"),
        ("minimal", "--scale", "0"),
    ],
)
def test_a_request_that_makes_no_sense_is_exit_code_2_and_writes_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    actual = _plotsim("run", *arguments, "-o", tmp_path / "data", code=2)
    assert actual.stderr
    assert not (tmp_path / "data").exists()


def test_a_broken_config_is_told_whole_by_run_validate_and_info(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN, encoding="utf-8")
    for command in (("run", path, "-o", tmp_path / "data"), ("validate", path), ("info", path)):
        output = _plotsim(*command, code=2).stderr
        assert "segmnts" in output and "metrics[0]" in output and "segments" in output
    assert not (tmp_path / "data").exists()


def test_strict_stops_at_a_warning_before_anything_is_written(tmp_path: Path) -> None:
    path = _warned(tmp_path)
    assert "warning: connections" in _plotsim("run", path, "-o", tmp_path / "data", "--strict", code=1).stderr
    assert not (tmp_path / "data").exists()
    assert "warning: connections" in _plotsim("validate", path).stderr
    _plotsim("validate", path, "--strict", code=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_info_shows_segments_metrics_and_tables_and_makes_nothing(name: str, tmp_path: Path) -> None:
    plan = plotsim_core.load_config(plotsim_core.template(name))
    output = _plotsim("info", name).stdout
    assert (f"{plan.stop - plan.first} partitions" if plan.stop is not None else "a partition each") in output
    for word in (
        [s.spec.name for s in plan.population.segments]
        + [m.name for m in plan.population.metrics]
        + [t.name for t in plan.tables]
    ):
        assert word in output
    assert any(bar in output for bar in "▁▂▃▄▅▆▇█")


def test_a_note_is_told_unless_it_is_to_be_quiet(tmp_path: Path) -> None:
    path = tmp_path / "noted.yaml"
    raw = yaml.safe_load(plotsim_core.template("minimal").read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**raw, "output": {"format": "csv", "compression": "zstd"}}), encoding="utf-8")
    text = "note: output.compression: has no effect without `format: parquet`"
    assert text in _plotsim("run", path, "-o", tmp_path / "data").stderr
    assert _plotsim("run", path, "-o", tmp_path / "data", "--quiet").output == ""


def test_templates_are_listed_printed_and_not_overwritten(tmp_path: Path) -> None:
    assert [line.split()[0] for line in _plotsim("list-templates").stdout.splitlines()] == plotsim_core.list_templates()
    text = plotsim_core.template("saas").read_text(encoding="utf-8")
    assert _plotsim("template", "saas").stdout == text
    path = tmp_path / "my.yaml"
    path.write_text("mine", encoding="utf-8")
    assert "--force" in _plotsim("template", "saas", "-o", path, code=2).stderr
    assert path.read_text(encoding="utf-8") == "mine"
    _plotsim("template", "saas", "-o", path, "--force")
    assert path.read_text(encoding="utf-8") == text
    _plotsim("template", "hr", "-o", path)  # nothing of anybody's is lost
    assert path.read_text(encoding="utf-8") == plotsim_core.template("hr").read_text(encoding="utf-8")
    assert "did you mean 'saas'" in _plotsim("template", "sas", code=2).stderr


@pytest.mark.slow
def test_schema_prints_the_json_schema(tmp_path: Path) -> None:
    assert json.loads(_plotsim("schema").stdout) == json_schema()
    _plotsim("schema", "-o", tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8")) == json_schema()


def test_explain_prints_the_steps_of_one_value() -> None:
    row = plotsim_core.generate_tables(plotsim_core.load_config(plotsim_core.template("saas")))["fct_revenue"].iloc[100]
    output = _plotsim("explain", "saas", "fct_revenue", row["company_id"], str(row["date_key"]), "mrr").stdout
    assert output.splitlines()[0].startswith(f"fct_revenue.mrr of {row['company_id']}")
    assert "lag" in output and "engagement moved by" in output
    assert (
        "did you mean 'mrr'" in _plotsim("explain", "saas", "fct_revenue", row["company_id"], "2023-01", "mr", code=2).stderr
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lst"], "no command is named 'lst'; did you mean 'list-templates'?"),
        (["templat"], "no command is named 'templat'; did you mean 'template'?"),
        (["explian", "saas"], "did you mean 'explain'?"),
        (["stauts"], "did you mean 'status'?"),
        (["xyz"], "no command is named 'xyz'; known: "),
        (["run", "saas", "--formt", "csv"], "'--format'"),
        (["run", "saas", "--sed", "3"], "'--seed'"),
        (["--versoin"], "'--version'"),
    ],
)
def test_a_misspelt_command_or_option_is_answered_with_the_nearest(arguments: list[str], says: str) -> None:
    assert says in _plotsim(*arguments, code=2).stderr


@pytest.mark.parametrize("command", list(main.commands))
def test_help_of_every_command_teaches_with_an_example(command: str) -> None:
    output = _plotsim(command, "--help").stdout
    assert "Example" in output and f"plotsim {command}" in output


@pytest.mark.slow
@pytest.mark.parametrize("program", [("-m", "plotsim_core"), ("-c", "from plotsim_core.cli import main; main()")])
def test_the_program_itself_exits_with_2_and_a_sentence(program: tuple[str, str], tmp_path: Path) -> None:
    command = [sys.executable, *program, "run", "nosuch", "-o", str(tmp_path / "data")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "nosuch" in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""


FORMS = ("parquet", "csv", "duckdb")


def _written(form: str, directory: Path, *options: str) -> Path:
    """Data of `minimal` in a format; a DuckDB file is given itself, other formats as their directory."""
    _plotsim("run", "minimal", "-o", directory, "--format", form, "--quiet", *options)
    return directory / "minimal.duckdb" if form == "duckdb" else directory


def _break(form: str, directory: Path) -> None:
    """Store the first row of fct_payments once more."""
    if form == "duckdb":
        with duckdb.connect(directory / "minimal.duckdb") as connection:
            connection.execute("INSERT INTO fct_payments FROM fct_payments LIMIT 1")
    elif form == "csv":
        file = directory / "fct_payments.csv"
        lines = file.read_text(encoding="utf-8").splitlines()
        file.write_text("\n".join([*lines, lines[1], ""]), encoding="utf-8")
    else:
        rows = pq.read_table(directory / "fct_payments.parquet")
        pq.write_table(pa.concat_tables([rows, rows.slice(0, 1)]), directory / "fct_payments.parquet")


@pytest.mark.parametrize("form", slow_but(FORMS, "parquet"))
def test_check_passes_whole_data_and_fails_broken_data(form: str, tmp_path: Path) -> None:
    """The seed and the scale of the data need not be told; a row that stands twice is exit code 1, and named."""
    data = _written(form, tmp_path / "data", "--seed", "7", "--scale", "0.5")
    actual = _plotsim("check", data, "--config", "minimal")
    assert "score 100" in actual.stdout
    assert actual.stderr == ""
    _break(form, tmp_path / "data")
    actual = _plotsim(
        "check", data, "--config", "minimal", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html", code=1
    )
    assert "FAIL keys_unique" in actual.stdout
    record = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (record["failed"], record["seed"], record["scale"]) == (True, 7, 0.5)
    assert "The data is broken" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", slow_but(FORMS, "parquet"))
def test_check_refuses_data_of_another_config(form: str, tmp_path: Path) -> None:
    """Another config, another seed and another scale are exit code 2, and the message says what the data says."""
    data = _written(form, tmp_path / "data", "--seed", "7")
    other = tmp_path / "minimal.yaml"
    text = plotsim_core.template("minimal").read_text(encoding="utf-8")
    other.write_text(text.replace("unit: customer", "unit: client"), encoding="utf-8")
    assert text != other.read_text(encoding="utf-8")
    for options in (("--config", other), ("--config", "minimal", "--seed", "8"), ("--config", "minimal", "--scale", "2")):
        output = _plotsim("check", data, *options, code=2).stderr
        assert "was not made from this config" in output and "seed 7" in output
    _plotsim("check", data, "--config", "minimal", "--seed", "7", "--quiet")


@pytest.mark.parametrize("scale", [2, 2.0, None])
def test_check_knows_data_however_its_scale_was_given(scale: float | None, tmp_path: Path) -> None:
    """A whole scale is the same as an int, as a float and as the config's own."""
    plan = plotsim_core.load_config(plotsim_core.template("minimal"), scale=scale)
    plotsim_core.write_tables(plan, tmp_path, format="parquet", periods="2024-02..2024-03")
    output = _plotsim("check", tmp_path, "--config", "minimal").stdout
    assert "2024-02 to 2024-03" in output


@pytest.mark.slow
def test_check_takes_the_copy_of_the_config_beside_the_data(tmp_path: Path) -> None:
    """The dataset keeps the name that its data says, whatever the file of the config is called."""
    data = _written("duckdb", tmp_path)
    assert "minimal, 2024-01 to 2024-12" in _plotsim("check", data, "--config", tmp_path / "config.yaml").stdout
    assert "score 100" in _plotsim("check", tmp_path, "--config", tmp_path / "config.yaml").stdout


def test_check_of_data_that_says_nothing_says_so(tmp_path: Path) -> None:
    data = _written("csv", tmp_path)
    (tmp_path / "config.yaml").unlink()
    assert "does not say what it was made from" in _plotsim("check", data, "--config", "minimal").stderr


def test_check_judges_only_the_periods_that_are_asked_for(tmp_path: Path) -> None:
    """What is broken outside them is not seen, and periods outside the window make no sense."""
    data = _written("parquet", tmp_path)
    rows = pq.read_table(tmp_path / "fct_payments.parquet")
    pq.write_table(pa.concat_tables([rows, rows.slice(0, 1)]), tmp_path / "fct_payments.parquet")
    _plotsim("check", data, "--config", "minimal", code=1)
    _plotsim("check", data, "--config", "minimal", "--periods", "2024-02..2024-12")
    assert "not in the window" in _plotsim("check", data, "--config", "minimal", "--periods", "2030-01", code=2).stderr


@pytest.mark.slow
def test_check_lets_a_warning_fail_only_when_strict(tmp_path: Path) -> None:
    """A correlation turned round is a warning."""
    _plotsim("run", "saas", "-o", tmp_path, "--format", "duckdb", "--scale", "3", "--quiet")
    with duckdb.connect(tmp_path / "saas.duckdb") as connection:
        connection.execute("UPDATE fct_engagement SET feature_adoption = 1 - feature_adoption")
    assert "warn correlations_as_declared" in _plotsim("check", tmp_path, "--config", "saas").stdout
    assert _plotsim("check", tmp_path, "--config", "saas", "--strict", "--quiet", code=1).output == ""


def test_check_of_what_is_no_data_is_exit_code_2(tmp_path: Path) -> None:
    """A directory with nothing in it, a file that is no database, a place that is not there, and no config."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "some.duckdb").write_bytes(b"not a database" * 100)
    for data in ("empty", "some.duckdb", "nosuch"):
        assert data in _plotsim("check", tmp_path / data, "--config", "minimal", code=2).stderr
    assert "--config" in _plotsim("check", tmp_path / "empty", code=2).stderr


@pytest.mark.slow
def test_files_that_are_not_of_this_run_are_named(tmp_path: Path) -> None:
    """Of another dataset or format; not those that the run replaces, and nothing in a directory that is not a run's."""
    (tmp_path / "notes.txt").write_text("mine")
    first = _plotsim("run", "minimal", "-o", tmp_path, "--format", "csv")
    assert "not of this run" not in first.stderr
    again = _plotsim("run", "minimal", "-o", tmp_path, "--format", "csv")
    assert f"note: also in {tmp_path}, and not of this run: notes.txt" in again.stderr.splitlines()
    other = _plotsim("run", "minimal", "-o", tmp_path, "--format", "parquet", "--quiet")
    assert "not of this run" not in other.stderr
    third = _plotsim("run", "minimal", "-o", tmp_path, "--format", "parquet")
    assert "dim_customer.csv, dim_date.csv, fct_engagement.csv, fct_payments.csv, notes.txt" in third.stderr


def test_the_list_of_commands_is_that_of_their_modules() -> None:
    """Each is where the list says, begins its help with what the list says of it, and none is left out."""
    modules = {import_module(f"plotsim_core.cli.{module}") for module, _ in COMMANDS.values()}
    assert modules
    assert main.commands.keys() == COMMANDS.keys()
    for name, (module, words) in COMMANDS.items():
        command = main.commands[name]
        assert command.callback is not None and command.callback.__module__ == f"plotsim_core.cli.{module}"
        assert (command.help or "").split()[:4] == words.split()[:4]

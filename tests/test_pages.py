"""A page in the forms that plotsim's own pages have, in our words, works line by line: commands with short and long options,
a program that writes frames, and the files that are there then."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.marks import slow_but
from tests.pages import commands, files, options, run, run_python

CONFIG = """
about: Members of a gym
unit: member
window: ["2023-07", "2024-06", "monthly"]
metrics:
- { name: visits, type: count, polarity: positive }
- { name: mood, type: score, polarity: positive }
segments:
- { name: keen, count: 12, archetype: growth }
- { name: fading, count: 8, archetype: spike_then_crash }
seed: 3
"""
PROGRAM = """
from plotsim import create_from_yaml, generate_tables, write_tables
config = create_from_yaml("gym.yaml")
tables = generate_tables(config)
write_tables(tables, config)
"""
TREE = """
output/
├── dim_date.csv            # the days
├── dim_member.csv
├── fct_visits.csv
├── fct_mood.csv
├── config.yaml
├── validation_report.txt   # what was checked
└── manifest.json
"""
SESSION = """
plotsim list-templates                  # which there are
plotsim template hr -o mine.yaml
plotsim template health -o mine.yaml    # another one in its place
plotsim validate gym.yaml
plotsim info gym.yaml
plotsim run gym.yaml -o ./there --validate
plotsim run gym.yaml --validate
"""
REFERENCE = """
plotsim run <config>            Make its tables
  -o, --output-dir <path>       Where to
  -s, --seed <int>              Another seed
  -v, --validate                Check them
  --strict                      Warnings are errors
  -q, --quiet                   Say nothing

plotsim validate <config>       Check a config
plotsim info <config>           Say what there would be
plotsim list-templates          Name the bundled configs
plotsim template <name>         Print one
  -o, --output <path>           Into a file
"""


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gym.yaml").write_text(CONFIG, encoding="utf-8")


def test_a_program_writes_all_files_of_a_run() -> None:
    run_python(PROGRAM)
    assert {path.name for path in Path("output").iterdir()} == files(TREE)
    by_frames = {path.name: path.read_bytes() for path in Path("output").iterdir()}
    run("plotsim run gym.yaml -o there -v")
    assert all((Path("there") / name).read_bytes() == content for name, content in by_frames.items())


@pytest.mark.slow
def test_a_session_works_and_works_again() -> None:
    assert len(commands(SESSION)) == 7
    for command in commands(SESSION) * 2:
        done = run(command)
        assert done.exit_code == 0, f"{command}: {done.output}"
    assert files(TREE) <= {path.name for path in Path("there").iterdir()}
    assert "patient" in Path("mine.yaml").read_text(encoding="utf-8")


def test_a_file_that_was_changed_is_kept() -> None:
    run("plotsim template hr -o mine.yaml")
    with open("mine.yaml", "a", encoding="utf-8") as file:
        file.write("# mine\n")
    assert run("plotsim template hr -o mine.yaml").exit_code == 2
    assert Path("mine.yaml").read_text(encoding="utf-8").endswith("# mine\n")


COMMANDS = options(REFERENCE)


def test_the_reference_is_read_as_it_is_meant() -> None:
    assert list(COMMANDS) == ["run", "validate", "info", "list-templates", "template"]
    assert COMMANDS["run"][:3] == [("-o", "path"), ("--output-dir", "path"), ("-s", "int")]
    assert len(COMMANDS["run"]) == 9


@pytest.mark.parametrize("command", slow_but(COMMANDS, *list(COMMANDS)[1:]))
def test_every_option_works_and_is_explained(command: str) -> None:
    argument = {"list-templates": "", "template": "hr"}.get(command, "gym.yaml")
    for option, value in [("", ""), *COMMANDS[command]]:
        given = {"path": "made.yaml" if command == "template" else "made", "int": "7", "": ""}[value]
        done = run(f"plotsim {command} {argument} {option} {given}")
        assert done.exit_code == 0, f"{option}: {done.output}"
    helped = run(f"plotsim {command} --help").output
    assert all(re.search(rf"(^|[ ,]){option}\b", helped, re.MULTILINE) for option, _ in COMMANDS[command]), helped


@pytest.mark.slow
def test_short_options_do_what_the_long_ones_do() -> None:
    long = run("plotsim run gym.yaml --output-dir long --seed 7 --validate --quiet")
    short = run("plotsim run gym.yaml -o short -s 7 -v -q")
    assert (long.output, short.output) == ("", "")
    names = {path.name for path in Path("long").iterdir()}
    assert names == {path.name for path in Path("short").iterdir()}
    assert all((Path("long") / name).read_bytes() == (Path("short") / name).read_bytes() for name in names)
    assert "seed: 7" in (Path("short") / "config.yaml").read_text(encoding="utf-8")


def test_a_format_alone_is_a_line() -> None:
    Path("gym.yaml").write_text(f"{CONFIG}output_format: parquet\n", encoding="utf-8")
    run_python(PROGRAM)
    assert {path.suffix for path in Path("output").iterdir()} == {".parquet", ".yaml", ".txt", ".json"}
    Path("gym.yaml").write_text(f"{CONFIG}output_format: parquet\noutput: csv\n", encoding="utf-8")
    assert "says the same as output" in run("plotsim validate gym.yaml").output

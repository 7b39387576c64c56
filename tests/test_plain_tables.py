"""Datasets without units from the command line and as a library: what is told of them, and what makes no sense for them."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

import plotsim_core
from plotsim_core import Plan, UsageError, load_config
from plotsim_core.cli import main
from plotsim_core.tables.build import find_table
from plotsim_core.tables.first_rows import first_rows
from plotsim_core.tables.stages import stage_names
from tests.laws.made import made_table

USERS = """
about: A mock table of users
dimensions:
- { name: users, reference: true, count: 1000, columns: [{ name: user_id, type: id }, { name: name, type: faker.name }] }
"""
SHELF = """
about: A shelf
window: [2024-01, 2024-06, month]
dimensions:
- name: users
  reference: true
  count: 40
  columns: [{ name: user_id, type: id }, { name: born, type: faker.date_of_birth }]
- { name: sizes, reference: true, columns: [{ name: size_id, type: id, values: [S, M, L] }] }
"""


@pytest.fixture
def users(tmp_path: Path) -> Path:
    file = tmp_path / "users.yaml"
    file.write_text(USERS)
    return file


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    file = tmp_path / "shelf.yaml"
    file.write_text(SHELF)
    return file


def plotsim(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_three_lines_are_a_whole_config(users: Path, tmp_path: Path) -> None:
    plotsim("run", users, "-o", tmp_path / "data", "--validate")
    rows = rows_of(tmp_path / "data" / "users.csv")
    assert len(rows) == 1000 and len({row["user_id"] for row in rows}) == 1000
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["window"], manifest["periods"], manifest["kinds"]) == (None, [], [])
    text = (tmp_path / "data" / "validation_report.txt").read_text(encoding="utf-8")
    assert text.startswith("users: score 100 (of structure, values: there are no metrics)\n")
    page = (tmp_path / "data" / "validation_report.html").read_text(encoding="utf-8")
    assert "Pictures" not in page and "None" not in page
    assert "score 100" in plotsim("check", tmp_path / "data", "--config", users).output


def test_data_that_was_broken_by_hand_is_found_broken(users: Path, tmp_path: Path) -> None:
    plotsim("run", users, "-o", tmp_path / "data")
    file = tmp_path / "data" / "users.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("USE-002", "USE-001"), encoding="utf-8")
    assert "FAIL keys_unique" in plotsim("check", tmp_path / "data", "--config", users, code=1).output


def test_there_are_no_stages_and_no_periods(users: Path) -> None:
    plan = load_config(users)
    assert stage_names(plan) == [] and plan.kinds == () and not plan.has_window
    with pytest.raises(UsageError, match="no table is named 'trajectories'"):
        find_table(plan, "trajectories")
    with pytest.raises(UsageError, match="the dataset has no window"):
        plotsim_core.batches(plan, "users", 3, 4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--periods", "2024-01"), "users has no periods to choose from: its config has no window"),
        (("info", "--periods", "2024-01"), "users has no periods to choose from: its config has no window"),
        (("run", "--target-rows", "50"), "there are no units to scale to the target rows"),
        (("run", "--scale", "2"), "scale: has no effect: there are no units"),
        (("run", "--noise", "messy"), "noise: has no effect: there are no units"),
        (("run", "--rows", "user=5"), "no table is named 'user'; did you mean 'users'?"),
        (("run", "--sample", "3", "--validate"), "--sample prints rows and writes nothing: leave out --validate"),
        (("explain", "users", "USE-001"), "expected TABLE, KEY and COLUMN"),
        (("explain", "users", "USE-001", "2024-01", "name"), "'2024-01' is no period: the dataset has no window"),
        (("expected", "users", "2024-01"), "'2024-01' is no period: the dataset has no window"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(arguments: tuple[str, ...], says: str, users: Path) -> None:
    command, *rest = arguments
    assert says in plotsim(command, users, *rest, code=2).output


def test_info_validate_and_explain_tell_what_there_is(users: Path) -> None:
    output = plotsim("info", users).output
    assert "no window, no units, seed 0" in output and "1,000" in output and "Dagster" not in output
    assert "nothing is wrong (1 table)" in plotsim("validate", users).output
    explained = plotsim("explain", users, "users", "USE-001", "name").output
    assert explained.startswith("users.name of USE-001: ")
    assert len(plotsim("expected", users, "users").stdout.splitlines()) == 1001


def test_a_window_without_units_has_dates_and_states(shelf: Path) -> None:
    plan = load_config(shelf)
    assert {table.name: table.kind for table in plan.tables} == {
        "users": "plain",
        "sizes": "plain",
        "dim_date": "date",
    }
    assert len(made_table(plan, "dim_date", *plotsim_core.parse_periods(plan, "2024-02..2024-03") or ())) == 2
    assert "2024-01 to 2024-06, 6 partitions, span 6, no units, seed 0" in plotsim("info", shelf).output


def test_dates_before_today_lie_before_the_window_or_before_2025(shelf: Path) -> None:
    timeless = plotsim_core.create_from_yaml(SHELF.replace("window: [2024-01, 2024-06, month]\n", ""))
    born = {plan: made_table(plan, "users")["born"].to_pylist() for plan in (load_config(shelf), timeless)}
    for plan, end in ((load_config(shelf), date(2024, 1, 1)), (timeless, date(2025, 1, 1))):
        assert max(made_table(plan, "users")["born"].to_pylist()) < end
    assert len(born) == 2


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_one_table_goes_to_a_file_by_its_ending(ending: str, shelf: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / f"people.{ending}"
    for _ in range(2):  # the second takes the place of the first
        assert "40 rows of users in" in plotsim("run", shelf, "--tables", "users", "-o", file).stderr
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    plotsim("run", shelf, "-o", tmp_path / "data", "--format", ending, "--tables", "users")
    assert file.read_bytes() == (tmp_path / "data" / f"users.{ending}").read_bytes()


def test_the_only_table_needs_no_name(users: Path, tmp_path: Path) -> None:
    plotsim("run", users, "-o", tmp_path / "t.parquet", "--rows", "users=7", "-q")
    assert pq.read_metadata(tmp_path / "t.parquet").num_rows == 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-o", "t.csv"), "is one file, and there are 3 tables (users, sizes, dim_date): name one by --tables"),
        (("-o", "t.csv", "--tables", "users,sizes"), "there are 2 tables (users, sizes)"),
        (("-o", "t.csv", "--tables", "users", "--format", "parquet"), "ends in .csv, and --format says parquet"),
        (("-o", "t.csv", "--tables", "users", "--validate"), "--validate judges what is in a folder"),
        (("-o", "shelf.yaml", "--tables", "users"), "is a file; -o names a folder, or a file that ends in .csv"),
        (("-o", "t.txt", "--tables", "users"), "t.txt ends in .txt, and a file of one table in .csv, .jsonl, .parquet"),
        (("-o", "t.duckdb", "--format", "duckdb"), "t.duckdb ends in .duckdb, and a file of one table in .csv"),
        (("-o", "t.csv", "--sample", "2"), "--sample prints rows and writes nothing: leave out -o"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    arguments: tuple[str, ...], says: str, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in plotsim("run", shelf, *arguments, code=2).output
    assert [path.name for path in tmp_path.iterdir()] == ["shelf.yaml"]


@pytest.mark.parametrize("name", ["data.2024-01", "run1.5", ".data", "shop.d"])
def test_a_folder_may_have_a_point_in_its_name(name: str, users: Path, tmp_path: Path) -> None:
    """With letters after it once the folder is there."""
    if name == "shop.d":
        (tmp_path / name).mkdir()
    plotsim("run", users, "-o", tmp_path / name, "-q")
    assert (tmp_path / name / "users.csv").is_file()


def test_rows_are_those_that_are_asked_for(shelf: Path, tmp_path: Path) -> None:
    """More or fewer rows of a table move none of the others, and none of its own."""
    more = load_config(shelf, table_rows={"users": 90})
    assert (len(made_table(more, "users")), len(made_table(more, "dim_date"))) == (90, 6)
    assert made_table(more, "users").slice(0, 40).combine_chunks().equals(made_table(load_config(shelf), "users"))
    plotsim("run", shelf, "-o", tmp_path / "data", "--rows", "users=12")
    assert len(rows_of(tmp_path / "data" / "users.csv")) == 12
    assert "was not made from this config" in plotsim("check", tmp_path / "data", "--config", shelf, code=2).output
    assert "score 100" in plotsim("check", tmp_path / "data", "--config", shelf, "--rows", "users=12").output
    assert "score 100" in plotsim("check", tmp_path / "data", "--config", tmp_path / "data" / "config.yaml").output


@pytest.mark.parametrize(
    ("config", "table_rows", "says"),
    [
        ("shelf", "sizes=2", "sizes cannot have 2 rows: it lists 3"),
        ("shelf", "dim_date=2", "no table is named 'dim_date'"),
        ("saas", "fct_revenue=9", "fct_revenue has no rows of its own number: they come of units or periods; see --scale"),
        ("saas", "dim_company=9", "dim_company has no rows of its own number"),
        ("shelf", "users", "expected TABLE=N, a table and how many rows it has, found 'users'"),
        ("shelf", "users=0", "expected TABLE=N"),
        ("shelf", "users=many", "expected TABLE=N"),
    ],
)
def test_rows_that_a_table_cannot_have_are_refused(config: str, table_rows: str, says: str, shelf: Path) -> None:
    result = plotsim("run", shelf if config == "shelf" else config, "--rows", table_rows, "-o", "nowhere", code=2)
    assert says in " ".join(result.output.split())


CHILDREN = """
about: Jobs
window: { start: 2024-01, end: 2024-03, every: month }
tables:
  - { name: jobs, rows: 30, columns: { job_id: id } }
  - { name: stages, per: jobs, rows: ROWS, columns: { stage_no: sequence } }
  - { name: tasks, per: stages, rows: 2, columns: { task_no: sequence } }
  - { name: calls, rows: 5, columns: { call_id: id, at: timestamp } }
  - { name: notes, per: calls, rows: 2, columns: { note_no: sequence } }
"""


@pytest.mark.parametrize("written", ["[1, 5]", "{ exact: 40, zipf: 2.0 }"])
def test_rows_in_all_are_dealt_out_to_plain_rows(written: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text(CHILDREN.replace("ROWS", written))
    rows = made_table(load_config(file, table_rows={"stages": 77}), "stages")
    most = max(Counter(rows["job_id"].to_pylist()).values())
    assert len(rows) == 77
    assert most > 20 if "zipf" in written else most <= 5
    for jobs in (25, 16):
        assert len(made_table(load_config(file, table_rows={"stages": 77, "jobs": jobs}), "stages")) == 77
    message = "tasks has rows for each of stages, and a number in all is dealt out to rows of plain tables alone"
    assert message in " ".join(plotsim("run", file, "--rows", "tasks=9", code=2).output.split())
    assert "the rows of jobs are given twice" in plotsim("run", file, "--rows", "jobs=9", "--rows", "jobs=8", code=2).output
    assert len(made_table(load_config(file, table_rows={"notes": 9}), "notes")) == 9  # of rows with moments, in their span


def test_rows_in_all_of_rows_with_moments_take_another_number(tmp_path: Path) -> None:
    """Where they say how many there are in all, of the rows of each span."""
    raw = {
        "about": "Calls",
        "window": ["2024-01-01", "2024-01-31", "day"],
        "tables": [
            {"name": "calls", "rows": 50, "columns": {"call_id": {"type": "id", "start": 1}, "moment": "timestamp"}},
            {"name": "notes", "per": "calls", "rows": {"exact": 250}, "columns": {"note_id": "id", "call_id": "ref.calls"}},
        ],
    }
    path = tmp_path / "calls.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    assert load_config(path, table_rows={"notes": 300}).table("notes").spec.row_count.total == 300


def test_rows_of_a_file_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "icd.csv").write_text("icd_id,ward\nA1,north\nA2,south\n")
    file = tmp_path / "codes.yaml"
    file.write_text("about: x\ndimensions: [{ name: icd, rows: { file: icd.csv, key: icd_id } }]\n")
    assert "icd cannot have 1 rows: it lists 2" in plotsim("run", file, "--rows", "icd=1", code=2).output
    assert "icd has 9 rows, and 2 keys of its own" in plotsim("run", file, "--rows", "icd=9", code=2).output


def test_a_sample_shows_rows_of_each_table_aligned(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = plotsim("run", shelf, "--sample", "2").stdout
    parts = [part.splitlines() for part in output.split("\n\n")]
    assert [part[0] for part in parts] == ["users", "sizes", "dim_date"]
    assert all(len(part) == 4 for part in parts), "a name, the columns, two rows"
    assert parts[2][1].split() == made_table(load_config(shelf), "dim_date").column_names
    assert [path.name for path in tmp_path.iterdir()] == ["shelf.yaml"]
    narrow = plotsim("run", shelf, "--sample", "1", "--tables", "dim_date", "--periods", "2024-05..2024-06").stdout
    assert narrow.splitlines()[2].startswith("20240501")


SAMPLED = ["minimal", "saas", "hr"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_rows_are_rows_of_the_whole(name: str) -> None:
    plan: Plan = plotsim_core.load_template(name)
    stop = plan.stop or plan.first + plan.span
    for table in [table.name for table in plan.tables] + stage_names(plan):
        rows = first_rows(plan, table, 5, plan.first, stop)
        whole = made_table(plan, table, plan.first, stop)
        assert len(rows) == min(5, len(whole)), table
        texts = {str(row) for row in whole.to_pylist()}
        assert all(str(row) in texts for row in rows.to_pylist()), table


def test_a_sample_of_a_large_dataset_does_not_make_it() -> None:
    """A hundred thousand times as many units cost about the same."""
    result = plotsim("run", "minimal", "--scale", "10000", "--sample", "3")
    assert re.search(r"^fct_payments\n.*\n.*\n.*\n.*", result.stdout, re.MULTILINE)


def test_references_by_value_and_to_the_own_table_need_no_units(tmp_path: Path) -> None:
    file = tmp_path / "wards.yaml"
    file.write_text(
        "about: Wards\n"
        "tables:\n"
        "- { name: icd, rows: 20, columns: [{ name: icd_id, type: id }, { name: ward, type: static, values: [a, b] }] }\n"
        "- name: stays\n"
        "  rows: 50\n"
        "  columns:\n"
        "  - { name: stay_id, type: id }\n"
        "  - { name: ward, type: choice, values: [a, b] }\n"
        "  - { name: icd_id, type: ref.icd, matching: { ward: ward } }\n"
        "  - { name: earlier, type: ref.stays, roots: 3 }\n"
    )
    output = plotsim("run", file, "-o", tmp_path / "data", "--validate").output
    assert "score 100" in output and "relations_hold: 2 of 2" in output


def test_a_manifest_is_asked_for_only_where_it_is_written(shelf: Path, tmp_path: Path) -> None:
    assert "leave out --manifest" in plotsim("run", shelf, "--sample", "3", "--manifest", code=2).output
    file = tmp_path / "users.csv"
    assert "let -o name one" in plotsim("run", shelf, "--tables", "users", "-o", file, "--no-manifest", code=2).output
    assert not file.exists()

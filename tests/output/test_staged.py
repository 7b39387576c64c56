"""What a run finds where it writes: other files, links, a full disk, another run at the same time."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from plotsim_core import UsageError, from_mapping, load_config, template, write_tables
from plotsim_core.cli import main
from plotsim_core.output import staged
from plotsim_core.output.format import FORMATS
from tests.marks import slow_but
from tests.output.support import files, plan_with, read

PLAN = load_config(template("minimal"))
LINKED = [
    ("parquet", {"partition_by": "date_key"}, "fct_month"),
    ("parquet", {"layout": "{dataset}/{table}/{key}.parquet"}, "shops"),
    ("parquet", {"layout": "{dataset}/{table}/{key}.parquet"}, "shops/fct_month"),
]


def both_ways(monkeypatch: pytest.MonkeyPatch, exchanging: bool) -> None:
    """Let folders change places, or not, as on a system that cannot."""
    if not exchanging:
        monkeypatch.setattr(staged, "can_exchange", lambda: False)


@pytest.mark.parametrize("exchanging", [True, False])
@pytest.mark.parametrize(("format", "options", "linked"), LINKED)
def test_no_folder_that_is_a_link_is_written_through(
    format: str, options: dict[str, Any], linked: str, exchanging: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_ways(monkeypatch, exchanging)
    outside, target = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (target / linked).parent.mkdir(parents=True)
    (target / linked).symlink_to(outside)
    with pytest.raises(UsageError, match="it is a symbolic link, and nothing is written through one"):
        write_tables(plan_with(format, **options), target)
    assert not list(outside.iterdir())
    assert [path.name for path in target.iterdir()] == [linked.partition("/")[0]]


@pytest.mark.slow
@pytest.mark.parametrize("exchanging", [True, False])
@pytest.mark.parametrize("format", slow_but(FORMATS, "csv"))
def test_a_file_that_is_a_link_is_replaced(
    format: str, exchanging: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_ways(monkeypatch, exchanging)
    outside, target = tmp_path / "outside", tmp_path / "out"
    target.mkdir()
    outside.write_text("mine")
    names = {FORMATS[format].file(PLAN, table) for table in PLAN.tables} | {"config.yaml", "manifest.json"}
    for name in names:
        (target / name).symlink_to(outside)
    (target / "validation_report.json").symlink_to(outside)
    done = CliRunner().invoke(main, ["run", "minimal", "-o", str(target), "--format", format, "--validate", "--quiet"])
    assert done.exit_code == 0, done.output
    assert outside.read_text() == "mine"
    assert not [path for path in target.iterdir() if path.is_symlink()]


@pytest.mark.parametrize("exchanging", [True, False])
def test_what_is_not_of_the_run_stays(exchanging: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of other datasets and formats, folders, links, rights; what tells of an older run goes."""
    both_ways(monkeypatch, exchanging)
    target = tmp_path / "out"
    write_tables(PLAN, target, format="csv")
    (target / "sub" / "deep").mkdir(parents=True, mode=0o700)
    (target / "sub" / "deep" / "note.txt").write_text("mine")
    (target / "link").symlink_to("nowhere")
    (target / "validation_report.json").write_text("{}")
    target.chmod(0o750)
    before = files(target)
    write_tables(PLAN, target, format="parquet")
    after = files(target)
    removed_names = {name for name in before if name not in after}
    assert removed_names == {"validation_report.json"}
    same = {name for name in before if after.get(name) == before[name]}
    assert {"fct_payments.csv", "sub/deep/note.txt"} <= same
    assert os.readlink(target / "link") == "nowhere"
    assert (target.stat().st_mode & 0o777, (target / "sub" / "deep").stat().st_mode & 0o777) == (0o750, 0o700)
    assert not [path for path in (*target.iterdir(), *tmp_path.iterdir()) if path.name.startswith(".")]


@pytest.mark.parametrize("exchanging", [True, False])
def test_files_of_others_with_our_names_stay(exchanging: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that no run has filled has no report or manifest of ours."""
    both_ways(monkeypatch, exchanging)
    mine = {"manifest.json": "mine", "validation_report.html": "mine too"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    plan = from_mapping({**PLAN.raw, "manifest": {"include": False}}, name="minimal")
    write_tables(plan, tmp_path)
    assert {name: (tmp_path / name).read_text() for name in mine} == mine


def test_who_stands_in_the_folder_goes_on_standing_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plotsim run -o .` does not take the folder from under a shell."""
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    write_tables(PLAN, Path("."))
    assert tmp_path.stat().st_ino == before
    assert (tmp_path / "fct_payments.csv").is_file()


def test_runs_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Of several runs into one folder, each with another table, all tables are there in the end."""
    names = [table.name for table in PLAN.tables]
    target = tmp_path / "out"
    threads = [threading.Thread(target=write_tables, args=(PLAN, target), kwargs={"tables": [name]}) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(read(PLAN, target, "csv")) == set(names)


@pytest.mark.slow
@pytest.mark.parametrize("format", list(FORMATS))
def test_a_full_disk_is_told_and_leaves_what_was_there(format: str, tmp_path: Path) -> None:
    """Files may be no larger than 20,000 bytes in the process that writes them."""
    import subprocess
    import sys

    target = tmp_path / "out"
    write_tables(PLAN, target, format=format, periods="2024-01..2024-02")
    before = files(target)
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    limit += "from plotsim_core.cli import main; main()"
    command = [sys.executable, "-c", limit, "run", "minimal", "-o", str(target), "--format", format, "--scale", "20"]
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip() == f"cannot write into {target}: {os.strerror(errno.EFBIG)}"
    assert files(target) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_full_disk_at_the_end_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all is written and only has to come into place."""
    target = tmp_path / "out"
    write_tables(PLAN, target)
    before = files(target)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(staged, "can_exchange", lambda: False)
    monkeypatch.setattr(staged.os, "rename", full)
    with pytest.raises(UsageError, match=r"cannot write into .*No space left on device"):
        write_tables(PLAN, target)
    monkeypatch.undo()
    assert files(target) == before


def interrupted(target: Path, whole: Path, removed_names: list[str]) -> None:
    """Bring a folder to where a run left it that was killed before it moved any of its files, those in `whole`."""
    whole.rename(target / ".plotsim-whole")
    (target / ".plotsim-whole" / ".plotsim-gone").write_text(json.dumps(removed_names))


@pytest.mark.slow
def test_who_checks_a_folder_finishes_what_a_killed_run_left(tmp_path: Path) -> None:
    target, whole = tmp_path / "out", tmp_path / "whole"
    write_tables(load_config(template("minimal"), seed=5), target)
    write_tables(PLAN, whole)
    expected = files(whole)
    (target / "validation_report.json").write_text("{}")
    interrupted(target, whole, ["validation_report.json"])
    done = CliRunner().invoke(main, ["check", str(target), "--config", "minimal", "--quiet"])
    assert done.exit_code == 0, done.output
    assert files(target) == expected


def test_a_folder_of_others_moves_and_removes_nothing_outside(tmp_path: Path) -> None:
    """Whatever it says has to be moved: names are names in the folder, and no link is followed."""
    target, whole, outside = tmp_path / "out", tmp_path / "whole", tmp_path / "outside"
    for folder in (target, whole / "sub", outside):
        folder.mkdir(parents=True)
    (outside / "kept.txt").write_text("mine")
    (whole / "sub" / "x.txt").write_text("theirs")
    (target / "sub").symlink_to(outside)
    interrupted(target, whole, ["../outside/kept.txt", str(outside / "kept.txt"), "..", ".", "/"])
    with pytest.raises(UsageError, match="it lies in a symbolic link"):
        staged.finish(target)
    assert {path.name for path in outside.iterdir()} == {"kept.txt"}
    assert target.is_dir()

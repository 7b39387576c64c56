"""`plotsim format`: what it writes, what it refuses, and that a file is never half written."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from plotsim_core.cli import main, rewriting

HERE = Path(__file__).parent
OLD, TODAYS = ((HERE / name).read_bytes() for name in ("old.yaml", "todays.yaml"))


def formatted(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["format", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cafes.yaml"
    path.write_bytes(OLD)
    return path


def test_a_file_is_written_in_place_and_then_stays(file: Path) -> None:
    file.chmod(0o640)
    assert "written in today's words" in formatted(file).stderr
    assert file.read_bytes() == TODAYS and file.stat().st_mode & 0o777 == 0o640
    moment = file.stat().st_mtime_ns
    assert "is in today's words" in formatted(file).stderr
    assert file.read_bytes() == TODAYS and file.stat().st_mtime_ns == moment
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_output_is_written_and_the_file_left(file: Path, tmp_path: Path) -> None:
    output = tmp_path / "new.yaml"
    formatted(file, "-o", output)
    assert output.read_bytes() == TODAYS and file.read_bytes() == OLD
    output.write_text("mine")
    assert "new.yaml exists; --force overwrites it" in formatted(file, "-o", output, code=2).stderr
    assert output.read_text() == "mine"
    formatted(file, "-o", output, "--force")
    assert output.read_bytes() == TODAYS


def test_check_and_diff_write_nothing(file: Path) -> None:
    assert "would be written in today's words" in formatted(file, "--check", code=1).stderr
    difference = formatted(file, "--diff").stdout
    assert '-  - { name: sales, type: amount, polarity: positive, range: [1, 90], distribution: "lognorm" }' in difference
    assert difference == formatted(file, "--check", "--diff", code=1).stdout
    assert file.read_bytes() == OLD
    file.write_bytes(TODAYS)
    assert "is in today's words" in formatted(file, "--check").stderr
    assert formatted(file, "--diff").stdout == ""
    assert "do not go with -o" in formatted(file, "--check", "-o", file, code=2).stderr


def test_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    formatted(link)
    assert link.is_symlink() and file.read_bytes() == TODAYS


def test_the_mark_and_the_line_breaks_of_other_systems_stay(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + OLD.replace(b"\n", b"\r\n"))
    formatted(file)
    assert file.read_bytes() == b"\xef\xbb\xbf" + TODAYS.replace(b"\n", b"\r\n")


def test_a_file_beside_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "drinks.csv").write_text("code,drink\n1,tea\n2,milk\n")
    text = OLD.decode()
    start, stop = text.index("    reference: true"), text.index("facts:")
    (tmp_path / "cafes.yaml").write_text(f"{text[:start]}    rows: {{ file: drinks.csv, key: code }}\n{text[stop:]}")
    formatted(tmp_path / "cafes.yaml")
    todays = (tmp_path / "cafes.yaml").read_text()
    assert "    rows: { file: drinks.csv, key: code }\n" in todays and "\ntables:\n" in todays


def test_a_file_with_errors_is_refused_with_them(file: Path) -> None:
    file.write_bytes(OLD.replace(b"archetype: flat", b"archetype: flatt"))
    content = file.read_bytes()
    result = formatted(file, code=2)
    assert "cafes.yaml:19:49:" in result.stderr and "did you mean 'flat'?" in result.stderr
    assert file.read_bytes() == content
    assert "cannot be read" in formatted(file.with_name("none.yaml"), code=2).stderr


def test_what_would_make_other_data_is_not_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "rewritten", lambda text, source: text.replace("count: 4", "count: 5"))
    assert "would not make the same data" in formatted(file, code=2).stderr
    assert file.read_bytes() == OLD


def test_a_write_that_fails_leaves_the_file(file: Path, tmp_path: Path) -> None:
    assert "cannot write" in formatted(file, "-o", tmp_path / "none" / "new.yaml", code=2).stderr
    assert file.read_bytes() == OLD

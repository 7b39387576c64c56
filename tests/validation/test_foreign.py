"""`plotsim check` on what cannot be read: a sentence with the file and the reason, exit code 2, and nothing in it is run."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from plotsim_core import load_config, template, write_tables
from plotsim_core.cli import main
from plotsim_core.output.format import FORMATS
from tests.marks import slow_but

PLAN = load_config(template("minimal"))
FACT = "fct_engagement"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run in each format."""
    values = {format: tmp_path_factory.mktemp(format) for format in FORMATS}
    for format, place in values.items():
        write_tables(PLAN, place, format=format)
    return values


def checked(data: Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["check", str(data), "--config", str(template("minimal"))])
    assert not isinstance(done.exception, Exception) or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def cut(file: Path, share: float = 0.5) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])


def blotted(file: Path) -> None:
    """Overwrite the middle of a file."""
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 3 : 2 * len(whole) // 3] = b"\xff\xfe\x00" * (len(whole) // 9)
    file.write_bytes(bytes(whole))


def columns_overwritten(file: Path) -> None:
    """Overwrite the pages of a Parquet file and leave its end, which says where they are."""
    whole = bytearray(file.read_bytes())
    whole[4:400] = b"\xaa" * 396
    file.write_bytes(bytes(whole))


BROKEN: dict[str, tuple[str, str, Callable[[Path], object], str]] = {
    "jsonl_cut": ("jsonl", f"{FACT}.jsonl", cut, "cannot be read as JSON lines"),
    "jsonl_other": (
        "jsonl",
        f"{FACT}.jsonl",
        lambda file: file.write_text("{]\nnonsense\n"),
        "cannot be read as JSON lines",
    ),
    "csv_latin": (
        "csv",
        f"{FACT}.csv",
        lambda file: file.write_bytes(file.read_bytes().replace(b"\n", b"\n\xe9\xff", 1)),
        "cannot be read as CSV",
    ),
    "csv_cut": ("csv", f"{FACT}.csv", lambda file: file.write_bytes(file.read_bytes()[:500]), "cannot be read as CSV"),
    "csv_binary": ("csv", f"{FACT}.csv", blotted, "cannot be read as CSV"),
    "parquet_cut": ("parquet", f"{FACT}.parquet", cut, "cannot be read as Parquet"),
    "parquet_text": ("parquet", f"{FACT}.parquet", lambda file: file.write_text("text"), "cannot be read as Parquet"),
    "parquet_pages": ("parquet", f"{FACT}.parquet", columns_overwritten, "cannot be read as tables of minimal"),
    "dump_latin": ("sql", "data.sql", lambda f: f.write_bytes(f.read_bytes() + b"\xff"), "cannot be read as a dump"),
    "dump_cut": ("sql", "data.sql", cut, "is cut off: no `-- keys` follows the rows"),
    "database_text": ("duckdb", "minimal.duckdb", lambda f: f.write_text("text"), "cannot be read as a DuckDB database"),
    "database_cut": ("duckdb", "minimal.duckdb", cut, "cannot be read as"),
}


@pytest.mark.parametrize("name", slow_but(BROKEN, "csv_cut", "parquet_cut", "database_text"))
def test_what_cannot_be_read_is_told(name: str, sound: dict[str, Path], tmp_path: Path) -> None:
    format, file, spoil, message = BROKEN[name]
    for path in sound[format].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    spoil(tmp_path / file)
    code, text = checked(tmp_path)
    assert code == 2, text
    assert str(tmp_path) in text.replace("\n", "")
    assert message in text
    assert len(text) < 1000


def test_a_file_of_sqlite_is_no_database_of_duckdb(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data.db")) as connection:
        connection.execute("CREATE TABLE fct_engagement (x)")
        connection.commit()
    code, text = checked(tmp_path / "data.db")
    assert code == 2 and "cannot be read as a DuckDB database" in text


def test_a_database_of_others_runs_nothing(sound: dict[str, Path], tmp_path: Path) -> None:
    """Views are not looked at, macros of the same name as a function are not called, and no other file can be reached."""
    file, secret, stolen = tmp_path / "foreign.duckdb", tmp_path / "secret.csv", tmp_path / "stolen.csv"
    secret.write_text("x\n1\n")
    file.write_bytes((sound["duckdb"] / "minimal.duckdb").read_bytes())
    with duckdb.connect(file) as connection:
        connection.execute(f"ALTER TABLE {FACT} RENAME TO other")
        connection.execute(f"CREATE VIEW {FACT} AS SELECT * FROM read_csv('{secret}')")
        connection.execute(
            f"CREATE MACRO duckdb_tables() AS TABLE SELECT 'main' AS schema_name, x AS table_name FROM '{secret}'"
        )
    code, text = checked(file)
    assert code == 1 and FACT in text  # it is not there
    with duckdb.connect() as connection:
        from plotsim_core.validation.untrusted_files import attach

        attach(connection, file)
        for sql in (f"FROM written.{FACT}", f"FROM '{secret}'", f"COPY (SELECT 1) TO '{stolen}'", "INSTALL sqlite"):
            with pytest.raises(duckdb.Error):
                connection.execute(sql).fetchall()
    assert not stolen.exists()


def test_a_dump_of_others_only_fills_its_tables(sound: dict[str, Path], tmp_path: Path) -> None:
    """A statement that opens another database is refused."""
    stolen = tmp_path / "stolen.db"
    dump = (sound["sql"] / "data.sql").read_text()
    hostile = f"ATTACH DATABASE '{stolen}' AS other; CREATE TABLE other.x (y);"
    (tmp_path / "data.sql").write_text(dump.replace("\n-- rows\n", f"\n-- rows\n{hostile}\n"))
    code, text = checked(tmp_path)
    assert code == 2 and "cannot be read as a dump" in text
    assert not stolen.exists()


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_folder_whose_name_is_no_text_is_refused(format: str, sound: dict[str, Path], tmp_path: Path) -> None:
    """By every format alike, to be written and to be checked."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff"))
    done = CliRunner().invoke(main, ["run", "minimal", "-o", str(odd), "--format", format, "--quiet"])
    assert (done.exit_code, "its name is not UTF-8" in done.output) == (2, True)
    assert not odd.exists()
    shutil.copytree(sound[format], odd)
    code, text = checked(odd)
    assert (code, "its name is not UTF-8" in text) == (2, True)

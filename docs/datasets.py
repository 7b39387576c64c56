"""Write what can be computed on the pages of the datasets, docs/datasets/*.md: tables, rows, answers; and the list of
datasets in the README. Run with `make docs`.

A question is a block of SQL and its answer the block of text after it. The block of SQL after that is the promise of the
story: it asks the `answer` and gives one row of truths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from plotsim_core import Plan, batches, from_mapping, template
from plotsim_core.config.read import read

PAGES = sorted(Path(__file__).with_name("datasets").glob("*.md"))
_QUESTION = re.compile(r"```sql\n(.*?)```\n\n```text\n(.*?)```\n(.*?)```sql\n(.*?)```", re.DOTALL)
_TABLES = re.compile(r"(?<=\n## Tables\n\n).*?(?=\n\n)", re.DOTALL)
README = Path(__file__).parents[1] / "README.md"
_DATASETS = re.compile(r"(?<=\n\n)\| dataset \|.*?(?=\n\n)", re.DOTALL)
UNTIL = "2026-03-31"
"""The last day of a dataset without an end that pages, checksums and tests look at, so that what they say stays true."""


def ended(raw: dict[str, Any]) -> dict[str, Any]:
    """Return what a config says, with an end if it has none: the values of its periods are the same."""
    window = raw["window"]
    return {**raw, "window": {**window, "end": UNTIL}} if isinstance(window, dict) and "end" not in window else raw


def shown(config: Path, *, seed: int | None = None, scale: float | None = None) -> Plan:
    """Return the plan of a config, ended."""
    return from_mapping(ended(read(config)), name=config.stem, source=str(config), seed=seed, scale=scale)


def questions(text: str) -> list[tuple[str, str]]:
    """Return (question, promise) of each question of a page, as SQL."""
    return [(match[1], match[4]) for match in _QUESTION.finditer(text)]


def stored(plan: Plan) -> duckdb.DuckDBPyConnection:
    """Return a database in memory with the tables of a dataset, named as `make query` names them."""
    connection = duckdb.connect()
    connection.execute(f"CREATE SCHEMA {plan.name}")
    for table in plan.tables:
        schema, record_batches = batches(plan, table.name)
        connection.register("incoming", pa.RecordBatchReader.from_batches(schema, record_batches))
        connection.execute(f"CREATE TABLE {plan.name}.{table.name} AS FROM incoming")
    return connection


def promised(connection: duckdb.DuckDBPyConnection, question: str, promise: str) -> dict[str, bool]:
    """Return the truths of a promise by name, of the answer to a question."""
    connection.sql(question.rstrip().removesuffix(";")).create_view("answer")
    truths = connection.sql(promise)
    (row,) = truths.fetchall()
    return dict(zip(truths.columns, row, strict=True))


def written(text: str, connection: duckdb.DuckDBPyConnection, plan: Plan) -> str:
    """Return a page with its tables and answers computed anew."""

    def answered(match: re.Match[str]) -> str:
        return match[0].replace(f"```text\n{match[2]}```", f"```text\n{connection.sql(match[1])!s}```", 1)

    listed = "\n".join(_tables(plan, connection))
    return _TABLES.sub(lambda _: listed, _QUESTION.sub(answered, text), count=1)


def _tables(plan: Plan, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    yield "| table | rows | what it is |"
    yield "| --- | ---: | --- |"
    for table in plan.tables:
        ((rows,),) = connection.sql(f"SELECT count(*) FROM {plan.name}.{table.name}").fetchall()
        yield f"| `{table.name}` | {rows:,} | {table.description} |"


def listed(text: str, plans: Iterable[Plan]) -> str:
    """Return the README with its list of datasets computed anew."""
    lines = ["| dataset | grain | units | tables | what it is about |", "| --- | --- | --- | --- | --- |"]
    for plan in plans:
        units = " and ".join(f"{kind.units} {_plural(kind.unit)}" for kind in plan.populations)
        units += " at a time" if any(segment.rate for segment in plan.population.segments) else ""
        name = f"[{plan.name}](docs/datasets/{plan.name}.md)"
        lines.append(f"| {name} | {plan.grain.name} | {units} | {len(plan.tables)} | {plan.dataset.about} |")
    return _DATASETS.sub(lambda _: "\n".join(lines), text, count=1)


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def main() -> None:
    """Write every page anew, and the list of all."""
    plans = {page: shown(template(page.stem)) for page in PAGES}
    for page, plan in plans.items():
        page.write_text(written(page.read_text(encoding="utf-8"), stored(plan), plan), encoding="utf-8")
    README.write_text(listed(README.read_text(encoding="utf-8"), plans.values()), encoding="utf-8")


if __name__ == "__main__":
    main()

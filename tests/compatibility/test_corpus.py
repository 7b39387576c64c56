"""plotsim's own configs, with the tables it made of them: all load and give the same tables, columns and dimension rows.

They lie outside the project, in a file of JSON lines: `from` (where a config stands), `config`, and `tables` (name to
`columns` and `rows`). `PLOTSIM_CORPUS` names its folder. `python -m tests.compatibility.test_corpus` prints what differs, by
kind.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compatibility.designed import CORPUS
from plotsim_core import ConfigError, Plan, from_mapping, generate_tables

FOLDER = Path(os.environ.get("PLOTSIM_CORPUS") or Path(__file__).parents[3] / "shared/peers/plotsim-corpus")
FILE = FOLDER / "builder.jsonl"
MOST_OTHERS = 15
"""So many configs may differ, each for a reason that docs/compatibility.md gives."""

Theirs = Mapping[str, Mapping[str, Any]]


def lines() -> list[dict[str, Any]]:
    """Return the configs of the corpus; none if it is not there."""
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] if FILE.is_file() else []


def differing(config: dict[str, Any], theirs: Theirs) -> Iterator[str]:
    """Yield in what a config gives something else than it gave plotsim: one line for each problem or table.

    What is broken on purpose, and tables that follow from others, plotsim adds when it writes, which is not told here.
    """
    try:
        plan = from_mapping(config, name="corpus")
    except ConfigError as error:
        for problem in error.problems:
            yield f"refused: {problem.path}: {problem.message}"
        return
    plan = plan.clean
    ours = {table.name: table for table in plan.tables}
    expected = with_facts_of_metrics(config, theirs)
    for name in sorted(expected.keys() - ours.keys()):
        yield f"table: {name} is not there"
    for name in sorted(ours.keys() - expected.keys()):
        if ours[name].spec.section is not None and not ours[name].shown_table:
            yield f"table: {name} is there"
    for name in expected.keys() & ours.keys():
        names, wanted = [column.name for column in ours[name].columns], list(expected[name]["columns"])
        if sorted(names) != sorted(wanted):
            missing, more = sorted(set(wanted) - set(names)), sorted(set(names) - set(wanted))
            yield f"columns: {name} lacks {', '.join(missing) or 'none'} and has {', '.join(more) or 'none'}"
        elif names != wanted and name != "dim_date":  # whose columns a config puts in an order of its own
            yield f"order: {name} has {', '.join(names)}, not {', '.join(wanted)}"
    yield from _rows(plan, expected)


def _rows(plan: Plan, expected: Theirs) -> Iterator[str]:
    dimensions = [table for table in plan.tables if table.name.startswith("dim_") and table.name in expected]
    frames = generate_tables(plan)
    for table in dimensions:
        frame, wanted = frames[table.name], expected[table.name]["rows"]
        if "dim_row_id" in frame:  # how many versions there are depends on the values
            count = frame[next(column.name for column in table.columns if column.spec.word == "id")].nunique()
            if count != plan.population.units or wanted < count:
                yield f"rows: {table.name} has {count} units, not {wanted} versions of {plan.population.units}"
        elif len(frame) != wanted:
            yield f"rows: {table.name} has {len(frame)}, not {wanted}"


def with_facts_of_metrics(config: Mapping[str, Any], theirs: Theirs) -> Theirs:
    """Return the tables of a config that declares none and names none as plotsim's guide says: a fact for each metric in the
    place of the one of all that its 0.7.0 makes."""
    unit = f"fct_{config['unit']}"
    if any(config.get(section) for section in ("dimensions", "facts", "events")) or f'"{unit}"' in json.dumps(config):
        return theirs
    expected: dict[str, Mapping[str, Any]] = {}
    for name, table in theirs.items():
        end = next((end for end in ("", "_wide", "_train", "_holdout") if name == unit + end), None)
        if end is None:
            expected[name] = table
            continue
        metrics = [metric["name"] for metric in config["metrics"]]
        for metric in metrics:
            others = {other for other in metrics if other != metric}
            columns = [column for column in table["columns"] if column not in others]
            staged = metric == (config.get("lifecycle") or config.get("stages") or {}).get("track")
            values = [column for column in columns if column != "stage" or staged]
            expected[f"fct_{metric}{end}"] = {**table, "columns": values}
    return expected


LINES = lines()


@pytest.mark.slow
@pytest.mark.skipif(not LINES, reason=f"plotsim's configs are not there: {FILE}")
def test_all_of_plotsims_configs_give_its_tables() -> None:
    values = {line["from"]: list(differing(line["config"], line["tables"])) for line in LINES}
    wrong = {name: differences for name, differences in values.items() if differences}
    assert len(LINES) >= 285
    assert len(wrong) <= MOST_OTHERS
    assert [(name, text) for name, texts in wrong.items() for text in texts if not _designed(text)] == []


def _designed(text: str) -> bool:
    return any(re.fullmatch(pattern, text) for pattern in CORPUS)


def _print() -> None:
    kinds: dict[str, list[tuple[int, str]]] = defaultdict(list)
    wrong = set()
    for number, line in enumerate(LINES):
        for text in differing(line["config"], line["tables"]):
            wrong.add(number)
            kinds[re.sub(r"\[\d+\]|'[^']*'|\d+", "*", text)[:90]].append((number, text))
    for examples in sorted(kinds.values(), key=len, reverse=True):
        numbers = sorted({number for number, _ in examples})
        print(f"{len(numbers)} configs ({', '.join(map(str, numbers[:9]))}): {examples[0][1]}")
    print(f"{len(LINES) - len(wrong)} of {len(LINES)} configs give the same")


if __name__ == "__main__":
    _print()

"""Files of plotsim's engine layer give the tables, columns, rows of dimensions and grain of facts that plotsim makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from plotsim_core import Plan, generate_tables, load_config, validate
from plotsim_core.config.rewrite.text import rewritten
from plotsim_core.importers import IMPORTERS, EngineLayer
from plotsim_core.importers.text import config_text
from tests.importers.files import CORPUS, COUNT, OWN, THEIRS, columns, document, rows

FILES = [pytest.param(path, id=path.stem) for path in (*OWN, *THEIRS)]
ADDED = {"quality_ledger", "source_entity_map", "_entity_features"}
"""Tables that follow from sections other than `tables`."""


@pytest.mark.skipif(not THEIRS, reason=f"plotsim's files are not there: {CORPUS}")
def test_all_of_plotsims_files_are_tried() -> None:
    assert len(THEIRS) == COUNT


@pytest.fixture(params=FILES)
def path(request: pytest.FixtureRequest) -> Path:
    result = request.param
    assert isinstance(result, Path)
    return result


@pytest.mark.slow
def test_a_file_has_the_tables_columns_and_rows_that_plotsim_makes(path: Path) -> None:
    raw, plan = document(path), load_config(path).clean
    frames = generate_tables(plan)
    tables = {table["name"]: table for table in raw["tables"]}
    bridges = {bridge["name"] for bridge in raw.get("bridges") or ()}
    sources = {f"{name}_{s['name']}" for s in ((raw.get("multi_source") or {}).get("sources") or ()) for name in tables}
    parts = {f"{name}{end}" for name in tables for end in ("_train", "_holdout")}
    assert tables.keys() | bridges <= frames.keys() <= tables.keys() | bridges | sources | parts | ADDED
    for name, table in tables.items():
        expected, more = columns(raw, table)
        assert expected <= {*frames[name].columns} <= expected | more, name
        declared = [column["name"] for column in table["columns"] if column["name"] in frames[name]]
        assert [column for column in frames[name].columns if column in declared] == declared, name
        count = rows(raw, table)
        key = next((column["name"] for column in table["columns"] if column["source"] == "pk"), None)
        has_versions = any(column["source"] == "scd_type2" for column in table["columns"])
        assert count in (None, frames[name][key].nunique() if has_versions else len(frames[name])), name


@pytest.mark.slow
def test_a_stage_stands_in_the_first_fact_with_its_metric(path: Path) -> None:
    raw = document(path)
    facts = [table["name"] for table in raw["tables"] if table["type"] == "fact"]
    frames = generate_tables(load_config(path).clean, tables=facts)
    assert [name for name in facts if "stage" in frames[name]][1:] == []
    assert any("stage" in frames[name] for name in facts) == bool(raw.get("stages"))


@pytest.mark.slow
def test_the_data_of_a_file_passes_our_checks(path: Path) -> None:
    plan = load_config(path)
    report = validate(plan, generate_tables(plan))
    assert not report.failed, report.text()


@pytest.mark.slow
def test_the_written_config_is_in_todays_words_and_makes_the_same(path: Path, tmp_path: Path) -> None:
    result = EngineLayer.convert(document(path))
    text = config_text(result.config)
    assert rewritten(text, str(path)) == text
    assert not {"dimensions", "facts", "events"} & set(yaml.safe_load(text))
    assert max(map(len, text.splitlines())) <= 200
    written = tmp_path / "new.yaml"
    written.write_text(text, encoding="utf-8")
    assert _told(load_config(written)) == set()
    assert load_config(written).digest == load_config(path).digest


def test_a_file_that_is_loaded_tells_its_losses(path: Path) -> None:
    losses = EngineLayer.convert(document(path)).losses
    plan = load_config(path)
    assert _told(plan) == {str(note.path) for note in losses}
    assert all(note.line for note in plan.notes if ": " in note.message and note.path in _told(plan))


def _told(plan: Plan) -> set[str]:
    fates = ("approximated: ", "not carried over: ")
    return {note.path for note in plan.notes if note.message.startswith(fates)}


def test_plotsim_is_the_first_importer() -> None:
    assert next(iter(IMPORTERS)) == "plotsim"
    assert IMPORTERS["plotsim"] is EngineLayer

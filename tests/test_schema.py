"""The JSON Schema speaks the language that `load` reads: it takes every written form and refuses unknown words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import plotsim_core
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.table_kind import declared_forms
from plotsim_core.schema import json_schema
from tests.marks import slow_but
from tests.test_docs import BASE, FRAGMENTS

ROOT = Path(__file__).parents[1]
PATHS = [ROOT / "tests/fields.yaml", ROOT / "benchmarks/everything.yaml", *ROOT.glob("tests/compatibility/*.yaml")]

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _template(name: str) -> dict[str, Any]:
    read = yaml.safe_load(plotsim_core.template(name).read_text(encoding="utf-8"))
    return json.loads(json.dumps(read, default=str))


def _changed(**sections: Any) -> dict[str, Any]:
    return {**_template("minimal"), **sections}


def _segment(**more: Any) -> dict[str, Any]:
    return {"name": "all", "count": 3, "archetype": "growth", **more}


def test_it_is_a_valid_schema_that_knows_every_kind_and_source() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    definitions = {f"table.{kind}" for kind in declared_forms()} | {f"column.{word}" for word in SOURCES}
    assert definitions <= set(SCHEMA["$defs"])


@pytest.mark.parametrize("name", slow_but(plotsim_core.list_templates(), "minimal", "saas"))
def test_every_bundled_config_is_accepted(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(_template(name))] == []


@pytest.mark.parametrize("path", sorted(PATHS), ids=lambda path: path.stem)
def test_every_config_that_loads_elsewhere_is_accepted(path: Path) -> None:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(json.dumps(raw, default=str)))] == []


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_every_fragment_of_the_pages_is_accepted(fragment: str) -> None:
    raw = yaml.safe_load(fragment)
    raw = raw if "about" in raw else {**yaml.safe_load(BASE), **raw}
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(json.dumps(raw, default=str)))] == []


_PLAIN: dict[str, Any] = {
    "about": "Users",
    "dimensions": [{"name": "users", "reference": True, "count": 9, "columns": [{"name": "user_id", "type": "id"}]}],
}
ACCEPTED = {
    "stage as a list": _changed(lifecycle={"track": "engagement", "stages": [["a", 0], {"b": 0.5}]}),
    "connection pooled": _changed(
        connections=[{"metric_a": "payments", "metric_b": "engagement", "coefficient": 0.3, "pooled": True}]
    ),
    "archetype sentence": _changed(segments=[_segment(archetype="flat > growth @ 8")]),
    "archetype list": _changed(segments=[_segment(archetype=[{"curve": "plateau", "level": 0.7, "until": 1.0}])]),
    "connection sentence": _changed(connections=["payments driven_by engagement"]),
    "connection number": _changed(connections=["payments -0.35 engagement"]),
    "connection list": _changed(connections=[["payments", "mirrors", "engagement"]]),
    "connection list with a number": _changed(connections=[["payments", 0.2, "engagement"]]),
    "connection over the table": _changed(connections=["payments 0.2 engagement pooled"]),
    "connection given the trajectory": _changed(connections=[["payments", "related", "engagement", "given_trajectory"]]),
    "connection keys": _changed(connections=[{"metric_a": "payments", "metric_b": "engagement", "coefficient": 0.3}]),
    "connection words": _changed(
        connections=[{"metric_a": "payments", "metric_b": "engagement", "relationship": "related"}]
    ),
    "window list": _changed(window=["2024-01", "2024-12"]),
    "window keys": _changed(window={"start": "2024-01-01", "every": "month", "span": 12, "end": "2024-12-31"}),
    "noise word": _changed(noise="realistic"),
    "noise keys": _changed(noise={"gaussian_sigma": 0.1, "noise_family": "laplace"}),
    "no variation": _changed(segments=[_segment(variation="none")]),
    "variation": _changed(segments=[_segment(variation={"level": 0.1})]),
    "stages short": _changed(lifecycle={"track": "engagement", "stages": [{"new": 0.0}, {"old": 0.5}]}),
    "stages long": _changed(stages={"track": "engagement", "stages": [{"name": "new", "threshold": 0}, {"old": 0.5}]}),
    "single attribute": _changed(segments=[_segment(attributes={"region": "EU", "size": [1, 2]})]),
    "locale word": _changed(locale="de_DE"),
    "locale list": _changed(locale=["de_DE", "en_US"]),
    "empty section": _changed(connections=None),
    "output word": _changed(output="parquet"),
    "output keys": _changed(output={"format": "sql", "sql_dialect": "sqlite", "denormalized": True, "cell_budget": 10_000}),
    "no manifest": _changed(manifest=False),
    "features word": _changed(entity_features=True),
    "features keys": _changed(entity_features={"metrics": ["engagement"], "include_labels": False}),
    "holdout": _changed(holdout={"target": "engagement", "periods": 2}),
    "issues": _changed(quality=[{"table": "fct_payments", "issue": "null_injection", "rate": 0.1, "column": "payments"}]),
    "plain tables": _PLAIN,
    "plain tables and dates": {**_PLAIN, "window": ["2024-01", "2024-03"]},
    "unit called period": {
        **_changed(unit="period", dimensions=None, facts=None, events=None),
        "tables": [
            {"name": "dim_period", "per": "period", "columns": {"period_id": "id"}},
            {"name": "cards", "per": "period", "rows": 2e0, "columns": {"card_id": "id"}},
        ],
    },
    "rows as 1e3": {"about": "Users", "tables": [{"name": "users", "rows": 1e3, "columns": {"user_id": "id"}}]},
    "arrival": _changed(segments=[_segment(arrival={"kind": "explicit", "start_periods": [0, 1, 2]})]),
}


@pytest.mark.parametrize("form", ACCEPTED)
def test_every_written_form_is_accepted_by_schema_and_loader(form: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(ACCEPTED[form])] == []
    plotsim_core.from_mapping(copy.deepcopy(ACCEPTED[form]), name="form")


def _with_column(**column: Any) -> dict[str, Any]:
    config = _template("saas")
    config["facts"][0]["columns"].append({"name": "extra", **column})
    return config


def _with_table(**table: Any) -> dict[str, Any]:
    config = _template("saas")
    return {**config, "tables": [*config.get("tables", ()), {"name": "extra", "columns": {"extra_id": "id"}, **table}]}


REFUSED = {
    "growth of rows per unit": _with_table(per="company", rows=2, growth=1),
    "growth of rows per unit and period": _with_table(per=["company", "period"], rows=2, growth=1),
    "rows of a grid": _with_table(per=["company", "other", "period"], when={"metric": "mrr", "below": 2}),
    "metrics of a plain table": _with_table(rows=2, metrics=["mrr"]),
    "word of another section": _with_table(per="company", left="dim_company"),
    "unit without the rest": {**_PLAIN, "unit": "user"},
    "units without a window": {name: part for name, part in _template("minimal").items() if name != "window"},
    "nothing but tables": {name: part for name, part in _PLAIN.items() if name != "about"},
    "unknown key": _changed(metric=[]),
    "unknown key of a metric": _changed(metrics=[{"name": "a", "type": "score", "polarity": "positive", "colour": 1}]),
    "unknown metric type": _changed(metrics=[{"name": "a", "type": "scores", "polarity": "positive"}]),
    "unknown distribution": _changed(
        metrics=[{"name": "a", "type": "score", "polarity": "positive", "distribution": "bete"}]
    ),
    "unknown archetype": _changed(segments=[_segment(archetype="growht")]),
    "unknown curve parameter": _changed(segments=[_segment(archetype=[{"curve": "plateau", "lvl": 0.7, "until": 1.0}])]),
    "unknown relationship": _changed(connections=["payments drives engagement"]),
    "unknown preset": _changed(noise="filthy"),
    "unknown grain": _changed(window={"start": "2024-01", "end": "2024-12", "every": "fortnight"}),
    "lifecycle twice": _changed(
        lifecycle={"track": "engagement", "stages": [{"new": 0.0}, {"old": 0.5}]},
        stages={"track": "engagement", "stages": [{"new": 0.0}, {"old": 0.5}]},
    ),
    "unknown issue": _changed(quality=[{"table": "fct_payments", "issue": "nulls", "rate": 0.1}]),
    "unknown key of an issue": _changed(quality=[{"table": "fct_payments", "issue": "late_arrival", "share": 0.1}]),
    "unknown output": _changed(output="parket"),
    "unknown column word": _with_column(type="metrik.mrr"),
    "column word without its argument": _with_column(type="metric"),
    "column word with an argument it does not take": _with_column(type="timestamp.now"),
    "unknown key of a column": _with_column(type="metric.mrr", digits=2),
    "unknown part of a version": _with_column(type="version.row"),
    "column that does not fit the table": _with_column(type="scd", tracks="mrr", tiers=["a", "b"], at=[0.5]),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_the_language_does_not_know_is_refused_by_schema_and_loader(form: str) -> None:
    assert not VALIDATOR.is_valid(REFUSED[form])
    with pytest.raises(plotsim_core.ConfigError):
        plotsim_core.from_mapping(copy.deepcopy(REFUSED[form]), name="form")

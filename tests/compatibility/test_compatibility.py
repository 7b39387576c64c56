"""Files in plotsim's language load unchanged and give its tables, columns, keys, references and dimension rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compatibility.designed import reason
from benchmarks.compatibility.shapes import differences, judged, ours
from plotsim_core import load_config, write_tables
from plotsim_core.config.read import read
from tests.marks import slow_but

FOLDER = Path(__file__).parent
CONFIGS = sorted(FOLDER.glob("*.yaml"))
THEIRS: dict[str, Any] = {name: tables for name, tables in json.loads((FOLDER / "peer.json").read_text()).items() if name}

KEYS = {
    "": "about unit window metrics segments connections connection_phases lifecycle stages dimensions facts events "
    "seasonality bridges quality holdout entity_features sources noise output locale seed manifest",
    "window": "start end every",
    "metrics": "name type polarity label range follows delay decay_window decay_kernel seasonal_sensitivity distribution "
    "distribution_params noise",
    "segments": "name count archetype label attributes baseline seasonal_sensitivity arrival treatment",
    "segments.arrival": "kind start end direction blocks start_periods",
    "segments.arrival.blocks": "period fraction",
    "segments.treatment": "fraction lift_log_odds start_period treatment_label control_label target_metric",
    "connections": "metric_a metric_b relationship coefficient",
    "connection_phases": "start_period end_period connections",
    "lifecycle": "track stages enforce_order downgrade_delay",
    "lifecycle.stages": "name threshold",
    "seasonality": "months strength",
    "noise": "gaussian_sigma outlier_rate mcar_rate scale_with_trajectory noise_family degrees_of_freedom",
    "dimensions": "name columns per reference count",
    "dimensions.columns": "name type tracks tiers at nested_schema array_element_type array_length",
    "facts": "name columns metrics cdc row_count_driver row_count_scale parent_table children_per_row",
    "facts.columns": "name type labels template lexicons bands range",
    "events": "name columns trigger driver scale metric above below for log_format log_filename",
    "bridges": "name left right cardinality driver directed columns",
    "quality": "table issue rate column seed_offset mode period periods",
    "holdout": "target periods min_training_periods",
    "entity_features": "metrics include_labels",
    "sources": "name key_scheme name_drift_rate attribute_drift_rate",
    "manifest": "include",
    "output": "format directory cell_budget denormalized partition_by sql_dialect",
}
"""Every key of plotsim 0.7.0's builder, by the part of the file that it stands in."""
WORDS = """
daily weekly monthly score amount count index positive negative geometric linear lognorm gamma weibull beta normal
poisson growth decline seasonal flat spike_then_crash accelerating high mid low uniform step explicit increasing
decreasing mirrors driven_by related hints_at independent hints_against resists opposes inverts perfectly_clean
clean slightly_messy messy dirty very_messy gaussian_sigma student_t laplace id ref metric lag faker geo static
pool range segment.count timestamp flag bucket narrative scd struct array date int string period unit proportional
threshold null_injection duplicate_rows type_mismatch late_arrival schema_drift volume_anomaly spike drop
prefix_padded numeric uuid_short csv parquet jsonl sql postgresql sqlite
"""
"""The words that its keys take."""


@pytest.mark.parametrize("path", slow_but(CONFIGS, FOLDER / "features.yaml"), ids=lambda path: path.stem)
def test_a_file_for_plotsim_gives_its_tables(path: Path) -> None:
    values = list(differences(path.stem, THEIRS[path.stem], ours(path)))
    assert [difference for difference in values if reason(difference) is None] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_data_of_a_file_for_plotsim_passes_our_checks(path: Path) -> None:
    report = judged(path)
    assert not report.failed, report.text()
    assert report.score >= 95, report.text()


def test_each_file_was_given_to_plotsim() -> None:
    assert set(THEIRS) == {path.stem for path in CONFIGS}
    assert not [name for name, result in THEIRS.items() if "error" in result]


@pytest.mark.slow
def test_logs_have_the_names_that_plotsim_gives_them(tmp_path: Path) -> None:
    write_tables(load_config(FOLDER / "tables.yaml"), tmp_path, format="csv")
    theirs = {name for name, result in THEIRS["tables"].items() if result["kind"] == "log"}
    assert {path.name for path in tmp_path.rglob("*.log")} == theirs == {"calls.log", "evt_alarm.log"}


def walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (part, key) of every key in a config; lists are of what stands in them."""
    if isinstance(value, list):
        for item in value:
            yield from walk(item, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, str(key)
            yield from walk(item, f"{path}.{key}".lstrip("."))


@pytest.mark.parametrize("part", KEYS)
def test_the_files_use_every_key(part: str) -> None:
    used = {key for path in CONFIGS for place, key in walk(read(path), "") if place == part}
    assert set(KEYS[part].split()) <= used


def test_the_files_use_every_word() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in CONFIGS)
    assert [word for word in WORDS.split() if not re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", text)] == []

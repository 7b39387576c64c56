"""Issues of every kind in facts and events, a holdout, features of units."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from plotsim_core.config.quality import DELIVERY_ISSUES
from plotsim_core.config.window import Window

_FREE = ("metric", "true", "expected", "trajectory", "range", "flag", "timestamp")
"""Column types that issues may be about."""


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Break some rows on purpose, hold some periods out, sum units up: any of them."""
    length = Window.model_validate(raw["window"]).length
    if draw(st.booleans()):
        raw["quality"] = _issues(draw, raw, length)
    closed = "end" in raw["window"] and length > 2
    if closed and draw(st.booleans()):
        target = draw(st.sampled_from(raw["metrics"]))["name"]
        raw["holdout"] = {"target": target, "periods": draw(st.integers(1, length - 2)), "min_training_periods": 1}
    if len(raw["metrics"]) > 1 and draw(st.booleans()):
        raw["entity_features"] = draw(st.sampled_from([True, {"include_labels": False}, {"include_labels": True}]))


def _issues(draw: st.DrawFn, raw: dict[str, Any], length: int) -> list[dict[str, Any]]:
    tables = [raw["facts"][0], *(event for event in raw.get("events", []) if event["name"].startswith("evt_visit"))]
    issues: list[dict[str, Any]] = []
    kinds = ["null_injection", "type_mismatch", "schema_drift", "restatement", "orphaned_keys"]
    kinds += ["late_arrival", "duplicate_rows", "spike", "drop", "late_delivery", "redelivery"]
    first = Window.model_validate(raw["window"])
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))):
        table = draw(st.sampled_from(tables))
        issue = {
            "table": table["name"],
            "issue": kind,
            "rate": draw(st.sampled_from([0.1, 0.5, 1.0])),
            "seed_offset": number,
        }
        if kind in kinds[:4]:
            issue["column"] = draw(st.sampled_from([c["name"] for c in table["columns"] if _free(c["type"])]))
        if kind == "orphaned_keys":
            issue["column"] = "shop_id"
        if kind in DELIVERY_ISSUES:
            issue["up_to"] = draw(st.integers(1, 4))
        if draw(st.booleans()):
            start = first.grain.civil_starts(np.array([first.first + draw(st.integers(0, length - 1))]))[0]
            issue["since"] = str(start.astype("datetime64[D]"))
        if kind in ("spike", "drop"):
            period = draw(st.integers(0, length - 1))
            issue |= {"issue": "volume_anomaly", "mode": kind}
            issue |= {} if "since" in issue else {"periods": sorted({0, period})}
        others = (other for section in ("facts", "events", "bridges") for other in raw.get(section, []))
        if kind == "drop" and any(table["name"] in str(other) for other in others if other is not table):
            continue
        issues.append(issue)
    return issues


def _free(type_: str) -> bool:
    return type_.partition(".")[0] in _FREE

"""Random rules about the data that hold: keys are unique, and never empty."""

from __future__ import annotations

from benchmarks.robustness.columns import Config
from benchmarks.robustness.draw import Draw


def add_rules(draw: Draw, raw: Config) -> None:
    """Give some facts and events rules about their keys."""
    rules: list[Config] = []
    for table in (*raw.get("facts", ()), *raw.get("events", ())):
        keys = [column["name"] for column in table.get("columns", ()) if column.get("type") == "id"]
        if keys and draw.chance(0.2):
            rules.append({"table": table["name"], "unique": keys[0]})
            table["checks"] = [{"formula": f"{keys[0]} != ''", "severity": "warn"}]
    if rules:
        raw["checks"] = rules

"""Rules about the data, which hold of it, in tables and beside them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Declare that keys are what they are, and that dates are those of the date dimension."""
    for section in ("dimensions", "facts", "events"):
        for table in raw.get(section, ()):
            columns = {column["name"]: column["type"] for column in table.get("columns", ()) if isinstance(column, dict)}
            keys = [name for name, type_ in columns.items() if type_.partition(".")[0] == "id"]
            rules: list[dict[str, Any]] = [{"formula": f"{name} == {name}"} for name in keys]
            if columns.get("date_key") == "ref.dim_date":
                rules.append({"included": {"date_key": "dim_date.date_key"}})
            if not rules or not draw(st.booleans()):
                continue
            if draw(st.booleans()):
                table["checks"] = rules
            else:
                raw.setdefault("checks", []).extend({"table": table["name"], **rule} for rule in rules)

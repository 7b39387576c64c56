"""Draw docs/trajectory.svg, the picture of the README: one segment's trajectory, and what follows from it.

Run with `make docs`.
"""

from __future__ import annotations

from pathlib import Path

from plotsim_core import generate_tables, load_config
from plotsim_core.tables.stages import STAGES
from plotsim_core.validation.svg import lines

SEGMENT, SCALE = "fading", 20.0
HERE = Path(__file__).parent


def main() -> None:
    """Write the picture from the means of one segment's companies, month by month."""
    plan = load_config(HERE.parent / "configs" / "saas.yaml", scale=SCALE)
    first, *_ = STAGES
    tables = generate_tables(plan, tables=[first, "fct_engagement", "fct_revenue", "fct_support_tickets", "evt_login"])
    stage = tables[first]
    companies = stage.loc[stage["segment"] == SEGMENT, ["date_key", "company_id", "trajectory"]]
    rows = companies
    for name in ("fct_engagement", "fct_revenue", "fct_support_tickets"):
        rows = rows.merge(tables[name].drop(columns="dim_row_id"), on=["date_key", "company_id"])
    logins = tables["evt_login"].groupby(["date_key", "company_id"]).size().rename("logins").reset_index()
    rows = rows.merge(logins, on=["date_key", "company_id"], how="left").fillna({"logins": 0})
    months = rows.groupby("date_key").mean(numeric_only=True)
    bounds = {metric.name: metric.spec.means for metric in plan.population.metrics} | {"logins": (1.5, 20.0)}
    shown = {"trajectory": months["trajectory"].tolist()}
    for name in ("engagement", "mrr", "churn_risk", "logins"):
        low, high = bounds[name]
        shown[name] = ((months[name] - low) / (high - low)).tolist()
    ticks = plan.grain.label(plan.first), plan.grain.label((plan.stop or 0) - 1)
    title = "Companies that fade: each value between its means at position 0 and 1"
    (HERE / "trajectory.svg").write_text(lines(title, ticks, shown) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

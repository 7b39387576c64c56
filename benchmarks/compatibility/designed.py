"""What differs from plotsim on purpose, and why: the one place where that is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.compatibility.shapes import Difference


@dataclass(frozen=True)
class Designed:
    """Differences that are meant: which ones, and the reason that the page gives."""

    matches: Callable[[Difference], bool]
    reason: str


KEYLESS = (
    "Rows that happen, or belong to others, carry a key, their date and their unit, also where the file leaves them out; "
    "what crosses a threshold needs no key. plotsim leaves them out as well, against its README: “PK uniqueness — no "
    "duplicate primary keys”, “date dimensions, entity dimensions, fact tables, event tables — with referential integrity "
    "enforced”."
)
ASKED = (
    "The `metrics` of a fact get columns. plotsim ignores the word, against its guide: “If you declare the schema, plotsim "
    "respects exactly what you wrote”."
)
LISTS = (
    "The dimension of the unit is there also beside listed dimensions alone. plotsim leaves it out, against its guide: "
    "you declare “Domain (`about`, `unit`)”, plotsim builds “Entity dim table”."
)
MIDWEEK = (
    "Weeks begin inside the window. plotsim adds the one that began before it, against its README, which has a window "
    "“start, end, granularity”; its own validation then finds a date outside of it."
)

DESIGNED = [
    Designed(
        lambda d: d.what == "key" and d.ours == "dim_row_id",
        "A dimension with versions has the key dim_row_id. plotsim says it is the unit's id, which has several rows.",
    ),
    Designed(lambda d: d.what == "order", "The columns are the same in another order."),
    Designed(
        lambda d: d.what == "columns" and d.table.startswith("bridge_") and not d.theirs,
        "A bridge to a dimension with versions names the unit as well as the version.",
    ),
    Designed(
        lambda d: d.what == "columns" and d.table == "_entity_features" and (d.theirs, d.ours) == ("", "segment"),
        "What a model is to find out includes the segment, which has the name that plotsim gives as archetype.",
    ),
    Designed(
        lambda d: d.what == "columns" and d.table.endswith("_wide") and d.theirs.startswith("fct_") and not d.ours,
        "A wide table has the columns of dimensions, as plotsim's guide says; its 0.7.0 adds those of other facts.",
    ),
    Designed(
        lambda d: d.what == "table" and d.table == "quality_ledger",
        "What was broken on purpose is a table as well; plotsim has it in its manifest alone.",
    ),
    Designed(
        lambda d: d.what == "table" and d.table == "source_entity_map",
        "Which rows of several sources are one unit is a table as well; plotsim has it in its manifest alone.",
    ),
    Designed(
        lambda d: d.what == "columns" and d.config == "keyless" and not d.theirs,
        KEYLESS,
    ),
    Designed(
        lambda d: d.what == "key" and d.config == "keyless",
        "What happens is told apart by its key, or by its unit and date. plotsim says it is by its unit alone, and its own "
        "validation then finds that key repeated.",
    ),
    Designed(lambda d: d.what == "columns" and d.config == "asked" and not d.theirs, ASKED),
    Designed(lambda d: d.what == "table" and d.config == "lists" and d.table == "dim_barrel", LISTS),
    Designed(lambda d: d.what == "rows" and d.config == "midweek" and d.table == "dim_date", MIDWEEK),
    Designed(
        lambda d: d.what == "table" and d.config == "short" and d.table.startswith("fct_"),
        "Without any table in the file there is one fact per metric, as plotsim's guide says; its 0.7.0 has one of all.",
    ),
]

REFUSED = {
    "a count with a continuous distribution, or an amount with one of counts": "the values would not be what the type says",
    "`scale` of a beta distribution that is not the width of its range": "the range says how far its values reach",
    "`alpha` and `beta` of a beta distribution that add up to less than 2": "the values would pile up on both bounds",
    "a `decay_window` of 1": "it is a plain delay",
    "`decay_kernel` without `decay_window`": "nothing decays",
    "blocks of a step arrival out of order": "the order is that of time",
    "a treatment of nobody, or without a lift": "treated units would be like the others",
    "a season of -1 or less": "means would fall below zero",
    "a phase without connections": "it would be as if it was not there",
    "`downgrade_delay` without `enforce_order`": "each row has the stage of its own value",
    "`lifecycle` of a metric that no fact holds": "no row would have a stage",
    "a noise family or `scale_with_trajectory` without `gaussian_sigma`": "there is no jitter that it could shape",
    "a column of `dim_date` that is no part of a date": "plotsim leaves it out without a word",
    "options of another type of column": "they would be ignored",
    "`faker.currency` and `faker.random_elements`": "they give lists",
    "`tiers` and `at` of the same length": "n edges part n + 1 tiers",
    "an event of `scale` 0": "it would never happen",
    "`log_filename` without `log_format`": "there are no lines to write",
    "a bridge to `dim_date`": "a link to a period is a fact",
    "a bridge with more links than there are rows to link to": "the number could never be reached",
    "an attribute that some segments lack, in a pool": "their units would have no value",
    "a column named in damage of whole rows": "it would be ignored",
    "a holdout that leaves less than `min_training_periods`": "there would be nothing to learn from",
    "`sql_dialect` without `format: sql` (but for the usual one), `partition_by` without `format: parquet`": "they would be "
    "ignored",
    "an output directory outside the current one": "a file of somebody else's must not write anywhere; `plotsim run -o` may",
    "names of more than 63 letters": "databases cut them",
}
"""What plotsim takes and we refuse when the config is loaded, and why."""


def reason(difference: Difference) -> str | None:
    """Return why something differs on purpose, None if it does not."""
    return next((designed.reason for designed in DESIGNED if designed.matches(difference)), None)


CORPUS = {
    r"columns: evt_\w+ lacks none and has date_key(, \w+_id)?": KEYLESS,
    r"columns: fct_\w+ lacks none and has \w+(, \w+)*": ASKED,
    r"table: dim_customer is there": LISTS,
    r"rows: dim_date has 105, not 106": MIDWEEK,
}
"""What differs in plotsim's own configs, as tests/compatibility/test_corpus.py says it, and why."""

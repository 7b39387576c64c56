"""docs/compatibility.md: a line for each config, then what differs and why."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.compatibility.designed import REFUSED, reason
from benchmarks.compatibility.shapes import Difference, Shape

INTRODUCTION = """# Compatibility with plotsim 0.7.0

A file written for the builder of plotsim 0.7.0 loads unchanged and gives the same tables, with the same columns, keys,
references and numbers of rows of its dimensions; the values are ours. This page compares the six configs that come with
plotsim and our own files in its language, which together use every key of it (`tests/compatibility`). Everything below is
written by `make compatibility`, which runs plotsim in an environment of its own. `make test` holds us to what it
found for our own files, without plotsim.

Of the 285 configs in plotsim's pages, notebooks and tests that it runs, all load, and 279 give the same tables, columns and
rows of dimensions, taken as plotsim's guide says where a file declares no tables: one fact per metric, or `fct_<unit>` where
the file names it. The six others differ as `keyless` (2), `asked` (2), `lists` (1) and `midweek` (1) do below.
`tests/compatibility/test_corpus.py` tells so where `PLOTSIM_CORPUS` names a folder with them.
"""


Row = tuple[str, Shape, int]
"""Whose a config is, our shape of it, and the score, 0 to 100, that our checks give to its data."""


def page(rows: Mapping[str, Row], all_differences: list[Difference], broken: Mapping[str, str]) -> str:
    """Return the page. `broken` maps configs to why they do not load."""
    lines = [INTRODUCTION, "| config | whose | loads | tables | rows of dimensions | our checks | differs |"]
    lines += ["|---|---|---|---:|---:|---:|---|"]
    for name, (whose, shape, score) in rows.items():
        if name in broken:
            lines.append(f"| {name} | {whose} | **no** | – | – | – | – |")
            continue
        config_differences = [difference for difference in all_differences if difference.config == name]
        summary = (
            ", ".join(sorted({f"{difference.what} of {difference.table}" for difference in config_differences})) or "no"
        )
        entries = sum(table.get("rows", 0) for table in shape.values())
        lines.append(f"| {name} | {whose} | yes | {len(shape)} | {entries:,} | {score} | {summary} |")
    meant: dict[str, list[Difference]] = {}
    open_ = []
    for difference in all_differences:
        why = reason(difference)
        if why is None:
            open_.append(difference)
        else:
            meant.setdefault(why, []).append(difference)
    lines += ["", "## What differs on purpose", ""]
    for why, differences in meant.items():
        lines.append(f"- {why} ({', '.join(sorted({f'{d.config}: {d.table}' for d in differences}))})")
    lines += [] if meant else ["Nothing.", ""]
    lines += ["", "## What differs and should not", ""]
    lines += [f"- {d.config}: {d.what} of {d.table}: plotsim {d.theirs or '–'}; ours {d.ours or '–'}" for d in open_]
    lines += [f"- {name} does not load: {text}" for name, text in broken.items()]
    lines += [] if open_ or broken else ["Nothing."]
    lines += ["", "## What plotsim takes and we refuse", ""]
    lines += ["Each is an error when the config is loaded, with its place in the file (`tests/errors/plotsim.yaml`).", ""]
    lines += [f"- {what}: {why}" for what, why in REFUSED.items()]
    return "\n".join(lines) + "\n"

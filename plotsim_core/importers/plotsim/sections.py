"""Sections of plotsim's engine layer beside the tables: what is broken on purpose, held out, written and so on."""

from __future__ import annotations

from typing import Any

from plotsim_core.importers.plotsim.families import short
from plotsim_core.importers.plotsim.schema import Schema
from plotsim_core.importers.reading import Part

Words = dict[str, Any]


def read_connections(parts: list[Part], target: str) -> list[str]:
    """Return correlations as short texts."""
    texts: list[str] = []
    for part in parts:
        pair = [part.text(name, is_required=True) for name in ("metric_a", "metric_b")]
        coefficient = part.number("coefficient", is_required=True)
        part.became(f"{target}[{len(texts)}]", f"a connection of {' and '.join(pair)}")
        texts.append(f"{pair[0]} {coefficient:g} {pair[1]}")
    return texts


def read_phases(root: Part) -> list[Words]:
    """Return phases with correlations of their own."""
    phases: list[Words] = []
    for part in root.parts("correlation_phases"):
        target = f"connection_phases[{len(phases)}]"
        key = "correlations" if part.has("correlations") else "connections"
        connections = read_connections(part.parts(key), f"{target}.connections")
        if not connections:
            part.dropped("", "without correlations it is as the rest of the window")
            continue
        part.became(target, "a phase of connections")
        periods = {name: part.integer(name, is_required=True) for name in ("start_period", "end_period")}
        phases.append({**periods, "connections": connections})
    return phases


def read_lifecycle(root: Part, schema: Schema) -> Words:
    """Return the stages as a lifecycle; {} without any."""
    part = root.mapping("stages")
    if part is None:
        return {}
    metric = schema.metric_of(part.text("field", is_required=True))
    if metric is None:
        part.problem("field", f"no metric is '{part.text('field')}'")
        return {}
    if (schema.metrics[metric].range or (0.0, 1.0)) != (0.0, 1.0) or schema.metrics[metric].is_count:
        part.approximated("sequence", f"thresholds are shares of the way that {metric} goes, not values of it")
    is_ordered, stages = part.flag("enforce_order"), part.parts("sequence", is_required=True)
    enters = [stage.number("threshold_enter", is_required=True) for stage in stages]
    words: list[Words] = []
    for index, (stage, enter) in enumerate(zip(stages, enters, strict=True)):
        name = stage.text("name", is_required=True)
        level = _exit(stage, index, enters, is_ordered)
        threshold = short(enter)
        words.append({name: threshold} if level is None else {"name": name, "threshold": threshold, "threshold_exit": level})
    part.became("lifecycle", f"a lifecycle of {metric}")
    lifecycle: Words = {"track": metric, "stages": words}
    if is_ordered:
        lifecycle["enforce_order"] = True
    if part.has("downgrade_delay"):
        if is_ordered:
            lifecycle["downgrade_delay"] = part.integer("downgrade_delay")
        else:
            part.integer("downgrade_delay")
            part.dropped("downgrade_delay", "without enforce_order each row has the stage of its own value")
    return lifecycle


def _exit(stage: Part, index: int, enters: list[float], is_ordered: bool) -> float | None:
    """Return the level below which a stage is left; None where its exit is the entry of the next."""
    if not stage.has("threshold_exit"):
        return None
    level = stage.number("threshold_exit")
    if index + 1 < len(enters) and level == enters[index + 1]:
        return None
    if level > enters[index] or index == 0 or not is_ordered:
        stage.dropped("threshold_exit", "a stage is left upwards where the next begins, and downwards only in order")
        return None
    return level


def read_seasons(root: Part) -> list[Words]:
    """Return seasonal effects."""
    seasons: list[Words] = []
    for part in root.parts("seasonal_effects"):
        part.became(f"seasonality[{len(seasons)}]", "a season")
        seasons.append({"months": [int(number) for number in part.numbers("months")], "strength": part.number("strength")})
    return seasons


def read_issues(root: Part) -> list[Words]:
    """Return what is broken on purpose, one issue for each column."""
    quality = root.mapping("quality")
    issues: list[Words] = []
    for part in quality.parts("quality_issues") if quality is not None else ():
        kind = part.text("type", is_required=True)
        words: Words = {"table": part.text("target_table", is_required=True), "issue": kind, "rate": part.number("rate")}
        columns: list[str | None] = [name for name in part.texts("target_columns") if name != "*"] or [None]
        if kind in ("duplicate_rows", "late_arrival", "volume_anomaly") and columns != [None]:
            part.dropped("target_columns", f"{kind} is about whole rows")
            columns = [None]
        if kind not in ("duplicate_rows", "late_arrival", "volume_anomaly") and columns == [None]:
            part.dropped("target_columns", f"{kind} is about single columns, which are not named")
            continue
        rest: Words = {}
        if part.integer("seed_offset"):
            rest["seed_offset"] = part.integer("seed_offset")
        if part.has("mode"):
            rest["mode"] = part.text("mode")
        if part.has("period"):
            rest["period"] = part.integer("period")
        if part.has("periods"):
            rest["periods"] = [int(number) for number in part.numbers("periods")]
        for column in columns:
            part.became(f"quality[{len(issues)}]", f"{kind} of {words['table']}")
            issues.append({**words, **({"column": column} if column is not None else {}), **rest})
    return issues


def read_holdout(root: Part) -> Words:
    """Return what a model is tested on; {} where it is not enabled."""
    part = root.mapping("holdout")
    if part is None:
        return {}
    target, periods = part.text("target_metric"), part.integer("holdout_periods")
    least = part.integer("min_training_periods", 3)
    if not part.flag("enabled", True):
        if target or periods or least != 3:
            part.dropped("", "it is not enabled")
        return {}
    part.became("holdout", "the holdout")
    return {"target": target, "periods": periods, **({"min_training_periods": least} if least != 3 else {})}


def read_features(root: Part) -> Any:
    """Return the features of units; None where they are not enabled."""
    part = root.mapping("entity_features")
    if part is None:
        return None
    metrics, has_labels = part.texts("metrics"), part.flag("include_labels", True)
    if not part.flag("enabled", True):
        if metrics or not has_labels:
            part.dropped("", "it is not enabled")
        return None
    part.became("entity_features", "the features of units")
    words: Words = {"metrics": metrics} if metrics else {}
    return {**words, **({} if has_labels else {"include_labels": False})} or True


def read_sources(root: Part) -> list[Words]:
    """Return the systems that hold the units otherwise."""
    part = root.mapping("multi_source")
    if part is None:
        return []
    sources: list[Words] = []
    for source in part.parts("sources"):
        words: Words = {"name": source.text("name", is_required=True)}
        if source.text("key_scheme", "prefix_padded") != "prefix_padded":
            words["key_scheme"] = source.text("key_scheme")
        words |= {name: source.number(name) for name in ("name_drift_rate", "attribute_drift_rate") if source.number(name)}
        source.became(f"sources[{len(sources)}]", f"the source {words['name']}")
        sources.append(words)
    return sources


def read_output(root: Part) -> Any:
    """Return where and how tables are written; None for what is usual."""
    part = root.mapping("output")
    if part is None:
        return None
    words: Words = {}
    if part.text("format", "csv") != "csv":
        words["format"] = part.text("format")
    directory = part.text("directory", "output")
    if directory.startswith(("/", "\\", "~")) or ".." in directory.split("/") or ":" in directory.split("/")[0]:
        part.dropped("directory", "a config writes below the current folder alone; `plotsim run -o` may write elsewhere")
    elif directory != "output":
        words["directory"] = directory
    if part.flag("denormalized"):
        words["denormalized"] = True
    if part.has("partition_by"):
        if part.text("format", "csv") == "parquet":
            words["partition_by"] = part.text("partition_by")
        else:
            part.text("partition_by")
            part.dropped("partition_by", "only Parquet is written so")
    if part.text("sql_dialect", "postgresql") != "postgresql":
        if part.text("format", "csv") == "sql":
            words["sql_dialect"] = part.text("sql_dialect")
        else:
            part.dropped("sql_dialect", "no SQL is written")
    if part.integer("cell_budget"):
        words["cell_budget"] = part.integer("cell_budget")
    if words:
        part.became("output", "the output")
    return words["format"] if words.keys() == {"format"} else words or None

"""Problems of named effects with the rest of a config: what they act on, and the tables that list them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from plotsim_core.config.named_effects import Effect, EffectRow, table_rows
from plotsim_core.config.occasions import Occasion
from plotsim_core.config.parts import Parts
from plotsim_core.config.segments import MovedArrival
from plotsim_core.config.tables import DeclaredTable, Table
from plotsim_core.config.written_tables import list_or_empty
from plotsim_core.errors import Problem, ProblemError
from plotsim_core.families import did_you_mean

_SHOWN = 5
"""How many wrong rows of a table are told."""
_ROW_WORDS = (("metrics", "metric"), ("segments", "segment"), ("tables", "table"))
"""Words of an effect, and the column in which the rows of its table may say the same."""


def named_effects(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the effects of a dataset, which act on all kinds of unit, and of those of further kinds."""
    yield from _problems(parts, [parts, *parts.units] if parts.kind is None else [parts])
    for kind in parts.units if parts.kind is None else ():
        yield from (problem.under(kind.path) for problem in _problems(kind, [kind]))


def _problems(parts: Parts, kinds: Sequence[Parts]) -> Iterator[Problem]:
    """Yield the problems of the effects that some parts declare, which act on the units of `kinds`."""
    paths: dict[str, str] = {}
    for path, effect in parts.effects:
        if not parts.declares(path):
            continue
        if paths.setdefault(effect.name, path) != path:
            yield Problem(f"{path}.name", f"{paths[effect.name]} is named {effect.name} too", "choose another")
        rows: Sequence[EffectRow] = ()
        if effect.rows_of is not None:
            try:
                rows = _listed_rows(effect, effect.rows_of, parts.scope.tables)
            except ProblemError as error:
                yield from (problem.under(path) for problem in error.problems)
                continue
        yield from (problem.under(path) for problem in _target_problems(effect, rows, kinds))


def _listed_rows(effect: Effect, name: str, tables: Mapping[str, DeclaredTable]) -> Sequence[EffectRow]:
    """Return the rows of the table of an effect. Raises ProblemError, with paths that begin at the effect, for a table that
    lists none; without problems for one that is wrong where it stands."""
    if name not in tables:
        listed = [other for other, table in tables.items() if table.kind is not None and table.kind.is_listed]
        unknown = Problem("rows_of", f"no table is named '{name}'", did_you_mean(name, listed))
        raise ProblemError(*([] if "" in tables else [unknown]))
    declaration = tables[name]
    if declaration.table is None or declaration.is_open:
        raise ProblemError
    if not declaration.table.is_listed:
        hint = "give its rows as lists of values, or by `rows: { file: ... }`"
        raise ProblemError(Problem("rows_of", f"the rows of {name} are not listed", hint))
    if "start" not in declaration.columns:
        hint = did_you_mean("start", list(declaration.columns))
        raise ProblemError(Problem("rows_of", f"{name} has no column 'start', the first day of each row", hint))
    for word, column in _ROW_WORDS:
        if word in declaration.columns:
            message = f"{name}.{word} is no column of an effect"
            raise ProblemError(Problem("rows_of", message, f"name it {column}; each row has one, or none for all"))
    try:
        rows = table_rows(declaration.table)
    except ProblemError as error:
        wrong_rows = islice(error.problems, _SHOWN)
        raise ProblemError(*(Problem("rows_of", f"{name}: {problem.message}") for problem in wrong_rows)) from None
    idle_words = list(_idle_words(effect, name, rows))
    if idle_words:
        raise ProblemError(*idle_words)
    return rows


def _idle_words(effect: Effect, name: str, rows: Sequence[EffectRow]) -> Iterator[Problem]:
    """Yield the words of an effect that every row of its table says by itself, and a factor that none says."""
    for word, column in (("factor", "factor"), *_ROW_WORDS):
        is_complete = all(getattr(row, column) is not None for row in rows)
        if getattr(effect, word) is not None and is_complete:
            yield Problem(word, f"has no effect: every row of {name} has a {column} of its own", "leave it out")
        elif word == "factor" and effect.factor is None and not is_complete:
            hint = f"what it multiplies by, here or in a column `factor` of {name}"
            yield Problem("factor", "is missing", hint)


def _target_problems(effect: Effect, rows: Sequence[EffectRow], kinds: Sequence[Parts]) -> Iterator[Problem]:
    """Yield what an effect names that is not there, and what it cannot act on."""
    tables = {name: table for kind in kinds for name, table in kind.scope.tables.items()}
    known_names = {
        "metrics": {name for kind in kinds for name in kind.scope.metrics},
        "segments": {name for kind in kinds for name in _segment_names(kind.raw)},
        "tables": set() if "" in tables else set(tables),
    }
    hints = {**known_names, "tables": {name for name, table in tables.items() if table.table and table.table.has_rhythm}}
    for word, column in _ROW_WORDS:
        for path, name in _named(word, getattr(effect, word), (getattr(row, column) for row in rows)):
            if known_names[word] and name not in known_names[word]:
                yield Problem(path, f"no {column} is named '{name}'", did_you_mean(name, sorted(hints[word])))
            elif word == "tables" and name in tables and (table := tables[name].table) is not None:
                yield from (problem.under(path) for problem in _table_problems(table, effect.occasions(rows)))
    yield from _metric_problems(effect, effect.occasions(rows), kinds)


def _named(word: str, names: Sequence[str] | None, row_names: Iterable[str | None]) -> Iterator[tuple[str, str]]:
    """Yield each name that an effect has for a word, with the path of the word, and that its rows have."""
    yield from ((f"{word}[{index}]", name) for index, name in enumerate(names or ()))
    yield from (("rows_of", name) for name in dict.fromkeys(row_names) if name is not None)


def _segment_names(raw: Mapping[str, object]) -> Iterator[str]:
    for segment in list_or_empty(raw.get("segments")):
        if isinstance(segment, Mapping) and "name" in segment:
            yield str(segment["name"])


def _table_problems(table: Table, occasions: Sequence[Occasion]) -> Iterator[Problem]:
    """Yield why the number of rows of a table cannot be multiplied, with paths that begin at its name."""
    acting = [occasion for occasion in occasions if table.name in occasion.tables]
    if not table.has_rhythm:
        hint = "name a table whose rows are drawn around a mean, or lie in time without units, or else a metric"
        yield Problem("", f"the number of rows of {table.name} follows from no mean", hint)
    elif table.has_unit_rows:
        return
    elif any(occasion.segments is not None for occasion in acting):
        yield Problem("", f"rows of {table.name} are of no segment", "give it an effect without `segments`")
    elif any(occasion.factor == 0 for occasion in acting):
        hint = f"it has exactly {table.rows_per_span:,} rows in each span; a factor of 0.001 leaves nearly none"
        yield Problem("", f"0 has no place with {table.name}: its rows have to lie somewhere", hint)


def _metric_problems(effect: Effect, occasions: Sequence[Occasion], kinds: Sequence[Parts]) -> Iterator[Problem]:
    """Yield a factor of 0 on means, and an effect that would act on no metric."""
    if any(occasion.factor == 0 and occasion.metrics != () for occasion in occasions):
        place = "rows_of" if effect.factor is None else "factor"
        message = "0 has no place with means, which would not stay above 0"
        yield Problem(place, message, "name `tables`, which may have no rows")
    are_known = all(kind.scope.metrics and len(kind.metrics) == len(kind.scope.metrics) for kind in kinds)
    has_sized = any(metric.sized for kind in kinds for _, metric in kind.metrics)
    if are_known and not has_sized and any(occasion.metrics is None for occasion in occasions):
        yield Problem("", "has no effect: no metric is an amount or a count", "name `metrics` or `tables`")
    named_segments = {name for occasion in occasions for name in occasion.segments or ()}
    segments = [segment for kind in kinds for _, segment in kind.segments]
    acting = [segment for segment in segments if not named_segments or segment.name in named_segments]
    if effect.arrivals and acting and not any(isinstance(segment.arrival, MovedArrival) for segment in acting):
        hint = "give one an arrival of the kind ongoing, uniform or linear"
        yield Problem("arrivals", "has no effect: all units of its segments are there at given times", hint)

"""Declared rules (`checks` of a config) as checks: each is one of its own, by its name, of the table that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL

from plotsim_core.arrow import ArrowArray, struct_values
from plotsim_core.columns.formula_values import formula_value, inputs_of
from plotsim_core.config.data_rule import DataRule
from plotsim_core.config.formula import names, parse_formula
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type
from plotsim_core.validation.check import TALLY, Check, Finding, unjudged
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.structure import period_of


def declared_checks(plan: Plan) -> dict[str, Check]:
    """Return the checks of the rules of a dataset, by their names."""
    return {rule.check_name: _check(rule) for rule in plan.dataset.checks}


def _check(rule: DataRule) -> Check:
    reads = frozenset(rule.other_tables)
    return Check(
        "rules",
        f"Declared: {rule.subject}.",
        rule.severity == "error",
        lambda store, table: _findings(rule, store, table),
        lambda population, table: reads if table.name == rule.table else None,
    )


def _findings(rule: DataRule, store: StoredData, table: TablePlan) -> Iterator[Finding]:
    missing = next((name for name in rule.other_tables if name not in store.relations), None)
    if missing is not None:
        yield unjudged(rule.subject, f"{missing} is not there")
    elif rule.needs_all and not all(_is_whole(store, name, _end(store)) for name in (rule.table, *rule.other_tables)):
        yield unjudged(rule.subject, "it speaks of all periods, and not all are stored")
    else:
        with _rows_of(rule, store, table) as rows:
            result = store.arrow(rule.query(rows))
        verdict = rule.verdict(result)
        partial = next((name for name in rule.other_tables if not _is_whole(store, name, _last(store, table, name))), None)
        if verdict.reason:
            yield unjudged(rule.subject, verdict.reason, verdict.numbers)
        elif partial is not None and not verdict.passed:  # the rows that are missed may be of periods that are not stored
            yield unjudged(rule.subject, f"{verdict.message}, and not all periods of {partial} are stored", verdict.numbers)
        else:
            tally = None if verdict.tally is None else verdict.tally.cast(TALLY)
            yield Finding(rule.subject, verdict.passed, verdict.message, verdict.numbers, tally)


def _last(store: StoredData, table: TablePlan, name: str) -> int:
    """Return the end of the periods of another table whose rows a row of judged periods may need: what it refers to comes
    before it, what belongs to it with it, and else anything later may."""
    belongs = store.plan.table(name).spec.parent_name == table.name
    return store.stop if belongs or any(parent == name for _, parent, _ in table.references) else _end(store)


def _end(store: StoredData) -> int:
    """Return the end of the window, or of what is judged where it has none."""
    return store.stop if store.plan.stop is None else store.plan.stop


def _is_whole(store: StoredData, name: str, stop: int) -> bool:
    """Return whether all periods of a table before `stop` are stored."""
    plan = store.plan
    if not plan.has_window:
        return True
    table = plan.table(name)
    if store.stop < stop and (table.time is None or store.stored_keys is None):
        return False
    if table.time is None:
        return True
    stored_keys = store.stored_keys_of(table)
    if store.stored_keys is None:  # judged periods may have no rows
        stored_keys |= {*_keys(store, store.first, store.stop)}
    return stored_keys >= {*_keys(store, plan.first, stop)}


def _keys(store: StoredData, first: int, stop: int) -> list[int]:
    keys: list[int] = store.plan.grain.keys(np.arange(first, stop, dtype=np.int64)).tolist()
    return keys


@dataclass(frozen=True, eq=False)
class StoredRows:
    """The rows that a rule is judged by (`RuleRows`), as relations of a store; `functions` are the SQL functions of its
    formulas."""

    rule: DataRule
    store: StoredData
    table: TablePlan
    functions: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> str:
        return self._kept(self.store.relation(self.table))

    @property
    def all_rows(self) -> str:
        return self._kept(self.store.full_relation(self.table))

    @property
    def period(self) -> str:
        return period_of(self.table)

    @property
    def is_judged(self) -> str:
        low, high = self.store.key_range
        return f"{self.period} BETWEEN {low} AND {high}" if self.table.time is not None else "TRUE"

    def others(self, name: str) -> str:
        plan = self.store.plan
        table = plan.table(name)
        population = plan.population_of(table)
        is_same = population is self.store.population
        kinds = [self.store] if is_same else [kind for kind in self.store.kinds if kind.population is population]
        return kinds[0].full_relation(table.clean)

    def truth(self, formula: str) -> str:
        inputs = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in names(formula))
        return f"{quoted(self.functions[formula])}(struct_pack({inputs}))"

    def references(self, name: str) -> list[tuple[str, str]]:
        other = self.store.plan.table(name)
        return [(column, key) for column, parent, key in other.references if parent == self.table.name]

    def _kept(self, relation: str) -> str:
        return relation if self.rule.where is None else f"(SELECT * FROM {relation} WHERE {self.truth(self.rule.where)})"


@contextmanager
def _rows_of(rule: DataRule, store: StoredData, table: TablePlan) -> Iterator[StoredRows]:
    """Yield the rows of a rule, with its formulas as functions of the connection as long as they are needed."""
    with ExitStack() as stack:
        functions = {}
        for number, (_, formula) in enumerate(rule.formulas()):
            functions[formula] = f"formula {number} of {rule.check_name}"
            _add_function(store, functions[formula], formula, table)
            stack.callback(store.connection.remove_function, functions[formula])
        yield StoredRows(rule, store, table, functions)


def _add_function(store: StoredData, name: str, formula: str, table: TablePlan) -> None:
    """Add a formula to the connection of a store, as a function that takes batches of rows and gives true, false or null."""
    columns = [table.column(input_name) for input_name in names(formula)]
    decimals = {column.name: column.decimal_places for column in columns}
    tree = parse_formula(formula)

    def truth(rows: ArrowArray) -> ArrowArray:
        values = {column: struct_values(rows, column) for column in decimals}
        with np.errstate(all="ignore"):
            result = formula_value(tree, inputs_of(values, decimals, len(rows), store.population.dataset.calendar))
        flags: ArrowArray = pa.array(result == 1.0, mask=np.isnan(result))
        return flags

    row = ", ".join(f"{quoted(column.name)} {sql_type(column.type)}" for column in columns)
    store.connection.create_function(name, truth, [f"STRUCT({row})"], "BOOLEAN", type=ARROW, null_handling=SPECIAL)

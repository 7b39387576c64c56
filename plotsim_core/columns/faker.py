"""`faker.<provider>`: a realistic text from the Faker library.

Values come from a pool of each provider and locale, which rows index. A pool depends only on the provider, its arguments
and the locale. All faker columns of a row share one locale (`faker_locales.py`), and those of a person agree
(`faker_people.py`). Identifiers are computed from serial numbers (`faker_identifiers.py`). Providers of dates before today
count from the window's start, or without a window from 2025 (`faker_dates.py`); other providers that read today's date are
refused, as the same config would give other rows tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field, WithJsonSchema, model_validator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.faker_dates import PAST, check_past, past_values
from plotsim_core.columns.faker_identifiers import (
    DIGESTS,
    capacity,
    capacity_problems,
    capacity_text,
    colliding_segments,
    digests,
    identifiers,
    locales_without,
    pattern_sets,
)
from plotsim_core.columns.faker_locales import countries_without_locale, row_locales
from plotsim_core.columns.faker_people import ADDRESSES, PEOPLE, name_count, person_texts
from plotsim_core.columns.faker_pools import Arguments, distinct_pool, pool, return_type
from plotsim_core.columns.faker_problems import check_provider
from plotsim_core.columns.identifier_forms import FORMS
from plotsim_core.columns.identifier_serials import has_own_texts
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.unique import check_unique, unique_indexes, unique_problems
from plotsim_core.config.column_source import with_options
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name, Scalar
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.calendar import ONCE
from plotsim_core.numerics.random import uniforms
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_MAX_ARGUMENTS = 20
_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(:[^:]+:[^:]+)*$"


def _scalar(text: str) -> Scalar:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


@add_source
class FakerText(ColumnSource):
    """`provider` is the name of a Faker method, `arguments` what it is given. `unique` says whether no two units, children
    or listed rows share one; with identifiers, e-mail addresses and user names it is so unless it is false, with texts of
    pools only where it is true. Columns of one `bundle` speak of one person; without one, all that have none do."""

    word = "faker"
    in_cases = True
    example = "faker.company"
    in_texts = True
    argument = "provider"
    in_structs = True

    provider: Annotated[Name, WithJsonSchema({"type": "string", "pattern": _PATTERN})]
    """The name of a Faker method."""
    arguments: Annotated[dict[Name, Scalar], Field(max_length=_MAX_ARGUMENTS)] = Field(default_factory=dict)
    """What the provider is given."""
    unique: Flag | None = None
    """Whether no two units, children or listed rows share one, as with identifiers, e-mail addresses and user names."""
    bundle: Name | None = None
    """The name of the columns that speak of one person."""

    @classmethod
    def todays_words(cls, column: Mapping[str, Any], is_listed: bool) -> Mapping[str, Any]:
        """`arguments` stand beside the type."""
        type_, *pairs = column["type"].split(":")
        if not pairs or len(pairs) % 2 or "arguments" in column:
            return column
        return with_options(column, type_, arguments=dict(zip(pairs[::2], map(_scalar, pairs[1::2]), strict=True)))

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take the arguments out of `<provider>:<argument>:<value>`."""
        if not isinstance(value, dict) or not isinstance(value.get("provider"), str) or ":" not in value["provider"]:
            return value
        name, *pairs = value["provider"].split(":")
        if len(pairs) % 2 or not all(pairs):
            text = value_text(f"faker.{value['provider']}")
            raise ProblemError(
                Problem("provider", f"cannot read {text}", "write it like faker.pyint:min_value:1:max_value:6")
            )
        if "arguments" in value:
            raise ProblemError(Problem("arguments", "the type says them already"))
        return {**value, "provider": name, "arguments": dict(zip(pairs[::2], map(_scalar, pairs[1::2]), strict=True))}

    @property
    def argument_pairs(self) -> Arguments:
        """The arguments as a sorted tuple, which caches use as a key."""
        return tuple(sorted(self.arguments.items()))

    @classmethod
    def offers(cls, word: str) -> bool:
        return word in (*PEOPLE, *ADDRESSES, *FORMS, "company", "city", "address", "word", "sentence", "job")

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        if self.provider in PAST:
            return PAST[self.provider].type
        if self.provider in PEOPLE or self.provider in DIGESTS or _is_identifier(self, dataset.locale):
            return pa.string()
        if return_type(self.provider, dataset.locale[0]) is str:  # without a pool, which is slow to make
            return pa.string()
        type_: pa.DataType = pool(self.provider, dataset.locale[0], self.argument_pairs).type
        return type_

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        from faker.config import AVAILABLE_LOCALES

        name = self.provider
        locales = tuple(dict.fromkeys(locale for locale in scope.locale if locale in AVAILABLE_LOCALES))
        if self.unique is not None:
            yield from _check_unique(self, table, locales)
        if self.bundle is not None and name not in PEOPLE:
            yield Problem("bundle", f"has no effect: faker.{name} tells nothing of a person")
        if name in PAST:
            grain, first = (ONCE, 0) if scope.window is None else (scope.window.grain, scope.window.first)
            start = grain.starts(np.array([first])).astype("datetime64[D]").astype(np.int64)
            problems = check_past(name, self.arguments, int(start[0]))
            yield from (Problem("type", problem.message, problem.hint) for problem in problems)
        elif name in PEOPLE or name in DIGESTS or name == "industry":
            if self.arguments:
                yield Problem("type", f"faker.{name} takes no arguments here")
        elif not _is_identifier(self, locales):
            yield from check_provider(name, self.arguments, list(locales))

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if _is_distinct(self, table) and _is_identifier(self, dataset.locale):
            yield from capacity_problems(self.provider, table, dataset)
        elif self.unique and _has_pool(self, dataset.locale):
            values = distinct_pool(self.provider, dataset.locale[0], self.argument_pairs)
            yield from unique_problems(len(values), f"faker.{self.provider}", table, dataset)

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if _is_distinct(self, table) and _is_identifier(self, dataset.locale):
            for name in colliding_segments(self.provider, table, dataset):
                message = f"texts of units in {name} depend on the segments before it"
                yield Problem("type", message, "keep their order, and add segments after them")
        if self.unique is None and has_own_texts(table) and self.provider in FORMS and not self.arguments:
            locales = locales_without(self.provider, dataset.locale)
            if locales:
                message = f"no forms are known in {locales}: texts of all locales come from pools, and may repeat"
                yield Problem("type", f"faker.{self.provider}: {message}", "`unique: false` says that they may")
        countries = countries_without_locale(table, self.bundle, dataset.locale)
        if countries:
            yield Problem(
                "type", f"no locale is of {enumeration(countries)}: rows there are in any of {enumeration(dataset.locale)}"
            )

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        is_identifying = self.provider in ADDRESSES or _is_identifier(self, dataset.locale) or bool(self.unique)
        suffix = ", of which no two are the same" if is_identifying and _is_distinct(self, table) else ""
        return f"{_DESCRIPTIONS.get(self.provider, f'Invented {phrase(self.provider)}')}{suffix}."

    def variety(self, table: Table, dataset: Dataset) -> str:
        """Return the number of different texts, in words."""
        name = self.provider
        if _is_distinct(self, table) and _is_identifier(self, dataset.locale):
            return capacity_text(name, table, dataset)
        if _is_identifier(self, dataset.locale):
            return f"{capacity(name, dataset.locale):,} different texts, drawn, so some may repeat"
        if name in PAST or name in DIGESTS:
            return ""
        if name in ADDRESSES:
            return "no two the same" if _is_distinct(self, table) else "as often the same as people's names are"
        if name in PEOPLE:
            return f"up to {name_count(name, dataset.locale):,} different texts"
        return f"{self.text_count(table, dataset):,} different values"

    def text_count(self, table: Table, dataset: Dataset) -> int | None:
        name = self.provider
        if name in DIGESTS:
            return 2**62
        if name in PAST:
            return None
        if _is_identifier(self, dataset.locale):
            return capacity(name, dataset.locale)
        if name in PEOPLE:
            return name_count("last_name" if name in ADDRESSES else name, dataset.locale)
        return len({value for locale in dataset.locale for value in pool(name, locale, self.argument_pairs).to_pylist()})

    def stored_bytes(self, type_: pa.DataType) -> float | None:
        return 3.0 if type_ == pa.string() else None

    @property
    def has_locale(self) -> bool:
        return True

    @property
    def is_name(self) -> bool:
        return "name" in self.provider or self.provider == "company"

    def is_unique(self, table: Table) -> bool:
        return self.unique is True and _is_distinct(self, table)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population, name, bundle = rows.block.population, self.provider, self.bundle or ""
        distinct = _is_distinct(self, population.table(table.stream).spec)
        if name in PEOPLE:
            return person_texts(name, rows, table, bundle, distinct)
        if _is_identifier(self, population.dataset.locale):
            return identifiers(name, column, table, rows, distinct)
        if name in DIGESTS:
            return digests(name, rows.stream(table, column), rows.address)
        if name in PAST:
            start = population.grain.starts(np.array([population.first])).astype("datetime64[D]").astype(np.int64)
            day_uniforms = uniforms(rows.stream(table, column, "within"), rows.address)
            return past_values(name, self.arguments, int(start[0]), rows.uniforms(table, column), day_uniforms)
        if self.unique:
            values = distinct_pool(name, population.dataset.locale[0], self.argument_pairs).cast(column.type)
            return values.take(unique_indexes(len(values), column, table, rows))
        pools = [pool(name, locale, self.argument_pairs).cast(column.type) for locale in population.dataset.locale]
        size = len(pools[0])
        indexes = rows.choose(table, column, size)
        if len(pools) > 1:
            indexes = indexes + size * row_locales(rows, table, bundle)
        return pa.concat_arrays(pools).take(indexes.astype(np.int32))


def _has_pool(options: FakerText, locales: tuple[str, ...]) -> bool:
    """Return whether values come from a pool: those of no person, no date and no identifier."""
    others = (*ADDRESSES, *PEOPLE, *DIGESTS, *PAST, *FORMS)
    return options.provider not in others and not _is_identifier(options, locales)


def _is_identifier(options: FakerText, locales: tuple[str, ...]) -> bool:
    """Return whether a column has identifiers, rather than texts from a pool."""
    return options.provider in FORMS and not options.arguments and bool(pattern_sets(options.provider, locales))


def _is_distinct(options: FakerText, table: Table) -> bool:
    """Return whether the rows of a table have distinct texts."""
    return options.unique is not False and has_own_texts(table)


def _check_unique(options: FakerText, table: Table, locales: tuple[str, ...]) -> Iterable[Problem]:
    name = options.provider
    if options.unique and _has_pool(options, locales):
        if len(locales) > 1:
            yield Problem("unique", "has no place here: texts of several locales may be the same", "give one `locale`")
        yield from check_unique(table)
    elif name not in ADDRESSES and not _is_identifier(options, locales):
        if name in FORMS and not options.arguments:
            locales_text = locales_without(name, locales)
            location = f"in the locale {locales_text}" if locales_text else "of their own in each of the locales"
            yield Problem("unique", f"has no place here: faker.{name} gives no identifiers {location}")
            return
        yield Problem(
            "unique",
            f"has no place here: nothing keeps what faker.{name} gives from repeating",
            f"these tell people apart, without arguments: {', '.join([*ADDRESSES, *FORMS])}",
        )
    elif not has_own_texts(table):
        reason = f"rows of {table.name} stand for no thing that a code could be kept for, so their texts are drawn"
        yield Problem(
            "unique", f"has no place here: {reason}", "units, their children and listed rows have texts of their own"
        )


_DESCRIPTIONS = {
    "name": "Full name of an invented person",
    "first_name": "First name of an invented person",
    "last_name": "Last name of an invented person",
    "email": "E-mail address of an invented person",
    "user_name": "User name of an invented person",
}

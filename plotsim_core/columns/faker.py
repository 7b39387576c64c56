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
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.country_locales import (
    check_choice,
    choice_problems,
    column_locales,
    deciding_values,
    locales_by,
    locales_of_rows,
)
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
)
from plotsim_core.columns.faker_locales import countries_without_locale
from plotsim_core.columns.faker_people import ADDRESSES, DESCRIPTIONS, PEOPLE, name_count, person_texts
from plotsim_core.columns.faker_pools import Arguments, argument_value, distinct_pool, pool, return_type
from plotsim_core.columns.faker_problems import check_provider, locale_with
from plotsim_core.columns.faker_unique import check_faker_unique, has_pool, is_identifier
from plotsim_core.columns.identifier_forms import FORMS
from plotsim_core.columns.identifier_serials import has_own_texts
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.unique import unique_indexes, unique_problems
from plotsim_core.config.column_source import Origin, with_options
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.locale_choice import LocaleChoice, or_name, written_locale
from plotsim_core.config.model import Flag, Name, Scalar
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.calendar import ONCE
from plotsim_core.numerics.random import uniforms
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_MAX_ARGUMENTS = 20
_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(:[^:]+:[^:]+)*$"


@add_source
class FakerText(ColumnSource):
    """`provider` is the name of a Faker method, `arguments` what it is given. `unique` says whether no two units, children
    or listed rows share one; with identifiers, e-mail addresses and user names it is so unless it is false, with texts of
    pools only where it is true. Columns of one `bundle` speak of one person; without one, all that have none do. `locale`
    is that of its texts; said at one column of a person, it holds for all of the `bundle`."""

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
    locale: Annotated[LocaleChoice | None, BeforeValidator(written_locale), Field(json_schema_extra=or_name)] = None
    """The locale of its texts, or `{ by: country }` for that of the country which a column of the row names."""

    @classmethod
    def todays_words(cls, column: Mapping[str, Any], is_listed: bool) -> Mapping[str, Any]:
        """`arguments` stand beside the type."""
        type_, *pairs = column["type"].split(":")
        if not pairs or len(pairs) % 2 or "arguments" in column:
            return column
        return with_options(column, type_, arguments=dict(zip(pairs[::2], map(argument_value, pairs[1::2]), strict=True)))

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
        return {**value, "provider": name, "arguments": dict(zip(pairs[::2], map(argument_value, pairs[1::2]), strict=True))}

    @property
    def argument_pairs(self) -> Arguments:
        """The arguments as a sorted tuple, which caches use as a key."""
        return tuple(sorted(self.arguments.items()))

    @classmethod
    def offers(cls, word: str) -> bool:
        return word in (*PEOPLE, *ADDRESSES, *FORMS, "company", "city", "address", "word", "sentence", "job")

    def locale_choice(self, table: Table) -> LocaleChoice | None:
        """Return the locale that it says, or another column of the same person in a table; None where none does."""
        if self.locale is not None or self.provider not in PEOPLE:
            return self.locale
        return next(iter(self._person_choices(table)), None)

    def _person_choices(self, table: Table) -> list[LocaleChoice]:
        """Return the locales that columns of the same person in a table say."""
        sources = [column.source for column in table.columns]
        people = [s for s in sources if isinstance(s, FakerText) and s.provider in PEOPLE and s.bundle == self.bundle]
        return [source.locale for source in people if source.locale is not None]

    def locales(self, table: Table, dataset: Dataset) -> tuple[str, ...]:
        """Return the locales that rows of a table may have."""
        return column_locales(self.locale_choice(table), table, dataset)

    def _is_identifier(self, locales: tuple[str, ...]) -> bool:
        return is_identifier(self.provider, self.arguments, locales)

    def _is_distinct(self, table: Table) -> bool:
        """Return whether the rows of a table have distinct texts."""
        return self.unique is not False and has_own_texts(table)

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        if self.provider in PAST:
            return PAST[self.provider].type
        if self.provider in PEOPLE or self.provider in DIGESTS:
            return pa.string()
        written = () if self.locale is None else tuple(self.locale.cases.values())
        locale = locale_with(self.provider, (*written, *dataset.locale))
        if self._is_identifier((locale,)) or return_type(self.provider, locale) is str:  # without a pool, slow to make
            return pa.string()
        type_: pa.DataType = pool(self.provider, locale, self.argument_pairs).type
        return type_

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        from faker.config import AVAILABLE_LOCALES

        name, choice = self.provider, self.locale_choice(table)
        option_problems = [] if self.locale is None else list(check_choice(self.locale, column, table, scope))
        person_choices = self._person_choices(table) if self.locale is not None and name in PEOPLE else []
        if person_choices and person_choices[0] != self.locale:
            message = "another column tells of the same person in another locale"
            option_problems.append(Problem("locale", message, "give them a `bundle` each"))
        yield from option_problems
        is_known = choice is None or choice.by is None or deciding_values(choice, table, scope) is not None
        if option_problems or not is_known:  # of another column of the person, it is told there
            return
        names = scope.locale if choice is None else locales_by(choice, table, scope)
        locales = tuple(dict.fromkeys(locale for locale in names if locale in AVAILABLE_LOCALES))
        if self.unique is not None:
            yield from check_faker_unique(name, self.arguments, self.unique, table, locales)
        if self.bundle is not None and name not in PEOPLE:
            yield Problem("bundle", f"has no effect: faker.{name} tells nothing of a person")
        if self.locale is not None and (name in PAST or name in DIGESTS or name == "industry"):
            yield Problem("locale", f"has no effect: faker.{name} gives the same in every locale")
        if name in PAST:
            grain, first = (ONCE, 0) if scope.window is None else (scope.window.grain, scope.window.first)
            start = grain.civil_starts(np.array([first])).astype("datetime64[D]").astype(np.int64)
            problems = check_past(name, self.arguments, int(start[0]))
            yield from (Problem("type", problem.message, problem.hint) for problem in problems)
        elif name in PEOPLE or name in DIGESTS or name == "industry":
            if self.arguments:
                yield Problem("type", f"faker.{name} takes no arguments here")
        elif not self._is_identifier(locales):
            yield from check_provider(name, self.arguments, list(locales))

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        locales = self.locales(table, dataset)
        if self.locale is not None:
            yield from choice_problems(self.locale, table, dataset)
        if self._is_distinct(table) and self._is_identifier(locales):
            yield from capacity_problems(self.provider, table, dataset, locales)
        elif self.unique and has_pool(self.provider, self.arguments, locales):
            values = distinct_pool(self.provider, locales[0], self.argument_pairs)
            yield from unique_problems(len(values), f"faker.{self.provider}", table, dataset)

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        locales = self.locales(table, dataset)
        if self._is_distinct(table) and self._is_identifier(locales):
            for name in colliding_segments(self.provider, table, dataset, locales):
                message = f"texts of units in {name} depend on the segments before it"
                yield Problem("type", message, "keep their order, and add segments after them")
        if self.unique is None and has_own_texts(table) and self.provider in FORMS and not self.arguments:
            formless = locales_without(self.provider, locales)
            if formless:
                message = f"no forms are known in {formless}: texts of all locales come from pools, and may repeat"
                yield Problem("type", f"faker.{self.provider}: {message}", "`unique: false` says that they may")
        countries = [] if self.locale_choice(table) else countries_without_locale(table, self.bundle, locales)
        if countries:
            message = f"no locale is of {enumeration(countries)}: rows there are in any of {enumeration(locales)}"
            yield Problem("type", message)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        choice, locales = self.locale_choice(table), self.locales(table, dataset)
        is_identifying = self.provider in ADDRESSES or self._is_identifier(locales) or bool(self.unique)
        suffix = f", of the country that {choice.by} names" if choice is not None and choice.by is not None else ""
        suffix += ", of which no two are the same" if is_identifying and self._is_distinct(table) else ""
        return f"{DESCRIPTIONS.get(self.provider, f'Invented {phrase(self.provider)}')}{suffix}."

    def reads(self, table: Table) -> Iterable[Origin]:
        choice = self.locale_choice(table)
        if choice is not None and choice.by is not None:
            yield table.name, choice.by

    def variety(self, table: Table, dataset: Dataset) -> str:
        """Return the number of different texts, in words."""
        name, locales = self.provider, self.locales(table, dataset)
        if self._is_distinct(table) and self._is_identifier(locales):
            return capacity_text(name, table, dataset, locales)
        if self._is_identifier(locales):
            return f"{capacity(name, locales):,} different texts, drawn, so some may repeat"
        if name in PAST or name in DIGESTS:
            return ""
        if name in ADDRESSES:
            return "no two the same" if self._is_distinct(table) else "as often the same as people's names are"
        if name in PEOPLE:
            return f"up to {name_count(name, locales):,} different texts"
        return f"{self.text_count(table, dataset):,} different values"

    def text_count(self, table: Table, dataset: Dataset) -> int | None:
        name, locales = self.provider, self.locales(table, dataset)
        if name in DIGESTS:
            return 2**62
        if name in PAST:
            return None
        if self._is_identifier(locales):
            return capacity(name, locales)
        if name in PEOPLE:
            return name_count("last_name" if name in ADDRESSES else name, locales)
        return len({value for locale in locales for value in pool(name, locale, self.argument_pairs).to_pylist()})

    def stored_bytes(self, type_: pa.DataType) -> float | None:
        return 3.0 if type_ == pa.string() else None

    @property
    def has_locale(self) -> bool:
        return self.locale is None

    @property
    def is_name(self) -> bool:
        return "name" in self.provider or self.provider == "company"

    def is_unique(self, table: Table) -> bool:
        return self.unique is True and self._is_distinct(table)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population, name, bundle = rows.block.population, self.provider, self.bundle or ""
        spec = population.table(table.stream).spec
        if name in PAST:
            start = population.grain.civil_starts(np.array([population.first])).astype("datetime64[D]").astype(np.int64)
            day_uniforms = uniforms(rows.stream(table, column, "within"), rows.address)
            return past_values(name, self.arguments, int(start[0]), rows.uniforms(table, column), day_uniforms)
        locales, distinct = locales_of_rows(self.locale_choice(spec), rows, table, bundle), self._is_distinct(spec)
        if name in PEOPLE:
            return person_texts(name, rows, table, bundle, distinct, locales)
        if self._is_identifier(locales.names):
            return identifiers(name, column, table, rows, distinct, locales)
        if name in DIGESTS:
            return digests(name, rows.stream(table, column), rows.address)
        if self.unique:
            values = distinct_pool(name, locales.names[0], self.argument_pairs).cast(column.type)
            return values.take(unique_indexes(len(values), column, table, rows))
        pools = [pool(name, locale, self.argument_pairs).cast(column.type) for locale in locales.names]
        size = len(pools[0])
        indexes = rows.choose(table, column, size) + size * locales.indexes
        return pa.concat_arrays(pools).take(indexes.astype(np.int32))

    def row_steps(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> list[Step]:
        choice = self.locale_choice(table.spec)
        if choice is None or choice.by is None:
            return []
        locales = locales_of_rows(choice, rows, table, self.bundle or "")
        return [Step("locale", locales.names[int(locales.indexes[0])], f"that of the country which {choice.by} names")]

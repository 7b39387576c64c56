"""Which words a table of the section `tables` may have, as far as what it is per alone decides it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.config.table_kind import TABLE_FORMS, TableWords
from plotsim_core.config.table_shape import CELL, MOMENT, PERIOD, TIME, UNIT, Shape
from plotsim_core.config.tables import Table

PerForm = Literal["nothing", "one name", "several names"]
"""How much a table is per. Which name is that of a table, the unit or a period, other sections say."""
_ROOTS: tuple[tuple[str, ...], ...] = ((), MOMENT, (UNIT,), CELL)
_CHOICES: tuple[dict[str, Any], ...] = ({}, {"rows": 1}, {"when": {}}, {"columns": [{"name": "key", "type": "id"}]})
"""What chooses among the kinds of one `per`."""


def shape_words() -> dict[PerForm, list[str]]:
    """Return the words of the tables that are per nothing, one name and several."""
    words: dict[PerForm, dict[str, None]] = {"nothing": {}, "one name": {}, "several names": {}}
    for kind in shaped_kinds():
        forms = [form for form in words if any(kind.of_shape(shape) for shape in _shapes(form))]
        for form in forms or words:  # one that no shape decides has words of its own
            words[form] |= dict.fromkeys([*words_of_shape(kind), *kind.shape_words])
    return {form: list(names) for form, names in words.items()}


def shaped_kinds() -> list[type[Table]]:
    """Return the kinds that tables of the section `tables` may be of."""
    return [kind for _, kind in TABLE_FORMS.items() if getattr(kind.of_shape, "__func__", None) is not _OF_NO_SHAPE]


def words_of_shape(kind: type[Table]) -> list[str]:
    """Return the words of a kind without those of the other sections."""
    return [word for word in words_of(kind) if word not in kind.older]


_OF_NO_SHAPE = getattr(TableWords.of_shape, "__func__", None)


def _shapes(form: PerForm) -> Iterator[Shape]:
    """Yield a shape of each sort that there is of a form."""
    for choice in _CHOICES:
        if form == "nothing":
            yield from (Shape(choice, (), root) for root in ((), MOMENT))
        elif form == "one name":
            for per in (PERIOD, TIME):
                yield Shape({**choice, "per": per}, (per,), (per,))
            yield from (Shape({**choice, "per": UNIT}, (UNIT,), (UNIT,), is_first) for is_first in (True, False))
            yield from (Shape({**choice, "per": "table"}, ("table",), root) for root in _ROOTS)
        else:
            yield Shape({**choice, "per": [*CELL]}, CELL, CELL)
            for roots in (((), ()), ((UNIT,), ())):
                names = ("table", "other")
                yield Shape({**choice, "per": [*names]}, names, roots[0], False, roots)
                yield Shape({**choice, "per": [*names, PERIOD]}, (*names, PERIOD), roots[0], False, roots)

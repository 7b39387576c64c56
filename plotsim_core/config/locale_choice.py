"""The locale of a column of texts: one for all its rows, or by a column that names the country."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from plotsim_core.config.cases import ELSE
from plotsim_core.config.model import Name, Part
from plotsim_core.errors import Problem, ProblemError, value_text

"""The case of all values without one."""


class LocaleChoice(Part):
    """The locale of a column: `by` is the column that names a country, `cases` are the locales of some of its values."""

    by: Name | None = None
    """The column of the row that names its country: by a code of two or three letters, or in English."""
    cases: Annotated[dict[str, str], Field(max_length=400)] = Field(default_factory=dict)
    """Locales of values of it, where they are not the usual ones; `else` for all that have none."""

    @model_validator(mode="after")
    def _check_by(self) -> LocaleChoice:
        if self.by is None and [*self.cases] != [ELSE]:
            raise ProblemError(Problem("by", "is missing: the column that names the country"))
        return self


def written_locale(value: Any) -> Any:
    """Return a locale that is written alone in the long form."""
    if not isinstance(value, str | Mapping | LocaleChoice):
        raise ValueError(f"expected a locale such as de_DE, or {{ by: country }}, found {value_text(value)}")
    return {"cases": {ELSE: value}} if isinstance(value, str) else value


def or_name(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of a locale take its name alone as well."""
    schema["anyOf"] = [{"type": "string"}, *schema.get("anyOf", [])]

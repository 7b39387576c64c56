"""Rules of texts, as `narrative` has them: templates with slots, alternatives with weights, and what decides among them.

A rule is a list of texts (each as likely), a mapping of texts to weights, or `{ by: ..., cases: ... }`, whose cases are
rules in their turn. A text has slots in braces: `{name}`, with forms behind bars and a format behind a colon:
`{item|plural quantity|capital}`, `{amount:,.2f}`, `{day:%d %B}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from plotsim_core.config.cases import case_key
from plotsim_core.config.formula import DIRECTIVES
from plotsim_core.errors import Problem, ProblemError, key_text, value_text

SEGMENT, BAND = "segment", "band"
"""What decides beside columns: the segment of the row's unit, and the band that its position or metric is in."""
MOST_TEXTS = 1000
"""The most alternatives of a rule, and the most cases."""
_MOST_DEPTH = 8
"""How many decisions may lie in one another."""
_SLOT = re.compile(r"([A-Za-z_]\w{0,62}(?:\.\w{1,63}){0,2})((?:\|[a-z]+(?: [A-Za-z_]\w{0,62})?)*)", re.ASCII)
_NUMBER_FORMAT = re.compile(r"(0[1-9]\d?)?(,)?(?:\.(\d))?([df%]?)")


@dataclass(frozen=True)
class Form:
    """A form that a text takes: its word, and the column that it depends on (None: on none)."""

    word: str
    column: str | None


@dataclass(frozen=True)
class Slot:
    """A slot: the name of a rule, a column or a column type, its format (empty: none), and the forms it takes in order."""

    name: str
    format: str = ""
    forms: tuple[Form, ...] = ()


@dataclass(frozen=True)
class Template:
    """A text as its literal parts and its slots, in their order."""

    parts: tuple[str | Slot, ...]

    def __str__(self) -> str:
        """Return it with the names of its slots in braces."""
        return "".join(part if isinstance(part, str) else f"{{{part.name}}}" for part in self.parts)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots, in their order."""
        return tuple(part for part in self.parts if isinstance(part, Slot))


@dataclass(frozen=True)
class Alternatives:
    """Texts of which each row has one, as often as the weights say (None: each as likely); `path` is where they stand."""

    path: str
    templates: tuple[Template, ...]
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Decision:
    """Rules by the value of `by`: a column of the row, its segment or its band. `path` is where it stands."""

    path: str
    by: str
    cases: Mapping[str, Rule]


Rule = Alternatives | Decision


def alternatives_of(rule: Rule) -> list[Alternatives]:
    """Return the lists of alternatives in a rule, in their order."""
    return (
        [rule]
        if isinstance(rule, Alternatives)
        else [part for case in rule.cases.values() for part in alternatives_of(case)]
    )


def decisions_of(rule: Rule) -> list[Decision]:
    """Return the decisions in a rule, each before those in its cases."""
    if isinstance(rule, Alternatives):
        return []
    return [rule, *(part for case in rule.cases.values() for part in decisions_of(case))]


def slots_of(rule: Rule) -> list[Slot]:
    """Return the slots in the texts of a rule."""
    return [slot for part in alternatives_of(rule) for template in part.templates for slot in template.slots]


def read_template(text: str) -> Template:
    """Return a text as a template. Raises ValueError for braces that hold no slot."""
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"cannot read {value_text(text)}: {error}") from None
    parts: list[str | Slot] = []
    for literal, name, format_, conversion in pieces:
        if literal:
            parts.append(literal)
        if name is None:
            continue
        match = _SLOT.fullmatch(name)
        if match is None or conversion:
            slot_text = f"{{{name}{f'!{conversion}' if conversion else ''}}}"
            raise ValueError(
                f"expected a name in braces, like {{mood}} or {{item|plural count}}, found {value_text(slot_text)}"
            )
        if format_ and not is_date_format(format_) and number_format(format_) is None:
            examples = "numbers are written like {x:,.2f}, {x:.1%} or {x:03d}, dates like {x:%d %B}"
            raise ValueError(f"cannot read the format {value_text(format_)}; {examples}")
        forms = tuple(_form(form) for form in match[2].split("|")[1:])
        parts.append(Slot(match[1], format_ or "", forms))
    return Template(tuple(parts))


def _form(written: str) -> Form:
    word, _, column = written.partition(" ")
    return Form(word, column or None)


@dataclass(frozen=True)
class NumberFormat:
    """How a number is written: at least `width` letters, filled up with zeros, with commas between thousands, with so many
    `digits` behind the point, as a percentage."""

    width: int
    has_commas: bool
    digits: int
    is_share: bool


def number_format(text: str) -> NumberFormat | None:
    """Return a format of numbers; None for anything else."""
    match = _NUMBER_FORMAT.fullmatch(text)
    if match is None or (match[4] in ("f", "%")) != (match[3] is not None):
        return None
    return NumberFormat(int(match[1] or 0), match[2] is not None, int(match[3] or 0), match[4] == "%")


def is_date_format(text: str) -> bool:
    """Return whether a format is of dates: text with the directives that formulas know."""
    letters = re.findall("%(.?)", text)
    return bool(letters) and all(f"%{letter}" in DIRECTIVES for letter in letters)


def has_time(format_: str) -> bool:
    """Return whether a format of dates writes a time of day."""
    return re.search("%[HMS]", format_) is not None


def read_rule(path: str, written: Any, depth: int = 0) -> Rule:
    """Return a rule as it is written at `path`. Raises ProblemError with all that is wrong in it."""
    if isinstance(written, Mapping) and written and not _are_weights(written):
        return _decision(path, written, depth)
    texts = [written] if isinstance(written, str) else list(written) if isinstance(written, Mapping | list | tuple) else []
    if not 0 < len(texts) <= MOST_TEXTS:
        message = f"expected 1 to {MOST_TEXTS} texts, texts with weights, or a decision, found {value_text(written)}"
        raise ProblemError(
            Problem(path, message, "write it like [one, other], { often: 3, seldom: 1 }, or { by: column, cases: {...} }")
        )
    problems: list[Problem] = []
    templates: list[Template] = []
    for index, text in enumerate(texts):
        try:
            templates.append(read_template(_text(text)))
        except ValueError as error:
            problems.append(Problem(f"{path}[{index}]" if isinstance(written, list | tuple) else path, str(error)))
    if len(set(map(str, texts))) < len(texts):
        message = f"two texts are the same in {value_text(texts)}"
        problems.append(Problem(path, message, "weights say how often each is taken"))
    weights = tuple(map(float, written.values())) if isinstance(written, Mapping) else None
    if weights is not None and not 0 < sum(weights) < math.inf:
        problems.append(Problem(path, "expected weights of which one is above 0, and none without bound"))
    if problems:
        raise ProblemError(*problems)
    return Alternatives(path, tuple(templates), weights)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, found {value_text(value)}")
    return value


def _are_weights(written: Mapping[Any, Any]) -> bool:
    """Return whether a mapping gives texts weights."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 for value in written.values())


def _decision(path: str, written: Mapping[Any, Any], depth: int) -> Decision:
    unknown = [key for key in written if key not in ("by", "cases")]
    hint = "texts with weights are written like { often: 3, seldom: 1 }, decisions like { by: column, cases: {...} }"
    message = "expected `by` and `cases`, or texts with weights from 0"
    problems = [Problem(path, f"{message}, found {value_text({key: written[key]})}", hint) for key in unknown[:1]]
    missing = [] if unknown else [word for word in ("by", "cases") if word not in written]
    problems += [Problem(f"{path}.{word}", "is missing") for word in missing]
    by, cases = written.get("by"), written.get("cases")
    if "by" in written and not isinstance(by, str):
        problems.append(Problem(f"{path}.by", f"expected a column, `{SEGMENT}` or `{BAND}`, found {value_text(by)}"))
    rules: dict[str, Rule] = {}
    if depth == _MOST_DEPTH:
        problems.append(Problem(path, f"expected no more than {_MOST_DEPTH} decisions in one another"))
    elif "cases" in written and (not isinstance(cases, Mapping) or not 0 < len(cases) <= MOST_TEXTS):
        problems.append(Problem(f"{path}.cases", f"expected a rule for each value, found {value_text(cases)}"))
    else:
        for key, case in (cases or {}).items():
            try:
                case_path = f"{path}.cases.{key_text(key)}"
                rules[case_key(case_path, key)] = read_rule(case_path, case, depth + 1)
            except ProblemError as error:
                problems += error.problems
    if problems:
        raise ProblemError(*problems)
    return Decision(path, str(by), rules)

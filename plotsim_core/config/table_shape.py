"""The section `tables`: what each table has rows per, by which its kind is known.

A table is per nothing, a kind of unit, a period, both together, the time of day, or a row of another table. Names are looked
up in this order: `period` and `time`, the kind of unit, a table. The table of the units themselves means the same as their
kind: `per: customers` is `per: customer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plotsim_core.config.model import is_name
from plotsim_core.config.star_schema import DATE_DIMENSION, is_unit_table
from plotsim_core.config.words import enumeration
from plotsim_core.config.written_tables import column_parts, is_shaped_dates, list_or_empty, shows_dimension, written_per
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean, nearest
from plotsim_core.numerics.calendar import GRAINS

UNIT, PERIOD, TIME = "unit", "period", "time"
"""What a table may be per, beside the rows of another table."""
CELL = (UNIT, PERIOD)
MOMENT = ("moment",)
"""What a table that is per nothing counts as in the end, if its rows have moments."""
_TIMES = ("timestamp", f"ref.{DATE_DIMENSION}")
"""Types of columns that give the rows of a table that is per nothing moments."""
_PLACING = {"after", "between"}
"""Words of such a column by which other columns of the row place it in their stead."""
SHAPE_WORDS = {
    "per": "For each of what it has rows: a kind of unit, `period`, a table, or a list of them; nothing for a plain table.",
    "rows": "How many rows there are for each; one unless it is given.",
    "where": "Which rows are kept: a formula over columns of the row.",
    "when": "At which moment of a unit there is a row: when a metric has crossed a level.",
}
"""Words of every table of the section, and what each means."""
_RESERVED = (PERIOD, TIME)
FOREIGN = ("unit of another kind",)
"""What the table of units of another kind counts as."""
NOTHING = ("nothing", "none", "table", "plain")
"""What people write who mean a table that is per nothing."""


@dataclass(frozen=True)
class OtherKinds:
    """What the other kinds of unit of a config declare: the kind of each name, of kinds and of their tables (`kinds`), and
    the tables of the units that rows may be combined with, as written, by the names of their kinds and their own
    (`unit_tables`)."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    unit_tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


NO_KINDS = OtherKinds()


@dataclass(frozen=True)
class Shape:
    """A table of the section as written (`raw`): what it is `per`, and what the table is per that its rows belong to in the
    end (`root`, the same for a table that is per no other table). The table of the units themselves `is_of_units`. Of a
    grid, `part_roots` are the roots of each of what it is per, the period left out. With `is_likely`, names are misspelt,
    and it is what they probably mean."""

    raw: Mapping[str, Any]
    per: tuple[str, ...]
    root: tuple[str, ...]
    is_of_units: bool = False
    part_roots: tuple[tuple[str, ...], ...] = ()
    is_likely: bool = False

    @property
    def parts(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What a grid combines, the period left out, each with its root."""
        return tuple(zip((name for name in self.per if name != PERIOD), self.part_roots, strict=True))

    @property
    def parent(self) -> str | None:
        """The table whose rows its rows belong to; None for a table that is per no other table."""
        return next((name for name in self.per if name not in (UNIT, *_RESERVED)), None)

    @property
    def is_dates(self) -> bool:
        """Whether its rows are the periods, and no others that a unit called period has."""
        return self.per == (PERIOD,) and is_shaped_dates(self.raw)

    @property
    def is_grid(self) -> bool:
        """Whether there is a row for each combination of several things, one of them a row of a table."""
        return len(self.per) > 1 and self.per != CELL

    @property
    def has_one_row_each(self) -> bool:
        """Whether there is one row for each of what it is per, and nothing selects among them."""
        return self.raw.get("rows") is None and "when" not in self.raw


@dataclass(frozen=True)
class Spelling:
    """A table of the section in the words of its kind (`raw`), with the paths of these words in the section (`paths`)."""

    raw: Mapping[str, Any]
    paths: Mapping[str, str]


def spelled(shape: Shape, **older: Any) -> Spelling:
    """Return a table in the words of its kind: `older` for `per` and `rows`, and its own for the rest."""
    return Spelling({**{key: value for key, value in shape.raw.items() if key not in ("per", "rows")}, **older}, {})


def has_moments(raw: Any) -> bool:
    """Return whether a table that is per nothing has a column that shows when its rows happen."""
    return not shows_dimension(raw) and any(
        part.get("type") in _TIMES and not _PLACING & part.keys() for part in column_parts(raw)
    )


def unit_table_name(sections: Mapping[str, Any], unit: str) -> str:
    """Return the name of the table of the units: of the section `tables` (the first that keeps all its rows), or the
    dimension per unit that is named after it, or the first."""
    unit_tables = [raw for raw in list_or_empty(sections.get("tables")) if is_unit_table(raw, unit)]
    shaped = [str(raw.get("name")) for raw in sorted(unit_tables, key=lambda raw: "where" in raw)]
    dimensions = [raw for raw in list_or_empty(sections.get("dimensions")) if isinstance(raw, Mapping)]
    of_units = [str(raw.get("name")) for raw in dimensions if raw.get("per") == UNIT and "count" not in raw]
    default = f"dim_{unit}"
    return next(iter(shaped), default if default in of_units else next(iter(of_units), default))


def read_shapes(
    sections: Mapping[str, Any], unit: str, problems: list[Problem], other_kinds: OtherKinds = NO_KINDS
) -> list[Shape | None]:
    """Return the shape of each table of the section `tables`, None for one whose `per` is wrong, which is added to
    `problems`."""
    tables = list_or_empty(sections.get("tables"))
    unit_table = unit_table_name(sections, unit)
    foreign_names = {name: str(raw["name"]) for name, raw in other_kinds.unit_tables.items()}
    own_roots = _roots_of_other_sections(sections)
    roots = {**own_roots, **dict.fromkeys(foreign_names.values(), FOREIGN)}
    written = {
        str(raw["name"]): names
        for raw in tables
        if isinstance(raw, Mapping) and is_name(raw.get("name")) and (names := written_per(raw)) is not None
    }

    of_units = (unit, unit_table) if unit else ()
    known_names = list(dict.fromkeys([*of_units[:1], *_RESERVED, *of_units[1:], *written, *own_roots]))
    timed = {str(raw.get("name")) for raw in tables if written_per(raw) == () and has_moments(raw)}
    happening = {str(raw.get("name")) for raw in tables if isinstance(raw, Mapping) and "when" in raw}

    def meaning(names: Sequence[str]) -> tuple[str, ...]:
        meanings = [UNIT if name in (unit, unit_table) else foreign_names.get(name, name) for name in names]
        order = [*(name for name in meanings if name != PERIOD), *(name for name in meanings if name == PERIOD)]
        return tuple(order)

    def root(per: tuple[str, ...], visited: tuple[str, ...] = ()) -> tuple[str, ...]:
        parent = next((name for name in per if name not in (UNIT, *_RESERVED)), None)
        if parent in timed:
            return MOMENT
        if parent is None or parent in visited:
            return per
        if parent in happening:
            return CELL
        return root(meaning(written[parent]), (*visited, parent)) if parent in written else roots.get(parent, ())

    def circle(name: str) -> list[str]:
        names = [name]
        while (parent := next((other for other in written.get(names[-1], ()) if other in written), None)) is not None:
            if parent in names:
                return names if parent == name else []
            names.append(parent)
        return []

    shapes: list[Shape | None] = []
    for index, raw in enumerate(tables):
        names = written_per(raw)
        other_names = [name for name in names or () if name in other_kinds.kinds and name not in known_names]
        is_of_units = any(root(meaning((name,))) == (UNIT,) for name in names or () if name in known_names)
        unfit_names = [name for name in other_names if not is_of_units or name not in foreign_names]
        all_names = [*dict.fromkeys([*known_names, *foreign_names, *other_names])]
        wrong = _wrong_names(raw, names, all_names, of_units)
        if wrong is None and unfit_names:
            wrong = _of_other_kind(unfit_names[0], other_kinds, names or (), is_of_units)
        ring = circle(str(raw.get("name"))) if isinstance(raw, Mapping) and wrong is None else []
        if len(ring) > 1:
            message = f"rows of {enumeration(sorted(ring))} would belong to each other"
            wrong = Problem("per", message, "let one have rows of its own")
        if wrong is not None:
            problems.append(wrong.under(f"tables[{index}]"))
            names = None if ring or (unfit_names and not is_of_units) else _likely_names(names, all_names, written)
        is_shaped = isinstance(raw, Mapping) and names is not None
        is_first = isinstance(raw, Mapping) and raw.get("name") == unit_table and is_unit_table(raw, unit)
        if not is_shaped or names is None:
            shapes.append(None)
            continue
        own_root = MOMENT if str(raw.get("name")) in timed else root(meaning(names))
        part_roots = tuple(root((name,)) for name in meaning(names) if name != PERIOD)
        shapes.append(Shape(raw, meaning(names), own_root, is_first, part_roots, is_likely=wrong is not None))
    return shapes


def _likely_names(
    names: tuple[str, ...] | None, known_names: list[str], written: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...] | None:
    """Return what a table is probably per, of which names are misspelt; None where that is not known."""
    likely_names = [name if name in known_names else nearest(name, known_names) for name in names or ()]
    is_known = all(name is not None and {*written.get(name, ())} <= {*known_names} for name in likely_names)
    is_usual = len({*likely_names}) == len(likely_names) > 0
    return tuple(name for name in likely_names if name is not None) if is_known and is_usual else None


def _of_other_kind(name: str, other_kinds: OtherKinds, names: tuple[str, ...], is_of_units: bool) -> Problem:
    """Return the problem of a table with rows of another kind of unit, and perhaps of this one (`is_of_units`)."""
    is_grid, kind = len(names) > 1, other_kinds.kinds[name]
    path = f"per[{names.index(name)}]" if is_grid else "per"
    elsewhere = f"write the table where `unit: {kind}` stands"
    if name in other_kinds.unit_tables or not is_grid or not is_of_units:
        noun = "is another kind of unit" if name == kind else f"is a table of {kind} units"
        return Problem(path, f"{name} {noun}, and rows here are per units of this kind", elsewhere)
    if kind in other_kinds.unit_tables:
        return Problem(path, f"{name} is a table of {kind} units", f"combine the {kind} itself")
    message = f"tables of the {kind} refer to units of this kind, so none here is per {name}"
    return Problem(path, message, elsewhere)


def _wrong_names(
    raw: Any, names: tuple[str, ...] | None, known_names: list[str], of_units: tuple[str, ...]
) -> Problem | None:
    if not isinstance(raw, Mapping):
        return None
    if names is None:
        return Problem("per", f"expected a name or a list of names, found {value_text(raw.get('per'))}")
    for number, name in enumerate(names):
        path = f"per[{number}]" if len(names) > 1 else "per"
        if name not in known_names:
            plain_hint = "leave `per` out: a plain table has rows per nothing"
            grain_hint = f"write `{PERIOD}`, which is as long as the window's `every`"
            hint = plain_hint if name in NOTHING else grain_hint if name in GRAINS else did_you_mean(name, known_names)
            if not of_units and name not in (*NOTHING, *GRAINS) and nearest(name, known_names) is None:
                hint = f"{hint}; a kind of unit has a name in `unit`, and comes with window, metrics and segments"
            return Problem(path, f"no kind of unit or table is named '{name}'", hint)
        if name in names[:number]:
            return Problem(path, f"'{name}' stands twice")
        if name == raw.get("name"):
            return Problem(path, f"rows of {name} would belong to rows of {name}")
    return None


def _roots_of_other_sections(sections: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return what the tables of the other sections are per in the end, by name."""
    roots: dict[str, tuple[str, ...]] = {}
    for section, root in (("dimensions", (UNIT,)), ("facts", CELL), ("events", CELL)):
        for raw in list_or_empty(sections.get(section)):
            if isinstance(raw, Mapping) and is_name(raw.get("name")):
                is_plain = bool(raw.get("reference")) or isinstance(raw.get("rows"), Mapping)
                per = raw.get("per")
                roots[raw["name"]] = () if is_plain else (per,) if per in (PERIOD, TIME) else root
    return roots

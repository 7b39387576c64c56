"""The language part of a table kind: what a table answers of itself before any row is made.

A kind is a class: the frozen model of its tables, a subclass of `Table`, which begins here. `plotsim_core/tables/kind.py`
adds the work, and each file of that folder is a member. Whoever wants to know something of a table asks it; nobody compares
the name of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from plotsim_core.config.absent_words import MOMENT_OF_UNITS, Absence
from plotsim_core.config.extensions import load_extensions
from plotsim_core.families import Family

if TYPE_CHECKING:
    from plotsim_core.config.calendar import Rhythm
    from plotsim_core.config.column_source import Origin
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.row_count import RowCount
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.table_shape import Shape, Spelling
    from plotsim_core.config.tables import Column, Table
    from plotsim_core.errors import Problem

Knowledge = Literal["unit", "period", "cell", "metrics", "crowd", "event", "calendar", "history", "key", "number", "list"]
"""What a row can know: its unit, its period, both together (cell), values of metrics, that it is of all units (crowd), that
it is an event, that it is a date, that it has versions, that it has a key of its own, that it is
numbered among others, that it is one of a listed few."""

Section = Literal["dimensions", "facts", "events", "bridges", "tables"]
SECTIONS: tuple[Section, ...] = ("dimensions", "facts", "events", "bridges", "tables")

CadenceName = Literal["increment", "snapshot", "change log"]
"""What a delivery of a table with time holds."""


@dataclass(frozen=True)
class CrossingWords:
    """A metric above (or below) a level for a number of periods in a row."""

    metric: str
    above: float | None
    below: float | None
    periods: int


class TableWords:
    """What a table kind says. The answers of the class hold of all its tables; those of methods and properties of one.

    A kind must have `kind`, `key_columns` and `describe`, and, to be declared in a config, `section` with `recognise` or
    `of_shape`; a kind with several classes has a `form` in each. All else has a default: that of a table whose rows belong
    to units, and which nobody treats specially.
    """

    kind: ClassVar[str]
    """Name of the kind, in texts."""
    form: ClassVar[str] = ""
    """Name of the form, of a kind with several: by what the rows belong to in the end, or with the words of an older
    section."""
    section: ClassVar[Section | None] = None
    """Section of a config that declares its tables; None for tables that follow from others."""
    config_key: ClassVar[str] = "metrics"
    """Key of a config that its tables follow from where no section declares them."""
    knows: ClassVar[frozenset[Knowledge]] = frozenset()
    """What its rows know; a source fits where all that it needs is known."""
    is_state: ClassVar[bool] = False
    """Whether what it holds is as of the end of a slice, whatever the slice's first period."""
    cadence: ClassVar[CadenceName] = "increment"
    """What a delivery for some periods holds of a table with time."""
    row_stage: ClassVar[str | None] = None
    """Stage that decides which rows there are."""
    older: ClassVar[frozenset[str]] = frozenset()
    """Words that its tables have in the other sections, and not in `tables`."""
    shape_words: ClassVar[tuple[str, ...]] = ("per",)
    """Words that its tables have in `tables` beside its fields: `per`, and what would make another kind of them."""
    absent: ClassVar[Mapping[str, Absence]] = {"when": MOMENT_OF_UNITS}
    """Words of `tables` that others have and its tables have not."""
    written: ClassVar[Mapping[str, str]] = {}
    """Paths of the words of `tables` to the older words that its tables are written with."""

    is_dimension: ClassVar[bool] = False
    """Whether its rows are members of what there is, to which facts and events refer."""
    is_unit_dimension: ClassVar[bool] = False
    """Whether its rows are the units."""
    is_of_units: ClassVar[bool] = False
    """Whether it is a dimension whose rows come with units: as many of each as `per_unit` says."""
    comes_with_units: ClassVar[bool] = False
    """Whether it is a dimension whose rows arrive with their unit: units, their children, and what belongs to these."""
    is_listed: ClassVar[bool] = False
    """Whether it is a dimension whose rows are listed."""
    is_date_dimension: ClassVar[bool] = False
    """Whether its rows are the periods of the window."""
    is_time_dimension: ClassVar[bool] = False
    """Whether its rows are times of day."""
    may_get_stage: ClassVar[bool] = False
    """Whether the first such table with the metric of the lifecycle gets a column of its stages."""
    is_per_cell: ClassVar[bool] = False
    """Whether it is a fact with one row per unit and period."""
    is_source: ClassVar[bool] = False
    """Whether its rows are the units as another system holds them."""
    is_bridge: ClassVar[bool] = False
    """Whether its rows are links: told apart by the keys of the rows that they link."""
    is_driven: ClassVar[bool] = False
    """Whether a metric drives how many rows a cell has, numbered in the order of time. Such a row does not happen without
    the earlier row that it refers to."""
    has_rhythm: ClassVar[bool] = False
    """Whether a rhythm moves how many rows there are."""
    has_moments: ClassVar[bool] = False
    """Whether its rows have moments of their own."""
    has_keyed_rows: ClassVar[bool] = False
    """Whether its rows are facts or events with keys, to which later rows may refer."""
    is_timed: ClassVar[bool] = False
    """Whether its rows are of no unit and have moments, those of plain rows: what comes later may refer to them."""
    has_rows_each_period: ClassVar[bool] = False
    """Whether a period in which units live has rows as a rule."""
    has_unit_rows: ClassVar[bool] = True
    """Whether each row belongs to a unit, whose key leads to it."""
    popularity: ClassVar[tuple[str, ...]] = ()
    """Options of references to it that say how often each row is referred to."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        """Return whether a table as written is of this kind rather than another one of its section."""
        return False

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        """Return a table of the section `tables` in the words of this kind; None for one of another kind."""
        return None

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the columns that tell rows apart."""
        raise NotImplementedError

    def time_column(self) -> str | None:
        """Return the column that places a row in time; None where the rows are a state as of some moment."""
        return None

    def leading_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the columns that come by themselves before those that are declared."""
        return ()

    def added_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the columns that come by themselves after those that are declared."""
        return ()

    def row_origins(self) -> Iterable[Origin]:
        """Yield the columns that decide which rows there are."""
        return ()

    def describe(self, dataset: Dataset) -> str:
        """Return one sentence for a table without a description."""
        raise NotImplementedError

    def check(self, scope: Scope) -> Iterable[Problem]:
        """Yield what is wrong, with paths that begin at the table."""
        return ()

    def notes(self) -> Iterable[Problem]:
        """Yield what is to be known of a table in which nothing is wrong, with paths that begin at the table."""
        return ()

    def ending(self) -> CrossingWords | None:
        """Return the crossing that ends a unit; None where no row does."""
        return None

    @property
    def is_fact(self) -> bool:
        """Whether its rows are what is measured, of which a wide table is made."""
        return self.section == "facts" and self.dimension_name is None

    @property
    def dimension_name(self) -> str | None:
        """The dimension whose columns it has rather than columns of its own."""
        return None

    @property
    def parent_name(self) -> str | None:
        """The table whose rows its rows belong to."""
        return None

    @property
    def combines(self) -> tuple[str, ...]:
        """The tables whose rows its rows combine, by which alone they are told apart."""
        return ()

    @property
    def filter(self) -> str | None:
        """The formula that says which rows are kept; None for a table that keeps all."""
        return None

    @property
    def row_problem(self) -> Problem | None:
        """What is wrong with how many rows a table of the section `tables` says it has."""
        return None

    @property
    def row_count(self) -> RowCount | None:
        """How many rows there are for each of what it is per; None for a table with one, or with rows found otherwise."""
        return None

    @property
    def row_driver(self) -> tuple[str, float] | None:
        """The metric that drives how many rows a cell has, and the rows for each unit of it."""
        return None

    @property
    def combined_units(self) -> tuple[str, ...]:
        """The tables of units of other kinds whose rows it combines in each period."""
        return ()

    @property
    def row_rhythm(self) -> Rhythm | None:
        """The rhythm of its own that its rows have."""
        return None

    @property
    def log_line(self) -> str | None:
        """What its rows are as lines of a log."""
        return None

    @property
    def listed_metrics(self) -> tuple[str, ...]:
        """The metrics that get a column by themselves."""
        return ()

    @property
    def per_unit(self) -> tuple[int, int]:
        """The least and the most rows per unit, of a dimension that is of units."""
        return (1, 1)

    def per_unit_of(self, segment: str) -> tuple[int, int]:
        """Return the least and the most rows per unit of a segment, of a dimension that is of units."""
        return self.per_unit

    @property
    def is_single(self) -> bool:
        """Whether a unit has one row at most."""
        return self.is_of_units and self.per_unit[1] == 1

    @property
    def per_row(self) -> tuple[int, int]:
        """The least and the most rows per row of the parent table."""
        return (1, 1)

    @property
    def length(self) -> int:
        """How many rows are listed; 0 for tables without a list."""
        return 0

    @property
    def rows_per_span(self) -> int:
        """How many rows there are in each span of the window; 0 for tables that do not say it."""
        return 0

    @property
    def is_dense(self) -> bool:
        """Whether its rows are numbered one after the other."""
        return self.is_listed or self.rows_per_span > 0

    @property
    def interval(self) -> str | None:
        """How often a snapshot is taken; None: at the end of every period."""
        return None


TABLE_FORMS: Family[type[Table]] = Family("table kind", complete=load_extensions)
"""All kinds of tables, each form of a kind by its own name; `plotsim_core/tables/kind.py` adds to it."""


def form_name(kind: type[TableWords]) -> str:
    """Return the name that a class of tables is known by."""
    return kind.form or kind.kind


def declared_forms(section: str | None = None) -> dict[str, type[Table]]:
    """Return the classes of tables that a config declares, by name; with `section`, those of that section."""
    forms = TABLE_FORMS.items()
    return {name: form for name, form in forms if form.section is not None and section in (None, form.section)}


def declared_kinds() -> dict[str, tuple[type[Table], ...]]:
    """Return the kinds of tables that a config declares, each with its forms: that of the section `tables` first."""
    kinds: dict[str, list[type[Table]]] = {}
    for form in declared_forms().values():
        kinds.setdefault(form.kind, []).append(form)
    return {name: tuple(sorted(forms, key=lambda form: form.section != "tables")) for name, forms in kinds.items()}


def tables_with(needs: frozenset[Knowledge], are_fitting: bool = True) -> Iterator[str]:
    """Yield the names of the kinds whose rows know what a source needs, or do not; of forms where those of a kind differ."""
    for kind, forms in declared_kinds().items():
        chosen = [form for form in forms if (needs <= form.knows) == are_fitting]
        yield from [kind] if len(chosen) == len(forms) else map(form_name, chosen)

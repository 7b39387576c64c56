"""The language part of a table kind: what a table answers of itself before any row is made.

A kind is a class: the frozen model of its tables, a subclass of `Table`, which begins here. `plotsim_core/tables/kind.py`
adds the work, and each file of that folder is a member. Whoever wants to know something of a table asks it; nobody compares
the name of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from plotsim_core.config.extensions import load_extensions
from plotsim_core.families import Family

if TYPE_CHECKING:
    from plotsim_core.config.calendar import Rhythm
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.tables import Column, Table
    from plotsim_core.errors import Problem

Knowledge = Literal["unit", "period", "cell", "metrics", "crowd", "event", "calendar", "history", "key", "number", "list"]
"""What a row can know: its unit, its period, both together (cell), values of metrics, that it is of all units (crowd), that
it is an event, that it is a date, that it has versions, that it has a key of its own, that it is
numbered among others, that it is one of a listed few."""

Section = Literal["dimensions", "facts", "events", "bridges"]
SECTIONS: tuple[Section, ...] = ("dimensions", "facts", "events", "bridges")

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

    A kind must have `kind`, `key_columns` and `describe`, and, to be declared in a config, `section` and `recognise`. All
    else has a default: that of a table whose rows belong to units, and which nobody treats specially.
    """

    kind: ClassVar[str]
    """Name of the kind, in texts."""
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

    is_unit_dimension: ClassVar[bool] = False
    """Whether its rows are the units."""
    is_of_units: ClassVar[bool] = False
    """Whether it is a dimension whose rows come with units: as many of each as `per_unit` says."""
    is_listed: ClassVar[bool] = False
    """Whether it is a dimension whose rows are listed."""
    is_date_dimension: ClassVar[bool] = False
    """Whether its rows are the periods of the window."""
    is_time_dimension: ClassVar[bool] = False
    """Whether its rows are times of day."""
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
    def dimension_name(self) -> str | None:
        """The dimension whose columns it has rather than columns of its own."""
        return None

    @property
    def parent_name(self) -> str | None:
        """The table whose rows its rows belong to."""
        return None

    @property
    def row_driver(self) -> tuple[str, float] | None:
        """The metric that drives how many rows a cell has, and the rows for each unit of it."""
        return None

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

    @property
    def per_row(self) -> tuple[int, int]:
        """The least and the most rows per row of the parent table."""
        return (1, 1)

    @property
    def length(self) -> int:
        """How many rows are listed; 0 for tables without a list."""
        return 0

    @property
    def interval(self) -> str | None:
        """How often a snapshot is taken; None: at the end of every period."""
        return None


TABLE_KINDS: Family[type[Table]] = Family("table kind", complete=load_extensions)
"""All kinds of tables; `plotsim_core/tables/kind.py` adds to it."""


def declared_kinds(section: str | None = None) -> dict[str, type[Table]]:
    """Return the kinds of tables that a config declares, by name; with `section`, those of that section."""
    kinds = TABLE_KINDS.items()
    return {name: kind for name, kind in kinds if kind.section is not None and section in (None, kind.section)}

"""The functions of formulas that take no chance: how they are written, and what they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["whole", "number", "bool", "text", "date", "moment", "span"]
Group = Literal["number", "text", "date", "moment", "span"]
"""What kinds go together: whole numbers, numbers and truths are numbers."""


@dataclass(frozen=True)
class Call:
    """What a function takes, in `words`: how many arguments (`most` None: any number), the kind of what it `gives` (None:
    that of its first argument), and the groups that each argument may be of (`takes`; the last stands for those behind
    it)."""

    words: str
    least: int
    most: int | None
    gives: Kind | None = None
    takes: tuple[tuple[Group, ...], ...] = (("number",),)


_TEXT: tuple[tuple[Group, ...], ...] = (("text",), ("number",))
_MEASURES: tuple[tuple[Group, ...], ...] = (("number", "date", "moment", "span"),)
_TIME: tuple[tuple[Group, ...], ...] = (("date", "moment"),)
_ZONED: tuple[tuple[Group, ...], ...] = (("moment",), ("text",))
FUNCTIONS = {
    "abs": Call("number", 1, 1, takes=(("number", "span"),)),
    "add_months": Call("date, months", 2, 2, "date", takes=(("date", "moment"), ("number",))),
    "add_working_days": Call("date, days", 2, 2, "date", takes=(("date", "moment"), ("number",))),
    "age": Call("born, at", 2, 2, "whole", takes=_TIME),
    "ceil": Call("number", 1, 1, "whole"),
    "coalesce": Call("a, b, ...", 2, None),
    "date": Call("moment", 1, 1, "date", takes=(("moment", "text"),)),
    "day": Call("date", 1, 1, "whole", takes=_TIME),
    "day_of_year": Call("date", 1, 1, "whole", takes=_TIME),
    "days": Call("number", 1, 1, "span"),
    "exp": Call("number", 1, 1, "number"),
    "floor": Call("number", 1, 1, "whole"),
    "hour": Call("moment", 1, 1, "whole", takes=(("moment",),)),
    "hours": Call("number", 1, 1, "span"),
    "is_null": Call("value", 1, 1, "bool", takes=(("number", "text", "date", "moment", "span"),)),
    "iso_week": Call("date", 1, 1, "whole", takes=_TIME),
    "iso_year": Call("date", 1, 1, "whole", takes=_TIME),
    "left": Call("text, letters", 2, 2, "text", takes=_TEXT),
    "local": Call("moment, zone", 2, 2, "moment", takes=_ZONED),
    "log": Call("number", 1, 1, "number"),
    "lower": Call("text", 1, 1, "text", takes=_TEXT),
    "max": Call("a, b, ...", 2, None, takes=_MEASURES),
    "min": Call("a, b, ...", 2, None, takes=_MEASURES),
    "minute": Call("moment", 1, 1, "whole", takes=(("moment",),)),
    "minutes": Call("number", 1, 1, "span"),
    "moment": Call("date", 1, 1, "moment", takes=(("date",),)),
    "month": Call("date", 1, 1, "whole", takes=_TIME),
    "month_end": Call("date", 1, 1, "date", takes=_TIME),
    "pick": Call("a, b, ...", 2, None),
    "quarter": Call("date", 1, 1, "whole", takes=_TIME),
    "right": Call("text, letters", 2, 2, "text", takes=_TEXT),
    "round": Call("number, digits", 1, 2, "number"),
    "seconds": Call("number", 1, 1, "span"),
    "sqrt": Call("number", 1, 1, "number"),
    "text": Call("value, digits", 1, 2, "text", takes=(("number", "date", "moment"), ("number", "text"))),
    "upper": Call("text", 1, 1, "text", takes=_TEXT),
    "utc": Call("moment, zone", 2, 2, "moment", takes=_ZONED),
    "weekday": Call("date", 1, 1, "whole", takes=_TIME),
    "weeks": Call("number", 1, 1, "span"),
    "where": Call("condition, a, b", 3, 3),
    "working_days": Call("from, to", 2, 2, "whole", takes=_TIME),
    "year": Call("date", 1, 1, "whole", takes=_TIME),
}


def form_of(name: str) -> str:
    """Return how a function is written: `round(number, digits)`."""
    return f"{name}({FUNCTIONS[name].words})"

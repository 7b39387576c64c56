"""Formulas: a small grammar over the columns of a row, numbers, named functions and draws. Read, never run as code.

Python's own parser gives the tree; only the nodes named here are accepted, and each is evaluated on whole arrays.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise

from plotsim_core.config.formula_functions import FUNCTIONS, form_of
from plotsim_core.config.formula_slips import hint_for
from plotsim_core.config.model import LARGEST
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.draws import DRAWS, LEAST_SHARE, Draw
from plotsim_core.numerics.zones import zone_names

_MOST_CHARACTERS, _MOST_NODES, _MOST_LEVELS = 500, 200, 40
_HIGHEST_POWER = 25
"""The highest power of the largest number that is still a finite double."""
_HIGHEST_WRITTEN_POWER = 2
"""The highest power of the largest number that has few enough digits for a text."""


ZONED = ("local", "utc")
"""Functions of a moment and a time zone."""
OF_CALENDAR = ("add_working_days", "working_days")
"""Functions that read the weekend and the holidays of the calendar."""
DIRECTIVES = ("%Y", "%y", "%m", "%d", "%H", "%M", "%S", "%j", "%G", "%V", "%u", "%a", "%A", "%b", "%B", "%%")
"""What a format of dates and moments may have, as in the C library: year, month, day, hour, minute, second, day of the year,
year and week by ISO, weekday, names of weekdays and months."""
PICK = "pick"
"""The function that draws one of its values, each as likely: a draw of values of any kind."""
NULL = "null"
"""The value that a branch may have instead of one."""
TRUTHS = {"true": True, "false": False}
"""Truths as YAML has them; Python's words for them are read too."""
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_UNDEFINED = (ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


class FormulaError(ValueError):
    """A formula that cannot be used; `problem` says why."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.problem = Problem("formula", message, hint)
        super().__init__(message)


@lru_cache(maxsize=1024)
def parse_formula(text: str) -> ast.expr:
    """Return the tree of a formula. Raises FormulaError for what is not in the grammar."""
    if len(text) > _MOST_CHARACTERS:
        raise FormulaError(f"expected at most {_MOST_CHARACTERS} characters, found {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        tokens = [token.type for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline)]
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        raise FormulaError(f"cannot read {value_text(text)}", hint_for(text)) from None
    if tokenize.COMMENT in tokens:
        raise FormulaError(
            f"cannot read {value_text(text)}: a formula has no comment", "leave out the # and what follows it"
        )
    if (tokenize.STRING, tokenize.STRING) in pairwise(tokens):
        hint = "put them together with +; a text with an apostrophe stands in double quotes"
        raise FormulaError(f"two texts stand side by side in {value_text(text)}", hint)
    if sum(1 for _ in ast.walk(tree)) > _MOST_NODES:
        raise FormulaError(f"expected at most {_MOST_NODES} parts, found more", "compute some of it in a column of its own")
    _check_node(tree, 1)
    return tree


def _check_node(node: ast.expr, depth: int) -> None:
    if depth > _MOST_LEVELS:
        raise FormulaError(f"expected at most {_MOST_LEVELS} levels of brackets and operators, found more")
    if isinstance(node, ast.Call):
        _check_call(node)
    elif isinstance(node, ast.Constant):
        _check_constant(node)
    elif isinstance(node, ast.Compare):
        if len(node.ops) > 1 or not isinstance(node.ops[0], COMPARISONS):
            is_listed = isinstance(node.ops[0], ast.In | ast.NotIn)
            hint = "write a == 'x' or a == 'y'" if is_listed else "compare two values: a < b and b < c"
            raise FormulaError(f"cannot compare as in {node_text(node)}", hint)
    elif not (
        isinstance(node, ast.Name | ast.IfExp | ast.BoolOp)
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ARITHMETIC))
        or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd | ast.Not))
    ):
        parts = "columns, numbers, texts, + - * / // % **, comparisons, and, or, not, a if c else b, and functions"
        is_power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor)
        hint = "a power is **: n ** 2" if is_power else f"it has: {parts}"
        raise FormulaError(f"{node_text(node)} has no place in a formula", hint)
    for child in operands(node):
        _check_node(child, depth + 1)


def _check_call(node: ast.Call) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in DRAWS:
        _check_draw(node, name, DRAWS[name])
        return
    if name not in FUNCTIONS:
        known_names = [*FUNCTIONS, *DRAWS]
        raise FormulaError(
            f"no function is named {f'`{name}`' if name else node_text(node.func)}", did_you_mean(name, known_names)
        )
    call = FUNCTIONS[name]
    count = len(node.args)
    if node.keywords or count < call.least or (call.most is not None and count > call.most):
        upper = f" to {call.most}" if call.most not in (None, call.least) else "" if call.most else " or more"
        raise FormulaError(f"{name} takes {call.least}{upper} values, found {node_text(node)}", f"write {form_of(name)}")
    if name == "round" and count == 2 and digits_of(node) is None:
        message = f"the digits of round are a whole number from 0 to 9, found {node_text(node.args[1])}"
        raise FormulaError(message, f"write {form_of(name)}")
    if name == "text" and count == 2 and digits_of(node) is None and format_of(node) is None:
        expected = "a whole number of digits from 0 to 9, or how a date is written, as '%Y-%m'"
        raise FormulaError(
            f"text takes {expected}, found {node_text(node.args[1])}", f"a format has: {' '.join(DIRECTIVES)}"
        )
    if name == "date" and isinstance(node.args[0], ast.Constant) and written_date(node) is None:
        raise FormulaError(f"expected a date as in date('2024-01-31'), found {node_text(node)}")
    if name in ZONED and isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str):
        zone = node.args[1].value
        if zone not in zone_names():
            raise FormulaError(f"no time zone is named {value_text(zone)}", did_you_mean(zone, sorted(zone_names())))
    if name in ("left", "right") and length_of(node) is None:
        message = f"{name} takes a whole number of letters from 1 to 999, found {node_text(node.args[1])}"
        raise FormulaError(message, f"write {form_of(name)}")


def _check_draw(node: ast.Call, name: str, draw: Draw) -> None:
    """Raise FormulaError for a draw with too few or too many values, or with a number that it cannot have."""
    words = [*draw.parameters, *(() if draw.cdf is None else ("least", "most"))]
    usage = f"{name}({', '.join(draw.parameters)})"
    if node.keywords or not draw.takes(len(node.args)):
        bounded = "" if draw.cdf is None else f", or between two bounds {name}({', '.join(words)})"
        raise FormulaError(f"cannot read {node_text(node)}", f"write {usage}{bounded}")
    for argument, (word, bound) in zip(node.args, draw.parameters.items(), strict=False):
        value = _number(argument)
        if value is not None and not bound.low <= value <= bound.high:
            limit = f"from {bound.low:g}" if value < bound.low else f"of at most {bound.high:g}"
            raise FormulaError(f"expected {word} {limit} in {usage}, found {value:g}")
    ends = node.args if draw.is_ordered else node.args[len(draw.parameters) :]
    numbers = [number for number in map(_number, ends) if number is not None]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise FormulaError(f"expected least < most in {node_text(node)}, found {numbers[0]:g} and {numbers[1]:g}")
    arguments = [_number(argument) for argument in node.args]
    written = [number for number in arguments if number is not None]
    if len(written) == len(draw.parameters) + 2 and not draw.share(*written) >= LEAST_SHARE:
        message = f"fewer than one of a billion values of {usage} lie from {written[-2]:g} to {written[-1]:g}"
        raise FormulaError(f"{message}, in {node_text(node)}", "choose bounds nearer to the mean")


def _number(node: ast.expr) -> float | None:
    """Return the number that is written; None for anything else."""
    sign = -1.0 if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else 1.0
    part = node.operand if isinstance(node, ast.UnaryOp) else node
    value = part.value if isinstance(part, ast.Constant) else None
    return sign * value if isinstance(value, int | float) and not isinstance(value, bool) else None


def draws_of(text: str) -> dict[int, int]:
    """Return the place of each draw of a formula among its draws, by the identity of its node in the parsed tree."""
    return {id(node): place for place, node in enumerate(draw_nodes(text))}


def draw_nodes(text: str) -> list[ast.Call]:
    """Return the draws of a formula in their order, the outer before the inner."""
    return [node for node in _nodes(parse_formula(text)) if isinstance(node, ast.Call) and _is_draw(node)]


def _nodes(node: ast.expr) -> Iterator[ast.expr]:
    yield node
    for child in operands(node):
        yield from _nodes(child)


def _is_draw(node: ast.expr) -> bool:
    """Return whether a node takes chance."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and (node.func.id in DRAWS or node.func.id == PICK)


def _check_constant(node: ast.Constant) -> None:
    if node.value is None:
        raise FormulaError("`None` is no value of a formula", f"write {NULL}")
    is_number = isinstance(node.value, int | float) and abs(node.value) <= LARGEST
    if not (is_number or isinstance(node.value, str)):
        raise FormulaError(
            f"expected a number of at most {value_text(LARGEST)}, a text, True or False, found {node_text(node)}"
        )


def node_text(node: ast.AST) -> str:
    """Return a part of a formula as it may be written, cut if it is long."""
    text = ast.unparse(node)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def digits_of(node: ast.Call) -> int | None:
    """Return the digits that a call of round or text rounds to; None where they are no whole number from 0 to 9."""
    if len(node.args) == 1:
        return 0
    value = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
    return value if type(value) is int and 0 <= value <= 9 else None


def format_of(node: ast.Call) -> str | None:
    """Return how a call of text writes a date or a moment; None where it does not say it, or there is no such format."""
    value = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else None
    letters = re.findall("%(.?)", value) if isinstance(value, str) else []
    is_known = bool(letters) and all(f"%{letter}" in DIRECTIVES for letter in letters)
    return value if isinstance(value, str) and is_known else None


def written_date(node: ast.Call) -> date | None:
    """Return the date that a call of date writes; None where it writes none."""
    is_date = isinstance(node.func, ast.Name) and node.func.id == "date" and isinstance(node.args[0], ast.Constant)
    value = node.args[0].value if is_date and isinstance(node.args[0], ast.Constant) else None
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def length_of(node: ast.Call) -> int | None:
    """Return how many letters a call of left or right gives; None where that is no whole number from 1 to 999."""
    value = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
    return value if type(value) is int and 1 <= value <= 999 else None


def operands(node: ast.expr) -> list[ast.expr]:
    """Return the parts that a node is made of."""
    if isinstance(node, ast.Call):
        return list(node.args)
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def names(text: str) -> list[str]:
    """Return the columns that a formula reads, in the order they stand in it."""
    return list(dict.fromkeys(_names(parse_formula(text))))


def _names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name) and node.id not in (NULL, *TRUTHS):
        yield node.id
    for child in operands(node):
        yield from _names(child)


def constants(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the largest parts of a formula that read no column and are computed, each as text and tree."""
    if _is_constant(node):
        if operands(node):
            yield node_text(node), node
        return
    for child in operands(node):
        yield from constants(child)


def _is_constant(node: ast.expr) -> bool:
    """Return whether a part of a formula reads no column and draws nothing."""
    return next(_names(node), None) is None and not any(map(_is_draw, _nodes(node)))


def divisors(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a formula divides by where that reads no column, with the text of the quotient or remainder."""
    is_quotient = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
    if isinstance(node, ast.BinOp) and is_quotient and _is_constant(node.right):
        yield node_text(node), node.right
    for child in operands(node):
        yield from divisors(child)


def may_be_undefined(node: ast.expr) -> bool:
    """Return whether a formula can be null though its columns are not: a division by zero, a root or logarithm of a
    negative, a power or exponential that is too large, a draw whose parameters, or a zone that is not written, a branch
    that is null."""
    return _degree(node) > _HIGHEST_POWER or _is_undefined(node)


def _degree(node: ast.expr) -> int:
    """Return the power of the largest number that bounds a formula (its polynomial degree)."""
    degrees = [_degree(child) for child in operands(node)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.Mod | ast.FloorDiv):
        return sum(degrees)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        power = node.right.value if isinstance(node.right, ast.Constant) else None
        return degrees[0] * (power if type(power) is int else 1)
    return max(degrees, default=1)


def _is_undefined(node: ast.expr) -> bool:
    if isinstance(node, ast.Name) and node.id == NULL:
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in DRAWS:
            return any(_number(argument) is None for argument in node.args)
        if node.func.id == "text" and _degree(node.args[0]) > _HIGHEST_WRITTEN_POWER:
            return True
        if node.func.id in ("sqrt", "log", "exp"):
            return True
        if node.func.id == "is_null":
            return False
        if node.func.id in ZONED and not isinstance(node.args[1], ast.Constant):
            return True
        if node.func.id == "coalesce":
            return _is_undefined(node.args[-1])
    if isinstance(node, ast.BinOp) and isinstance(node.op, _UNDEFINED):
        right = node.right.value if isinstance(node.right, ast.Constant) else None
        safe_powers = (1, 2, 3, 4) if isinstance(node.op, ast.Pow) else None
        if right in safe_powers if safe_powers else isinstance(right, int | float) and right:
            return _is_undefined(node.left)
        return True
    return any(_is_undefined(child) for child in operands(node))


def reads_null(text: str) -> bool:
    """Return whether a formula has a branch that is null."""
    return any(map(is_null, _nodes(parse_formula(text))))


def reads_calendar(text: str) -> bool:
    """Return whether a formula has a function of working days; not of a text that is no formula."""
    try:
        nodes = _nodes(parse_formula(text))
    except FormulaError:
        return False
    calls = (node.func for node in nodes if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Name) and function.id in OF_CALENDAR for function in calls)


def is_null(node: ast.expr) -> bool:
    """Return whether a node is the word for no value."""
    return isinstance(node, ast.Name) and node.id == NULL

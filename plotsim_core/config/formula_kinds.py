"""The kinds of a formula's values: numbers, texts, dates, moments, and spans of time between moments.

A date takes whole days, and the difference of two is a number of them; a moment takes spans, and the difference of two is
one. What does not go together is refused before anything is computed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import cast

import pyarrow as pa

from plotsim_core.config.formula import (
    PICK,
    TRUTHS,
    FormulaError,
    format_of,
    is_null,
    node_text,
    operands,
)
from plotsim_core.config.formula_functions import FUNCTIONS, Group, Kind, form_of
from plotsim_core.numerics.draws import DRAWS

FORMULA_TYPES: dict[Kind, pa.DataType] = {
    "whole": pa.int64(),
    "number": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "moment": pa.timestamp("us"),
}
"""The types of a formula's values. A span is none that a column can have."""
_NOUNS: Mapping[Group, str] = {
    "text": "a text",
    "date": "a date",
    "moment": "a moment",
    "span": "a span of time",
    "number": "a number",
}
_COMPUTED: Mapping[tuple[type[ast.operator], Group, Group], Kind] = {
    (ast.Add, "text", "text"): "text",
    (ast.Add, "date", "number"): "date",
    (ast.Add, "number", "date"): "date",
    (ast.Sub, "date", "number"): "date",
    (ast.Sub, "date", "date"): "whole",
    (ast.Add, "moment", "span"): "moment",
    (ast.Add, "span", "moment"): "moment",
    (ast.Sub, "moment", "span"): "moment",
    (ast.Sub, "moment", "moment"): "span",
    (ast.Add, "span", "span"): "span",
    (ast.Sub, "span", "span"): "span",
    (ast.Mult, "span", "number"): "span",
    (ast.Mult, "number", "span"): "span",
    (ast.Div, "span", "number"): "span",
    (ast.Div, "span", "span"): "number",
}
"""What comes of two groups of which one is no number."""
_WRITTEN_DATE = "write a date like date('2024-01-31'), and a moment like moment(date('2024-01-31')) + hours(10)"
_WAYS_OUT: Mapping[frozenset[Group], str] = {
    frozenset({"text", "number"}): "make a text of the number: text(x)",
    frozenset({"moment", "number"}): "say how long: days(3), hours(2), minutes(5), seconds(1)",
    frozenset({"date", "span"}): "a date takes whole days: born + 3; a moment takes a span: moment(born) + hours(3)",
    frozenset({"date", "moment"}): "make them alike: date(at), or moment(born)",
    frozenset({"span", "number"}): "divide by a span to get a number: (ended - began) / hours(1)",
}


def kind_of_type(type_: pa.DataType) -> Kind | None:
    """Return the kind of a column's values; None for those that no formula computes with."""
    if pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_dictionary(type_):
        return "text"
    if pa.types.is_timestamp(type_):
        return "moment"
    return next((kind for kind, arrow_type in FORMULA_TYPES.items() if arrow_type == type_), None)


def kind_of(node: ast.expr, kinds: Mapping[str, Kind]) -> Kind:
    """Return the kind of a formula's values from the kinds of its columns. Raises FormulaError where kinds are mixed that do
    not go together."""
    if is_null(node):
        raise FormulaError("`null` stands alone", "it may be a branch: where(a > b, a, null)")
    if isinstance(node, ast.Name):
        return "bool" if node.id in TRUTHS else kinds[node.id]
    if isinstance(node, ast.Constant):
        value = node.value
        return "bool" if isinstance(value, bool) else "whole" if isinstance(value, int) else _kind_of_value(value)
    branches = _branches(node)
    if branches is not None:
        return _branch_kind(node, *branches, kinds)
    operand_kinds = [kind_of(child, kinds) for child in operands(node)]
    groups = [_group(kind) for kind in operand_kinds]
    if isinstance(node, ast.Compare):
        return _compared(node, groups)
    if isinstance(node, ast.BinOp):
        return _computed(node, operand_kinds, groups)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        return _called(node, node.func.id, operand_kinds, groups)
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not) and groups == ["span"]:
        return "span"
    _need_numbers(node, groups)
    if isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        for child in operands(node):
            _need_truth(child, node, kinds)
        return "bool"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return DRAWS[node.func.id].values
    return "number" if "number" in operand_kinds else "whole"


def _group(kind: Kind) -> Group:
    return "number" if kind in ("whole", "number", "bool") else cast("Group", kind)


def _kind_of_value(value: object) -> Kind:
    return "text" if isinstance(value, str) else "number"


def _need_numbers(node: ast.expr, groups: Sequence[Group]) -> None:
    """Raise FormulaError where something else than numbers is counted with."""
    other = next((group for group in groups if group != "number"), None)
    if other is not None:
        raise FormulaError(f"{node_text(node)} counts with {_NOUNS[other]}")


def _compared(node: ast.Compare, groups: Sequence[Group]) -> Kind:
    left, right = groups
    is_ordered = not isinstance(node.ops[0], ast.Eq | ast.NotEq)
    if "text" in groups and {"date", "moment"} & set(groups):
        other = left if right == "text" else right
        raise FormulaError(f"cannot compare {_NOUNS[other]} with a text in {node_text(node)}", _WRITTEN_DATE)
    if "text" in groups and (left != right or is_ordered):
        raise FormulaError(f"cannot compare {node_text(node)}: a text equals a text or does not, and is no number")
    if left != right:
        message = f"cannot compare {_NOUNS[left]} with {_NOUNS[right]} in {node_text(node)}"
        raise FormulaError(message, _WAYS_OUT.get(frozenset(groups), ""))
    return "bool"


def _computed(node: ast.BinOp, operand_kinds: Sequence[Kind], groups: Sequence[Group]) -> Kind:
    """Return the kind of what two values are computed to."""
    left, right = groups
    if left == right == "number":
        if isinstance(node.op, ast.Div | ast.Pow):
            return "number"
        return "number" if "number" in operand_kinds else "whole"
    kind = _COMPUTED.get((type(node.op), left, right))
    if kind is not None:
        return kind
    way_out = _WAYS_OUT.get(frozenset(groups), "") if isinstance(node.op, ast.Add | ast.Sub) else ""
    if "text" in groups:
        raise FormulaError(f"{node_text(node)} counts with a text", way_out if isinstance(node.op, ast.Add) else "")
    raise FormulaError(f"cannot compute {node_text(node)}, of {_NOUNS[left]} and {_NOUNS[right]}", way_out)


def _called(node: ast.Call, name: str, operand_kinds: Sequence[Kind], groups: Sequence[Group]) -> Kind:
    """Return the kind of what a function gives."""
    call = FUNCTIONS[name]
    for index, group in enumerate(groups):
        takes = call.takes[min(index, len(call.takes) - 1)]
        if group not in takes:
            nouns = " or ".join(_NOUNS[other] for other in takes)
            hint = "make a text of it: text(x)" if takes == ("text",) and group == "number" else ""
            hint = _WRITTEN_DATE if group == "text" and {"date", "moment"} & set(takes) else hint
            if group == "text" and "text" not in takes and takes == ("number",):
                raise FormulaError(f"{node_text(node)} counts with a text", f"write {form_of(name)}")
            message = f"{node_text(node)} is given {_NOUNS[group]}, and takes {nouns}"
            raise FormulaError(message, hint or f"write {form_of(name)}")
    if name in ("min", "max") and len(set(groups)) > 1:
        nouns = " and ".join(dict.fromkeys(_NOUNS[group] for group in groups))
        raise FormulaError(f"cannot compare {nouns} in {node_text(node)}", _WAYS_OUT.get(frozenset(groups), ""))
    if name == "text" and len(node.args) > 1 and (format_of(node) is None) == (groups[0] != "number"):
        way = "how it is written, as text(at, '%Y-%m')" if groups[0] != "number" else "a number of digits, as text(x, 2)"
        raise FormulaError(f"{node_text(node)} is given {_NOUNS[groups[0]]}, which takes {way}")
    if name == "text" and groups[0] == "date" and re.search("%[HMS]", format_of(node) or ""):
        raise FormulaError(f"{node_text(node)} writes a time of day, which a date has not", "the month is %m, the day %d")
    if name == "date" and groups[0] == "text" and not isinstance(node.args[0], ast.Constant):
        raise FormulaError(f"{node_text(node)} is given a text that is not written here", "write it: date('2024-01-31')")
    if name == "round" and len(node.args) == 1:
        return "whole"
    if call.gives is not None:
        return call.gives
    return _common_kind(operand_kinds) if groups[0] == "number" else operand_kinds[0]


def _branches(node: ast.expr) -> tuple[ast.expr | None, list[ast.expr]] | None:
    """Return the condition (None: there is none) and the branches of a node; None for nodes without branches."""
    if isinstance(node, ast.IfExp):
        return node.test, [node.body, node.orelse]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "where":
            return node.args[0], node.args[1:]
        if node.func.id in ("coalesce", PICK):
            return None, node.args
    return None


def _branch_kind(node: ast.expr, condition: ast.expr | None, branches: list[ast.expr], kinds: Mapping[str, Kind]) -> Kind:
    """Return the kind of what is one of some branches."""
    if condition is not None:
        _need_truth(condition, node, kinds)
    values = [kind_of(branch, kinds) for branch in branches if not is_null(branch)]
    if not values:
        raise FormulaError(f"{node_text(node)} is always null", "give one of its branches a value")
    groups = {_group(kind) for kind in values}
    if len(groups) > 1:
        first, second, *_ = (noun for group, noun in _NOUNS.items() if group in groups)
        raise FormulaError(f"{node_text(node)} would be {first} in some rows and {second} in others")
    return _common_kind(values)


def _need_truth(condition: ast.expr, node: ast.expr, kinds: Mapping[str, Kind]) -> None:
    """Raise FormulaError where a condition of a node is neither true nor false."""
    kind = kind_of(condition, kinds)
    if kind != "bool":
        hint = f"compare it: {ast.unparse(condition)} > 0" if _group(kind) == "number" else ""
        raise FormulaError(f"{_NOUNS[_group(kind)]} is neither true nor false in {node_text(node)}", hint)


def _common_kind(kinds: Sequence[Kind]) -> Kind:
    if len(set(kinds)) == 1:
        return kinds[0]
    return "number" if "number" in kinds else "whole"

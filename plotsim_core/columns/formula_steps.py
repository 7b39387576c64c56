"""The draws of a formula in one row, for people: the family, its parameters, the uniform at the row's address, the value."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.columns.formula_dates import as_dates, as_moments
from plotsim_core.columns.formula_values import Inputs, formula_value
from plotsim_core.config.formula import PICK, draw_nodes, is_null
from plotsim_core.config.formula_kinds import kind_of
from plotsim_core.config.words import number_text
from plotsim_core.engine.steps import Step
from plotsim_core.numerics.draws import DRAWS

_BOUNDS = ("least", "most")


def draw_steps(formula: str, inputs: Inputs) -> list[Step]:
    """Return what each draw of a formula takes and gives in one row; a draw within another comes after it."""
    return [step for node in draw_nodes(formula) for step in _steps(node, inputs)]


def _steps(node: ast.Call, inputs: Inputs) -> list[Step]:
    assert inputs.uniforms is not None
    assert isinstance(node.func, ast.Name)
    name, values = node.func.id, [_value(argument, inputs) for argument in node.args]
    if name == PICK:
        parameters = f"one of {', '.join(map(_text, values))}"
    else:
        words = [*DRAWS[name].parameters, *_BOUNDS]
        parameters = ", ".join(f"{word} {_text(value)}" for word, value in zip(words, values, strict=False))
    return [
        Step(name, _value(node, inputs), f"drawn with {parameters}" if name != PICK else parameters),
        Step("uniform", float(inputs.uniforms(node)[0]), "at the row's address, of this draw alone", 1),
    ]


def _value(node: ast.expr, inputs: Inputs) -> Any:
    """Return the value of a part of a formula in one row; None for a null."""
    if is_null(node):
        return None
    value, kind = formula_value(node, inputs), kind_of(node, inputs.kinds)
    if isinstance(value, pa.Array):
        return value[0].as_py()
    if np.isnan(value[0]):
        return None
    if kind in ("date", "moment"):
        return (as_dates if kind == "date" else as_moments)(value)[0].as_py()
    return bool(value[0]) if kind == "bool" else int(value[0]) if kind == "whole" else float(value[0])


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, int | float):
        return number_text(value)
    return repr(value) if isinstance(value, str) else str(value)

"""What the fields of a model mean, as the source says below each of them.

It is read when it is asked for, by the JSON Schema and the reference: reading all models takes longer than most commands.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from types import ModuleType

from pydantic import BaseModel


def meanings(model: type) -> dict[str, str]:
    """Return the meaning of each field of a model, those that it has from others too. Without source there is none."""
    if model in (BaseModel, object):
        return {}
    inherited = {name: meaning for base in reversed(model.__bases__) for name, meaning in meanings(base).items()}
    return {**inherited, **_by_class(inspect.getmodule(model)).get(model.__name__, {})}


@lru_cache(maxsize=512)
def _by_class(module: ModuleType | None) -> Mapping[str, Mapping[str, str]]:
    """Return the meanings in each class of a module, by its name."""
    try:
        source = "" if module is None else inspect.getsource(module)
    except (OSError, TypeError):  # somebody's own class, made where no file is
        return {}
    classes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return {definition.name: _below_fields(definition.body) for definition in classes}


def _below_fields(statements: list[ast.stmt]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for field, text in pairwise(statements):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                texts[name] = inspect.cleandoc(meaning)
    return texts

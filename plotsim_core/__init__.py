"""plotsim_core: synthetic multi-table data with shape. Every cell is a pure function of the config and its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plotsim_core.errors import ConfigError, Problem, UsageError
from plotsim_core.version import VERSION

if TYPE_CHECKING:
    from plotsim_core.api import (
        Explanation,
        Size,
        TableSlice,
        batches,
        create,
        create_from_yaml,
        expected_state,
        explain,
        from_mapping,
        generate_tables,
        list_templates,
        load_config,
        load_template,
        make,
        manifest,
        parse_periods,
        restored,
        sizes,
        slices,
        template,
        validate,
        write_tables,
    )
    from plotsim_core.plan.plan import Plan

__version__ = VERSION

__all__ = [
    "ConfigError",
    "Explanation",
    "Plan",
    "Problem",
    "Size",
    "TableSlice",
    "UsageError",
    "__version__",
    "batches",
    "create",
    "create_from_yaml",
    "expected_state",
    "explain",
    "from_mapping",
    "generate_tables",
    "list_templates",
    "load_config",
    "load_template",
    "make",
    "manifest",
    "parse_periods",
    "restored",
    "sizes",
    "slices",
    "template",
    "validate",
    "write_tables",
]


def __getattr__(name: str) -> Any:
    """Give a name of the API, which is imported with the first of them: a command that only prints its help needs none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from plotsim_core import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

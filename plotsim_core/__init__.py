"""plotsim_core: synthetic multi-table data with shape. Every cell is a pure function of the config and its address."""

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
from plotsim_core.errors import ConfigError, Problem, UsageError
from plotsim_core.plan.plan import Plan
from plotsim_core.version import VERSION

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

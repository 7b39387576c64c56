"""A dataset whose config is wrong: one asset that says what is wrong, so that all other datasets live on."""

import dagster as dg

from plotsim_core import ConfigError

CONFIG = "config"


def broken_definitions(name: str, error: ConfigError) -> dg.Definitions:
    """Return the asset `<name>/config` in place of a dataset's own: it lists what is wrong, and fails with it.

    A warning says so when the code location loads.
    """
    dg.get_dagster_logger("plotsim").warning("%s is left out: %s", name, error)
    message = (
        f"{error}\nNothing of {name} can be made until its config is mended. Then reload the code location: "
        "its assets, jobs and schedules are there again, and what was stored of it is untouched."
    )

    @dg.asset(
        key=dg.AssetKey([name, CONFIG]),
        group_name=name,
        description=f"**This config cannot be used.**\n\n{_problem_list(error)}",
        kinds={"yaml", "broken"},
    )
    def _config() -> None:
        raise dg.Failure(message, metadata={"problems": dg.MetadataValue.md(_problem_list(error))}, allow_retries=False)

    return dg.Definitions(assets=[_config])


def _problem_list(error: ConfigError) -> str:
    """Return the problems of a config as a markdown list: place, path, message and hint of each."""
    lines = []
    for problem in error.problems:
        path = f"{error.place(problem)}`{problem.path}`: " if problem.path else error.place(problem)
        hint = f" *{problem.hint}*" if problem.hint else ""
        lines.append(f"- {path}{problem.message}{hint}")
    return "\n".join(lines)

"""`python -m plotsim_pipeline`: materialise a dataset, see what is there and what is missing, ask what is stored.

The same commands are there as `plotsim materialize`, `plotsim status`, `plotsim query` and `plotsim ui`.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

import click
import dagster as dg
import duckdb
from rich.console import Console

import plotsim_core.blas  # noqa: F401 (for its effect)
from plotsim_core import ConfigError, UsageError
from plotsim_core.config.output import Compression
from plotsim_pipeline.dagster_home import command as shell_command
from plotsim_pipeline.dagster_home import open_ui, prepare_home

_PARAMETERS = ("seed", "scale", "target_rows", "noise", "compression")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The datasets of this code location from the command line.

    The store is chosen by PLOTSIM_STORE (duckdb, parquet or delta) and PLOTSIM_STORE_PATH; further configs are found in the
    directories that PLOTSIM_CONFIGS names; PLOTSIM_DATASETS lists the datasets to load, if not all;
    PLOTSIM_OWNERS says who owns them, where a config does not.
    """


def _with_exit_codes(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: an error is one line on stderr, with exit code 2 for a wrong request and 1 for a run that fails."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ConfigError, UsageError, duckdb.Error) as error:
            click.echo(str(error), err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("stopped: what is written stays, and the same command goes on from there", err=True)
            sys.exit(130)
        except dg.Failure as failure:
            click.echo(failure.description, err=True)
            if type(failure).__name__ == "RunFailed":  # its module is slow to import
                click.echo(f"The log of the run is in the Dagster UI ({shell_command('ui')}).", err=True)
            sys.exit(1)

    return wrapper


def _with_request_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a run: its partitions and tables, and values that override the config."""
    options = (
        click.option("--partition-range", "partitions", metavar="A...B", help="Only these partitions, both included, or A."),
        click.option("--tables", metavar="A,B", help="Only these tables, without the reports."),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Use this seed instead of the config's."),
        click.option("--scale", type=click.FloatRange(0, 1_000_000, min_open=True), help="Use this scale."),
        click.option("--target-rows", type=click.IntRange(1), help="Scale to about so many rows in all tables together."),
        click.option("--noise", metavar="PRESET", help="Noise of all metrics: none, realistic, messy ..."),
        click.option(
            "--verify", is_flag=True, help="Compare stored rows with those that the config makes; what differs is missing."
        ),
        click.option("--compression", type=click.Choice(get_args(Compression)), help="Of Parquet."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _request(dataset: str, options: dict[str, Any]) -> Any:
    from plotsim_pipeline.commands.run import Request

    parameters = {name: options.pop(name) for name in _PARAMETERS if name in options}
    return Request(dataset, parameters={name: value for name, value in parameters.items() if value is not None}, **options)


@main.command()
@click.argument("dataset", default="saas")
@_with_request_options
@click.option("--all", "everything", is_flag=True, help="Make what is there again as well.")
@click.option(
    "--recreate", is_flag=True, help="Make tables anew that cannot take the config's rows, since columns have changed."
)
@click.option("--batch", "max_partitions", type=click.IntRange(1), metavar="N", help="At most N partitions in a run.")
@click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
@_with_exit_codes
def run(dataset: str, dry_run: bool, **options: Any) -> None:
    """Materialise what is missing of DATASET, or made from another config, and print what is there.

    The store tells what is missing. A run that was stopped is completed by the same command. What is given in place of the
    config's words is refused where the store holds partitions that were made otherwise and would stay.

    \b
    Examples:
      plotsim materialize delivery
      plotsim materialize delivery --partition-range 2024-03-01...2024-03-31 --dry-run
      plotsim materialize saas --seed 7 --target-rows 1000000
      PLOTSIM_STORE=parquet PLOTSIM_STORE_PATH=data/large plotsim materialize saas
    """
    prepare_home()
    from plotsim_pipeline.commands.run import run as run_dataset  # slow to import

    run_dataset(_request(dataset, options), Console(), dry_run)


@main.command()
@click.argument("dataset", default="saas")
@_with_request_options
@click.option("--strict", is_flag=True, help="Exit with code 1 if anything is missing or stale.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@_with_exit_codes
def status(dataset: str, strict: bool, as_json: bool, **options: Any) -> None:
    """Show what the store holds of DATASET: what is made, missing, and stale (made from another config), by table.

    \b
    Examples:
      plotsim status delivery
      plotsim status delivery --strict --json
    """
    prepare_home()
    from plotsim_pipeline.commands.status_view import show_status

    is_complete = show_status(_request(dataset, options), Console(), as_json)
    if strict and not is_complete:
        sys.exit(1)


@main.command()
@click.argument("datasets", nargs=-1)
@click.option("--wipe", is_flag=True, help="Wipe the assets that have lost partitions first: their history in Dagster goes.")
@_with_exit_codes
def reconcile(datasets: tuple[str, ...], wipe: bool) -> None:
    """Tell the Dagster instance what the store holds of DATASETS, by default of all that it holds anything of.

    Partitions that another machine or process made are reported as materialised. Those that Dagster takes for made and the
    store has lost fail the check in_store; with --wipe their assets are wiped, and what is there is reported again.

    \b
    Examples:
      plotsim reconcile
      plotsim reconcile saas --wipe
    """
    prepare_home()
    from plotsim_pipeline.datasets import load_dataset, load_datasets
    from plotsim_pipeline.sensors.reconcile import reconcile as reconcile_dataset
    from plotsim_pipeline.stores import store_from_environment

    plans = [load_dataset(name) for name in datasets] if datasets else load_datasets()[0]
    with dg.DagsterInstance.get() as instance:
        for plan in plans:
            for line in reconcile_dataset(plan, store_from_environment(), instance, wipe):
                click.echo(line)


@main.command()
@click.argument("sql")
@_with_exit_codes
def query(sql: str) -> None:
    """Run SQL on what is stored: each dataset is a schema, each table a table of it, and the run log is
    log_synthetic_data_generation.

    \b
    Example:
      plotsim query "SELECT * FROM saas.evt_churn LIMIT 5"
    """
    from plotsim_pipeline.datasets import dataset_files
    from plotsim_pipeline.stores import store_from_environment

    click.echo(str(store_from_environment().query(sql, list(dataset_files()))))


@main.command()
@click.option("--port", "-p", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Of the webserver.")
@_with_exit_codes
def ui(port: int) -> None:
    """Open the Dagster UI, with its daemon, on the datasets of this code location, until Ctrl-C.

    Runs and events are kept in DAGSTER_HOME, or in .dagster_home of the working directory.

    \b
    Example:
      plotsim ui --port 3001
    """
    from plotsim_pipeline.assets.tables import SHARED_RESOURCES

    open_ui(port, SHARED_RESOURCES.pool)


@main.command()
@_with_exit_codes
def configs() -> None:
    """List the datasets of this code location, and what is wrong with their configs. Exit code 2 if anything is.

    A broken config does not keep the others from being used; this command is how CI finds it.
    """
    from plotsim_pipeline.datasets import load_datasets

    plans, errors = load_datasets()
    for plan in plans:
        click.echo(f"{plan.name}: {plan.dataset.about}")
    for error in errors.values():
        click.echo(str(error), err=True)
    if errors:
        sys.exit(2)


if __name__ == "__main__":
    main()

"""`python -m plotsim_pipeline`: materialise a dataset, or ask what is stored."""

import sys

import click
import dagster as dg
import duckdb
from rich.console import Console

from plotsim_core import ConfigError, UsageError
from plotsim_pipeline.home import prepare_home


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The datasets of this code location from the command line.

    The store is chosen by PLOTSIM_STORE (duckdb or parquet) and PLOTSIM_STORE_PATH; further configs are found in the
    directories that PLOTSIM_CONFIGS names; PLOTSIM_DATASETS lists the datasets to load, if not all.
    """


@main.command()
@click.argument("dataset", default="saas")
def run(dataset: str) -> None:
    """Materialise DATASET, unless it is whole, and print what is there.

    Example: python -m plotsim_pipeline run delivery
    """
    prepare_home()
    try:
        from plotsim_pipeline.run import run as run_dataset  # slow to import

        run_dataset(dataset, Console())
    except (ConfigError, UsageError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("stopped: what is written stays, and the same command goes on from there", err=True)
        sys.exit(130)
    except dg.Failure as failure:
        click.echo(f"{dataset}.{failure.description}\nThe log of the run is in the Dagster UI (make ui).", err=True)
        sys.exit(1)


@main.command()
@click.argument("sql")
def query(sql: str) -> None:
    """Run SQL on what is stored: each dataset is a schema, each table a table of it.

    Example: python -m plotsim_pipeline query "SELECT * FROM saas.evt_churn LIMIT 5"
    """
    from plotsim_pipeline.datasets import dataset_files
    from plotsim_pipeline.stores import store_from_environment

    try:
        store = store_from_environment()
        click.echo(str(store.query(sql, list(dataset_files()))))
    except (UsageError, duckdb.Error) as error:
        click.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

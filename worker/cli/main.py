"""The program: its commands, exit codes and last-resort error handling."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.check import check
from worker.cli.demo import demo
from worker.cli.dlq import app as dlq
from worker.cli.emulator import emulator
from worker.cli.events import events
from worker.cli.functions import functions
from worker.cli.init import init
from worker.cli.map import map_events
from worker.cli.options import DEFAULT_CONFIG
from worker.cli.reasons import reasons
from worker.cli.run import run_worker
from worker.cli.schema import schema
from worker.cli.test import run_fixtures
from worker.cli.trace import trace
from worker.core.faults import type_name
from worker.documents.problems import ConfigError
from worker.version import __version__

PROGRAM = "pipelines-worker"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run_worker)
app.command("init")(init)
app.command("check")(check)
app.command("map")(map_events)
app.command("test")(run_fixtures)
app.command("functions")(functions)
app.command("events")(events)
app.command("reasons")(reasons)
app.command("schema")(schema)
app.add_typer(dlq, name="dlq")
app.command("trace")(trace)
app.command("demo")(demo)
app.command("emulator")(emulator)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def program(
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", envvar="WORKER_CONFIG", help="The settings.")
    ] = DEFAULT_CONFIG,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Moves domain events from Kafka into the Customer.io Pipelines API."""


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done; 1 a check failed, or a bug; 2 configuration or usage error.
    """
    try:
        app(args=list(arguments), prog_name=PROGRAM)
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else 0
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        return 2
    except OSError as error:
        typer.echo(f"{error.filename or PROGRAM}: {error.strerror or type_name(error)}", err=True)
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort
        _report_bug(error)
        return 1
    return 0


def _report_bug(error: Exception) -> None:
    """Print the type and place of a bug, but not its text, which may quote a record."""
    typer.echo(f"{PROGRAM} {__version__} has a bug: {type_name(error)} at", err=True)
    typer.echo("".join(traceback.format_tb(error.__traceback__)), err=True)

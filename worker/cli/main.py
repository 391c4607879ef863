"""The program: its commands, exit codes and last-resort error handling."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.cli.check import check
from worker.cli.demo import demo
from worker.cli.dlq import app as dlq
from worker.cli.emulator import emulator
from worker.cli.events import events
from worker.cli.functions import functions
from worker.cli.helping import USAGE_ERROR, HelpCommand, HelpGroup, examples, print_usage_error
from worker.cli.init import init
from worker.cli.lines import print_line
from worker.cli.map import map_events
from worker.cli.options import CONFIG_HELP, DEFAULT_CONFIG
from worker.cli.reasons import reasons
from worker.cli.run import run_worker
from worker.cli.schema import schema
from worker.cli.test import run_fixtures
from worker.cli.trace import trace
from worker.core.faults import type_name
from worker.documents.problems import ConfigError
from worker.pipeline.ports import SchemaUnavailable
from worker.version import __version__

PROGRAM = "pipelines-worker"

app = typer.Typer(
    cls=HelpGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=examples("demo", "init", "check"),
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(name: str, command: Callable[..., None], *example_lines: str) -> None:
    app.command(name, cls=HelpCommand, epilog=examples(*example_lines))(command)


_add("run", run_worker, "run", "run --until-caught-up")
_add("init", init, "init", "init my-project", "init --from-topic orders")
_add("check", check, "check --strict", "check --connect")
_add(
    "map",
    map_events,
    "map events.jsonl --topic orders",
    "map --from-topic orders --limit 20",
    "map --explain orders:3:77812",
)
_add("test", run_fixtures, "test", "test -k 'completed order'")
app.add_typer(dlq, name="dlq")
_add(
    "trace",
    trace,
    "trace orders:3:77812",
    "trace --topic orders --key cust-1 --since 7d",
    "trace --message-id 01M8GKP4G46H2Y9S0000000000",
)
_add("functions", functions, "functions", "functions parse_time")
_add("events", events, "events", "events 'Order Completed'")
_add("reasons", reasons, "reasons", "reasons MISSING_ID")
_add("schema", schema, "schema mapping > mapping.schema.json")
_add("demo", demo, "demo", "demo --exit")
_add("emulator", emulator, "emulator --listen 127.0.0.1:8090")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def program(
    config: Annotated[
        Path,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="WORKER_CONFIG",
            show_envvar=False,
            show_default=False,
            help=CONFIG_HELP,
        ),
    ] = DEFAULT_CONFIG,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Move domain events from Kafka into the Customer.io Pipelines API."""


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done; 1 a check failed, or a bug; 2 configuration or usage error.
    """
    try:
        code = _commands()(args=list(arguments), prog_name=PROGRAM, standalone_mode=False)
    except SystemExit as finished:
        code = finished.code
    except USAGE_ERROR as error:
        print_usage_error(error)
        return 2
    except typer.Abort:
        typer.echo("nothing was done", err=True)
        return 1
    except ConfigError as error:
        for problem in error.problems:
            print_line(str(problem), err=True)
        return 2
    except (OSError, SchemaUnavailable) as error:
        print_line(_outside(error), err=True)
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort
        _report_bug(error)
        return 1
    return code if isinstance(code, int) else 0


@cache
def _commands() -> Callable[..., Any]:
    """All commands with their options: reading them from the signatures takes longer than many a command."""
    return typer.main.get_command(app)


def _outside(error: OSError | SchemaUnavailable) -> str:
    if isinstance(error, SchemaUnavailable):
        return f"schema registry: {error}"
    return f"{error.filename or PROGRAM}: {error.strerror or type_name(error)}"


def _report_bug(error: Exception) -> None:
    """Print the type and place of a bug, but not its text, which may quote a record."""
    typer.echo(f"{PROGRAM} {__version__} has a bug: {type_name(error)} at", err=True)
    typer.echo("".join(traceback.format_tb(error.__traceback__)), err=True)

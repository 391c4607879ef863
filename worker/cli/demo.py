"""`demo`: everything on one machine, with nothing else installed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.lines import print_line, width_of
from worker.cli.options import named_config
from worker.documents.problems import ConfigError, Problem

if TYPE_CHECKING:
    from worker.demo.next_steps import NextSteps
    from worker.demo.scenario import Scenario


class EventFormat(StrEnum):
    """How the demo's events are encoded."""

    JSON = "json"
    AVRO = "avro"


def demo(
    context: typer.Context,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the summary, without going on and serving the pages.")
    ] = False,
    format_: Annotated[
        EventFormat,
        typer.Option(
            "--format", metavar="json|avro", help="Produce the events in Avro, with a schema registry."
        ),
    ] = EventFormat.JSON,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Run your own mapping on the events of your fixtures: the mappings that these settings name, and "
            "the folder tests beside them. Their brokers, URL and key are not used.",
        ),
    ] = None,
) -> None:
    """Run an in-process Kafka, the Pipelines emulator with its page, and the worker between them.

    Nothing leaves this machine. After the summary the demo goes on with an event every half second, and prints the
    broker's address and commands to try in another terminal, until Ctrl-C.
    """
    import uvloop

    from worker.demo.run import run_demo

    own = named_config(context, config)
    scenario = _tea_shop() if own is None else _own(own)
    if format_ is EventFormat.AVRO:
        scenario = _in_avro(scenario)
    raise typer.Exit(uvloop.run(run_demo(scenario, exit_at_end=exit_, on_ready=_print_next_steps)))


def _in_avro(scenario: Scenario) -> Scenario:
    try:
        from worker.demo.avro import in_avro
    except ImportError:
        hint = "pip install 'customerio-pipelines-worker[avro]'"
        raise ConfigError([Problem("demo --format avro needs the extra 'avro'", hint=hint)]) from None
    return in_avro(scenario)


def _tea_shop() -> Scenario:
    from worker.demo.tea_shop import tea_shop

    return tea_shop()


def _own(config: Path) -> Scenario:
    """The user's mapping and fixtures; without fixtures, the command ends."""
    from worker.cli.options import load
    from worker.cli.test import fixture_folder, run_all
    from worker.demo.own_mapping import own_mapping

    settings, mappings = load(config, needs_key=False, secrets_by_name=True)
    results = run_all(mappings, [fixture_folder(config)])
    used = [each.fixture for each in results if not mappings.unknown_topic(each.fixture.record.topic())]
    if not used:
        print_line(f"no fixtures in {fixture_folder(config)}: the demo runs on their events", err=True)
        raise typer.Exit(1)
    if differing := sum(not each.passed for each in results):
        print_line(
            f"{differing} of {len(results)} fixtures do not pass: pipelines-worker test shows why. The demo shows "
            "what the mapping does.",
            err=True,
        )
    return own_mapping(settings, mappings.taking_json(), used)


def _print_next_steps(steps: NextSteps) -> None:
    typer.echo(err=True)
    print_line(f"Kafka: {steps.bootstrap_servers}. An event comes every half second.", err=True)
    print_line("In another terminal:", err=True)
    for (meaning, _), command in zip(steps.commands, _commands(steps), strict=True):
        print_line(f"# {meaning}", 2, err=True)
        _print_command(command)
    if overriding := sorted(name for name in os.environ if name.startswith("WORKER__")):
        print_line(
            f"Unset these there, because they override the demo's settings: {', '.join(overriding)}", err=True
        )
    typer.echo(err=True)
    print_line("The pages are served until Ctrl-C.", err=True)


def _commands(steps: NextSteps) -> list[list[str]]:
    """The commands with their settings, or if that is too wide for the terminal with a program that has them."""
    width = width_of(err=True)
    whole = [[*_program(), *words, "--config", str(steps.config)] for _, words in steps.commands]
    if width is None or all(len(shlex.join(words)) + 2 <= width for words in whole):
        return whole
    return [[str(steps.program), *words] for _, words in steps.commands]


def _program() -> list[str]:
    """How to run this program in another terminal, where no virtual environment is active."""
    name = "pipelines-worker"
    on_path = shutil.which(name)
    beside = Path(sys.executable).with_name(name)
    if on_path and not os.environ.get("VIRTUAL_ENV") and Path(on_path).resolve() == beside.resolve():
        return [name]
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "worker"]


def _print_command(words: list[str]) -> None:
    """Print a command that can be pasted. Where the terminal is too narrow, its lines end with a backslash."""
    width = width_of(err=True)
    line, lines = " ", []
    for part in _parts(words):
        if width is not None and len(line) + len(part) + len(" \\ ") > width and line.strip():
            lines.append(f"{line} \\")
            line = " " * 5
        line = f"{line} {part}"
    typer.echo("\n".join([*lines, line]), err=True)


def _parts(words: list[str]) -> list[str]:
    """The words, each value behind its option."""
    parts: list[str] = []
    for word in map(shlex.quote, words):
        if parts and parts[-1].startswith("--") and not word.startswith("--"):
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts

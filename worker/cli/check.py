"""`check`: everything that is wrong with the configuration, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import ConfigOption, chosen_config, load
from worker.core.model import ConfigError, Problem

if TYPE_CHECKING:
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


def check(
    context: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are problems, too.")] = False,
    connect: Annotated[
        bool,
        typer.Option(
            "--connect", help="Also look at the broker, the topics, the dead-letter topic and the key."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: ConfigOption = None,
) -> None:
    """Find every problem in the settings, the mappings and the Python mappers; exit 1 if there is one."""
    path = chosen_config(context, config)
    topics: Sequence[str] = ()
    try:
        settings, mappings = load(path, needs_key=connect)
    except ConfigError as error:
        found = error.problems
    else:
        topics = mappings.subscriptions
        found = [*settings.warnings, *mappings.warnings]
        found += _connected(settings, mappings) if connect else []
    if strict:
        found = [replace(problem, warning=False) for problem in found]
    (_print_json if as_json else _print)(found, topics)
    raise typer.Exit(1 if any(not problem.warning for problem in found) else 0)


def _connected(settings: Settings, mappings: Mappings) -> list[Problem]:
    import asyncio

    from worker.connection import connection_problems

    return asyncio.run(connection_problems(settings, mappings.subscriptions))


def _print(found: Sequence[Problem], topics: Sequence[str]) -> None:
    for problem in found:
        typer.echo(problem)
    warnings = sum(problem.warning for problem in found)
    verdict = f"{_count(len(found) - warnings, 'problem')}, {_count(warnings, 'warning')}"
    typer.echo(f"{verdict}; topics: {', '.join(topics)}" if topics else verdict, err=True)


def _count(n: int, word: str) -> str:
    return f"{n or 'no'} {word}{'' if n == 1 else 's'}"


def _print_json(found: Sequence[Problem], topics: Sequence[str]) -> None:
    import json

    result = {
        "ok": all(problem.warning for problem in found),
        "problems": [asdict(problem) for problem in found],
        "topics": list(topics),
    }
    typer.echo(json.dumps(result, ensure_ascii=False))

"""`check`: every problem of the configuration, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import ConfigOption, chosen_config, load
from worker.documents.problems import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


def check(
    context: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as problems.")] = False,
    connect: Annotated[
        bool,
        typer.Option(
            "--connect", help="Also check the broker, the topics, the dead-letter topic and the key."
        ),
    ] = False,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage",
            help="Also report rules, expressions, topics and events that the fixtures do not cover, as problems.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: ConfigOption = None,
) -> None:
    """Find every problem in the settings, mappings and Python mappers; exit with 1 if there is any."""
    path = chosen_config(context, config)
    lists: dict[str, list[str]] = {}
    try:
        settings, mappings = load(path, needs_key=connect)
    except ConfigError as error:
        found = error.problems
    else:
        lists["topics"] = mappings.subscriptions
        found = [*settings.warnings, *mappings.warnings]
        try:
            lists |= _uncovered(mappings, path)
            found += _gaps(mappings, path) if coverage else []
        except ConfigError as error:
            found += error.problems
        found += _connected(settings, mappings) if connect else []
    found = _by_place(found, _lint(path))
    if strict:
        found = [replace(problem, warning=False) for problem in found]
    (_print_json if as_json else _print)(found, lists)
    raise typer.Exit(1 if any(not problem.warning for problem in found) else 0)


def _lint(config_file: Path) -> list[Problem]:
    """What is legal in the mappings but surely not meant, also where other rules and files have errors."""
    import os

    from worker.cli.test import fixture_files, fixture_folder
    from worker.programs.linting import lint

    return lint(config_file, os.environ, fixture_files([fixture_folder(config_file)]))


def _by_place(found: Sequence[Problem], lint: Sequence[Problem]) -> list[Problem]:
    """All in order of files and lines. At the same place lint knows better than another warning."""
    places = {_place(problem) for problem in lint}
    kept = [problem for problem in found if not (problem.warning and _place(problem) in places)]
    return sorted(
        [*kept, *lint], key=lambda problem: (problem.file or "", problem.line or 0, problem.column or 0)
    )


def _place(problem: Problem) -> tuple[str | None, int | None, int | None]:
    return problem.file, problem.line, problem.column


def _uncovered(mappings: Mappings, config_file: Path) -> dict[str, list[str]]:
    """What the fixtures do not cover, if there are any. Raises ConfigError with the fixtures' problems."""
    from worker.cli.test import fixture_folder, run_all
    from worker.mapping.trying.coverage import events_without_rules, topics_without_events

    results = run_all(mappings, [fixture_folder(config_file)])
    if not results:
        return {}
    return {
        "topics without events": topics_without_events(mappings, results),
        "events without rules": events_without_rules(results),
    }


def _gaps(mappings: Mappings, config_file: Path) -> list[Problem]:
    """What the fixtures do not cover, as problems. Raises ConfigError with the fixtures' problems."""
    from worker.cli.test import fixture_folder, run_all
    from worker.mapping.trying.coverage import gaps

    return gaps(mappings, run_all(mappings, [fixture_folder(config_file)]))


def _connected(settings: Settings, mappings: Mappings) -> list[Problem]:
    import asyncio

    from worker.programs.check import connection_problems

    return asyncio.run(connection_problems(settings, mappings.subscriptions))


def _print(found: Sequence[Problem], lists: dict[str, list[str]]) -> None:
    for problem in found:
        typer.echo(problem)
    warnings = sum(problem.warning for problem in found)
    verdict = f"{_count(len(found) - warnings, 'problem')}, {_count(warnings, 'warning')}"
    notes = [f"{name}: {', '.join(each)}" for name, each in lists.items() if each]
    typer.echo("; ".join([verdict, *notes[:1]]), err=True)
    for line in notes[1:]:
        typer.echo(f"in the fixtures: {line}", err=True)


def _count(n: int, word: str) -> str:
    return f"{n or 'no'} {word}{'' if n == 1 else 's'}"


def _print_json(found: Sequence[Problem], lists: dict[str, list[str]]) -> None:
    import json

    result = {
        "ok": all(problem.warning for problem in found),
        "problems": [asdict(problem) for problem in found],
        "topics": [],
        **{name.replace(" ", "_"): each for name, each in lists.items()},
    }
    typer.echo(json.dumps(result, ensure_ascii=False))

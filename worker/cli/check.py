"""`check`: every problem of the configuration, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.lines import print_line
from worker.cli.options import ConfigOption, chosen_config, load
from worker.documents.problems import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from worker.adapters.findings import Finding
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


def check(
    context: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as problems.")] = False,
    connect: Annotated[
        bool,
        typer.Option(
            "--connect",
            help="Also look at the brokers, the topics, the dead-letter topic, the group, the schema registry, the key "
            "and the clock, and print what was found.",
        ),
    ] = False,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage",
            help="Also report rules, expressions, topics and events that the fixtures do not cover, as problems.",
        ),
    ] = False,
    schema: Annotated[
        list[str] | None,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="Also compare fields and types with a schema: a file .avsc, .proto or .desc. With TOPIC=FILE only in "
            "the rules of that topic; repeatable.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: ConfigOption = None,
) -> None:
    """Find every problem in the settings, mappings and Python mappers; exit with 1 if there is any."""
    path = chosen_config(context, config)
    lists: dict[str, list[str]] = {}
    notes: list[Problem] = []
    looked_at: list[Finding] = []
    try:
        settings, mappings = load(path, needs_key=False, secrets_by_name=True)
    except ConfigError as error:
        found = error.problems
        notes = [Problem("nothing was looked at, because of the problems above")] if connect else []
    else:
        lists["topics"] = mappings.subscriptions
        found = [*settings.warnings, *mappings.warnings]
        if settings.schema_registry.url is None and mappings.needs_registry is not None:
            found.append(mappings.needs_registry)
        try:
            uncovered, missing, misplaced = _coverage(mappings, path)
            lists |= uncovered
            found += misplaced
            if coverage:
                found += missing
            elif uncovered:
                notes = missing
        except ConfigError as error:
            found += error.problems
        found += _compared(mappings, schema or [])
        looked_at = _look_around(settings, mappings) if connect else []
        found = _joined(found, [problem for finding in looked_at for problem in finding.problems])
    found = _by_place(found, _lint(path))
    if strict:
        found = [replace(problem, warning=False) for problem in found]
    if as_json:
        _print_json(found, lists, notes, looked_at if connect else None)
    else:
        for finding in looked_at:
            print_line(str(finding))
        _print(found, lists, notes)
    raise typer.Exit(1 if any(not problem.warning for problem in found) else 0)


def _compared(mappings: Mappings, schema_files: Sequence[str]) -> list[Problem]:
    """What the schemas contradict; what is wrong with them."""
    from worker.programs.schema_files import compared_with_files, compared_with_own

    try:
        return [*compared_with_own(mappings), *compared_with_files(mappings, schema_files)]
    except ConfigError as error:
        return error.problems


def _lint(config_file: Path) -> list[Problem]:
    """Legal but probably unintended parts of the mappings, also where other rules and files have errors."""
    import os

    from worker.cli.test import fixture_files, fixture_folder
    from worker.programs.linting import lint

    return lint(config_file, os.environ, fixture_files([fixture_folder(config_file)]))


def _by_place(found: Sequence[Problem], lint: Sequence[Problem]) -> list[Problem]:
    """All in order of files and lines. At the same place a finding of lint replaces any other warning."""
    places = {_place(problem) for problem in lint}
    kept = [problem for problem in found if not (problem.warning and _place(problem) in places)]
    return sorted(
        [*kept, *lint], key=lambda problem: (problem.file or "", problem.line or 0, problem.column or 0)
    )


def _joined(found: Sequence[Problem], seen: Sequence[Problem]) -> list[Problem]:
    """What was found by reading and by looking. A warning of the first that stops the second is reported once."""
    return [*(each for each in found if replace(each, warning=False) not in seen), *seen]


def _place(problem: Problem) -> tuple[str | None, int | None, int | None]:
    return problem.file, problem.line, problem.column


def _coverage(
    mappings: Mappings, config_file: Path
) -> tuple[dict[str, list[str]], list[Problem], list[Problem]]:
    """What the fixtures do not cover, in short and each with its place; and fixtures of unknown topics.

    Without fixtures the short form is empty.

    Raises:
        ConfigError: with the problems of the fixtures.
    """
    from worker.cli.test import fixture_folder, run_all
    from worker.mapping.trying.coverage import (
        events_without_rules,
        gaps,
        topics_without_events,
        unknown_topics,
    )

    folder = fixture_folder(config_file)
    results = run_all(mappings, [folder])
    if not results:
        return {}, [Problem("no fixtures", str(folder)), *gaps(mappings, results)], []
    uncovered = {
        "topics without events": topics_without_events(mappings, results),
        "events without rules": events_without_rules(results),
    }
    return uncovered, gaps(mappings, results), unknown_topics(mappings, results)


def _look_around(settings: Settings, mappings: Mappings) -> list[Finding]:
    import asyncio

    from worker.programs.check import look_around

    return asyncio.run(look_around(settings, mappings))


def _print(found: Sequence[Problem], lists: dict[str, list[str]], notes: Sequence[Problem]) -> None:
    for problem in found:
        print_line(str(problem))
    warnings = sum(problem.warning for problem in found)
    verdict = f"{_count(len(found) - warnings, 'problem')}, {_count(warnings, 'warning')}"
    topics = f"; topics: {', '.join(lists['topics'])}" if lists.get("topics") else ""
    print_line(f"{verdict}{topics}", err=True)
    for note in notes:
        print_line(f"note: {note}", err=True)


def _count(n: int, word: str) -> str:
    return f"{n or 'no'} {word}{'' if n == 1 else 's'}"


def _print_json(
    found: Sequence[Problem],
    lists: dict[str, list[str]],
    notes: Sequence[Problem],
    looked_at: Sequence[Finding] | None,
) -> None:
    import json

    result = {
        "ok": all(problem.warning for problem in found),
        "problems": [asdict(problem) for problem in found],
        "notes": [asdict(note) for note in notes],
        "topics": [],
        **{name.replace(" ", "_"): each for name, each in lists.items()},
    }
    if looked_at is not None:
        result["looked_at"] = [_as_json(finding) for finding in looked_at]
    typer.echo(json.dumps(result, ensure_ascii=False))


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "subject": finding.subject,
        "ok": all(problem.warning for problem in finding.problems),
        "found": finding.text,
        **finding.facts,
    }

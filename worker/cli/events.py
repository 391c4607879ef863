"""`events`: the catalogue of documented semantic events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from worker.cli.lines import print_line
from worker.cli.options import UnusedConfigOption


def events(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Explain the event of this name, or list those with this in their name. Lists all if omitted.",
        ),
    ] = None,
    config: UnusedConfigOption = None,
) -> None:
    """List the events that Customer.io documents, or explain one with a rule to paste into a mapping."""
    from worker.customerio import catalog

    if name is None:
        for family, names in catalog.families().items():
            typer.echo(f"{family}:")
            typer.echo("".join(f"  {event}\n" for event in names))
        return
    parts = [] if catalog.event(name) else _with_part(name)
    if len(parts) > 1:
        typer.echo("".join(f"{event}\n" for event in parts), nl=False)
        return
    meant = name if catalog.event(name) else parts[0] if parts else catalog.suggest(name)
    if meant is None:
        raise typer.BadParameter("no such event in the catalogue; `pipelines-worker events` lists all")
    if meant != name.strip():
        print_line(f"No event '{name}' in the catalogue; showing '{meant}'.", err=True)
        typer.echo(err=True)
    _explain(catalog.event(meant) or {})


def _with_part(name: str) -> list[str]:
    """The events with this in their name, in any case."""
    from worker.customerio import catalog

    wanted = name.strip().casefold()
    events = (event for names in catalog.families().values() for event in names)
    return list(dict.fromkeys(event for event in events if wanted and wanted in event.casefold()))


def _explain(event: Mapping[str, Any]) -> None:
    from worker.mapping.files.examples import example_rule

    typer.echo(f"{event['name']}  ({event['family']})")
    if event.get("destructive"):
        typer.echo("Destructive: it cannot be undone.")
    for line in _fields(event.get("properties", {}), 1):
        print_line(line)
    rule = example_rule(dict(event))
    typer.echo(f"\n{rule}" if rule else "\nSent only by Customer.io's own SDKs.")


def _fields(fields: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key, field in fields.items():
        notes = [field["type"], *(["required"] if field.get("required") is True else [])]
        if "enum" in field:
            notes.append("one of " + ", ".join(map(str, field["enum"])))
        yield f"{'  ' * depth}{'any other' if key == '*' else key}: {', '.join(notes)}"
        yield from _fields(field.get("properties") or {}, depth + 1)

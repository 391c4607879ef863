"""`reasons`: why records are dead-lettered, and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import UnusedConfigOption


def reasons(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE", help="Explain the reasons with this in their code. Lists all if omitted."
        ),
    ] = None,
    config: UnusedConfigOption = None,
) -> None:
    """List the reasons of dead letters, or explain one with what to do."""
    from worker.cli.lines import print_line
    from worker.core.near_matches import did_you_mean
    from worker.dead_letters.runbook import RUNBOOK

    if code is None:
        for name, entry in RUNBOOK.items():
            print_line(f"{name}: {entry.meaning}")
        return
    wanted = code.upper()
    found = [wanted] if wanted in RUNBOOK else [name for name in RUNBOOK if wanted in name]
    if not found:
        hint = (
            did_you_mean(wanted, RUNBOOK)
            or "`pipelines-worker reasons` lists all; mappers define codes of their own"
        )
        raise typer.BadParameter(f"the worker has no reason '{code}' ({hint})")
    for name in found:
        entry = RUNBOOK[name]
        typer.secho(name, bold=True)
        print_line(f"meaning  {entry.meaning}", 2)
        print_line(f"fault    {entry.fault}", 2)
        print_line(f"to do    {entry.action}", 2)

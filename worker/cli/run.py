"""`run`: the long-running worker."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import ConfigOption, chosen_config, load


def run_worker(
    context: typer.Context,
    until_caught_up: Annotated[
        bool,
        typer.Option(
            "--until-caught-up",
            help="Stop once everything that was in the topics at the start is delivered and committed: for cron "
            "jobs, back-fills and tests.",
        ),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Consume, map and deliver until SIGTERM or SIGINT; a second one stops at once."""
    settings, mappings = load(chosen_config(context, config), needs_key=True)
    import uvloop

    from worker.programs import run as app

    working = app.run_worker(settings, mappings, until_caught_up=until_caught_up, alone=True)
    raise typer.Exit(uvloop.run(working))

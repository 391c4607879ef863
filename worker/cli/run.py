"""`run`: the long-running worker."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import ConfigOption, chosen_config, load

MAX_PROCESSES = 256
"""More is a mistake: no machine that runs this has as many cores for it."""


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
    processes: Annotated[
        str,
        typer.Option(
            metavar="N",
            help="How many worker processes to run, as members of one group; `auto`: one per core, within the "
            "container's CPU quota.",
        ),
    ] = "1",
    config: ConfigOption = None,
) -> None:
    """Consume, map and deliver until SIGTERM or SIGINT; a second one stops at once.

    Example: pipelines-worker run --processes auto
    """
    number = _number_of(processes)
    settings, mappings = load(chosen_config(context, config), needs_key=True)
    import asyncio
    import os

    import uvloop

    from worker.programs.child_link import Supervised

    supervised = Supervised.of(os.environ)
    if number > 1 and supervised is None:
        from worker.programs.supervisor import supervise

        raise typer.Exit(asyncio.run(supervise(settings, number, until_caught_up=until_caught_up)))
    from worker.programs import run as app

    working = app.run_worker(
        settings, mappings, until_caught_up=until_caught_up, alone=True, supervised=supervised
    )
    raise typer.Exit(uvloop.run(working))


def _number_of(processes: str) -> int:
    if processes == "auto":
        from worker.programs.cores import available_cores

        return available_cores()
    if not processes.isdecimal() or not 1 <= int(processes) <= MAX_PROCESSES:
        raise typer.BadParameter(
            f"must be auto, or a number from 1 to {MAX_PROCESSES}", param_hint="--processes"
        )
    return int(processes)

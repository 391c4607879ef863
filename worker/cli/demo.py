"""`demo`: everything on one machine, with nothing else installed."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import UnusedConfigOption


def demo(
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the summary, without serving the pages.")
    ] = False,
    config: UnusedConfigOption = None,
) -> None:
    """Run an in-process Kafka, the Pipelines emulator with its page, and the worker between them."""
    import uvloop

    from worker.demo.run import run_demo

    raise typer.Exit(uvloop.run(run_demo(exit_at_end=exit_)))

"""`emulator`: the local stand-in for the Pipelines API."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from worker.cli.lines import print_line
from worker.cli.options import UnusedConfigOption


def emulator(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 chooses a free port.")
    ] = "127.0.0.1:8090",
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The only valid API key. Any, if omitted.")
    ] = None,
    strict_batches: Annotated[
        Literal["all-or-nothing", "take-good"],
        typer.Option(
            metavar="HOW",
            help="What strict mode does with the good calls of a batch that contains a bad one: all-or-nothing or "
            "take-good.",
        ),
    ] = "all-or-nothing",
    enforce_rate_limit: Annotated[
        bool, typer.Option("--enforce-rate-limit", help="Return 429 above 3,000 requests in 3 seconds.")
    ] = False,
    latency: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Seconds before each response.")
    ] = 0.0,
    config: UnusedConfigOption = None,
) -> None:
    """Run a local stand-in for the Pipelines API, with a page, a JSON view of received calls, and injected faults."""
    import asyncio

    from worker.emulator import serve

    def ready(address: str) -> None:
        print_line(
            f"{address} is the emulator's page, and the pipelines.url for a worker. Ctrl-C ends it.", err=True
        )

    serving = serve(
        listen,
        ready=ready,
        key=key,
        strict_batches=strict_batches,
        enforce_rate_limit=enforce_rate_limit,
        latency=latency,
    )
    try:
        asyncio.run(serving)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        print_line(f"cannot listen on {listen}: {error.strerror}", err=True)
        raise typer.Exit(1) from None

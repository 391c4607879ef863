"""`run`: a worker with its pages, from start to exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import orjson

from worker.adapters.http.server import HttpServer, ListenFailed
from worker.programs.child_link import ALIVE, METRICS, READY, STATUS, Answering
from worker.programs.pages import Pages
from worker.programs.signals import LEAVING_SECONDS, drain_on_signals, end_process_in
from worker.programs.worker import HALTED, Worker
from worker.settings.shares import share_of
from worker.telemetry.logs import configure_logging, log

if TYPE_CHECKING:
    from worker.mapping.mappings import Mappings
    from worker.programs.child_link import Supervised
    from worker.settings import Settings


async def run_worker(
    settings: Settings,
    mappings: Mappings,
    *,
    until_caught_up: bool = False,
    alone: bool = False,
    supervised: Supervised | None = None,
) -> int:
    """Run a worker with its HTTP endpoints until SIGTERM, SIGINT or, if requested, until it has caught up.

    Args:
        settings: worker.yaml.
        mappings: the mapping files.
        until_caught_up: whether to stop once all records that existed at the start are committed.
        alone: whether this process runs nothing else, so that it may be ended if something hangs after a signal.
        supervised: which of several processes this is; None for the only one. The supervisor then serves the pages.

    Returns:
        The exit code: 0 for done or drained; 1 for on hold, stopped without draining, or unable to start.
    """
    configure_logging(
        settings.telemetry, sys.stderr, process=supervised.process.number if supervised else None
    )
    if supervised:
        settings = share_of(settings, supervised.process)
    _tune_garbage_collection()
    worker = Worker(settings, mappings, supervised)
    leaving_seconds = settings.delivery.shutdown_timeout + LEAVING_SECONDS
    async with AsyncExitStack() as stack:
        stack.push_async_callback(worker.close)
        try:
            if supervised:
                _answer_supervisor(worker, supervised, leaving_seconds, stack)
            else:
                await _serve_pages(worker, settings.http.listen, stack)
        except ListenFailed as failure:
            log(logging.ERROR, "listen_failed", str(failure))
            return HALTED
        working = asyncio.create_task(worker.run(until_caught_up=until_caught_up))
        with drain_on_signals(worker.pipeline, working, leaving_seconds if alone else None):
            try:
                return await working
            except asyncio.CancelledError:
                log(logging.WARNING, "stopped_at_once", "a second signal: stopped without draining")
                return HALTED


async def _serve_pages(worker: Worker, listen: str | None, stack: AsyncExitStack) -> None:
    """Serve the worker's HTTP endpoints while `stack` is open, unless they are turned off."""
    if listen is None:
        return
    pages = Pages(worker)
    stack.callback(pages.close)
    server = HttpServer(
        listen,
        ready=pages.ready,
        status=pages.status,
        metrics=worker.telemetry.prometheus,
        alive=pages.alive,
    )
    await server.start()
    stack.push_async_callback(server.close)


def _answer_supervisor(
    worker: Worker, supervised: Supervised, leaving_seconds: float, stack: AsyncExitStack
) -> None:
    """Tell the supervisor this worker's state while `stack` is open.

    If the supervisor ends, this process drains, and is ended after `leaving_seconds` in any case.
    """
    pages = Pages(worker)
    stack.callback(pages.close)
    loop = asyncio.get_running_loop()

    def drain() -> None:
        end_process_in(leaving_seconds)
        with suppress(RuntimeError):  # this worker has ended, too
            loop.call_soon_threadsafe(worker.pipeline.stop, "the supervisor ended")

    answers: dict[bytes, Callable[[], bytes]] = {
        ALIVE: lambda: orjson.dumps(pages.alive()),
        READY: lambda: orjson.dumps(pages.ready()),
        STATUS: lambda: orjson.dumps(pages.status(), option=orjson.OPT_NON_STR_KEYS),
        METRICS: worker.telemetry.prometheus,
    }
    Answering(supervised.link, answers, on_gone=drain)


def _tune_garbage_collection() -> None:
    """Make the cycle collector run rarely: it costs time in proportion to the objects in memory, and finds little.

    Modules and compiled mappings live as long as the process, so they are frozen, which excludes them from collections.
    Records and calls contain no reference cycles; reference counting frees them. With CPython's default threshold of
    700 to 2,000 new objects there would be a collection for every few slices of records, with 50,000 there is one for
    several thousand records. Every 20th of these includes the middle generation, every 100th of those the old one.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
